// Messages and state: who may write what, and the limits.
#include <string>

#include <doctest/doctest.h>

#include "core/queue/queue_test_bench.h"

namespace muster::queue {
namespace {

using namespace std::chrono_literals;
using Kind = Verdict::Kind;

const TestClient alice = client_of("alice");
const TestClient bob = client_of("bob");
const TestClient stranger = client_of("stranger");

struct Room : QueueBench {
    explicit Room(Limits limits = {}) : QueueBench(settings_of({open_room()}, limits)) {
        join(alice);
        join(bob);
        subscribe(0);
    }

    ErrorCode code_of(const Verdict& verdict) {
        CHECK(verdict.kind == Kind::rejected);
        CHECK(published().empty());
        return verdict.code;
    }
};

std::string bytes(std::size_t count) { return '"' + std::string(count - 2, 'x') + '"'; }

// ---- Messages --------------------------------------------------------------------------------

TEST_CASE("a message takes the next seq and goes out once to each shard that follows") {
    Room room;
    room.subscribe(4, 44);
    const Seq before = room.seq();
    const auto verdict = room.send(alice, "chat", R"({"text":"hi"})");
    CHECK(verdict.kind == Kind::ok);
    CHECK(verdict.at == Cursor{room.inc(), before + 1});
    CHECK(room.gateways_sent<Published>() == std::vector{ShardId{0}, ShardId{4}});
    const auto both = room.all<Published>();
    CHECK(both[0].event == both[1].event);
    CHECK(both[1].sub == SubId{44});
    CHECK(both[1].inc == room.inc());
    CHECK(both[1].queue == room.self);
    const Event& event = *both[0].event;
    CHECK(event.seq == before + 1);
    CHECK(event.from == alice.user);
    CHECK(event.time == room.wall);
    CHECK(std::get<MessagePosted>(event.body).mount == "chat");
    CHECK(std::get<MessagePosted>(event.body).data.bytes() == R"({"text":"hi"})");
}

TEST_CASE("bytes stay bytes") {
    Room room;
    room.ask(alice, SendOp{MountName("chat"), Payload("\x01\x02", Format::bytes)});
    const auto event = room.published().at(0);
    CHECK(std::get<MessagePosted>(event->body).data == Payload("\x01\x02", Format::bytes));
}

TEST_CASE("the server sends in its own name or in a user's, to every mount") {
    Room room;
    CHECK(room.ask_as_server(SendOp{MountName("news"), Payload("1")}).kind == Kind::ok);
    CHECK(room.published().at(0)->from.empty());
    CHECK(room.feed_op(QueueBench::server_op(SendOp{MountName("chat"), Payload("1")},
                                             UserId("carol")))
              .verdict.kind == Kind::ok);
    CHECK(room.published().at(0)->from == "carol");
}

TEST_CASE("row 45: a send to a queue that is not joined is rejected: not_member") {
    Room room;
    CHECK(room.code_of(room.send(stranger, "chat", "1")) == ErrorCode::not_member);
    CHECK(room.code_of(room.send(stranger, "news", "1")) == ErrorCode::not_member);
    CHECK(room.code_of(room.set(stranger, "scores", "k", "1")) == ErrorCode::not_member);
    CHECK(room.code_of(room.set(stranger, "positions", "stranger", "1")) == ErrorCode::not_member);
    // What mounts there are is not told to strangers.
    CHECK(room.code_of(room.send(stranger, "nothing", "1")) == ErrorCode::not_member);
    CHECK(room.code_of(room.send(stranger, "scores", "1")) == ErrorCode::not_member);
}

TEST_CASE("row 45: a send to a queue that does not exist is rejected: no_queue") {
    QueueBench bench;
    CHECK(bench.send(alice, "chat", "1").code == ErrorCode::no_queue);
    CHECK(bench.set(alice, "scores", "k", "1").code == ErrorCode::no_queue);
    CHECK(bench.ask_as_server(SendOp{MountName("chat"), Payload("1")}).code == ErrorCode::no_queue);
    CHECK(bench.leave(alice).code == ErrorCode::no_queue);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("row 45: a send to a mount that is not there is rejected: no_mount") {
    Room room;
    CHECK(room.code_of(room.send(alice, "nothing", "1")) == ErrorCode::no_mount);
    CHECK(room.code_of(room.set(alice, "nothing", "k", "1")) == ErrorCode::no_mount);
    CHECK(room.code_of(room.ask_as_server(SendOp{MountName("nothing"), Payload("1")})) ==
          ErrorCode::no_mount);
}

TEST_CASE("row 45: a message to a state mount, or the reverse, is rejected: wrong_kind") {
    Room room;
    for (const auto* mount : {"scores", "positions", "round", "votes"}) {
        CHECK(room.code_of(room.send(alice, mount, "1")) == ErrorCode::wrong_kind);
    }
    for (const auto* mount : {"chat", "dice", "news", "wall"}) {
        CHECK(room.code_of(room.set(alice, mount, "k", "1")) == ErrorCode::wrong_kind);
    }
    CHECK(room.code_of(room.ask_as_server(SendOp{MountName("scores"), Payload("1")})) ==
          ErrorCode::wrong_kind);
    CHECK(room.code_of(room.send(stranger, "votes", "1")) == ErrorCode::wrong_kind);
}

TEST_CASE("who may write is the mount's rule") {
    Room room;
    CHECK(room.code_of(room.send(alice, "news", "1")) == ErrorCode::forbidden);
    CHECK(room.code_of(room.set(alice, "round", "k", "1")) == ErrorCode::forbidden);
    CHECK(room.send(stranger, "wall", "1").kind == Kind::ok);
    CHECK(room.set(stranger, "votes", "k", "1").kind == Kind::ok);
    CHECK(room.send(bob, "chat", "1").kind == Kind::ok);
    CHECK(room.set(bob, "scores", "alice", "1").kind == Kind::ok);
    CHECK(room.set(bob, "positions", "bob", "1").kind == Kind::ok);
    CHECK(room.code_of(room.set(bob, "positions", "alice", "1")) == ErrorCode::forbidden);
    CHECK(room.code_of(room.ask(bob, SetOp{MountName("positions"),
                                           {{Key("bob"), Payload("1")}, {Key("eve"), Payload("1")}},
                                           {}})) == ErrorCode::forbidden);
    CHECK(room.ask_as_server(SetOp{MountName("positions"), {{Key("alice"), Payload("1")}}, {}})
              .kind == Kind::ok);
}

TEST_CASE("row 47: a message of more than 16 KiB is rejected: too_big") {
    Room room;
    CHECK(room.send(alice, "chat", bytes(16 * 1024)).kind == Kind::ok);
    CHECK(room.code_of(room.send(alice, "chat", bytes(16 * 1024 + 1))) == ErrorCode::too_big);
    CHECK(room.code_of(room.ask_as_server(
              SendOp{MountName("chat"), Payload(bytes(16 * 1024 + 1))})) == ErrorCode::too_big);
}

TEST_CASE("a mount may allow less than the site does, not more") {
    Template rules = open_room();
    rules.mounts.at(MountName("chat")).payload_bytes_max = 8;
    rules.mounts.at(MountName("wall")).payload_bytes_max = 1'000'000;
    rules.mounts.at(MountName("scores")).payload_bytes_max = 8;
    QueueBench bench(settings_of({rules}));
    bench.join(alice);
    CHECK(bench.send(alice, "chat", bytes(8)).kind == Kind::ok);
    CHECK(bench.send(alice, "chat", bytes(9)).code == ErrorCode::too_big);
    CHECK(bench.send(alice, "wall", bytes(16 * 1024 + 1)).code == ErrorCode::too_big);
    CHECK(bench.set(alice, "scores", "k", bytes(9)).code == ErrorCode::too_big);
}

// ---- Rates -----------------------------------------------------------------------------------

TEST_CASE("who sends faster than the mount allows is told when to try again") {
    Room room;  // slow: 2 a second, 4 at once
    for (int i = 0; i < 4; ++i) {
        CHECK(room.send(alice, "slow", "1").kind == Kind::ok);
    }
    const auto verdict = room.send(alice, "slow", "1");
    CHECK(verdict.kind == Kind::busy);
    CHECK(verdict.code == ErrorCode::busy);
    CHECK(verdict.retry_ms == 500);
    CHECK(room.send(bob, "slow", "1").kind == Kind::ok);
    CHECK(room.ask_as_server(SendOp{MountName("slow"), Payload("1")}).kind == Kind::ok);
    room.pass(499ms);
    CHECK(room.send(alice, "slow", "1").kind == Kind::busy);
    room.pass(1ms);
    CHECK(room.send(alice, "slow", "1").kind == Kind::ok);
}

TEST_CASE("too fast is said before too big is, and a refusal for size counts as well") {
    Room room;
    const std::string big = bytes(16 * 1024 + 1);
    for (int i = 0; i < 4; ++i) {
        CHECK(room.code_of(room.send(alice, "slow", big)) == ErrorCode::too_big);
    }
    CHECK(room.send(alice, "slow", big).kind == Kind::busy);
}

TEST_CASE("a rate survives leaving and joining again") {
    Room room;
    for (int i = 0; i < 4; ++i) {
        room.send(alice, "slow", "1");
    }
    room.leave(alice);
    room.join(alice);
    CHECK(room.send(alice, "slow", "1").kind == Kind::busy);
}

TEST_CASE("a rate of zero per second is none, and a burst of zero lets one through at a time") {
    Template rules = open_room();
    rules.mounts.at(MountName("slow")).rate = {1, 0};
    QueueBench bench(settings_of({rules}));
    bench.join(alice);
    CHECK(bench.send(alice, "slow", "1").kind == Kind::ok);
    CHECK(bench.send(alice, "slow", "1").kind == Kind::busy);
    for (int i = 0; i < 1000; ++i) {
        CHECK(bench.send(alice, "chat", "1").kind == Kind::ok);
    }
}

// ---- Dice ------------------------------------------------------------------------------------

TEST_CASE("a dice mount rolls what is asked for, the same for all, and refuses all else") {
    Room room;
    CHECK(room.send(alice, "dice", R"({"roll":"2d6"})").kind == Kind::ok);
    const auto event = room.published().at(0);
    const auto& data = std::get<MessagePosted>(event->body).data;
    CHECK(data.bytes().starts_with(R"({"roll":"2d6","got":[)"));
    CHECK(room.code_of(room.send(alice, "dice", R"({"roll":"2d6","got":[6,6]})")) ==
          ErrorCode::bad_request);
    CHECK(room.code_of(room.send(alice, "dice", "\"hello\"")) == ErrorCode::bad_request);
}

// ---- State -----------------------------------------------------------------------------------

TEST_CASE("a set changes the key, takes the next seq and says so to all that follow") {
    Room room;
    const auto verdict = room.set(alice, "scores", "alice", "7");
    CHECK(verdict.kind == Kind::ok);
    CHECK(verdict.at.seq == room.seq());
    const auto event = room.published().at(0);
    const auto& changed = std::get<StateChanged>(event->body);
    CHECK(changed.mount == "scores");
    REQUIRE(changed.changes.size() == 1);
    CHECK(changed.changes[0] == KeyChange{Key("alice"), Payload("7")});
    const auto& entry = room.content().mounts.at(MountName("scores")).keys.at(Key("alice"));
    CHECK(entry.value == Payload("7"));
    CHECK(entry.changed_at == verdict.at.seq);
}

TEST_CASE("a set without a value deletes the key; deleting what is not there changes nothing") {
    Room room;
    room.set(alice, "scores", "alice", "7");
    CHECK(room.set(alice, "scores", "alice", "").kind == Kind::ok);
    CHECK(room.published().size() == 1);
    CHECK(room.content().mounts.at(MountName("scores")).keys.empty());

    const Seq before = room.seq();
    const auto verdict = room.set(alice, "scores", "alice", "");
    CHECK(verdict.kind == Kind::ok);
    CHECK_FALSE(verdict.is_new);
    CHECK(verdict.at.seq == before);
    CHECK(room.published().empty());
}

TEST_CASE("several keys change in one event, without those that delete nothing") {
    Room room;
    room.set(alice, "scores", "old", "1");
    room.ask(alice, SetOp{MountName("scores"),
                          {{Key("a"), Payload("1")},
                           {Key("nothing"), Payload()},
                           {Key("old"), Payload()},
                           {Key("b"), Payload("2")}},
                          {}});
    REQUIRE(room.published().size() == 1);
    const auto event = room.published().front();
    const auto& changed = std::get<StateChanged>(event->body);
    REQUIRE(changed.changes.size() == 3);
    CHECK(changed.changes[1].key == "old");
}

TEST_CASE("the same value again is a change like any other") {
    Room room;
    const Seq first = room.set(alice, "scores", "k", "1").at.seq;
    CHECK(room.set(alice, "scores", "k", "1").at.seq == first + 1);
}

TEST_CASE("row 48: a state update with a stale if_seq is rejected: conflict, with the current seq") {
    Room room;
    const Seq first = room.set(alice, "scores", "k", "1").at.seq;
    const auto absent = room.set(bob, "scores", "k", "2", Seq{0});
    CHECK(room.code_of(absent) == ErrorCode::conflict);
    CHECK(absent.current == first);
    CHECK(room.set(bob, "scores", "k", "2", first).kind == Kind::ok);
    const auto stale = room.set(alice, "scores", "k", "3", first);
    CHECK(room.code_of(stale) == ErrorCode::conflict);
    CHECK(stale.current == first + 1);
    // Another key's change does not matter, nor does a message.
    room.set(alice, "scores", "other", "1");
    room.send(alice, "chat", "1");
    CHECK(room.set(alice, "scores", "k", "3", first + 1).kind == Kind::ok);
}

TEST_CASE("row 48: if_seq 0 sets what is not there, and a deleted key is not there") {
    Room room;
    const auto conflict = room.set(alice, "scores", "k", "1", Seq{5});
    CHECK(room.code_of(conflict) == ErrorCode::conflict);
    CHECK(conflict.current == Seq{0});
    CHECK(room.set(alice, "scores", "k", "1", Seq{0}).kind == Kind::ok);
    CHECK(room.set(alice, "scores", "k", "").kind == Kind::ok);
    CHECK(room.set(alice, "scores", "k", "2", Seq{0}).kind == Kind::ok);
    CHECK(room.code_of(room.set(alice, "scores", "k", "", Seq{0})) == ErrorCode::conflict);
}

TEST_CASE("row 47: a value of more than 16 KiB and a key of more than 256 bytes are too_big") {
    Room room;
    CHECK(room.set(alice, "scores", "k", bytes(16 * 1024)).kind == Kind::ok);
    CHECK(room.code_of(room.set(alice, "scores", "k", bytes(16 * 1024 + 1))) == ErrorCode::too_big);
    CHECK(room.set(alice, "scores", std::string(256, 'k'), "1").kind == Kind::ok);
    CHECK(room.code_of(room.set(alice, "scores", std::string(257, 'k'), "1")) ==
          ErrorCode::too_big);
    CHECK(room.code_of(room.set(alice, "scores", "", "1")) == ErrorCode::too_big);
}

TEST_CASE("row 47: the 1,025th key is rejected: full; the others may still change and go") {
    Room room;
    for (int i = 0; i < 1024; ++i) {
        REQUIRE(room.set(alice, "scores", std::to_string(i), "1").kind == Kind::ok);
    }
    CHECK(room.code_of(room.set(alice, "scores", "one more", "1")) == ErrorCode::full);
    CHECK(room.set(alice, "scores", "7", "2").kind == Kind::ok);
    CHECK(room.ask(alice, SetOp{MountName("scores"),
                                {{Key("7"), Payload()}, {Key("one more"), Payload("1")}},
                                {}})
              .kind == Kind::ok);
    CHECK(room.set(alice, "scores", "8", "").kind == Kind::ok);
    CHECK(room.set(alice, "scores", "and one", "1").kind == Kind::ok);
}

TEST_CASE("the state of all mounts together is bounded in bytes") {
    Limits limits;
    limits.state_bytes_max = 100;
    Room room(limits);
    CHECK(room.set(alice, "scores", "k", bytes(59)).kind == Kind::ok);  // 60 with its key
    CHECK(room.set(alice, "votes", "k", bytes(39)).kind == Kind::ok);
    CHECK(room.content().state_bytes() == 100);
    CHECK(room.code_of(room.set(alice, "votes", "l", "1")) == ErrorCode::full);
    CHECK(room.code_of(room.set(alice, "votes", "k", bytes(40))) == ErrorCode::full);
    CHECK(room.set(alice, "votes", "k", bytes(39)).kind == Kind::ok);
    CHECK(room.set(alice, "scores", "k", "").kind == Kind::ok);
    CHECK(room.content().state_bytes() == 40);
    CHECK(room.set(alice, "votes", "l", "1").kind == Kind::ok);
}

}  // namespace
}  // namespace muster::queue
