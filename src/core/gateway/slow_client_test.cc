// GUARANTEES.md section 7, row 54: clients that do not read, and what waits for them.
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

// A room that alice and bob listen to; alice then stops reading.
struct SlowAlice {
    GatewayBench bench;
    TestPeer& alice = bench.user("alice");
    TestPeer& bob = bench.user("bob");
    FakeQueue room{bench, "/room/1"};

    SlowAlice() {
        bench.peers.say(alice, R"({"op":"listen","q":"/room/1"})");
        bench.peers.say(bob, R"({"op":"listen","q":"/room/1"})");
        room.answer();
        alice.texts.clear();
        bob.texts.clear();
        bench.peers.block(alice);
    }
};

TEST_CASE(
    "row 54: for a client that never reads state is conflated, without end and without growth") {
    SlowAlice slow;
    for (int i = 1; i <= 3'000; ++i) {
        slow.room.set({{fmt::format("k{}", i % 3), std::to_string(i)}});
        slow.bob.texts.clear();
    }
    CHECK(slow.bench.counters().conflated == 2'997);
    CHECK(slow.alice.texts.empty());
    slow.bench.peers.drain(slow.alice);
    REQUIRE(slow.alice.texts.size() == 3);
    CHECK(slow.alice.next() ==
          R"({"op":"state","q":"/room/1","m":"scores","seq":3000,"prev":2,"set":{"k1":2998}})");
    CHECK(slow.alice.next() ==
          R"({"op":"state","q":"/room/1","m":"scores","seq":3001,"set":{"k2":2999}})");
    CHECK(slow.alice.next() ==
          R"({"op":"state","q":"/room/1","m":"scores","seq":3002,"set":{"k0":3000}})");
    slow.room.post("1");
    CHECK(slow.alice.next().find(R"("seq":3003,"from")") != std::string::npos);
}

TEST_CASE(
    "row 54: at the limit a client that never reads is closed with 4008, and all is given back") {
    SlowAlice slow;
    for (int i = 0; i < 256; ++i) {
        slow.room.post("1");
    }
    CHECK_FALSE(slow.alice.is_ended);
    slow.room.post("1");
    CHECK(slow.alice.texts.empty());
    slow.bench.check_closed(slow.alice, 4008, "M1008");
    CHECK(slow.bench.counters().closed_slow == 1);
    CHECK(slow.bench.counters().connections_open == 1);
    CHECK(slow.bench.take_one<user::Detach>().user == "alice");
    // The others have got everything and are the only listeners.
    CHECK(slow.bob.texts.size() == 257);
    const auto deliveries = slow.bench.counters().deliveries;
    slow.room.post("1");
    CHECK(slow.bench.counters().deliveries == deliveries + 1);
}

TEST_CASE("row 54: a mount that drops for slow clients keeps them, with a gap for what is lost") {
    SlowAlice slow;
    queue::MountRules rules;
    rules.slow = queue::SlowPolicy::drop;
    slow.room.publish(queue::MountChanged{MountName("dice"), rules});
    for (int i = 0; i < 1'000; ++i) {
        slow.room.post("1", "dice");
    }
    slow.bench.peers.drain(slow.alice);
    // 255 messages, behind the gap and the mount.
    REQUIRE(slow.alice.texts.size() == 257);
    CHECK(slow.alice.next() ==
          R"({"op":"mount","q":"/room/1","m":"dice","seq":3,"type":"message"})");
    CHECK(slow.alice.next() == R"({"op":"gap","q":"/room/1","m":"dice","from":4,"to":748})");
    CHECK(slow.alice.next().find(R"("seq":749,"prev":3,)") != std::string::npos);
    CHECK(slow.alice.last().find(R"("seq":1003,"from")") != std::string::npos);
    CHECK(slow.bench.counters().dropped == 745);
}

TEST_CASE("row 54: a client that neither reads nor writes is closed as silent") {
    SlowAlice slow;
    slow.bench.pass(26s);
    slow.room.set({{"a", "1"}});
    slow.bench.pass(9s - 1us);
    CHECK_FALSE(slow.alice.is_ended);
    slow.bench.pass(1us);
    slow.bench.check_closed(slow.alice, 4000, "M1006");
}

TEST_CASE("a ping that is due while the socket is full comes once it is not") {
    SlowAlice slow;
    slow.bench.pass(15s);
    CHECK(slow.alice.texts.empty());
    slow.bench.peers.drain(slow.alice);
    CHECK(slow.alice.next() == R"({"op":"ping"})");
    slow.bench.peers.say(slow.alice, R"({"op":"pong"})");
    slow.bench.pass(34s);
    CHECK_FALSE(slow.alice.is_ended);
}

TEST_CASE("answers to a client that asks on without reading close it at the limit") {
    SlowAlice slow;
    for (int i = 0; i < 256; ++i) {
        slow.bench.peers.say(slow.alice, R"({"op":"unlisten","i":1,"q":"/room/2"})");
        slow.bench.pass(25ms);
    }
    CHECK_FALSE(slow.alice.is_ended);
    slow.bench.peers.say(slow.alice, R"({"op":"unlisten","i":1,"q":"/room/2"})");
    slow.bench.check_closed(slow.alice, 4008, "M1008", &slow.bob);
}

// ---- Welcomes --------------------------------------------------------------------------------

TEST_CASE("of the welcomes to many queues one waits, and the next are made when it has left") {
    SlowAlice slow;
    std::vector<FakeQueue> rooms;
    rooms.reserve(10);
    for (int i = 0; i < 10; ++i) {
        FakeQueue& room = rooms.emplace_back(slow.bench, fmt::format("/big/{}", i));
        room.set({{"a", "\"old\""}});
        slow.bench.peers.say(
            slow.alice, fmt::format(R"({{"op":"listen","i":{},"q":"{}"}})", i, room.name.text()));
        room.answer();
    }
    for (FakeQueue& room : rooms) {
        room.set({{"a", "\"new\""}});
    }
    CHECK_FALSE(slow.alice.is_ended);
    slow.bench.peers.drain(slow.alice);
    CHECK(slow.alice.next().find("old") != std::string::npos);
    CHECK(slow.alice.next().starts_with(R"({"op":"state","q":"/big/0")"));
    CHECK(slow.alice.texts.size() == 9);
    for (int i = 1; i < 10; ++i) {
        const std::string joined = slow.alice.next();
        CHECK(joined.starts_with(fmt::format(R"({{"op":"joined","i":{})", i)));
        CHECK(joined.find("new") != std::string::npos);
    }
    // And all are live.
    for (FakeQueue& room : rooms) {
        room.post("1");
        CHECK(slow.alice.next().starts_with(R"({"op":"msg")"));
    }
}

TEST_CASE("a client in many big queues signs in without being taken for slow") {
    GatewayBench bench;
    std::vector<FakeQueue> rooms;
    std::vector<user::Joined> joined;
    rooms.reserve(20);
    for (int i = 0; i < 20; ++i) {
        FakeQueue& room = rooms.emplace_back(bench, fmt::format("/big/{}", i));
        room.set({{"a", '"' + std::string(15'000, 'x') + '"'},
                  {"b", '"' + std::string(15'000, 'x') + '"'}});
        joined.push_back({room.name, room.content.at.inc});
    }
    TestPeer& alice = bench.sign_in("alice", {}, joined);
    const auto fences = bench.take_sent<queue::Fence>();
    REQUIRE(fences.size() == rooms.size());
    for (const FakeQueue& room : rooms) {
        bench.deliver(queue::FenceReply{fences[0].connection, room.name, room.content.at.inc});
    }
    REQUIRE(alice.next().starts_with(R"({"op":"hello")"));
    bench.in_one_turn([&] {
        for (FakeQueue& room : rooms) {
            room.answer();
        }
    });
    CHECK(alice.texts.size() == 2);  // What fits into a turn.
    bench.pass(1us);
    CHECK(alice.texts.size() == 20);
    CHECK_FALSE(alice.is_ended);
}

TEST_CASE("a queue that ends while its welcome is postponed is told as such") {
    SlowAlice slow;
    FakeQueue first(slow.bench, "/big/1");
    FakeQueue second(slow.bench, "/big/2");
    slow.bench.peers.say(slow.alice, R"({"op":"listen","i":1,"q":"/big/1"})");
    slow.bench.peers.say(slow.alice, R"({"op":"listen","i":2,"q":"/big/2"})");
    first.answer();
    second.answer();
    SUBCASE("by being deleted") {
        second.end();
        slow.bench.peers.drain(slow.alice);
        second.refuse(ErrorCode::no_queue);
        CHECK(slow.alice.next().starts_with(R"({"op":"joined","i":1)"));
        CHECK(slow.alice.next() == R"({"op":"err","i":2,"code":"M2002","outcome":"rejected"})");
    }
    SUBCASE("by the client's own wish") {
        slow.bench.peers.say(slow.alice, R"({"op":"unlisten","i":3,"q":"/big/2"})");
        slow.bench.peers.drain(slow.alice);
        CHECK(slow.alice.next().starts_with(R"({"op":"joined","i":1)"));
        CHECK(slow.alice.next() == R"({"op":"ok","i":2})");
        CHECK(slow.alice.next() == R"({"op":"ok","i":3})");
        second.post("1");
    }
    SUBCASE("by the client's end") {
        slow.bench.peers.hang_up(slow.alice);
        slow.bench.peers.check_gone(slow.alice);
        second.post("1");
    }
    CHECK(slow.alice.texts.empty());
}

// What is shown of one mount; nothing where the client has missed nothing of it.
SlowReader shown(const GatewayBench& bench, std::string_view user, std::string_view mount) {
    for (const SlowReader& reader : bench.gateway.slow_readers().all()) {
        if (reader.user == user && reader.mount == mount) {
            return reader;
        }
    }
    return {};
}

TEST_CASE("what a slow client misses is counted by user and mount, once it takes something again") {
    SlowAlice slow;
    queue::MountRules rules;
    rules.slow = queue::SlowPolicy::drop;
    slow.room.publish(queue::MountChanged{MountName("dice"), rules});
    for (int i = 0; i < 300; ++i) {
        slow.room.post("1", "dice");
    }
    for (int i = 0; i < 5; ++i) {
        slow.room.set({{"a", std::to_string(i)}});
    }
    slow.bench.peers.drain(slow.alice);
    CHECK(shown(slow.bench, "alice", "dice").dropped == slow.bench.counters().dropped);
    CHECK(shown(slow.bench, "alice", "dice").queue == "/room/1");
    CHECK(shown(slow.bench, "alice", "scores").conflated == 4);
    CHECK(slow.bench.gateway.slow_readers().all().size() == 2);
}

TEST_CASE("a slow client's end is counted, with what it missed until then") {
    SlowAlice slow;
    slow.room.set({{"a", "1"}});
    slow.room.set({{"a", "2"}});
    SUBCASE("by the mount whose message was one too many") {
        for (int i = 0; i < 257; ++i) {
            slow.room.post("1");
        }
        CHECK(shown(slow.bench, "alice", "chat").closed == 1);
    }
    SUBCASE("by age, whatever it was that waited") {
        slow.bench.pass(10s);
        CHECK(shown(slow.bench, "alice", "").closed == 1);
    }
    CHECK(shown(slow.bench, "alice", "scores").conflated == 1);
}

TEST_CASE("row 55: what has waited for 10 s closes with 4008, however little it is") {
    SlowAlice slow;
    SUBCASE("a message") { slow.room.post("1"); }
    SUBCASE("a change of state") { slow.room.set({{"a", "1"}}); }
    SUBCASE("an answer") {
        slow.bench.peers.say(slow.alice, R"({"op":"unlisten","i":2,"q":"/room/2"})");
    }
    slow.bench.pass(10s - 1us);
    CHECK_FALSE(slow.alice.is_ended);
    slow.bench.pass(1us);
    slow.bench.check_closed(slow.alice, 4008, "M1008", &slow.bob);
    CHECK(slow.bench.counters().closed_slow == 1);
}

TEST_CASE("row 55: a change that newer ones replace waits since the first of them") {
    SlowAlice slow;
    for (int i = 0; i < 9; ++i) {
        slow.room.set({{"a", std::to_string(i)}});
        slow.bench.pass(1s);
    }
    CHECK_FALSE(slow.alice.is_ended);
    slow.bench.pass(1s);
    CHECK(slow.alice.close_code == 4008);
}

TEST_CASE("row 55: who takes all within 10 s, time and again, stays") {
    SlowAlice slow;
    for (int i = 0; i < 10; ++i) {
        slow.room.post("1");
        slow.room.set({{"a", std::to_string(i)}});
        slow.bench.pass(9s);
        slow.bench.peers.say(slow.alice, R"({"op":"pong"})");  // It does live.
        slow.bench.peers.drain(slow.alice);
        slow.bench.peers.block(slow.alice);
    }
    CHECK_FALSE(slow.alice.is_ended);
}

TEST_CASE("row 55: behind a snapshot of many buffers' size a client has as many times as long") {
    SlowAlice slow;
    slow.bench.peers.drain(slow.alice);
    FakeQueue big(slow.bench, "/big/1");
    for (int i = 0; i < 20; ++i) {
        big.set({{fmt::format("k{}", i), '"' + std::string(10'000, 'x') + '"'}});
    }
    slow.bench.peers.say(slow.alice, R"({"op":"listen","i":1,"q":"/big/1"})");
    big.answer();  // 200 KB: three times the buffer.
    slow.bench.peers.block(slow.alice);
    slow.room.post("1");
    slow.bench.pass(14s);
    slow.bench.peers.say(slow.alice, R"({"op":"pong"})");
    slow.bench.pass(16s - 1us);
    CHECK_FALSE(slow.alice.is_ended);
    slow.bench.pass(1us);
    CHECK(slow.alice.close_code == 4008);
}

TEST_CASE("row 55: messages that a mount drops count no more: the oldest that is left does") {
    SlowAlice slow;
    slow.bench.peers.drain(slow.alice);
    queue::MountRules rules;
    rules.slow = queue::SlowPolicy::drop;
    slow.room.publish(queue::MountChanged{MountName("dice"), rules});
    slow.bench.peers.block(slow.alice);
    for (int i = 0; i < 15; ++i) {
        for (int k = 0; k < 256; ++k) {
            slow.room.post("1", "dice");
        }
        slow.bench.pass(1s);
        slow.bench.peers.say(slow.bob, R"({"op":"pong"})");
        slow.bench.peers.say(slow.alice, R"({"op":"pong"})");
    }
    CHECK_FALSE(slow.alice.is_ended);
    slow.bench.pass(9s);
    CHECK(slow.alice.close_code == 4008);
}

TEST_CASE("what is missed in a gap of the replica comes to a slow client behind what waits") {
    SlowAlice slow;
    slow.room.set({{"a", "1"}});
    slow.room.is_heard = false;
    slow.room.post("4");
    slow.room.is_heard = true;
    slow.room.post("5");
    slow.room.answer();
    slow.room.set({{"a", "6"}});
    CHECK(slow.bob.next().find(R"("seq":3,"set")") != std::string::npos);
    CHECK(slow.bob.next().find(R"("seq":4,"from")") != std::string::npos);
    CHECK(slow.bob.next().find(R"("seq":5,"from")") != std::string::npos);
    CHECK(slow.bob.next().starts_with(R"({"op":"joined","q":"/room/1","member":false,"at":[7,5])"));
    CHECK(slow.bob.next().find(R"("seq":6,"set")") != std::string::npos);
    slow.bench.peers.drain(slow.alice);
    // The first change of `a` has been overtaken, so its place is skipped.
    CHECK(slow.alice.texts.size() == 4);
    CHECK(slow.alice.next().find(R"("seq":4,"prev":2,)") != std::string::npos);
    CHECK(slow.alice.next().find(R"("seq":5,"from")") != std::string::npos);
    CHECK(slow.alice.next().find(
              R"("at":[7,5],"resume":{"chat":"replayed 2","scores":"snapshot"})") !=
          std::string::npos);
    CHECK(slow.alice.next().find(R"("seq":6,"set")") != std::string::npos);
}

TEST_CASE("what is missed in a gap comes before a welcome that was asked for earlier") {
    SlowAlice slow;
    slow.bench.peers.say(slow.alice, R"({"op":"listen","i":1,"q":"/room/1"})");
    for (int i = 2; i <= 5; ++i) {  // Postponed, behind the first: as many as may be.
        slow.bench.peers.say(slow.alice,
                             fmt::format(R"({{"op":"listen","i":{},"q":"/room/1"}})", i));
    }
    slow.room.is_heard = false;
    slow.room.post("4");
    slow.room.is_heard = true;
    slow.room.post("5");
    slow.room.answer();
    slow.bench.peers.drain(slow.alice);
    CHECK(slow.alice.next().find(R"("op":"joined","i":1)") != std::string::npos);
    CHECK(slow.alice.next() == R"({"op":"ok","i":2})");
    CHECK(slow.alice.next().find(R"("d":4)") != std::string::npos);
    CHECK(slow.alice.next().find(R"("d":5)") != std::string::npos);
    CHECK(slow.alice.next().find(R"("chat":"replayed 2")") != std::string::npos);
    for (int i = 3; i <= 5; ++i) {
        CHECK(slow.alice.next().find(fmt::format(R"("op":"joined","i":{})", i)) !=
              std::string::npos);
    }
    CHECK(slow.alice.texts.empty());
}

}  // namespace
}  // namespace muster::gateway
