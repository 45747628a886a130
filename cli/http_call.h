#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace muster::cli {

struct HttpAnswer {
    int status = 0;
    std::string body;
    std::string server;  ///< `host:port`, for messages
};

/// One HTTP/1.1 call to `address` (in any form of client/server_address.h; port 7401 where none is
/// named), and its whole answer: at most 16 MiB, within `patience`. `key` goes into
/// `Authorization: Bearer`; empty: none. Blocks.
/// Errors: bad_settings (no address), upstream (cannot be reached, or no answer in time), protocol
/// (no HTTP answer).
[[nodiscard]] Result<HttpAnswer> http_call(
    std::string_view address, std::string_view method, std::string_view path, std::string_view body,
    std::string_view key, std::chrono::milliseconds patience = std::chrono::seconds{10});

/// Returns what to say of a server that is some other one: "… does not speak Muster's admin API".
[[nodiscard]] std::string other_server_text(std::string_view server, std::string_view why);

}  // namespace muster::cli
