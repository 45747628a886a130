#include "shell/admin/router.h"

#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "core/wire/names.h"

namespace muster::admin {
namespace {

constexpr auto table = std::to_array<Route>({
    {"GET", "/healthz"},
    {"GET", "/readyz"},
    {"GET", "/openapi.json"},
    {"GET", "/metrics"},
    {"POST", "/v1/batch", Role::game_server, nullptr, Remembers::reply_table},

    {"GET", "/v1/queues", Role::read, list_queues, Remembers::nobody, "prefix cursor limit"},
    {"GET", "/v1/queues/{queue}", Role::read, get_queue},
    {"PUT", "/v1/queues/{queue}", Role::game_server, put_queue, Remembers::nobody, {}, true},
    {"DELETE", "/v1/queues/{queue}", Role::game_server, delete_queue, Remembers::nobody, {}, true},

    {"GET", "/v1/queues/{queue}/-/members", Role::read, list_members, Remembers::nobody,
     "cursor limit"},
    {"PUT", "/v1/queues/{queue}/-/members/{user}", Role::game_server, put_member},
    {"DELETE", "/v1/queues/{queue}/-/members/{user}", Role::game_server, delete_member},

    {"GET", "/v1/queues/{queue}/-/mounts/{mount}", Role::read, get_mount},
    {"PUT",
     "/v1/queues/{queue}/-/mounts/{mount}",
     Role::game_server,
     put_mount,
     Remembers::nobody,
     {},
     true},
    {"DELETE",
     "/v1/queues/{queue}/-/mounts/{mount}",
     Role::game_server,
     delete_mount,
     Remembers::nobody,
     {},
     true},

    {"GET", "/v1/queues/{queue}/-/mounts/{mount}/messages", Role::read, get_messages,
     Remembers::nobody, "after limit"},
    {"POST", "/v1/queues/{queue}/-/mounts/{mount}/messages", Role::game_server, post_message,
     Remembers::queue},

    {"GET", "/v1/queues/{queue}/-/mounts/{mount}/state", Role::read, get_state},
    {"PATCH", "/v1/queues/{queue}/-/mounts/{mount}/state", Role::game_server, patch_state},
    {"GET", "/v1/queues/{queue}/-/mounts/{mount}/state/{key}", Role::read, get_key},
    {"PUT", "/v1/queues/{queue}/-/mounts/{mount}/state/{key}", Role::game_server, put_key},
    {"DELETE", "/v1/queues/{queue}/-/mounts/{mount}/state/{key}", Role::game_server, delete_key},

    {"GET", "/v1/users/{user}", Role::read, get_user},
    {"POST",
     "/v1/users/{user}/-/disconnect",
     Role::game_server,
     disconnect_user,
     Remembers::reply_table,
     {},
     true},
    {"POST", "/v1/users/{user}/-/messages", Role::game_server, tell_user, Remembers::reply_table},
});

/// The texts that a pattern's names stand for.
struct Captures {
    std::optional<std::string_view> queue;  // With its first slash.
    std::optional<std::string_view> mount;
    std::optional<std::string_view> user;
    std::optional<std::string_view> key;
};

/// Takes a segment (without slashes) off the front.
std::string_view take_segment(std::string_view& text) {
    const std::string_view segment = text.substr(0, text.find('/'));
    text.remove_prefix(segment.size());
    return segment;
}

/// Takes a queue's name, from its slash up to `/-/` or the end. The slash before it is taken too.
std::string_view take_queue(std::string_view& path) {
    const std::string_view name = path.substr(0, path.find("/-/"));
    path.remove_prefix(name.size());
    return name;
}

/// Holds the path against a pattern, piece by piece.
std::optional<Captures> fit(std::string_view pattern, std::string_view path) {
    Captures captures;
    while (!pattern.empty()) {
        constexpr std::string_view queue_piece = "/{queue}";
        if (pattern.starts_with(queue_piece)) {
            if (!path.starts_with('/')) {
                return std::nullopt;
            }
            pattern.remove_prefix(queue_piece.size());
            captures.queue = take_queue(path);
            continue;
        }
        if (!path.starts_with('/')) {
            return std::nullopt;
        }
        pattern.remove_prefix(1);
        path.remove_prefix(1);
        const std::string_view piece = take_segment(pattern);
        if (piece == "{key}") {
            captures.key = std::exchange(path, {});
            continue;
        }
        const std::string_view segment = take_segment(path);
        if (piece == "{mount}") {
            captures.mount = segment;
        } else if (piece == "{user}") {
            captures.user = segment;
        } else if (piece != segment) {
            return std::nullopt;
        }
    }
    if (!path.empty()) {
        return std::nullopt;
    }
    return captures;
}

Result<void> check_names(const Captures& captures) {
    if (captures.queue) {
        if (auto good = wire::check_queue_name(*captures.queue); !good) {
            return good;
        }
        if (captures.queue->starts_with("/user/")) {
            return failure(ErrorCode::forbidden, "user queues are shown at /v1/users/{user} only");
        }
    }
    if (captures.mount) {
        if (auto good = wire::check_mount_name(*captures.mount); !good) {
            return good;
        }
    }
    if (captures.user) {
        if (auto good = wire::check_user_id(*captures.user); !good) {
            return good;
        }
    }
    return captures.key ? wire::check_key(*captures.key) : Result<void>{};
}

Problem no_such_path() {
    return Problem{.detail = "there is no such path; /openapi.json names them all", .status = 404};
}

Problem other_method(std::string allowed) {
    Problem problem{.detail = "this path is there, but not for this method", .status = 405};
    problem.headers.push_back({"Allow", std::move(allowed)});
    return problem;
}

}  // namespace

std::span<const Route> routes() noexcept { return table; }

Parsed<Match> match(std::string_view method, std::string_view path) {
    if (method == "HEAD") {
        method = "GET";
    }
    std::string allowed;
    for (const Route& route : table) {
        const auto captures = fit(route.pattern, path);
        if (!captures) {
            continue;
        }
        if (route.method != method) {
            allowed += allowed.empty() ? "" : ", ";
            allowed += route.method;
            allowed += route.method == "GET" ? ", HEAD" : "";
            continue;
        }
        if (const auto good = check_names(*captures); !good) {
            return refuse(problem_of(good.error()));
        }
        return Match{&route, QueueName{captures->queue.value_or("")},
                     MountName{captures->mount.value_or("")}, UserId{captures->user.value_or("")},
                     Key{captures->key.value_or("")}};
    }
    return refuse(allowed.empty() ? no_such_path() : other_method(std::move(allowed)));
}

}  // namespace muster::admin
