// Replicas and their listeners: one encode per event, who is served, and when a replica goes.
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

// A room that any number of users listen to.
struct Room {
    GatewayBench bench;
    FakeQueue queue{bench, "/room/1"};

    TestPeer& listener(std::string_view user) {
        TestPeer& peer = bench.user(user);
        listen(peer, 1);
        return peer;
    }
    void listen(const TestPeer& peer, int request, std::string_view more = {}) {
        bench.peers.say(peer, fmt::format(R"({{"op":"listen","i":{},"q":"/room/1"{}}})", request,
                                          more));
    }
    void unlisten(const TestPeer& peer) {
        bench.peers.say(peer, R"({"op":"unlisten","i":2,"q":"/room/1"})");
    }
    // The user joins, and the queue says yes.
    void join(const TestPeer& peer, int request, std::string_view more = {}) {
        bench.peers.say(peer,
                        fmt::format(R"({{"op":"join","i":{},"q":"/room/1"{}}})", request, more));
        queue::OpReply reply;
        reply.reply_to = bench.take_one<user::Pass>().op.reply_to;
        reply.queue = queue.name;
        reply.what = queue::OpReply::What::join;
        reply.verdict.at = queue.content.at;
        bench.deliver(reply);
    }
    void leave(const TestPeer& peer, int request) {
        bench.peers.say(peer, fmt::format(R"({{"op":"leave","i":{},"q":"/room/1"}})", request));
        queue::OpReply reply;
        reply.reply_to = bench.take_one<user::Pass>().op.reply_to;
        reply.queue = queue.name;
        reply.what = queue::OpReply::What::leave;
        reply.verdict.at = queue.content.at;
        bench.deliver(reply);
    }
};

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

// ---- Fan-out ---------------------------------------------------------------------------------

TEST_CASE("an event is encoded once and put out once for each listener, as the same bytes") {
    Room room;
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
    Room room;
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
    Room room;
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
    Room room;
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
    Room room;
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
    Room room;
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
    Room room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    room.unlisten(alice);
    room.bench.pass(30s - 1us);
    CHECK(room.bench.sent.empty());
    room.bench.pass(1us);
    CHECK(room.bench.take_sent<queue::Unsubscribe>("/room/1").size() == 1);
    CHECK(room.bench.counters().replicas == 0);
    room.queue.post("1");  // It was on its way.
    room.listen(alice, 3);
    room.queue.answer();
    CHECK(has(alice.last(), R"("i":3,"q":"/room/1","member":false,"at":[7,3])"));
}

TEST_CASE("a listener in time keeps the replica, and the 30 s begin anew") {
    Room room;
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
    Room room;
    TestPeer& alice = room.listener("alice");
    SUBCASE("live") { room.queue.answer(); }
    SUBCASE("or not yet") {}
    room.bench.peers.hang_up(alice);
    room.bench.pass(30s);
    CHECK(room.bench.take_sent<queue::Unsubscribe>("/room/1").size() == 1);
    CHECK(room.bench.counters().replicas == 0);
}

