#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace muster::cli {

struct HttpAnswer {
    int status = 0;
    std::string body;
};

/// One HTTP/1.1 call to `address` (in any form of client/server_address.h; port 7401 where none is
/// named), and its whole answer: at most 16 MiB, within 10 s. `key` goes into `Authorization:
/// Bearer`; empty: none. Blocks.
/// Errors: bad_settings (no address), upstream (cannot be reached), protocol (no HTTP answer).
[[nodiscard]] Result<HttpAnswer> http_call(std::string_view address, std::string_view method,
                                           std::string_view path, std::string_view body,
                                           std::string_view key);

}  // namespace muster::cli
