#pragma once

#include <sys/socket.h>

#include "base/result.h"
#include "shell/observe/log_target.h"

namespace muster::observe {

/// Where the socket of a log target is connected to.
struct LogPeer {
    sockaddr_storage address{};
    socklen_t address_bytes = 0;
};

/// Returns the peer of a target that is not stderr. Asks the resolver for a host's name, so it may
/// wait for that; takes the first address.
/// Errors: bad_settings (the host is not known, the path is too long).
[[nodiscard]] Result<LogPeer> resolve(const LogTarget& target);

}  // namespace muster::observe