TEST_CASE("who changes its mind before the snapshot comes is not served, but answered") {
    Room room;
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

TEST_CASE("a gap makes the replica subscribe anew, and its listeners go on from where they were") {
    Room room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    static_cast<void>(alice.next());
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.set({{"a", "4"}});
    room.queue.is_heard = true;
    room.queue.post("5");
    CHECK(alice.texts.empty());
    const auto events = room.bench.counters().events_in;
    room.queue.answer();
    CHECK(room.bench.counters().events_in == events);
    CHECK(has(alice.next(), R"("seq":3,"from":"bob")"));
    CHECK(has(alice.next(), R"("seq":5,"prev":3,"from":"bob")"));
    const std::string joined = alice.next();
    CHECK(joined.starts_with(R"({"op":"joined","q":"/room/1","member":false,"at":[7,5])"));
    CHECK(has(joined, R"("resume":{"chat":"replayed 2","scores":"snapshot"})"));
    CHECK(has(joined, R"("value":{"a":4})"));
    room.queue.post("6");
    CHECK(has(alice.next(), R"("seq":6,"from")"));
}

TEST_CASE("after a gap the welcome is encoded once for all that had no part in it") {
    Room room;
    std::vector<TestPeer*> peers;
    for (int i = 0; i < 10; ++i) {
        peers.push_back(&room.listener(fmt::format("u{}", i)));
    }
    room.queue.answer();
    room.join(*peers[3], 5);
    for (TestPeer* peer : peers) {
        peer->texts.clear();
    }
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.is_heard = true;
    room.queue.post("4");
    room.queue.answer();
    for (TestPeer* peer : peers) {
        CHECK(peer->texts.size() == 3);
        CHECK(has(peer->last(), peer == peers[3] ? R"("member":true)" : R"("member":false)"));
    }
    room.queue.post("5");
    for (const TestPeer* peer : peers) {
        CHECK(peer->texts.size() == 1);
    }
}

TEST_CASE("a new history that the replica meets at a gap resets its listeners") {
    Room room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    static_cast<void>(alice.next());
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.is_heard = true;
    room.queue.post("4");
    room.queue.begin(Inc{8});
    room.queue.answer();
    CHECK(alice.next().starts_with(R"({"op":"reset","q":"/room/1","at":[8,2],"why":"gone")"));
    CHECK(alice.next().starts_with(R"({"op":"joined","q":"/room/1","member":false,"at":[8,2])"));
    CHECK(room.bench.counters().resets == 1);
}

TEST_CASE("a reader that was ahead of this replica waits for a newer snapshot, never goes back") {
    Room room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    alice.texts.clear();
    TestPeer& bob = room.bench.user("bob");
    room.queue.is_heard = false;
    room.queue.post("3");
    room.listen(bob, 1, R"(,"since":[7,3])");
    CHECK(bob.texts.empty());
    SUBCASE("which the queue has") {
        room.queue.is_heard = true;
        room.queue.answer();
        CHECK(has(bob.next(), R"("at":[7,3],"resume":{"chat":"replayed 0","scores":"snapshot"})"));
        CHECK(has(alice.next(), R"("seq":3,)"));
    }
    SUBCASE("and meanwhile the others get what comes") {
        room.queue.content.at.seq = 2;
        room.queue.is_heard = true;
        room.queue.post("3 again");
        CHECK(has(alice.next(), R"("seq":3,)"));
        room.queue.answer();
        CHECK(alice.texts.empty());  // They have missed nothing.
        CHECK(has(bob.next(), R"("at":[7,3],"resume":{"chat":"replayed 0")"));
    }
    SUBCASE("or, if the queue has lost it, is reset") {
        room.queue.content = {};
        room.queue.begin(Inc{7});
        room.queue.answer();
        CHECK(bob.next().starts_with(R"({"op":"reset","q":"/room/1","at":[7,2],"why":"unknown")"));
        CHECK(bob.next().starts_with(R"({"op":"joined","i":1)"));
        CHECK(alice.texts.empty());
        CHECK(room.bench.counters().resets == 1);
    }
    room.queue.post("4");
    CHECK(alice.last() == bob.last());
}

TEST_CASE("to listen again with a cursor brings nothing twice") {
    Room room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    room.queue.post("3");
    alice.texts.clear();
    room.listen(alice, 2, R"(,"since":[7,2])");
    CHECK(has(alice.next(), R"("at":[7,3],"resume":{"chat":"replayed 0","scores":"snapshot"})"));
    // Also from another history, or from the future.
    room.listen(alice, 3, R"(,"since":[9,9])");
    CHECK(has(alice.next(), R"("op":"joined","i":3)"));
    CHECK(alice.texts.empty());
    CHECK(room.bench.sent.empty());
}

TEST_CASE("to listen again while not reading keeps the order of what waits") {
    Room room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    alice.texts.clear();
    room.bench.peers.block(alice);
    room.queue.set({{"a", "1"}});
    room.listen(alice, 2, R"(,"since":[7,2])");
    room.queue.set({{"a", "2"}});
    room.bench.peers.drain(alice);
    CHECK(has(alice.next(), R"("op":"joined","i":2,"q":"/room/1","member":false,"at":[7,3])"));
    CHECK(has(alice.next(), R"("seq":4,"set":{"a":2})"));
    CHECK(alice.texts.empty());
}

// ---- Queues that are not there ---------------------------------------------------------------

TEST_CASE("who listens to a queue that is not there is told, by request or by a reset") {
    Room room;
    TestPeer& alice = room.listener("alice");
    TestPeer& bob = room.bench.sign_in("bob", R"(,"since":{"/room/1":[6,3]})");
    bob.texts.clear();
    room.queue.refuse(ErrorCode::no_queue);
    CHECK(alice.next() == R"({"op":"err","i":1,"code":"M2002","outcome":"rejected"})");
    CHECK(bob.next() ==
          R"({"op":"reset","q":"/room/1","at":[0,0],"why":"gone","mounts":{},"members":0,"who":{}})");
    CHECK(room.bench.counters().replicas == 0);
    // And may try again.
    room.listen(alice, 2);
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":2)"));
}

