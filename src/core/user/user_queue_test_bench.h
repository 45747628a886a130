#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "core/actor/test_bench.h"
#include "core/user/user_queue.h"

/// For tests only.
namespace muster::user {

inline const QueueName room{"/room/1"};
inline const QueueName hall{"/hall"};
inline constexpr Cid phone{1, 1};
inline constexpr Cid laptop{2, 2};

[[nodiscard]] inline ConnectionRef connection(std::uint16_t gateway, std::uint64_t id) {
    return {ShardId{gateway}, ConnectionId{id}};
}

/// Alice's user queue, driven by hand: by gateways, queues and the service.
struct Bench : actor::Bench {
    explicit Bench(UserSettings with = {})
        : actor::Bench(nullptr, QueueName("/user/alice")),
          settings(std::make_shared<const UserSettings>(with)) {
        actor = std::make_unique<UserQueue>(settings, user);
    }

    // ---- Connections ----

    void attach(ConnectionRef from, Cid cid = phone, std::uint64_t attempt = 1) {
        step(actor::GatewayAddress{from.gateway},
             Attach{from, user, cid, attempt, SharedText("192.0.2.1")});
    }
    /// Signs in a new client program and returns what it was given.
    Attached sign_in(ConnectionRef from = connection(0, 1), Cid cid = phone,
                     std::uint64_t attempt = 1) {
        attach(from, cid, attempt);
        return only<Attached>();
    }
    void detach(Cep cep) { step(actor::GatewayAddress{}, Detach{user, cep}); }

    // ---- Ops that pass ----

    queue::Op op_of(const Attached& by, queue::OpBody body) const {
        queue::Op op;
        op.sender = {user, false, phone, by.cep, {}};
        op.reply_to = {by.connection, 17};
        op.number = 3;
        op.body = std::move(body);
        return op;
    }
    queue::Op server_op(queue::OpBody body) const {
        queue::Op op;
        op.sender.is_server = true;
        op.reply_to = {RequestId{9}, {}};
        op.body = std::move(body);
        return op;
    }
    void pass_on(const QueueName& to, queue::Op op) {
        const auto* from = std::get_if<ConnectionRef>(&op.reply_to.who);
        step(from != nullptr ? actor::Address{actor::GatewayAddress{from->gateway}}
                             : actor::Address{actor::ServiceAddress{}},
             Pass{to, std::move(op)});
    }
    queue::OpBody join_body() const { return queue::JoinOp{user, {}, {}}; }
    queue::OpBody leave_body(queue::LeaveReason reason = queue::LeaveReason::left) const {
        return queue::LeaveOp{user, reason};
    }

    /// The queue's answer to `op`: OK, after which alice is its member since `inc` (0: is none).
    void answer(const QueueName& from, const queue::Op& op, Inc inc, bool by_server = false) {
        queue::OpReply reply = queue::reply_to(op, from);
        reply.verdict.at = {inc, 5};
        if (inc.value != 0) {
            reply.standing = queue::Standing{inc, by_server};
        }
        step(actor::ActorAddress{from}, std::move(reply));
    }
    void answer_rejected(const QueueName& from, const queue::Op& op, ErrorCode code,
                         std::optional<queue::Standing> standing = {}) {
        queue::OpReply reply = queue::reply_to(op, from);
        reply.verdict.kind = queue::Verdict::Kind::rejected;
        reply.verdict.code = code;
        reply.standing = standing;
        step(actor::ActorAddress{from}, std::move(reply));
    }
    /// Joins from the connection `by`, from its asking to its answer.
    void join(const Attached& by, const QueueName& to = room, Inc inc = Inc{70}) {
        const auto op = op_of(by, join_body());
        pass_on(to, op);
        answer(to, op, inc);
    }
    void join_by_server(const QueueName& to = room, Inc inc = Inc{70}) {
        const auto op = server_op(join_body());
        pass_on(to, op);
        answer(to, op, inc, true);
    }

    /// The answer to a connection that asks whether it counts.
    Checked check(ConnectionRef from, Cep cep) {
        step(actor::GatewayAddress{from.gateway}, Check{from, cep});
        CHECK(outbox.size() == 1);
        CHECK(gateways_sent<Checked>() == std::vector{from.gateway});
        CHECK(only<Checked>().connection == from);
        return only<Checked>();
    }

    [[nodiscard]] std::string saved() const {
        std::string bytes;
        actor->save(now, bytes);
        return bytes;
    }

    UserReport report() {
        step(actor::ServiceAddress{}, ReadUser{RequestId{1}});
        return only<UserReport>();
    }
    [[nodiscard]] std::vector<std::string> joined() {
        std::vector<std::string> lines;
        for (const auto& each : report().joined) {
            lines.push_back(std::string(each.queue.text()) + " " + std::to_string(each.inc.value));
        }
        return lines;
    }

    UserId user{"alice"};
    std::shared_ptr<const UserSettings> settings;
};

}  // namespace muster::user
