#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace muster::detail {

/// Where a server is, taken apart. Every command, client and benchmark takes the same forms:
/// `host`, `host:port`, `ws://host[:port][/path]` and `http://host[:port][/path]`. The scheme is
/// decoration, so that an address can be copied from wherever it stands. Digits alone are a port of
/// this machine (127.0.0.1).
struct ServerAddress {
    static constexpr std::string_view client_port = "7400";
    static constexpr std::string_view admin_port = "7401";
    static constexpr std::string_view default_target = "/connect";

    std::string host;    ///< a name or a number, without brackets
    std::string port;    ///< digits; the default one where none was named
    std::string target;  ///< `/connect` where none was named
    std::string shown;   ///< `host:port`, as it stands in messages and in the Host header

    friend bool operator==(const ServerAddress&, const ServerAddress&) = default;
};

/// Errors: bad_settings, with what is wrong as its detail.
[[nodiscard]] Result<ServerAddress> parse_server_address(
    std::string_view text, std::string_view default_port = ServerAddress::client_port);

}  // namespace muster::detail
