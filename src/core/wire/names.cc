#include "core/wire/names.h"

#include <utf8proc.h>

#include <array>
#include <cstdint>

#include "base/check.h"
#include "core/wire/utf8.h"

namespace muster::wire {
namespace {

constexpr std::string_view user_prefix = "/user/";

bool is_alphanumeric(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_only_of(std::string_view text, std::string_view punctuation) noexcept {
    for (const char c : text) {
        if (!is_alphanumeric(c) && punctuation.find(c) == std::string_view::npos) {
            return false;
        }
    }
    return true;
}

// For valid UTF-8, where C1 (U+0080 to U+009F) is C2 80 to C2 9F.
bool has_control_character(std::string_view text) noexcept {
    unsigned before = 0;
    for (const char c : text) {
        const unsigned byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f || (before == 0xc2 && byte < 0xa0)) {
            return true;
        }
        before = byte;
    }
    return false;
}

// For valid UTF-8 of at most 256 bytes. Works on the stack: utf8proc_NFC() would allocate.
bool is_nfc(std::string_view text) noexcept {
    if (is_ascii(text)) {
        return true;
    }
    // A code point decomposes into at most four, and takes at least one byte.
    std::array<utf8proc_int32_t, 4 * queue_name_bytes_max> composed{};
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    auto size = static_cast<utf8proc_ssize_t>(text.size());
    utf8proc_ssize_t count =
        utf8proc_decompose(bytes, size, composed.data(), composed.size(), options);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(composed.size())) {
        return false;
    }
    count = utf8proc_normalize_utf32(composed.data(), count, options);

    for (utf8proc_ssize_t i = 0; i < count; ++i) {
        utf8proc_int32_t code_point = 0;
        const utf8proc_ssize_t taken = utf8proc_iterate(bytes, size, &code_point);
        if (taken <= 0 || code_point != composed[static_cast<std::size_t>(i)]) {
            return false;
        }
        bytes += taken;
        size -= taken;
    }
    return size == 0;
}

// Returns the broken rule, or nullptr. `segments` is the name without its first `/`.
const char* broken_segment_rule(std::string_view segments) noexcept {
    for (;;) {
        const std::size_t size = segments.find('/');
        const std::string_view segment = segments.substr(0, size);
        if (segment.empty()) {
            return size == std::string_view::npos ? "a queue name does not end with `/`"
                                                  : "a queue name has no `//`";
        }
        if (segment == "." || segment == "..") {
            return "a queue name has no segment `.` or `..`";
        }
        if (segment == "-") {
            return "a queue name has no segment `-`";
        }
        if (size == std::string_view::npos) {
            return nullptr;
        }
        segments.remove_prefix(size + 1);
    }
}

// The functions that follow return the broken rule, or nullptr.

const char* broken_queue_rule(std::string_view name) noexcept {
    if (name.empty()) {
        return "a queue name is not empty";
    }
    if (name.size() > queue_name_bytes_max) {
        return "a queue name has at most 256 bytes";
    }
    if (name.front() != '/') {
        return "a queue name begins with `/`";
    }
    if (!is_valid_utf8(name)) {
        return "a queue name is UTF-8";
    }
    if (has_control_character(name)) {
        return "a queue name has no control characters";
    }
    if (const char* rule = broken_segment_rule(name.substr(1)); rule != nullptr) {
        return rule;
    }
    return is_nfc(name) ? nullptr : "a queue name is in Unicode normal form C";
}

const char* broken_user_rule(std::string_view user) noexcept {
    if (user.empty() || user.size() > user_id_bytes_max) {
        return "a user id has 1 to 64 bytes";
    }
    if (!is_only_of(user, "_.:@-")) {
        return "a user id consists of A-Za-z0-9_.:@-";
    }
    const bool is_segment = user != "." && user != ".." && user != "-";
    return is_segment ? nullptr : "a user id is not `.`, `..` or `-`";
}

const char* broken_mount_rule(std::string_view mount) noexcept {
    if (mount.empty() || mount.size() > mount_name_bytes_max) {
        return "a mount name has 1 to 64 bytes";
    }
    if (!is_only_of(mount, "_.-")) {
        return "a mount name consists of A-Za-z0-9_.-";
    }
    const bool begins_well = mount.front() != '.' && mount.front() != '-';
    return begins_well ? nullptr : "a mount name does not begin with `.` or `-`";
}

const char* broken_key_rule(std::string_view key) noexcept {
    if (key.empty() || key.size() > key_bytes_max) {
        return "a key has 1 to 256 bytes";
    }
    if (!is_valid_utf8(key)) {
        return "a key is UTF-8";
    }
    return has_control_character(key) ? "a key has no control characters" : nullptr;
}

Result<void> result_of(const char* broken_rule) {
    if (broken_rule != nullptr) {
        return failure(ErrorCode::bad_name, broken_rule);
    }
    return {};
}

}  // namespace

Result<void> check_queue_name(std::string_view name) { return result_of(broken_queue_rule(name)); }
Result<void> check_user_id(std::string_view user) { return result_of(broken_user_rule(user)); }
Result<void> check_mount_name(std::string_view mount) {
    return result_of(broken_mount_rule(mount));
}
Result<void> check_key(std::string_view key) { return result_of(broken_key_rule(key)); }

QueueName user_queue_name(const UserId& user) {
    const std::string_view text = user.text();
    MUSTER_CHECK(text.size() <= user_id_bytes_max);
    std::array<char, user_prefix.size() + user_id_bytes_max> name{};
    user_prefix.copy(name.data(), user_prefix.size());
    text.copy(name.data() + user_prefix.size(), text.size());
    return QueueName{std::string_view{name.data(), user_prefix.size() + text.size()}};
}

std::optional<std::string_view> user_of_queue_name(std::string_view name) noexcept {
    if (!name.starts_with(user_prefix)) {
        return std::nullopt;
    }
    const std::string_view user = name.substr(user_prefix.size());
    if (broken_user_rule(user) != nullptr) {
        return std::nullopt;
    }
    return user;
}

}  // namespace muster::wire
