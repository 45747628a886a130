#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/payload.h"
#include "base/shared_text.h"
#include "core/queue/messages.h"

/// What a user queue (`/user/alice`) takes and what it gives. It decides which of a user's
/// connections is the current one, holds the session and the list of joined queues.
namespace muster::user {

/// Which of a user's connections may be there at once, and which gives way.
enum class Logins : std::uint8_t {
    newest,   ///< one: a new one takes over
    oldest,   ///< one: a new one is refused while the other lives
    devices,  ///< several, one of each client program: one too many takes the place of the oldest
};

// ---- Taken ---------------------------------------------------------------------------------

/// A connection has signed in.
struct Attach {
    ConnectionRef connection;
    UserId user;
    Cid cid;
    std::uint64_t attempt_number = 0;  ///< `cn`: grows per cid
    SharedText address{};              ///< the client's, for the log
};

/// The connection is gone.
struct Detach {
    UserId user;
    Cep cep;
};

/// Is the connection still the one that counts? Asked by each connection that is up, at the latest
/// 15 s after the last time: a kick may get lost, this is what finds out (R27). And a connection
/// that does not ask any more is gone, however it went.
struct Check {
    ConnectionRef connection;
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

/// The attach has lost: a late attempt of its own client or, where the oldest wins, `is_busy`.
struct Stale {
    ConnectionRef connection;
    bool is_busy = false;  ///< another connection of the user is there, and stays
};

/// The answer to Check.
struct Checked {
    ConnectionRef connection;
    enum class Standing : std::uint8_t {
        current,
        other,       ///< the connection with `cep` has taken over
        no_session,  ///< the session has ended, or goes on without any connection
    } standing = Standing::current;
    Cep cep;  ///< the largest one given out in the asker's slot
};

/// `winner` has taken over; or, with `disconnected`, the backend wants the connection closed.
struct Kick {
    ConnectionRef connection;
    Cep winner;
    bool disconnected = false;
    /// The address from which the same client program, by its `cid`, has come; empty: it is
    /// another.
    SharedText same_client_at{};
};

/// Membership changed without the connection having asked: by the backend.
struct MembershipChanged {
    ConnectionRef connection;
    QueueName queue;
    bool is_member = false;
    queue::LeaveReason reason = queue::LeaveReason::left;
    Inc inc{};  ///< of the joined queue
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
    bool is_known = false;  ///< false: no session and nothing joined
    /// Has a session, so also while the connection is away for less than T_resume: what the queues
    /// that the user is in show of the member.
    bool is_online = false;
    SessionId session;
    std::vector<Joined> joined;
    std::uint32_t connections = 0;  ///< at this moment
};

}  // namespace muster::user
