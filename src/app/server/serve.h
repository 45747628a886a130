#pragma once

#include <string_view>

#include "app/settings.h"
#include "base/result.h"

namespace muster::server {

/// Runs a whole server, gateways and node in one process, until SIGTERM or SIGINT; then says
/// goodbye to clients, for at most `server.drain_time`, and returns. In --dev it greets with
/// commands to try, which begin with `program`: how this one was called.
///
/// Threads: one per shard; the calling thread becomes the service thread (admin HTTP, signals).
/// Disk:    a disk that hangs holds up the end of a recording, but not of the process: that ends
///          here then, with 0 and without a return, once the log says so.
/// Errors:  whatever keeps it from starting (data folder, occupied port, missing rights): nothing
///          has been served then, and nothing is left behind.
[[nodiscard]] Result<void> serve(const app::Settings& settings, std::string_view program);

}  // namespace muster::server
