#include "core/wire/json_writer.h"

#include <array>
#include <charconv>
#include <cstddef>

#include "core/wire/base64.h"
#include "core/wire/json_scan.h"
#include "core/wire/utf8.h"

namespace muster::wire {

namespace {

constexpr std::string_view replacement_character = "\xef\xbf\xbd";

template <typename Number>
void append_integer(std::string& out, Number number) {
    std::array<char, 20> digits;  // 2^64 - 1 and -2^63 have 20 each.
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"': out += "\\\""; return;
        case '\\': out += "\\\\"; return;
        case '\b': out += "\\b"; return;
        case '\f': out += "\\f"; return;
        case '\n': out += "\\n"; return;
        case '\r': out += "\\r"; return;
        case '\t': out += "\\t"; return;
        default: break;
    }
    constexpr std::string_view hex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    out += "\\u00";
    out.push_back(hex[byte >> 4U]);
    out.push_back(hex[byte & 15U]);
}

/// Returns `text` with every byte that belongs to no valid sequence replaced. Slow: for text of
/// strangers in our error messages only.
std::string with_valid_utf8(std::string_view text) {
    std::string valid;
    while (!text.empty()) {
        std::size_t size = 1;
        while (size < 4 && size < text.size() && !is_valid_utf8(text.substr(0, size))) {
            ++size;
        }
        if (is_valid_utf8(text.substr(0, size))) {
            valid += text.substr(0, size);
            text.remove_prefix(size);
        } else {
            valid += replacement_character;
            text.remove_prefix(1);
        }
    }
    return valid;
}

}  // namespace

void append_number(std::string& out, std::uint64_t number) { append_integer(out, number); }
void append_number(std::string& out, std::int64_t number) { append_integer(out, number); }

void append_quoted(std::string& out, std::string_view text) {
    const char* at = text.data();
    const char* const end = at + text.size();
    bool may_be_non_ascii = false;
    const std::size_t old_size = out.size();
    out.push_back('"');
    for (;;) {
        const StringRun run = find_special(at, end);
        may_be_non_ascii = may_be_non_ascii || run.may_be_non_ascii;
        out.append(at, run.end);
        if (run.end == end) {
            break;
        }
        append_escape(out, *run.end);
        at = run.end + 1;
    }
    out.push_back('"');
    if (may_be_non_ascii && !is_valid_utf8(text)) {
        out.resize(old_size);
        append_quoted(out, with_valid_utf8(text));
    }
}

void append_quoted_base64(std::string& out, std::string_view bytes) {
    out.push_back('"');
    append_base64(out, bytes, Base64::standard);
    out.push_back('"');
}

}  // namespace muster::wire
