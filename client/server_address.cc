#include "client/server_address.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

namespace muster::detail {

namespace {

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port != 0;
}

}  // namespace

Result<ServerAddress> parse_server_address(std::string_view text, std::string_view default_port) {
    const auto bad = [text](std::string_view what) {
        return failure(ErrorCode::bad_settings, fmt::format("server `{}`: {}", text, what));
    };
    std::string_view rest = text;
    if (const std::size_t end = text.find("://"); end != text.npos) {
        const std::string_view scheme = text.substr(0, end);
        if (scheme == "wss" || scheme == "https") {
            return bad("TLS is not spoken here; use ws:// or http://, or a proxy that adds TLS");
        }
        if (scheme != "ws" && scheme != "http") {
            return bad("an address looks like 127.0.0.1:7400 or ws://127.0.0.1:7400");
        }
        rest = text.substr(end + 3);
    }
    if (!is_printable(text)) {
        return bad("spaces and special characters are not allowed");
    }
    ServerAddress address;
    const std::size_t slash = rest.find('/');
    address.target = slash == rest.npos || slash + 1 == rest.size() ? ServerAddress::default_target
                                                                    : rest.substr(slash);
    rest = rest.substr(0, slash);
    if (rest.find('@') != rest.npos) {
        return bad("no user name here; give a token instead");
    }
    std::string_view host = rest;
    std::string_view port;
    if (rest.starts_with('[')) {
        const std::size_t bracket = rest.find(']');
        if (bracket == rest.npos) {
            return bad("a `]` is missing");
        }
        host = rest.substr(1, bracket - 1);
        port = rest.substr(bracket + 1);
        if (!port.empty() && !port.starts_with(':')) {
            return bad("after `]` comes the port");
        }
    } else if (const std::size_t colon = rest.find(':'); colon != rest.npos) {
        if (rest.find(':', colon + 1) != rest.npos) {
            return bad("an IPv6 address stands in brackets, such as [::1]:7400");
        }
        host = rest.substr(0, colon);
        port = rest.substr(colon);
    }
    address.port = port.empty() ? default_port : port.substr(1);
    address.host = host;
    if (!text.empty() && std::ranges::all_of(text, is_digit)) {
        address.port = text;
        address.host = "127.0.0.1";
    }
    if (address.host.empty()) {
        return bad("the host is missing");
    }
    if (!is_port(address.port)) {
        return bad("the port is a number from 1 to 65535");
    }
    address.shown = address.host.find(':') == std::string::npos
                        ? fmt::format("{}:{}", address.host, address.port)
                        : fmt::format("[{}]:{}", address.host, address.port);
    return address;
}

}  // namespace muster::detail
