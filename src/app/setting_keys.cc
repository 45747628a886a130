#include "app/setting_keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "shell/runtime/descriptor.h"

namespace muster::app {
namespace {

constexpr std::size_t file_bytes_max = 16'384;
constexpr std::size_t secret_bytes_min = 32;

struct Refusal {
    mode_t rights;
    std::string_view reason;
    std::string_view remedy;
};
constexpr Refusal secret_refusal{S_IRWXO, "is secret, but open to everybody", "chmod 600"};
constexpr Refusal public_refusal{S_IWOTH, "may be changed by everybody", "chmod go-w"};

/// Returns the contents of a file, if nobody has rights to it that are refused.
Parsed<std::string> read_file(const std::string& path, const Refusal& refusal) {
    // O_NONBLOCK: a pipe in the file's place must not hold us up.
    const runtime::Descriptor file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    if (!file.is_open()) {
        return tl::unexpected{fmt::format("cannot read {}: {}", path, std::strerror(errno))};
    }
    struct stat status{};
    if (::fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return tl::unexpected{fmt::format("{} is not a file", path)};
    }
    if ((status.st_mode & refusal.rights) != 0) {
        return tl::unexpected{
            fmt::format("{} {}; run: {} {}", path, refusal.reason, refusal.remedy, path)};
    }
    std::string text(file_bytes_max + 1, '\0');
    const ssize_t bytes = ::read(file.fd(), text.data(), text.size());
    if (bytes < 0) {
        return tl::unexpected{fmt::format("cannot read {}: {}", path, std::strerror(errno))};
    }
    text.resize(static_cast<std::size_t>(bytes));
    if (text.size() > file_bytes_max) {
        return tl::unexpected{fmt::format("{} is longer than 16 KiB, so it is no key", path)};
    }
    return text;
}

/// Returns a secret without the newline that editors put at the end of a file.
Parsed<std::string> read_secret(const std::string& path) {
    auto text = read_file(path, secret_refusal);
    if (!text) {
        return text;
    }
    if (text->ends_with('\n')) {
        text->pop_back();
    }
    if (text->ends_with('\r')) {
        text->pop_back();
    }
    if (text->size() < secret_bytes_min) {
        return tl::unexpected{
            fmt::format("{} holds {} bytes; a secret has {} or more (openssl rand -hex 32)", path,
                        text->size(), secret_bytes_min)};
    }
    if (text->starts_with("-----BEGIN ")) {
        return tl::unexpected{fmt::format("{} holds a PEM key, not a secret", path)};
    }
    return text;
}

Parsed<std::string> read_public_key(const std::string& path) {
    auto text = read_file(path, public_refusal);
    if (text && text->find("-----BEGIN PUBLIC KEY-----") == std::string::npos) {
        return tl::unexpected{fmt::format("{} holds no \"-----BEGIN PUBLIC KEY-----\"", path)};
    }
    return text;
}

Parsed<std::string> read_bearer_text(const std::string& path) {
    auto text = read_secret(path);
    if (text &&
        !std::all_of(text->begin(), text->end(), [](char c) { return c > ' ' && c < 0x7f; })) {
        return tl::unexpected{fmt::format(
            "{} holds more than printable characters; it is sent in an HTTP header", path)};
    }
    return text;
}

}  // namespace

void read_key_files(Settings& settings, Problems& problems) {
    for (std::size_t i = 0; i < settings.token_keys.size(); ++i) {
        TokenKey& key = settings.token_keys[i];
        const bool is_secret = key.algorithm == TokenAlgorithm::hs256;
        auto text = key.file.empty() ? Parsed<std::string>{}
                    : is_secret      ? read_secret(key.file)
                                     : read_public_key(key.file);
        if (text) {
            key.key = std::move(*text);
        } else {
            const std::string path = fmt::format("token_key[{}]", i);
            problems.add(settings.origin_of(path).place,
                         fmt::format("{}.{}: {}", path,
                                     is_secret ? "secret_file" : "public_key_file", text.error()));
        }
    }
    for (std::size_t i = 0; i < settings.admin_keys.size(); ++i) {
        AdminKey& key = settings.admin_keys[i];
        auto text = key.file.empty() ? Parsed<std::string>{} : read_bearer_text(key.file);
        if (text) {
            key.key = std::move(*text);
        } else {
            const std::string path = fmt::format("admin_key[{}]", i);
            problems.add(settings.origin_of(path).place,
                         fmt::format("{}.key_file: {}", path, text.error()));
        }
    }
}

}  // namespace muster::app
