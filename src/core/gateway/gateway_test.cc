// Replicas and their listeners: one encode per event, and who gets it.
#include "core/gateway/gateway.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

// ---- Fan-out ---------------------------------------------------------------------------------

TEST_CASE("an event is encoded once and put out once for each listener, as the same bytes") {
    ListenedRoom room;
    std::vector<TestPeer*> peers;
    for (int i = 0; i < 100; ++i) {
        peers.push_back(&room.listener(fmt::format("u{}", i)));
    }
    room.queue.answer();
    room.queue.post("1");
    CHECK(room.bench.counters().deliveries == 100);
    CHECK(room.bench.counters().encodes == 1);
    CHECK(room.bench.counters().events_in == 1);
    CHECK(room.bench.last_outputs == 100);
    for (const TestPeer* peer : peers) {
        CHECK(peer->texts.size() == 2);
        CHECK(peer->last_bytes == peers[0]->last_bytes);
    }
}

TEST_CASE("an event of a queue that nobody listens to costs no encode") {
    ListenedRoom room;
    TestPeer& peer = room.listener("alice");
    room.queue.answer();
    room.unlisten(peer);
    room.queue.post("1");
    CHECK(room.bench.counters().encodes == 0);
    CHECK(room.bench.counters().events_in == 1);
    // It is in the copy all the same.
    room.listen(peer, 3);
    CHECK(has(peer.last(), R"("at":[7,3])"));
}

TEST_CASE("listeners come and go in any order, and exactly the present ones get each event") {
    ListenedRoom room;
    std::vector<TestPeer*> peers;
    for (int i = 0; i < 9; ++i) {
        peers.push_back(&room.listener(fmt::format("u{}", i)));
    }
    room.queue.answer();
    const auto receivers = [&] {
        for (TestPeer* peer : peers) {
            peer->texts.clear();
        }
        room.queue.post("1");
        std::string got;
        for (const TestPeer* peer : peers) {
            got += peer->texts.size() == 1 ? '1' : '0';
        }
        return got;
    };
    CHECK(receivers() == "111111111");
    room.unlisten(*peers[8]);  // The last of the list
    CHECK(receivers() == "111111110");
    room.unlisten(*peers[0]);  // and the first, whose place another one takes.
    CHECK(receivers() == "011111110");
    room.bench.peers.hang_up(*peers[7]);  // Which went there.
    CHECK(receivers() == "011111100");
    room.bench.peers.say(*peers[3], R"({"op":"ok"})");
    CHECK(receivers() == "011011100");
    room.listen(*peers[0], 3);
    CHECK(receivers() == "111011100");
    for (const std::size_t i : {4U, 0U, 1U, 6U, 2U, 5U}) {
        room.unlisten(*peers[i]);
    }
    CHECK(receivers() == "000000000");
    CHECK(room.bench.counters().deliveries == 9 + 8 + 7 + 6 + 5 + 6);
}

TEST_CASE("a listener that is closed while an event goes out does not disturb the others") {
    Settings settings = settings_for_tests();
    settings.limits.out_messages_max = 1;
    GatewayBench bench(std::move(settings));
    FakeQueue queue(bench, "/room/1");
    std::vector<TestPeer*> peers;
    for (int i = 0; i < 6; ++i) {
        peers.push_back(&bench.user(fmt::format("u{}", i)));
        bench.peers.say(*peers.back(), R"({"op":"listen","q":"/room/1"})");
    }
    queue.answer();
    for (const std::size_t i : {0U, 2U, 3U, 5U}) {
        bench.peers.block(*peers[i]);
    }
    queue.post("1");
    queue.post("2");  // Now four of them are too slow at once.
    queue.post("3");
    for (std::size_t i = 0; i < peers.size(); ++i) {
        CHECK(peers[i]->is_ended == (i != 1 && i != 4));
    }
    CHECK(peers[1]->texts.size() == 4);
    CHECK(peers[4]->texts.size() == 4);
    CHECK(bench.counters().closed_slow == 4);
}

