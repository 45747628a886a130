#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "shell/runtime/descriptor.h"

namespace muster::net {

/// A listening TCP socket, non-blocking.
struct Listener {
    runtime::Descriptor socket;
    std::string address;      ///< numeric, as it was bound
    std::uint16_t port = 0;   ///< as it was bound: the kernel's choice where 0 was asked for
};

struct ListenOptions {
    bool shares_port = false;  ///< SO_REUSEPORT: several shards accept on one port
    int backlog = 4096;
};

/// Listens on `endpoint`: `127.0.0.1:7400`, `[::1]:7400`, `0.0.0.0:0`.
/// Errors: bad_settings (no such address), cannot_listen (taken, not an address of this machine, or
/// a port that this user may not use). The detail names the endpoint and what to do.
[[nodiscard]] Result<Listener> listen_on(std::string_view endpoint, const ListenOptions& options);

}  // namespace muster::net
