#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/name.h"
#include "shell/admin/call.h"
#include "shell/admin/keys.h"
#include "shell/admin/problem.h"

namespace muster::admin {

/// Who remembers the reply of a POST with an Idempotency-Key.
enum class Remembers : std::uint8_t { nobody, queue, reply_table };

/// One verb and path of the API. In a pattern, `{queue}` stands for one or more segments up to
/// `/-/` or the end, `{key}` for all that is left, the other names for one segment.
struct Route {
    std::string_view method;
    std::string_view pattern;  ///< as in openapi.json
    Role role = Role::read;
    Handler handler = nullptr;  ///< nullptr: answered by the Api itself
    Remembers remembers = Remembers::nobody;
    std::string_view parameters = {};  ///< those of the query, with a space between two
    bool is_noted = false;             ///< a success is told to the log: not what is said every day
};

/// Returns all routes.
[[nodiscard]] std::span<const Route> routes() noexcept;

/// Where a path leads to, with the names that it carries. All are checked.
struct Match {
    const Route* route = nullptr;
    QueueName queue;
    MountName mount;
    UserId user;
    Key key;
};

/// Finds the route of `method` (HEAD is as GET) and `path`, which is decoded.
/// Problems: 404 for no such path, 405 with Allow for another method, bad_name.
[[nodiscard]] Parsed<Match> match(std::string_view method, std::string_view path);

}  // namespace muster::admin