TEST_CASE("what a turn holds back comes in the next ones, for each listener once") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    TestPeer& bob = room.listener("bob");
    room.queue.answer();
    alice.texts.clear();
    bob.texts.clear();
    room.bench.in_one_turn([&] {
        for (int i = 0; i < 100; ++i) {
            room.queue.post(fmt::format("\"{}\"", std::string(1'000, 'x')));
        }
    });
    CHECK(alice.texts.size() == 60);
    CHECK(room.bench.gateway.next_wake() == Instant::min());
    room.bench.turn();
    CHECK(alice.texts.size() == 100);
    CHECK(bob.texts.size() == 100);
    CHECK(room.bench.gateway.next_wake() != Instant::min());
}

TEST_CASE("a turn with thousands of events closes nobody who reads") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    alice.texts.clear();
    room.bench.in_one_turn([&] {
        for (int i = 0; i < 3'000; ++i) {
            room.queue.post(R"("some words that somebody says in a room")");
        }
    });
    room.bench.pass(1us);
    CHECK(alice.texts.size() == 3'000);
    CHECK_FALSE(alice.is_ended);
}

// ---- Subscriptions ---------------------------------------------------------------------------

TEST_CASE("all that listen to a queue share one subscription") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    TestPeer& bob = room.listener("bob");
    room.join(bob, 7);
    room.queue.answer();  // There is exactly one Subscribe.
    CHECK(has(alice.next(), R"("i":1,"q":"/room/1","member":false)"));
    CHECK(has(bob.next(), R"("i":1,"q":"/room/1","member":true)"));
    CHECK(has(bob.next(), R"("i":7,"q":"/room/1","member":true)"));
    TestPeer& carol = room.listener("carol");
    CHECK(has(carol.next(), R"("op":"joined")"));
    CHECK(room.bench.sent.empty());
    CHECK(room.bench.counters().replicas == 1);
}

TEST_CASE("a replica without listeners is unsubscribed after 30 s") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    room.unlisten(alice);
    room.bench.pass(30s - 1us);
    CHECK(room.bench.take_sent<queue::Unsubscribe>().empty());
    room.bench.pass(1us);
    CHECK(room.bench.take_sent<queue::Unsubscribe>("/room/1").size() == 1);
    CHECK(room.bench.counters().replicas == 0);
    room.queue.post("1");  // It was on its way.
    room.listen(alice, 3);
    room.queue.answer();
    CHECK(has(alice.last(), R"("i":3,"q":"/room/1","member":false,"at":[7,3])"));
}

TEST_CASE("a listener in time keeps the replica, and the 30 s begin anew") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    room.unlisten(alice);
    room.bench.pass(20s);
    room.listen(alice, 3);
    room.bench.pass(20s);
    CHECK(room.bench.take_sent<queue::Unsubscribe>().empty());
    room.unlisten(alice);
    room.bench.pass(30s - 1us);
    CHECK(room.bench.take_sent<queue::Unsubscribe>().empty());
    room.bench.pass(1us);
    CHECK(room.bench.take_sent<queue::Unsubscribe>().size() == 1);
}

TEST_CASE("a replica whose last listener's connection has gone is unsubscribed, too") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    SUBCASE("live") { room.queue.answer(); }
    SUBCASE("or not yet") {}
    room.bench.peers.hang_up(alice);
    room.bench.pass(30s);
    CHECK(room.bench.take_sent<queue::Unsubscribe>("/room/1").size() == 1);
    CHECK(room.bench.counters().replicas == 0);
}

TEST_CASE("who changes its mind before the snapshot comes is not served, but answered") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.unlisten(alice);
    CHECK(alice.next() == R"({"op":"ok","i":2})");
    CHECK(alice.next() == R"({"op":"ok","i":1})");
    room.queue.answer();
    room.queue.post("1");
    CHECK(alice.texts.empty());
    SUBCASE("and may change it again") {
        room.listen(alice, 3);
        CHECK(has(alice.next(), R"("op":"joined","i":3)"));
        room.queue.post("2");
        CHECK(alice.texts.size() == 1);
    }
}

// ---- Counters --------------------------------------------------------------------------------

TEST_CASE("the counters of several shards add up") {
    Counters a;
    Counters b;
    a.connections_opened = 1;
    b.connections_opened = 2;
    b.http_refused = 3;
    b.bytes_out = 4;
    a += b;
    CHECK(a.connections_opened == 3);
    CHECK(a.http_refused == 3);
    CHECK(a.bytes_out == 4);
}

}  // namespace
}  // namespace muster::gateway
