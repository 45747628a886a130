// Snapshots of a queue: everything comes back, damage does not.
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "core/queue/queue_test_bench.h"
#include "muster/log.pb.h"

namespace muster::queue {
namespace {

using namespace std::chrono_literals;
using Kind = Verdict::Kind;
using State = proto::QueueState;

const TestClient alice = client_of("alice");
const TestClient bob = client_of("bob");

/// A queue in which there is something of everything.
struct Full : QueueBench {
    Full() {
        CreateOp create;
        create.mounts[MountName("map")].kind = MountKind::state;
        create.idle_ttl = 5min;
        ask_as_server(create);
        join(alice, {.number = 1});
        join_by_server("bob", bob.session, R"({"name":"Bob"})", "judge");
        const TestClient old_one = client_of("carol");
        join(old_one, {.number = 1});
        leave(old_one, {.number = 2});
        send(alice, "chat", R"("hi")", {.number = 2});
        ask(bob, SendOp{MountName("chat"), Payload("\x00\xff", Format::bytes)});
        send(alice, "news", "1", {.number = 3});  // Rejected.
        set(alice, "scores", "alice", "7");
        set(alice, "scores", "alice", "8", Seq{1}, {.number = 4});  // A conflict.
        for (int i = 0; i < 4; ++i) {
            send(bob, "slow", "1");
        }
        Op op = server_op(SendOp{MountName("wall"), Payload("1")});
        op.idempotency_key = SharedText("k");
        feed_op(op);
        fence(alice.user, {Inc{6}, 3});
        subscribe(0, 11);
        subscribe(3, 12);
        pass(20s);
    }
};

State state_of(const QueueBench& bench) {
    State state;
    REQUIRE(state.ParseFromString(bench.saved()));
    return state;
}

bool restores(std::string_view bytes) {
    return Queue::restore(settings_of({open_room()}), Instant{1'000s}, bytes) != nullptr;
}
bool restores(const State& state) { return restores(state.SerializeAsString()); }

TEST_CASE("a queue comes back from its snapshot as it was, byte by byte") {
    Full bench;
    const std::string before = bench.saved();
    const Content content = bench.content();
    bench.restart();
    CHECK(bench.saved() == before);
    CHECK(shows_same(bench.content(), content));
    CHECK(bench.content().state_bytes() == content.state_bytes());
    CHECK(bench.content().mounts.at(MountName("chat")).history_bytes ==
          content.mounts.at(MountName("chat")).history_bytes);
    CHECK(bench.content().rules == bench.settings().templates.find("/room/1"));  // Shared.
}

TEST_CASE("on a machine with another clock everything is as old as it was") {
    Full bench;
    const std::string bytes = bench.saved();
    QueueBench other;
    other.now = Instant{3s};
    other.actor = Queue::restore(settings_of({open_room()}), other.now, bytes);
    REQUIRE(other.actor != nullptr);
    CHECK(other.saved() == bytes);
    other.now += 100s - 1us;
    other.subscribe(0);
    CHECK(other.content().mounts.at(MountName("chat")).history.size() == 2);
    other.now += 1us;
    other.subscribe(0);
    CHECK(other.content().mounts.at(MountName("chat")).history.empty());
}

TEST_CASE("a queue that came back knows its ops, fences, rates, keys and followers") {
    Full bench;
    bench.restart();
    const auto again = [&](OpNumber n) {
        return bench.withdraw(alice, {.number = n, .inc = bench.inc()});
    };
    CHECK(again(1).kind == Kind::ok);
    CHECK(again(2).kind == Kind::ok);
    CHECK(again(3).code == ErrorCode::forbidden);
    CHECK(again(4).code == ErrorCode::conflict);
    CHECK(again(4).current.has_value());
    CHECK(again(5).code == ErrorCode::withdrawn);
    CHECK(bench.send(alice, "chat", "1").kind == Kind::fenced);
    CHECK(bench.withdraw(client_of("carol"), {.number = 2, .inc = bench.inc()}).kind == Kind::ok);
    Op op = QueueBench::server_op(SendOp{MountName("wall"), Payload("1")});
    op.idempotency_key = SharedText("k");
    CHECK_FALSE(bench.feed_op(op).verdict.is_new);
    CHECK(bench.send(bob, "chat", "1").kind == Kind::ok);
    CHECK(bench.all<Published>().at(0).sub == SubId{11});
    CHECK(bench.all<Published>().at(1).sub == SubId{12});
    CHECK(bench.ask_as_server(CreateOp{}).code == ErrorCode::differs);
}

TEST_CASE("a rate goes on over a restart") {
    QueueBench bench;
    bench.join(alice);
    for (int i = 0; i < 4; ++i) {
        bench.send(alice, "slow", "1");
    }
    bench.restart();
    CHECK(bench.send(alice, "slow", "1").retry_ms == 500);
}

TEST_CASE("an idle queue that came back goes away when it would have") {
    QueueBench bench;
    bench.ask_as_server(CreateOp{});
    bench.pass(9min);
    bench.restart();
    bench.pass(1min - 1us);
    CHECK_FALSE(bench.actor->is_absent());
    bench.pass(1us);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a queue keeps the rules it was made with, also when its template has changed since") {
    Full bench;
    Template changed = open_room();
    changed.join = WhoMay::server;
    QueueBench other(settings_of({changed}));
    other.actor = Queue::restore(settings_of({changed}), other.now, bench.saved());
    REQUIRE(other.actor != nullptr);
    CHECK(other.content().rules->join == WhoMay::anyone);
    CHECK(other.saved() == bench.saved());
}

TEST_CASE("a record that was kept with a wider window than now keeps what fits") {
    QueueBench bench;
    bench.join(alice, {.number = 1});
    for (OpNumber n = 2; n <= 20; ++n) {
        bench.send(alice, "wall", "1", {.number = n});
    }
    Limits narrow;
    narrow.op_window = 4;
    bench.actor = Queue::restore(settings_of({open_room()}, narrow), bench.now, bench.saved());
    REQUIRE(bench.actor != nullptr);
    CHECK(bench.withdraw(alice, {.number = 17}).kind == Kind::ok);
    CHECK(bench.withdraw(alice, {.number = 16}).kind == Kind::protocol_error);
    CHECK(bench.send(alice, "wall", "1", {.number = 21}).kind == Kind::ok);
}

TEST_CASE("bytes that are no queue are refused") {
    CHECK_FALSE(restores(""));
    CHECK_FALSE(restores("nonsense"));
    CHECK_FALSE(restores("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    const std::string bytes = Full().saved();
    CHECK(restores(bytes));
    for (std::size_t size = 0; size < bytes.size(); size += 7) {
        // Whatever is left of it: a smaller queue or none, but never harm.
        static_cast<void>(restores(std::string_view(bytes).substr(0, size)));
    }
}

TEST_CASE("a state that no queue can be in is refused") {
    State state = state_of(Full());
    REQUIRE(restores(state));
    const auto swap_first_two = [](auto& list) { list.SwapElements(0, 1); };
    SUBCASE("no inc") { state.set_inc(0); }
    SUBCASE("a seq beyond all") { state.set_seq(1ULL << 60U); }
    SUBCASE("a seq before its messages") { state.set_seq(3); }
    SUBCASE("no enumerator of the rules") { state.mutable_rules()->set_join(2); }
    SUBCASE("a negative time") { state.mutable_rules()->set_idle_ttl_us(-1); }
    SUBCASE("a time beyond all") { state.mutable_definition()->set_idle_ttl_us(1LL << 62U); }
    SUBCASE("mounts out of order") { swap_first_two(*state.mutable_mounts()); }
    SUBCASE("a mount twice") { *state.add_mounts() = state.mounts(state.mounts_size() - 1); }
    SUBCASE("members out of order") { swap_first_two(*state.mutable_members()); }
    SUBCASE("a format that is none") { state.mutable_members(0)->set_info_format(2); }
    SUBCASE("a mount's kind that is none") {
        state.mutable_mounts(0)->mutable_rules()->set_kind(2);
    }
    SUBCASE("a state mount with a history") {
        for (auto& mount : *state.mutable_mounts()) {
            mount.mutable_rules()->set_kind(1);
        }
    }
    SUBCASE("a message mount with keys") {
        for (auto& mount : *state.mutable_mounts()) {
            mount.mutable_rules()->set_kind(0);
        }
    }
    SUBCASE("messages out of order") {
        for (auto& mount : *state.mutable_mounts()) {
            if (mount.history_size() > 1) {
                swap_first_two(*mount.mutable_history());
            }
        }
    }
    SUBCASE("a message that was forgotten") {
        for (auto& mount : *state.mutable_mounts()) {
            mount.set_forgotten_through(state.seq());
        }
    }
    SUBCASE("a message of another age of the world") {
        for (auto& mount : *state.mutable_mounts()) {
            for (auto& posted : *mount.mutable_history()) {
                posted.set_at_us(1LL << 62U);
            }
        }
    }
    SUBCASE("a key without a value") {
        for (auto& mount : *state.mutable_mounts()) {
            for (auto& entry : *mount.mutable_entries()) {
                entry.clear_value();
            }
        }
    }
    SUBCASE("clients out of order") { swap_first_two(*state.mutable_clients()); }
    SUBCASE("more verdicts than numbers") { state.mutable_clients(0)->set_highest(1); }
    SUBCASE("a verdict that is none") {
        state.mutable_clients(0)->mutable_verdicts(0)->set_kind(9);
    }
    SUBCASE("an error code that is none") {
        state.mutable_clients(0)->mutable_verdicts(0)->set_code(65'000);
    }
    SUBCASE("a slot that cannot be") { state.mutable_clients(0)->set_slot(256); }
    SUBCASE("two that left at once") {
        for (auto& client : *state.mutable_clients()) {
            client.set_left_as(1);
        }
    }
    SUBCASE("a fence of a stranger") { state.mutable_fences(0)->set_user("mallory"); }
    SUBCASE("two fences of one slot") { *state.add_fences() = state.fences(0); }
    SUBCASE("a rate beyond all times") { state.mutable_rates(0)->set_full_at_us(1LL << 62U); }
    SUBCASE("a key of a send twice") { *state.add_idempotent_ops() = state.idempotent_ops(0); }
    SUBCASE("a shard that cannot be") { state.mutable_subscribers(0)->set_gateway(70'000); }
    SUBCASE("idle with members") { state.set_idle_since_us(-1); }
    CHECK_FALSE(restores(state));
}

}  // namespace
}  // namespace muster::queue
