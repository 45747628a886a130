#include "core/wire/http_target.h"

#include <algorithm>

#include "core/wire/utf8.h"

namespace muster::wire {
namespace {

tl::unexpected<HttpRefusal> refuse(std::uint16_t status, std::string_view why) noexcept {
    return tl::unexpected<HttpRefusal>(HttpRefusal{status, why});
}

HttpResult<void> append_decoded(std::string& out, std::string_view text, char plus) {
    const std::size_t start = out.size();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(text[i] == '+' ? plus : text[i]);
            continue;
        }
        const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return refuse(400, "a percent sign without two hexadecimal digits");
        }
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    const std::string_view decoded = std::string_view{out}.substr(start);
    const bool has_control = std::any_of(decoded.begin(), decoded.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (has_control || !is_valid_utf8(decoded)) {
        return refuse(400, "percent-encoded bytes that are no text");
    }
    return {};
}

bool has_dot_segment(std::string_view path) noexcept {
    while (!path.empty()) {
        const std::size_t end = path.find('/');
        const std::string_view segment = path.substr(0, end);
        if (segment == "." || segment == "..") {
            return true;
        }
        path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    }
    return false;
}

}  // namespace

HttpResult<std::string_view> decode_target(std::string_view target, std::string& path) {
    const std::size_t path_end = std::min(target.find('?'), target.size());
    if (path_end > path_bytes_max) {
        return refuse(414, "the path is longer than 2 KiB");
    }
    if (!target.starts_with('/')) {
        return refuse(400, "the target is not a path");
    }
    path.clear();
    if (const auto decoded = append_decoded(path, target.substr(0, path_end), '+'); !decoded) {
        return tl::unexpected<HttpRefusal>(decoded.error());
    }
    if (has_dot_segment(path)) {
        return refuse(400, "the path has a segment `.` or `..`");
    }
    return target.substr(std::min(path_end + 1, target.size()));
}

std::optional<std::string_view> query_value(std::string_view query,
                                            std::string_view name) noexcept {
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        const std::size_t equals = std::min(pair.find('='), pair.size());
        if (pair.substr(0, equals) == name) {
            return pair.substr(std::min(equals + 1, pair.size()));
        }
        query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    }
    return std::nullopt;
}

HttpResult<void> append_query_decoded(std::string& out, std::string_view value) {
    return append_decoded(out, value, ' ');
}

}  // namespace muster::wire
