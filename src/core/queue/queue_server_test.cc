// What only the server asks for: creating and deleting queues and mounts; and how queues end.
#include <doctest/doctest.h>

#include "core/queue/queue_test_bench.h"

namespace muster::queue {
namespace {

using namespace std::chrono_literals;
using Kind = Verdict::Kind;

const TestClient alice = client_of("alice");

CreateOp with_mount(std::string_view name, MountKind kind) {
    CreateOp create;
    MountRules rules;
    rules.kind = kind;
    create.mounts.emplace(MountName(name), rules);
    return create;
}

// ---- Creating --------------------------------------------------------------------------------

TEST_CASE("row 61: to create what is there by the same definition is OK and changes nothing") {
    QueueBench bench;
    const auto first = bench.ask_as_server(with_mount("map", MountKind::state));
    CHECK(first.kind == Kind::ok);
    CHECK(first.is_new);
    const auto again = bench.ask_as_server(with_mount("map", MountKind::state));
    CHECK(again.kind == Kind::ok);
    CHECK_FALSE(again.is_new);
    CHECK(again.at == first.at);
}

TEST_CASE("row 61: to create what is there by another definition is rejected: differs") {
    QueueBench bench;
    bench.ask_as_server(with_mount("map", MountKind::state));
    CreateOp with_ttl = with_mount("map", MountKind::state);
    with_ttl.idle_ttl = 1s;
    for (const auto& other : {CreateOp{}, with_mount("map", MountKind::message),
                              with_mount("maps", MountKind::state), with_ttl}) {
        const auto verdict = bench.ask_as_server(other);
        CHECK(verdict.kind == Kind::rejected);
        CHECK(verdict.code == ErrorCode::differs);
    }
}

TEST_CASE("the template's name in full or left out is the same definition") {
    QueueBench bench;
    bench.ask_as_server(CreateOp{});
    CHECK_FALSE(bench.ask_as_server(CreateOp{"/room/*", {}, {}}).is_new);
    QueueBench other;
    other.ask_as_server(CreateOp{"/room/*", {}, {}});
    CHECK_FALSE(other.ask_as_server(CreateOp{}).is_new);
}

TEST_CASE("a queue that a join has made has its template's definition") {
    Template another = open_room();
    another.match = "/hall/*";
    QueueBench bench(settings_of({open_room(), another}));
    bench.join(alice);
    CHECK(bench.ask_as_server(CreateOp{}).kind == Kind::ok);
    CHECK(bench.ask_as_server(CreateOp{"/room/*", {}, {}}).kind == Kind::ok);
    CHECK(bench.ask_as_server(CreateOp{"/hall/*", {}, {}}).code == ErrorCode::differs);
    CHECK(bench.ask_as_server(with_mount("map", MountKind::state)).code == ErrorCode::differs);
}

TEST_CASE("a queue may be created by a template that does not match its name") {
    Template hall = open_room();
    hall.match = "/hall/*";
    hall.mounts.clear();
    QueueBench bench(settings_of({open_room(), hall}));
    CHECK(bench.ask_as_server(CreateOp{"/hall/*", {}, {}}).kind == Kind::ok);
    CHECK(bench.content().rules->match == "/hall/*");
    CHECK(bench.content().mounts.empty());
    CHECK(bench.ask_as_server(CreateOp{}).code == ErrorCode::differs);
}

TEST_CASE("a template that is not there is a bad request") {
    QueueBench bench;
    CHECK(bench.ask_as_server(CreateOp{"/hall/*", {}, {}}).code == ErrorCode::bad_request);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a definition's mounts stand beside the template's or take their place") {
    QueueBench bench;
    CreateOp create = with_mount("map", MountKind::state);
    create.mounts[MountName("chat")].history_count_max = 7;
    const auto verdict = bench.ask_as_server(create);
    CHECK(verdict.at.seq == open_room().mounts.size() + 1);
    CHECK(bench.content().mounts.contains(MountName("map")));
    CHECK(bench.content().mounts.at(MountName("chat")).rules.history_count_max == 7);
    CHECK(bench.content().mounts.contains(MountName("dice")));
}

TEST_CASE("a queue is not created with more mounts than it may have") {
    Limits limits;
    limits.mounts_max = static_cast<std::uint32_t>(open_room().mounts.size());
    QueueBench bench(settings_of({open_room()}, limits));
    CHECK(bench.ask_as_server(with_mount("map", MountKind::state)).code == ErrorCode::limit);
    CHECK(bench.actor->is_absent());
    // In place of one of the template's there is room.
    CHECK(bench.ask_as_server(with_mount("chat", MountKind::state)).kind == Kind::ok);
}

TEST_CASE("users do not do the server's work") {
    QueueBench bench;
    CHECK(bench.ask(alice, CreateOp{}).code == ErrorCode::forbidden);
    CHECK(bench.actor->is_absent());
    bench.join(alice);
    CHECK(bench.ask(alice, CreateOp{}).code == ErrorCode::forbidden);
    CHECK(bench.ask(alice, DeleteOp{}).code == ErrorCode::forbidden);
    CHECK(bench.ask(alice, PutMountOp{MountName("map"), {}}).code == ErrorCode::forbidden);
    CHECK(bench.ask(alice, DeleteMountOp{MountName("chat")}).code == ErrorCode::forbidden);
}

// ---- Mounts ----------------------------------------------------------------------------------

TEST_CASE("a mount that is put is there for all, and once more it is the same") {
    QueueBench bench;
    bench.join(alice);
    bench.subscribe(0);
    MountRules rules;
    rules.kind = MountKind::state;
    CHECK(bench.ask_as_server(PutMountOp{MountName("map"), rules}).is_new);
    REQUIRE(bench.published().size() == 1);
    const auto event = bench.published().front();
    CHECK(std::get<MountChanged>(event->body).rules == rules);
    const auto again = bench.ask_as_server(PutMountOp{MountName("map"), rules});
    CHECK(again.kind == Kind::ok);
    CHECK_FALSE(again.is_new);
    CHECK(bench.published().empty());
    rules.keys_max = 3;
    CHECK(bench.ask_as_server(PutMountOp{MountName("map"), rules}).code == ErrorCode::differs);
    CHECK(bench.set(alice, "map", "k", "1").kind == Kind::ok);
}

TEST_CASE("a mount that is deleted is gone with all it held, and comes back empty") {
    QueueBench bench;
    bench.join(alice);
    bench.send(alice, "chat", "1");
    const MountRules rules = bench.content().mounts.at(MountName("chat")).rules;
    CHECK(bench.ask_as_server(DeleteMountOp{MountName("chat")}).kind == Kind::ok);
    CHECK(bench.send(alice, "chat", "1").code == ErrorCode::no_mount);
    CHECK(bench.ask_as_server(DeleteMountOp{MountName("chat")}).code == ErrorCode::no_mount);
    const auto put = bench.ask_as_server(PutMountOp{MountName("chat"), rules});
    const Mount& mount = bench.content().mounts.at(MountName("chat"));
    CHECK(mount.history.empty());
    CHECK(mount.added_at == put.at.seq);
    CHECK(mount.forgotten_through == put.at.seq);
}

TEST_CASE("a queue has no more mounts than it may") {
    Limits limits;
    limits.mounts_max = static_cast<std::uint32_t>(open_room().mounts.size() + 1);
    QueueBench bench(settings_of({open_room()}, limits));
    bench.join(alice);
    CHECK(bench.ask_as_server(PutMountOp{MountName("a"), {}}).kind == Kind::ok);
    CHECK(bench.ask_as_server(PutMountOp{MountName("b"), {}}).code == ErrorCode::limit);
    CHECK(bench.ask_as_server(PutMountOp{MountName("a"), {}}).kind == Kind::ok);
}

// ---- Deleting --------------------------------------------------------------------------------

TEST_CASE("row 61: to delete what is not there is rejected: no_queue") {
    QueueBench bench;
    CHECK(bench.ask_as_server(DeleteOp{}).code == ErrorCode::no_queue);
}

TEST_CASE("a queue that is deleted tells its followers and its members' user queues") {
    QueueBench bench;
    bench.join(alice);
    bench.join_by_server("bob");
    bench.subscribe(0, 1);
    bench.subscribe(2, 9);
    const Cursor at = bench.content().at;
    const auto verdict = bench.ask_as_server(DeleteOp{});
    CHECK(verdict.kind == Kind::ok);
    CHECK(verdict.at == at);
    CHECK(bench.gateways_sent<Ended>() == std::vector{ShardId{0}, ShardId{2}});
    CHECK(bench.all<Ended>().at(1).sub == SubId{9});
    CHECK(bench.all<Ended>().at(1).inc == at.inc);
    CHECK(bench.actors_sent<user::QueueEnded>() ==
          std::vector{QueueName("/user/alice"), QueueName("/user/bob")});
    CHECK(bench.all<user::QueueEnded>().at(0).inc == at.inc);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a queue that was deleted and made again remembers nothing and is younger") {
    QueueBench bench;
    bench.join(alice, {.number = 1});
    bench.send(alice, "chat", "1", {.number = 2});
    bench.set(alice, "scores", "k", "1");
    for (int i = 0; i < 4; ++i) {
        bench.send(alice, "slow", "1");
    }
    const Inc before = bench.inc();
    bench.ask_as_server(DeleteOp{});
    bench.join(alice, {.number = 1});
    CHECK(bench.inc() > before);
    CHECK(bench.content().members.size() == 1);
    CHECK(bench.content().state_bytes() == 0);
    CHECK(bench.content().mounts.at(MountName("chat")).history.empty());
    CHECK(bench.send(alice, "slow", "1").kind == Kind::ok);
    CHECK(bench.send(alice, "chat", "1", {.number = 2}).is_new);
}

// ---- Idle queues -----------------------------------------------------------------------------

TEST_CASE("a queue that was created and never used goes away after its idle time") {
    QueueBench bench;
    bench.ask_as_server(CreateOp{});
    bench.pass(10min - 1us);
    CHECK_FALSE(bench.actor->is_absent());
    bench.pass(1us);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a queue goes away when its last member has been gone for the idle time") {
    QueueBench bench;
    bench.join(alice);
    bench.pass(1h);
    CHECK_FALSE(bench.actor->is_absent());
    bench.leave(alice);
    bench.pass(10min - 1us);
    CHECK_FALSE(bench.actor->is_absent());
    bench.pass(1us);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a follower keeps a queue; when it goes as well the idle time begins") {
    QueueBench bench;
    bench.join(alice);
    bench.subscribe(0);
    bench.leave(alice);
    bench.pass(1h);
    CHECK_FALSE(bench.actor->is_absent());
    bench.unsubscribe(0);
    bench.pass(9min);
    bench.unsubscribe(0);  // Once more changes nothing.
    bench.pass(1min);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("who comes while a queue idles keeps it") {
    QueueBench bench;
    bench.join(alice);
    bench.leave(alice);
    bench.pass(9min);
    bench.join(alice);
    bench.pass(1h);
    CHECK_FALSE(bench.actor->is_absent());
    bench.leave(alice);
    bench.pass(9min);
    bench.subscribe(0);
    bench.pass(1h);
    CHECK_FALSE(bench.actor->is_absent());
}

TEST_CASE("a queue that the server writes to is not idle") {
    QueueBench bench;
    bench.ask_as_server(CreateOp{});
    for (int i = 0; i < 5; ++i) {
        bench.pass(9min);
        CHECK(bench.ask_as_server(SendOp{MountName("news"), Payload("1")}).kind == Kind::ok);
    }
    bench.pass(10min);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("the definition's idle time goes before the template's, and zero means never") {
    QueueBench bench;
    bench.ask_as_server(CreateOp{{}, {}, Duration{5s}});
    bench.pass(5s);
    CHECK(bench.actor->is_absent());

    bench.ask_as_server(CreateOp{{}, {}, Duration{0}});
    bench.pass(24h);
    CHECK_FALSE(bench.actor->is_absent());
    CHECK_FALSE(bench.wake_at.has_value());
}

TEST_CASE("a wake that nobody asked for changes nothing") {
    QueueBench bench;
    bench.wake();
    CHECK(bench.actor->is_absent());
    bench.join(alice);
    const std::string before = bench.saved();
    bench.wake();
    CHECK(bench.saved() == before);
    CHECK(bench.outbox.empty());
}

// ---- Tidying ---------------------------------------------------------------------------------

TEST_CASE("old messages leave the memory of a quiet queue, and then it sleeps") {
    QueueBench bench;
    bench.join(alice);
    CHECK_FALSE(bench.wake_at.has_value());
    const Seq last = bench.send(alice, "chat", "1").at.seq;
    bench.pass(2min + Queue::tidy_interval);
    CHECK(bench.content().mounts.at(MountName("chat")).history.empty());
    CHECK(bench.content().mounts.at(MountName("chat")).forgotten_through == last);
    CHECK_FALSE(bench.wake_at.has_value());
}

TEST_CASE("messages that never get too old do not keep a queue awake") {
    Template rules = open_room();
    rules.mounts.at(MountName("chat")).history_ttl = Duration{0};
    QueueBench bench(settings_of({rules}));
    bench.join(alice);
    bench.send(alice, "chat", "1");
    CHECK_FALSE(bench.wake_at.has_value());
    bench.pass(1h);
    CHECK(bench.content().mounts.at(MountName("chat")).history.size() == 1);
}

TEST_CASE("rates and keys are forgotten once they mean nothing any more") {
    QueueBench bench;
    bench.join(alice);
    const std::string quiet = bench.saved();
    for (int i = 0; i < 4; ++i) {
        bench.send(alice, "slow", "1");
    }
    Op op = QueueBench::server_op(SendOp{MountName("slow"), Payload("1")});
    op.idempotency_key = SharedText("k");
    bench.feed_op(op);
    CHECK(bench.wake_at.has_value());
    bench.pass(600s + Queue::tidy_interval);
    CHECK_FALSE(bench.wake_at.has_value());
    // Nothing is left but that seq has grown and where the history begins.
    CHECK(bench.saved().size() <= quiet.size() + 8);
}

}  // namespace
}  // namespace muster::queue
