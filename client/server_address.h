#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace muster::detail {

/// Where a server is, taken apart from `ws://host[:port][/path]`.
struct ServerAddress {
    std::string host;    ///< a name or a number, without brackets
    std::string port;    ///< digits; 7400 where none was named
    std::string target;  ///< `/connect` where none was named
    std::string shown;   ///< `host:port`, as it stands in messages and in the Host header

    friend bool operator==(const ServerAddress&, const ServerAddress&) = default;
};

/// Errors: bad_settings, with what is wrong as its detail.
[[nodiscard]] Result<ServerAddress> parse_server_address(std::string_view url);

}  // namespace muster::detail
