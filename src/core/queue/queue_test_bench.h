#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "core/actor/test_bench.h"
#include "core/queue/queue.h"

/// For tests only.
namespace muster::queue {

/// One client program of a user, as its gateway and its user queue stamp its ops.
struct TestClient {
    UserId user;
    Cid cid{0, 1};
    Cep cep{Inc{5}, 1};
    SessionId session{10};
    ConnectionRef connection{ShardId{0}, ConnectionId{1}};
};

/// Under which number a client sends an op, and for which history.
struct Numbered {
    OpNumber number = 0;
    Inc inc{};
};

[[nodiscard]] inline TestClient client_of(std::string_view user) {
    TestClient client;
    client.user = UserId(user);
    return client;
}

/// A room of the dev server, in which anyone may do anything; a mount for each kind of rule.
[[nodiscard]] inline Template open_room() {
    Template rules;
    rules.match = "/room/*";
    rules.create = WhoMay::anyone;
    rules.join = WhoMay::anyone;
    rules.listen = WhoListens::anyone;
    const auto add = [&rules](std::string_view name, MountKind kind, WhoWrites write) {
        MountRules mount;
        mount.kind = kind;
        mount.write = write;
        return &rules.mounts.emplace(MountName(name), mount).first->second;
    };
    add("chat", MountKind::message, WhoWrites::members);
    add("dice", MountKind::message, WhoWrites::members)->rolls_dice = true;
    add("news", MountKind::message, WhoWrites::server);
    add("slow", MountKind::message, WhoWrites::members)->rate = {2, 4};
    add("wall", MountKind::message, WhoWrites::anyone);
    add("scores", MountKind::state, WhoWrites::members);
    add("positions", MountKind::state, WhoWrites::owner);
    add("round", MountKind::state, WhoWrites::server);
    add("votes", MountKind::state, WhoWrites::anyone);
    return rules;
}

[[nodiscard]] inline std::shared_ptr<const QueueSettings> settings_of(
    std::vector<Template> templates, Limits limits = {}) {
    return std::make_shared<const QueueSettings>(
        QueueSettings{TemplateTable(std::move(templates)), limits});
}

/// A queue driven by hand: by clients, by the server, and by gateway shards that follow it.
class QueueBench : public actor::Bench {
public:
    explicit QueueBench(std::shared_ptr<const QueueSettings> settings = settings_of({open_room()}),
                        std::string_view name = "/room/1")
        : actor::Bench(std::make_unique<Queue>(settings), QueueName(name)),
          settings_(std::move(settings)) {}

    [[nodiscard]] const Queue& queue() const { return static_cast<const Queue&>(*actor); }
    [[nodiscard]] const Content& content() const { return *queue().content(); }
    [[nodiscard]] Inc inc() const { return content().at.inc; }
    [[nodiscard]] Seq seq() const { return content().at.seq; }
    [[nodiscard]] const QueueSettings& settings() const { return *settings_; }

    // ---- Ops ----

    [[nodiscard]] static Op op_of(const TestClient& from, OpBody body, Numbered as = {}) {
        Op op;
        op.sender = {from.user, false, from.cid, from.cep, from.session};
        op.reply_to = {from.connection, 1};
        op.number = as.number;
        op.inc = as.inc;
        op.body = std::move(body);
        return op;
    }

    [[nodiscard]] static Op server_op(OpBody body, UserId from = {}) {
        Op op;
        op.sender.user = std::move(from);
        op.sender.is_server = true;
        op.reply_to = {RequestId{1}, std::nullopt};
        op.body = std::move(body);
        return op;
    }

    /// Feeds `op` from where it would come and returns the answer.
    OpReply feed_op(Op op) {
        actor::Address from = actor::ServiceAddress{};
        if (std::holds_alternative<ConnectionRef>(op.reply_to.who)) {
            from = actor::GatewayAddress{std::get<ConnectionRef>(op.reply_to.who).gateway};
        }
        step(std::move(from), std::move(op));
        return only<OpReply>();
    }

    Verdict ask(const TestClient& from, OpBody body, Numbered as = {}) {
        return feed_op(op_of(from, std::move(body), as)).verdict;
    }
    Verdict ask_as_server(OpBody body) { return feed_op(server_op(std::move(body))).verdict; }

    Verdict join(const TestClient& client, Numbered as = {}) {
        return ask(client, JoinOp{client.user, {}, {}}, as);
    }
    Verdict leave(const TestClient& client, Numbered as = {}) {
        return ask(client, LeaveOp{client.user, LeaveReason::left}, as);
    }
    Verdict send(const TestClient& client, std::string_view mount, std::string_view json,
                 Numbered as = {}) {
        return ask(client, SendOp{MountName(mount), Payload(json)}, as);
    }
    Verdict set(const TestClient& client, std::string_view mount, std::string_view key,
                std::string_view json, std::optional<Seq> if_seq = {}, Numbered as = {}) {
        return ask(client, SetOp{MountName(mount), {{Key(key), Payload(json)}}, if_seq}, as);
    }
    Verdict withdraw(const TestClient& client, Numbered as) { return ask(client, WithdrawOp{}, as); }

    /// The server joins `user`, whose user queue stamps its session (0: it is not on line).
    Verdict join_by_server(std::string_view user, SessionId session = {}, std::string_view info = {},
                           std::string_view role = {}) {
        Op op = server_op(JoinOp{UserId(user), SharedText(role), Payload(info)});
        op.sender.session = session;
        return feed_op(std::move(op)).verdict;
    }

    // ---- Readers ----

    std::shared_ptr<const Content> subscribe(std::uint16_t gateway, std::uint64_t sub = 1) {
        const ShardId shard{gateway};
        step(actor::GatewayAddress{shard}, Subscribe{SubId{sub}, shard, {}});
        return only<Subscribed>().content;
    }

    void unsubscribe(std::uint16_t gateway, std::uint64_t sub = 1) {
        const ShardId shard{gateway};
        step(actor::GatewayAddress{shard}, Unsubscribe{SubId{sub}, shard});
    }

    FenceReply::Kind fence(const UserId& user, Cep cep, Inc of = {}) {
        const ConnectionRef connection{ShardId{3}, ConnectionId{9}};
        step(actor::GatewayAddress{connection.gateway}, Fence{user, cep, of, connection});
        return only<FenceReply>().kind;
    }

    /// The events that the last step published to gateway shard 0 (which must have subscribed).
    [[nodiscard]] std::vector<EventPtr> published() const {
        std::vector<EventPtr> events;
        for (const auto& message : outbox) {
            const auto* one = std::get_if<Published>(&message.body);
            if (one != nullptr && std::get<actor::GatewayAddress>(message.to).shard == ShardId{0}) {
                events.push_back(one->event);
            }
        }
        return events;
    }

    // ---- Snapshots ----

    [[nodiscard]] std::string saved() const {
        std::string bytes;
        actor->save(now, bytes);
        return bytes;
    }

    /// Replaces the queue by what its snapshot gives.
    void restart() {
        auto restored = Queue::restore(settings_, now, saved());
        MUSTER_CHECK(restored != nullptr);
        actor = std::move(restored);
    }

private:
    std::shared_ptr<const QueueSettings> settings_;
};

}  // namespace muster::queue