TEST_CASE("a join whose queue is gone before its welcome is answered as gone, not as rejected") {
    Room room;
    TestPeer& alice = room.bench.user("alice");
    room.join(alice, 4);
    room.queue.refuse(ErrorCode::no_queue);
    CHECK(alice.next() == R"({"op":"err","i":4,"code":"M2010","outcome":"unknown"})");
}

TEST_CASE("a refusal of an older subscription is ignored") {
    Room room;
    TestPeer& alice = room.listener("alice");
    room.bench.deliver(queue::SubscribeRefused{room.queue.name, SubId{1}, ErrorCode::no_queue});
    room.bench.deliver(queue::Ended{room.queue.name, SubId{1}, Inc{7}});
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":1)"));
}

TEST_CASE("when a queue is deleted, its listeners are reset and hear no more") {
    Room room;
    TestPeer& alice = room.listener("alice");
    TestPeer& bob = room.listener("bob");
    room.queue.answer();
    room.queue.post("3");
    alice.texts.clear();
    room.queue.end();
    CHECK(alice.next() ==
          R"({"op":"reset","q":"/room/1","at":[7,3],"why":"deleted","mounts":{},"members":0,"who":{}})");
    CHECK(bob.last().starts_with(R"({"op":"reset")"));
    CHECK(room.bench.counters().replicas == 0);
    room.queue.post("4");
    CHECK(alice.texts.empty());
    room.unlisten(alice);
    CHECK(alice.next() == R"({"op":"ok","i":2})");
    room.bench.pass(10s);
    CHECK(room.bench.sent.empty());
}

TEST_CASE("who waits for its welcome when the queue is deleted is refused") {
    Room room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    alice.texts.clear();
    // A gap, and a listener who comes while it is being mended.
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.is_heard = true;
    room.queue.post("4");
    TestPeer& bob = room.listener("bob");
    const auto sub = room.bench.take_one<queue::Subscribe>().sub;
    room.bench.deliver(queue::Ended{room.queue.name, sub, Inc{7}});
    CHECK(bob.next() == R"({"op":"err","i":1,"code":"M2002","outcome":"rejected"})");
    CHECK(has(alice.next(), R"("why":"deleted")"));
}

TEST_CASE("who may not listen is refused with M2004; a member is not") {
    Room room;
    room.queue.rules.listen = queue::WhoListens::members;
    TestPeer& alice = room.listener("alice");
    TestPeer& bob = room.bench.user("bob");
    room.join(bob, 4);
    room.queue.answer();
    CHECK(alice.next() == R"({"op":"err","i":1,"code":"M2004","outcome":"rejected"})");
    CHECK(has(bob.next(), R"("op":"joined","i":4)"));
    room.queue.post("3");
    CHECK(alice.texts.empty());
    CHECK(bob.texts.size() == 1);
    room.listen(alice, 5);
    CHECK(alice.next() == R"({"op":"err","i":5,"code":"M2004","outcome":"rejected"})");
}

