#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/name.h"
#include "base/payload.h"
#include "core/queue/content.h"

/// What a queue takes and what it gives. Senders are gateways, user queues and the admin service;
/// they reach the queue through its bucket (core/actor), wherever that is.
namespace muster::queue {

// ---- Taken ---------------------------------------------------------------------------------

/// Who wants something. `is_server`: the backend, through the admin API, or a user queue itself.
struct Sender {
    UserId user;
    bool is_server = false;
    Cid cid;
    Cep cep;
    SessionId session;
};

/// Whom the verdict is for: a client's request on a connection, or a request of the service thread.
/// Comes back untouched in the OpReply.
struct ReplyTo {
    std::variant<std::monostate, ConnectionRef, RequestId> who;
    std::optional<std::uint64_t> request;  ///< the client's `i`
};

struct JoinOp {
    UserId user;
    SharedText role;
    Payload info;
    /// By the user queue: the last ceps of the user's slots, but for the sender's. Who joins is
    /// fenced in all of them from the first moment on.
    std::vector<Cep> fences{};
};
struct LeaveOp {
    UserId user;
    LeaveReason reason = LeaveReason::left;
};
struct SendOp {
    MountName mount;
    Payload data;
};
struct SetOp {
    MountName mount;
    std::vector<KeyChange> changes;  ///< each key once
    std::optional<Seq> if_seq;  ///< for one key only: the seq at which it last changed; 0 = absent
};
/// Decides an op that the client gave up: empty body of the same number.
struct WithdrawOp {};

// Of the server only:

/// Creates the queue. The same definition again is OK and changes nothing; another is `differs`.
struct CreateOp {
    std::string template_pattern;  ///< empty: the one that matches the name
    std::map<MountName, MountRules, NameOrder> mounts;
    std::optional<Duration> idle_ttl;
};
struct DeleteOp {};
struct PutMountOp {
    MountName mount;
    MountRules rules;
};
struct DeleteMountOp {
    MountName mount;
};

using OpBody = std::variant<JoinOp, LeaveOp, SendOp, SetOp, WithdrawOp, CreateOp, DeleteOp,
                            PutMountOp, DeleteMountOp>;

/// One operation. GUARANTEES.md 5.1 is the table by which the queue decides it.
struct Op {
    Sender sender;
    ReplyTo reply_to;
    OpNumber number = 0;  ///< 0: not numbered
    Inc inc;              ///< the history that is meant; 0: the present one
    SharedText idempotency_key;
    /// Refused on its way already (a connection's limit, say). The queue decides all the same, so
    /// that the number is used up in its order; it just says no.
    std::optional<ErrorCode> reject_with;
    OpBody body;
};

/// A gateway shard wants the queue's stream, from `cursor` on if it has seen some of it.
struct Subscribe {
    SubId sub;
    ShardId gateway;
    Cursor cursor;
};
struct Unsubscribe {
    SubId sub;
    ShardId gateway;
};

/// From now on no op of `user` with a smaller cep of that slot is applied.
struct Fence {
    UserId user;
    Cep cep;
    Inc inc;
    ConnectionRef connection;
};

/// The user queue's word on a member's being online; also a fence (see Fence) that nobody answers.
struct Presence {
    UserId user;
    SessionId session;
    bool is_online = false;
    Cep cep;
};

/// Asks for a copy of all that the queue shows.
struct Read {
    RequestId request;
};

// ---- Given ---------------------------------------------------------------------------------

/// What became of an op. All but `fenced`, `hole` and `busy` are final.
struct Verdict {
    enum class Kind : std::uint8_t {
        ok,
        rejected,
        gone,
        expired,
        fenced,
        hole,
        busy,  ///< also RETRY: the code tells them apart
        protocol_error,
    };
    Kind kind = Kind::ok;
    ErrorCode code = ErrorCode::protocol;  ///< not for ok
    std::string detail;                    ///< for people; empty where the code says it all
    Cursor at;                             ///< ok: where the op took effect
    std::optional<Seq> current;            ///< conflict: the seq at which the key last changed
    std::uint32_t retry_ms = 0;            ///< busy
    bool is_new = true;  ///< create: false if it was there; any: false if replayed
};

/// What a user is to a queue.
struct Standing {
    Inc inc;  ///< of the queue
    bool by_server = false;
};

/// The answer to one Op.
struct OpReply {
    ReplyTo reply_to;
    QueueName queue;
    UserId user;
    OpNumber number = 0;
    enum class What : std::uint8_t { join, leave, other } what = What::other;
    LeaveReason leave_reason = LeaveReason::left;
    Verdict verdict;
    /// Join, leave and withdraw: what `user` is once this is answered; nothing: no
    /// member. The verdict does not say that: an OK may be that of an op of long ago.
    std::optional<Standing> standing;
};

/// Which of the three an op is.
[[nodiscard]] inline OpReply::What what_of(const OpBody& body) noexcept {
    if (std::holds_alternative<JoinOp>(body)) {
        return OpReply::What::join;
    }
    return std::holds_alternative<LeaveOp>(body) ? OpReply::What::leave : OpReply::What::other;
}

/// Whom an op is about: join and leave may name another user than the sender.
[[nodiscard]] inline const UserId& user_of(const Op& op) noexcept {
    if (const auto* join = std::get_if<JoinOp>(&op.body)) {
        return join->user;
    }
    const auto* leave = std::get_if<LeaveOp>(&op.body);
    return leave != nullptr ? leave->user : op.sender.user;
}

/// Returns the answer to `op`, all but its verdict.
[[nodiscard]] inline OpReply reply_to(const Op& op, const QueueName& queue) {
    OpReply reply;
    reply.reply_to = op.reply_to;
    reply.queue = queue;
    reply.user = user_of(op);
    reply.number = op.number;
    reply.what = what_of(op.body);
    if (const auto* leave = std::get_if<LeaveOp>(&op.body)) {
        reply.leave_reason = leave->reason;
    }
    return reply;
}

/// Answer to Subscribe: everything at one seq; the events after it follow.
struct Subscribed {
    QueueName queue;
    SubId sub;
    std::shared_ptr<const Content> content;
};
struct SubscribeRefused {
    QueueName queue;
    SubId sub;
    ErrorCode code = ErrorCode::no_queue;
};

/// One committed event, one per gateway shard that follows the queue.
struct Published {
    QueueName queue;
    SubId sub;
    Inc inc;
    EventPtr event;
};

/// The queue's history has ended.
struct Ended {
    QueueName queue;
    SubId sub;
    Inc inc;
};

/// The answer to one Fence.
struct FenceReply {
    ConnectionRef connection;
    QueueName queue;
    Inc inc;  ///< as the Fence named it: of one queue name, several histories may be asked
    enum class Kind : std::uint8_t { fenced_in, overtaken, gone } kind = Kind::fenced_in;
};

struct ReadReply {
    RequestId request;
    std::shared_ptr<const Content> content;  ///< nullptr: no such queue
};

}  // namespace muster::queue
