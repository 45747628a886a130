#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/payload.h"
#include "core/queue/messages.h"

/// What a user queue (`/user/alice`) takes and what it gives. It decides which of a user's
/// connections is the current one, holds the session and the list of joined queues.
namespace muster::user {

// ---- Taken ---------------------------------------------------------------------------------

/// A connection has signed in.
struct Attach {
    ConnectionRef connection;
    UserId user;
    Cid cid;
    std::uint64_t attempt_number = 0;  ///< `cn`: grows per cid
};

/// The connection is gone.
struct Detach {
    UserId user;
    Cep cep;
};

/// A join or leave on its way to `queue`; it passes here first, so that it is noted.
struct Pass {
    QueueName queue;
    queue::Op op;
};

/// A joined queue's history has ended.
struct QueueEnded {
    QueueName queue;
    Inc inc;
};

/// The backend's message to the user.
struct Tell {
    queue::ReplyTo reply_to;
    UserId from;
    Payload data;
};

/// The backend closes the user's connections and ends the session.
struct Disconnect {
    queue::ReplyTo reply_to;
};

struct ReadUser {
    RequestId request;
};

// ---- Given ---------------------------------------------------------------------------------

struct Joined {
    QueueName queue;
    Inc inc;  ///< 0: the join is under way
};

struct Attached {
    ConnectionRef connection;
    Cep cep;
    SessionId session;
    std::vector<Joined> joined;
};

/// The attach has lost: a late attempt of its own client.
struct Stale {
    ConnectionRef connection;
};

/// `winner` has taken over; or, with `disconnected`, the backend wants the connection closed.
struct Kick {
    ConnectionRef connection;
    Cep winner;
    bool disconnected = false;
};

/// Membership changed without the connection having asked: by the backend.
struct MembershipChanged {
    ConnectionRef connection;
    QueueName queue;
    bool is_member = false;
    queue::LeaveReason reason = queue::LeaveReason::left;
};

/// A message to the user itself.
struct Told {
    ConnectionRef connection;
    QueueName queue;
    Seq seq = 0;
    WallTime time;
    UserId from;
    Payload data;
};

struct UserReport {
    RequestId request;
    bool is_known = false;   ///< false: no session and nothing joined
    bool is_online = false;
    SessionId session;
    std::vector<Joined> joined;
};

}  // namespace muster::user