TEST_CASE("a listener who may not listen to the new history is served no more") {
    Room room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    alice.texts.clear();
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.is_heard = true;
    room.queue.post("4");
    room.queue.begin(Inc{8});
    room.queue.rules.listen = queue::WhoListens::members;
    room.queue.answer();
    CHECK(alice.next().starts_with(R"({"op":"reset","q":"/room/1","at":[0,0],"why":"gone")"));
    room.queue.post("3");
    CHECK(alice.texts.empty());
    room.bench.peers.hang_up(alice);
    room.bench.peers.check_gone(alice);
}

// ---- Joins -----------------------------------------------------------------------------------

TEST_CASE("a join is answered by `joined`, with what was missed since its cursor") {
    Room room;
    room.queue.post("3");
    TestPeer& alice = room.bench.user("alice");
    room.join(alice, 1, R"(,"since":[7,2])");
    room.queue.answer();
    CHECK(has(alice.next(), R"("seq":3,)"));
    CHECK(has(alice.next(), R"("op":"joined","i":1,"q":"/room/1","member":true,"at":[7,3],)"
                            R"("resume":{"chat":"replayed 1")"));
    room.leave(alice, 2);
    CHECK(alice.next() == R"({"op":"ok","i":2,"seq":3})");
    room.queue.post("4");
    CHECK(alice.texts.empty());
}

TEST_CASE("each of several joins on their way has its own cursor and answer") {
    Room room;
    room.queue.post("3");
    TestPeer& alice = room.bench.user("alice");
    room.bench.peers.say(alice, R"({"op":"join","i":1,"q":"/room/1","since":[7,3]})");
    room.bench.peers.say(alice, R"({"op":"join","i":2,"q":"/room/2","since":[9,1]})");
    const auto passes = room.bench.take_sent<user::Pass>();
    REQUIRE(passes.size() == 2);
    for (const std::size_t i : {1U, 0U}) {
        queue::OpReply reply;
        reply.reply_to = passes[i].op.reply_to;
        reply.queue = passes[i].queue;
        reply.what = queue::OpReply::What::join;
        if (i == 1) {
            reply.verdict.kind = queue::Verdict::Kind::rejected;
            reply.verdict.code = ErrorCode::forbidden;
        }
        room.bench.deliver(reply);
    }
    CHECK(alice.next() == R"({"op":"err","i":2,"code":"M2004","outcome":"rejected"})");
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":1,"q":"/room/1","member":true,"at":[7,3],)"
                            R"("resume":{"chat":"replayed 0")"));
}

// ---- History ---------------------------------------------------------------------------------

TEST_CASE("history is for those who follow the queue") {
    Room room;
    room.queue.post("[3]");
    TestPeer& alice = room.bench.user("alice");
    const auto ask = [&] {
        room.bench.peers.say(alice, R"({"op":"history","i":5,"q":"/room/1","m":"chat","before":4})");
    };
    ask();
    CHECK(alice.next() ==
          R"({"op":"err","i":5,"code":"M2003","outcome":"rejected","message":"join or listen first"})");
    room.listen(alice, 1);
    ask();
    CHECK(alice.next() == R"({"op":"retry","i":5,"code":"M2021","after_ms":100})");
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined")"));
    ask();
    CHECK(alice.next() ==
          R"({"op":"history","i":5,"q":"/room/1","m":"chat","items":[{"seq":3,"from":"bob",)"
          R"("t":1790000000123,"d":[3]}]})");
    // Also while a gap is being mended.
    room.queue.is_heard = false;
    room.queue.post("4");
    room.queue.is_heard = true;
    room.queue.post("5");
    ask();
    CHECK(alice.next().starts_with(R"({"op":"history","i":5)"));
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
