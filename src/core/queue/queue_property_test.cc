// What holds of every sequence of messages to a queue.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

#include "core/actor/bucket.h"
#include "core/queue/queue_test_bench.h"

namespace muster::queue {
namespace {

using namespace std::chrono_literals;

// ---- Random messages -------------------------------------------------------------------------

constexpr std::uint64_t first_inc = (std::uint64_t{7} << 32U) + 1;

/// Takes a random number to pieces: each draw uses some of it up.
class Draws {
public:
    explicit Draws(std::uint64_t number) : left_(number) {}

    std::uint64_t below(std::uint64_t bound) {
        const std::uint64_t drawn = left_ % bound;
        left_ /= bound;
        return drawn;
    }
    template <typename T>
    T one_of(std::initializer_list<T> choices) {
        return *(choices.begin() + below(choices.size()));
    }

private:
    std::uint64_t left_;
};

TestClient draw_client(Draws& draws) {
    TestClient client = client_of(draws.one_of({"alice", "bob", "carol"}));
    client.cid = {0, 1 + draws.below(2)};
    client.cep = {Inc{5}, 1 + draws.below(2)};
    client.session = SessionId{10 + draws.below(2)};
    return client;
}

OpBody draw_write(Draws& draws) {
    if (draws.below(2) == 0) {
        const auto* mount = draws.one_of({"chat", "dice", "slow", "wall", "news", "scores"});
        return SendOp{MountName(mount),
                      Payload(draws.one_of({R"({"roll":"2d6"})", "1", "22", "[]"}))};
    }
    SetOp set{MountName(draws.one_of({"scores", "positions", "votes", "round", "chat"})), {}, {}};
    const auto* key = draws.one_of({"alice", "bob", "k"});
    set.changes.push_back({Key(key), Payload(draws.one_of({"", "1", "22"}))});
    if (draws.below(3) == 0) {
        set.changes.push_back({Key("other"), Payload("1")});
    }
    if (draws.below(4) == 0) {
        set.if_seq = draws.below(30);
    }
    return set;
}

OpBody draw_body(const TestClient& client, Draws& draws) {
    switch (draws.below(8)) {
        case 0:
        case 1: return JoinOp{client.user, {}, {}};
        case 2: return LeaveOp{client.user, LeaveReason::left};
        case 3: return WithdrawOp{};
        default: return draw_write(draws);
    }
}

Op draw_server_op(Draws& draws) {
    const TestClient client = draw_client(draws);
    Op op = QueueBench::server_op(draw_write(draws));
    switch (draws.below(12)) {
        case 0: op.body = CreateOp{}; break;
        case 1: op.body = DeleteOp{}; break;
        case 2: op.body = PutMountOp{MountName("map"), {}}; break;
        case 3: op.body = DeleteMountOp{MountName(draws.one_of({"map", "chat", "votes"}))}; break;
        case 4: op.body = JoinOp{client.user, SharedText("judge"), Payload("{}")}; break;
        case 5: op.body = LeaveOp{client.user, LeaveReason::timeout}; break;
        case 6: op.body = LeaveOp{client.user, LeaveReason::kicked}; break;
        default: op.idempotency_key = SharedText(draws.one_of({"", "k", "l"})); break;
    }
    return op;
}

/// A message from one of a few senders, sensible or not.
actor::Message draw_message(Draws& draws) {
    const TestClient client = draw_client(draws);
    const ShardId shard{static_cast<std::uint16_t>(draws.below(2))};
    const auto from_gateway = [&](actor::Body body) {
        return actor::Message{actor::GatewayAddress{shard}, {}, std::move(body)};
    };
    const auto kind = draws.below(16);
    if (kind == 0) {
        return from_gateway(Subscribe{SubId{1 + draws.below(3)}, shard, {}});
    }
    if (kind == 1) {
        return from_gateway(Unsubscribe{SubId{1 + draws.below(3)}, shard});
    }
    if (kind == 2) {
        return from_gateway(
            Fence{client.user, client.cep, Inc{draws.below(2) * first_inc}, client.connection});
    }
    if (kind == 3) {
        return {actor::ActorAddress{QueueName("/user/x")},
                {},
                Presence{client.user, client.session, draws.below(2) == 0, client.cep}};
    }
    if (kind == 4) {
        return {actor::ServiceAddress{}, {}, Read{RequestId{1}}};
    }
    if (kind < 8) {
        return {actor::ServiceAddress{}, {}, draw_server_op(draws)};
    }
    const Numbered as{.number = draws.below(5), .inc = Inc{draws.one_of({0UL, first_inc})}};
    return from_gateway(QueueBench::op_of(client, draw_body(client, draws), as));
}

rc::Gen<std::vector<std::uint64_t>> scripts() {
    return rc::gen::scale(3.0,
                          rc::gen::container<std::vector<std::uint64_t>>(rc::gen::resize(
                              1000, rc::gen::inRange<std::uint64_t>(0, std::uint64_t{1} << 62U))));
}

// ---- What is seen of outputs -----------------------------------------------------------------

std::string described(const Event& event) {
    struct Body {
        std::string operator()(const MessagePosted& posted) const {
            return fmt::format("{} {}", posted.mount.text(), posted.data.bytes());
        }
        std::string operator()(const StateChanged& changed) const {
            std::string text(changed.mount.text());
            for (const auto& [key, value] : changed.changes) {
                text += fmt::format(" {}={}", key.text(), value.bytes());
            }
            return text;
        }
        std::string operator()(const MemberChanged& changed) const {
            return fmt::format("{} {} {} {}", changed.user.text(),
                               changed.member ? changed.member->is_online ? "on" : "off" : "gone",
                               static_cast<int>(changed.reason), changed.count);
        }
        std::string operator()(const MountChanged& changed) const {
            return fmt::format("{} {}", changed.mount.text(), changed.rules.has_value());
        }
    };
    return fmt::format("#{} {} {}: {}", event.seq, event.time.ms, event.from.text(),
                       std::visit(Body{}, event.body));
}

std::string described(const Content& content) {
    std::string text = fmt::format("at {}.{}", content.at.inc.value, content.at.seq);
    for (const auto& [name, mount] : content.mounts) {
        text += fmt::format("; {} {}", name.text(), mount.forgotten_through);
        for (const auto& [key, entry] : mount.keys) {
            text += fmt::format(" {}={}@{}", key.text(), entry.value.bytes(), entry.changed_at);
        }
        for (const auto& remembered : mount.history) {
            text += " " + described(*remembered.event);
        }
    }
    for (const auto& [user, member] : content.members) {
        text += fmt::format("; {} {} {}", user.text(), member.session.value, member.is_online);
    }
    return text;
}

std::string described(const Verdict& verdict) {
    return fmt::format("{} {} at {}.{} {} {} {}", static_cast<int>(verdict.kind),
                       static_cast<int>(verdict.code), verdict.at.inc.value, verdict.at.seq,
                       verdict.current.value_or(0), verdict.retry_ms, verdict.is_new);
}

/// What a queue sends.
struct OutputText {
    std::string operator()(const OpReply& reply) const {
        return fmt::format("reply {} {} {}", reply.number, described(reply.verdict),
                           reply.standing.has_value());
    }
    std::string operator()(const Published& published) const {
        return fmt::format("published {} {}", published.sub.value, described(*published.event));
    }
    std::string operator()(const Subscribed& one) const {
        return fmt::format("subscribed {} {}", one.sub.value, described(*one.content));
    }
    std::string operator()(const ReadReply& reply) const {
        return "read " + (reply.content ? described(*reply.content) : "nothing");
    }
    std::string operator()(const FenceReply& reply) const {
        return fmt::format("fence {} {}", reply.inc.value, static_cast<int>(reply.kind));
    }
    std::string operator()(const Ended& ended) const {
        return fmt::format("ended {} {}", ended.sub.value, ended.inc.value);
    }
    std::string operator()(const SubscribeRefused& one) const {
        return fmt::format("refused {}", one.sub.value);
    }
    std::string operator()(const user::QueueEnded& ended) const {
        return fmt::format("queue ended {}", ended.inc.value);
    }
    template <typename Other>
    std::string operator()(const Other& /*other*/) const {
        return "something else";
    }
};

/// One line for a message that a queue sent.
std::string described(const actor::Message& message) {
    return fmt::format("to {}: {}", message.to.index(), std::visit(OutputText{}, message.body));
}

std::vector<std::string> described(const actor::Outbox& outbox) {
    std::vector<std::string> lines;
    for (const auto& message : outbox) {
        lines.push_back(described(message));
    }
    return lines;
}

// ---- One queue -------------------------------------------------------------------------------

Duration draw_pause(Draws& draws) {
    return draws.one_of<Duration>({100ms, 1s, 50s, 2min, 10min, 11min});
}

TEST_CASE("state = fold of events: who follows from any place on holds what the owner holds") {
    CHECK(rc::check([](bool restarts) {
        QueueBench bench;
        std::optional<Content> replica;
        for (const auto number : *scripts()) {
            Draws draws(number);
            if (draws.below(8) == 0) {
                bench.pass(draw_pause(draws));
            } else {
                actor::Message message = draw_message(draws);
                if (std::holds_alternative<Unsubscribe>(message.body)) {
                    continue;
                }
                bench.step(message.from, std::move(message.body));
            }
            for (const auto& message : bench.outbox) {
                const auto* to = std::get_if<actor::GatewayAddress>(&message.to);
                if (to == nullptr || to->shard != ShardId{0}) {
                    continue;
                }
                if (const auto* subscribed = std::get_if<Subscribed>(&message.body)) {
                    replica = *subscribed->content;
                } else if (const auto* one = std::get_if<Published>(&message.body)) {
                    RC_ASSERT(replica.has_value());
                    RC_ASSERT(one->inc == replica->at.inc);
                    replica->apply(one->event, bench.now, bench.settings().limits);
                } else if (std::holds_alternative<Ended>(message.body)) {
                    replica.reset();
                }
            }
            if (!bench.queue().content()) {
                RC_ASSERT(!replica.has_value());
                continue;
            }
            if (replica) {
                Content owner = bench.content();
                owner.forget_old(bench.now);
                replica->forget_old(bench.now);
                RC_ASSERT(shows_same(*replica, owner));
                RC_ASSERT(replica->state_bytes() == owner.state_bytes());
            }
            if (restarts) {
                bench.restart();
            }
        }
    }));
}

TEST_CASE("seq grows by one for each published event, and by nothing else") {
    CHECK(rc::check([] {
        QueueBench bench;
        for (const auto number : *scripts()) {
            Draws draws(number);
            if (bench.queue().content()) {
                bench.subscribe(0, 77);
            }
            const auto before =
                bench.queue().content() ? std::optional(bench.content().at) : std::nullopt;
            actor::Message message = draw_message(draws);
            const bool ends_subscription = std::holds_alternative<Unsubscribe>(message.body) ||
                                           std::holds_alternative<Subscribe>(message.body);
            bench.step(message.from, std::move(message.body));
            const auto after =
                bench.queue().content() ? std::optional(bench.content().at) : std::nullopt;
            const auto events = bench.published();
            if (before && after && before->inc == after->inc) {
                if (ends_subscription) {
                    RC_ASSERT(before->seq == after->seq);
                }
                RC_ASSERT(after->seq - before->seq == events.size());
                for (std::size_t i = 0; i < events.size(); ++i) {
                    RC_ASSERT(events[i]->seq == before->seq + 1 + i);
                }
            } else if (before && after) {
                RC_ASSERT(after->inc > before->inc);
            }
        }
    }));
}

/// A client that numbers its ops as the rules say: the next number once the one before is decided.
struct Numbering {
    OpNumber next = 1;
    Inc inc{};
};

TEST_CASE("an op repeated under its number takes effect once and gets the same verdict") {
    CHECK(rc::check([] {
        // The same ops go to both queues; to the second one again and again, and as withdrawals.
        QueueBench once;
        QueueBench often;
        std::map<std::string, Numbering> clients;
        const auto script = *scripts();
        const auto keep_up = client_of("keeper");
        once.join(keep_up);
        often.join(keep_up);
        for (const auto number : script) {
            Draws draws(number);
            if (draws.below(10) == 0) {
                once.pass(1s);
                often.pass(1s);
                continue;
            }
            TestClient client = client_of(draws.one_of({"alice", "bob"}));
            client.cid = {0, 1 + draws.below(2)};
            auto& numbering =
                clients[std::string(client.user.text()) + std::to_string(client.cid.low)];
            const Numbered as{numbering.next, draws.below(2) == 0 ? Inc{} : once.inc()};
            OpBody body = draw_body(client, draws);
            if (const auto* send = std::get_if<SendOp>(&body);
                send != nullptr && send->mount == "dice") {
                continue;  // Chance depends on how many inputs there were.
            }
            const Op op = QueueBench::op_of(client, std::move(body), as);
            const Verdict expected = once.feed_op(op).verdict;
            const Verdict first = often.feed_op(op).verdict;
            RC_ASSERT(described(first) == described(expected));
            if (expected.kind == Verdict::Kind::busy) {
                continue;
            }
            ++numbering.next;
            for (auto more = draws.below(3); more > 0; --more) {
                Op copy = op;
                if (draws.below(2) == 0) {
                    copy.body = WithdrawOp{};
                }
                const Verdict again = often.feed_op(copy).verdict;
                RC_ASSERT(again.kind == expected.kind);
                RC_ASSERT(again.code == expected.code);
                RC_ASSERT(again.at == expected.at);
                RC_ASSERT(again.current == expected.current);
                RC_ASSERT(!again.is_new);
            }
            RC_ASSERT(shows_same(once.content(), often.content()));
        }
    }));
}

// ---- A bucket of queues ----------------------------------------------------------------------

class Queues final : public actor::ActorFactory {
public:
    [[nodiscard]] std::unique_ptr<actor::Actor> make(const QueueName& /*name*/) const override {
        return std::make_unique<Queue>(settings_);
    }
    [[nodiscard]] std::unique_ptr<actor::Actor> restore(const QueueName& /*name*/, Instant now,
                                                        std::string_view state) const override {
        return Queue::restore(settings_, now, state);
    }

private:
    std::shared_ptr<const QueueSettings> settings_ = settings_of({open_room()});
};

TEST_CASE(
    "a bucket restored from a snapshot and fed the rest of the log is the same, byte by byte") {
    CHECK(rc::check([] {
        const Queues factory;
        const actor::BucketSettings settings{.epoch = Epoch{7}, .seed = 5};
        actor::Bucket bucket(settings, factory);
        bucket.open_log();
        Instant now{1'000s};
        WallTime wall{1'790'000'000'000};
        std::string snapshot = bucket.save(now);
        Instant snapshot_at = now;
        Lsn snapshot_lsn = 0;
        std::vector<std::string> put_out;
        for (const auto number : *scripts()) {
            Draws draws(number);
            actor::Outbox outbox;
            if (draws.below(12) == 0) {
                snapshot = bucket.save(now);
                snapshot_at = now;
                snapshot_lsn = bucket.last_lsn();
                put_out.clear();
            } else if (draws.below(6) == 0) {
                const Duration pause = draw_pause(draws);
                now += pause;
                wall.ms += pause / 1ms;
                bucket.wake_due(now, wall, outbox);
            } else {
                const QueueName name(draws.one_of({"/room/1", "/room/2"}));
                bucket.deliver(name, draw_message(draws), now, wall, outbox);
            }
            const auto lines = described(outbox);
            put_out.insert(put_out.end(), lines.begin(), lines.end());
        }
        auto restored = actor::Bucket::restore(settings, factory, snapshot_at, snapshot).value();
        RC_ASSERT(restored.save(snapshot_at) == snapshot);
        actor::Outbox outbox;
        const auto entries = bucket.read_log(snapshot_lsn).value();
        for (const auto& entry : entries) {
            restored.replay(entry, outbox);
        }
        RC_ASSERT(described(outbox) == put_out);
        RC_ASSERT(restored.save(now) == bucket.save(now));
        RC_ASSERT(restored.next_wake() == bucket.next_wake());
    }));
}

}  // namespace
}  // namespace muster::queue
