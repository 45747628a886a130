// Long because: all that can come between a follower and its stream is told here, on one bench.
// Who follows a queue when something is in the way: gaps, cursors, queues that are not there.
#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
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

// ---- Gaps and cursors -------------------------------------------------------------------------

TEST_CASE("a gap makes the replica subscribe anew, and its listeners go on from where they were") {
    ListenedRoom room;
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

TEST_CASE("what a gap has lost for good is named before anything leads past it") {
    ListenedRoom room;
    queue::MountRules few;
    few.history_count_max = 2;
    room.queue.publish(queue::MountChanged{MountName("chat"), few});  // At 3.
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    static_cast<void>(alice.next());
    room.queue.is_heard = false;
    for (int i = 4; i < 8; ++i) {
        room.queue.post(fmt::format("{}", i));
    }
    room.queue.is_heard = true;
    room.queue.post("8");
    room.queue.answer();
    CHECK(alice.next() == R"({"op":"gap","q":"/room/1","m":"chat","from":4,"to":6})");
    CHECK(has(alice.next(), R"("seq":7,"prev":3,)"));
    CHECK(has(alice.next(), R"("seq":8,)"));
    CHECK(has(alice.next(), R"("chat":"gap 4..6")"));
}

TEST_CASE("after a gap the welcome is encoded once for all that had no part in it") {
    ListenedRoom room;
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
    ListenedRoom room;
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
    ListenedRoom room;
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
    ListenedRoom room;
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
    ListenedRoom room;
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
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    TestPeer& bob = room.bench.sign_in("bob", R"(,"since":{"/room/1":[6,3]})");
    bob.texts.clear();
    room.queue.refuse(ErrorCode::no_queue);
    CHECK(alice.next() == R"({"op":"err","i":1,"code":"M2002","outcome":"rejected"})");
    CHECK(
        bob.next() ==
        R"({"op":"reset","q":"/room/1","at":[0,0],"why":"gone","mounts":{},"members":0,"who":{}})");
    CHECK(room.bench.counters().replicas == 0);
    // And may try again.
    room.listen(alice, 2);
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":2)"));
}

TEST_CASE("a join whose queue is gone before its welcome is answered as gone, not as rejected") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    room.join(alice, 4);
    room.queue.refuse(ErrorCode::no_queue);
    CHECK(alice.texts.empty());  // What was refused may have been asked before the join.
    room.queue.refuse(ErrorCode::no_queue);
    CHECK(alice.next() == R"({"op":"err","i":4,"code":"M2010","outcome":"unknown"})");
    CHECK(room.bench.counters().replicas == 0);
}

TEST_CASE("a join that overtakes the refusal of an older subscription is welcomed all the same") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");  // Its Subscribe comes before the queue is there.
    TestPeer& bob = room.bench.user("bob");
    room.join(bob, 4);
    room.queue.refuse(ErrorCode::no_queue);
    CHECK(alice.next() == R"({"op":"err","i":1,"code":"M2002","outcome":"rejected"})");
    room.queue.answer();
    CHECK(has(bob.next(), R"("op":"joined","i":4,"q":"/room/1","member":true)"));
}

TEST_CASE("… also where others wait behind it for the same stream") {
    ListenedRoom room;
    TestPeer& watcher = room.listener("watcher");  // Its Subscribe comes before the queue is there.
    TestPeer& joiner = room.bench.user("joiner");
    room.join(joiner, 4);
    TestPeer& late = room.bench.user("late");
    room.listen(late, 5);
    room.queue.refuse(ErrorCode::no_queue);
    CHECK(has(watcher.next(), R"("op":"err","i":1)"));
    CHECK(has(late.next(), R"("op":"err","i":5)"));
    room.queue.answer();
    CHECK(has(joiner.next(), R"("op":"joined","i":4,"q":"/room/1","member":true)"));
    CHECK(room.bench.counters().replicas == 1);
}

TEST_CASE("who has joined a history that then ended is not welcomed to the next one of that name") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    TestPeer& bob = room.bench.user("bob");
    room.join(alice, 4);
    room.queue.begin(Inc{8});
    room.queue.answer();
    CHECK(alice.next() == R"({"op":"err","i":4,"code":"M2010","outcome":"unknown"})");
    room.listen(bob, 1);
    CHECK(has(bob.next(), R"("op":"joined","i":1)"));
    room.queue.post("9");
    CHECK(has(bob.next(), R"("op":"msg")"));
    CHECK(alice.texts.empty());
}

TEST_CASE("a late OK of a join to the history before leaves the stream of the present one alone") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.is_heard = true;
    room.queue.post("4");
    const Cursor joined = room.queue.content.at;
    room.queue.begin(Inc{8});
    room.queue.answer();
    alice.texts.clear();
    const Cursor now = std::exchange(room.queue.content.at, joined);
    room.join(alice, 4);
    room.queue.content.at = now;
    CHECK(alice.next() == R"({"op":"err","i":4,"code":"M2010","outcome":"unknown"})");
    room.queue.post("9");
    CHECK(has(alice.next(), R"("op":"msg")"));
    SUBCASE("and makes nobody a member of it") {
        room.listen(alice, 5);
        CHECK(has(alice.next(), R"("op":"joined","i":5,"q":"/room/1","member":false)"));
    }
}

TEST_CASE("a join to a history that ended makes nobody who listens a member of the next one") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    room.join(alice, 4);
    room.listen(alice, 5);
    room.queue.begin(Inc{8});
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":5,"q":"/room/1","member":false,"at":[8,2])"));
    CHECK(alice.next() == R"({"op":"err","i":4,"code":"M2010","outcome":"unknown"})");
}

TEST_CASE("of joins to two histories that wait together the younger one is welcomed") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    room.join(alice, 4);
    room.queue.begin(Inc{8});
    room.join(alice, 5);
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":5,"q":"/room/1","member":true,"at":[8,2])"));
    CHECK(alice.next() == R"({"op":"err","i":4,"code":"M2010","outcome":"unknown"})");
    room.queue.post("9");
    CHECK(has(alice.next(), R"("op":"msg")"));
}

TEST_CASE("a join is welcomed though the listen before it came too early, and was refused") {
    ListenedRoom room;
    room.queue.rules.listen = queue::WhoListens::members;
    TestPeer& alice = room.listener("alice");
    room.join(alice, 4);
    room.queue.refuse(ErrorCode::no_queue);  // The listen's: the join then made the queue.
    CHECK(alice.next() == R"({"op":"err","i":1,"code":"M2002","outcome":"rejected"})");
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":4,"q":"/room/1","member":true)"));
    room.queue.post("9");
    CHECK(has(alice.next(), R"("op":"msg")"));
}

TEST_CASE("a membership is not forgotten for a snapshot that is older than it") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    SUBCASE("where anyone may listen") {}
    SUBCASE("where only members may") { room.queue.rules.listen = queue::WhoListens::members; }
    room.join(alice, 3);
    room.queue.answer();
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.is_heard = true;
    room.queue.post("4");
    room.queue.begin(Inc{8});
    room.join(alice, 4);  // Its answer overtakes the snapshot, in which she is no member yet.
    alice.texts.clear();
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"reset")"));
    CHECK(has(alice.last(), R"("op":"joined","i":4,"q":"/room/1","member":true,"at":[8,2])"));
    room.queue.post("9");
    CHECK(has(alice.last(), R"("op":"msg")"));
}

TEST_CASE("with a new history memberships of the one before end") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    room.join(alice, 4);
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":4,"q":"/room/1","member":true)"));
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.is_heard = true;
    room.queue.post("4");
    room.queue.begin(Inc{8});
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"reset")"));
    CHECK(has(alice.next(), R"("op":"joined","q":"/room/1","member":false,"at":[8,2])"));
}

TEST_CASE("who has joined a younger history than the replica knows waits until that knows it") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":1)"));
    TestPeer& bob = room.bench.user("bob");
    room.queue.begin(Inc{8});
    room.join(bob, 4);
    CHECK(bob.texts.empty());
    room.queue.answer();
    CHECK(has(bob.next(), R"("op":"joined","i":4,"q":"/room/1","member":true,"at":[8,2])"));
    CHECK(has(alice.next(), R"("op":"reset")"));
}

TEST_CASE("a leave that was withdrawn too late ends the stream, and with it the joins before it") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    room.join(alice, 3, R"(,"n":3,"inc":7)");
    room.queue.answer();
    static_cast<void>(alice.next());
    room.bench.peers.say(alice, R"({"op":"join","i":4,"n":4,"inc":7,"q":"/room/1"})");
    room.bench.peers.say(alice, R"({"op":"leave","i":5,"n":5,"inc":7,"q":"/room/1"})");
    const auto passed = room.bench.take_sent<user::Pass>();
    REQUIRE(passed.size() == 2);
    room.bench.peers.say(alice, R"({"op":"withdraw","i":5,"n":5,"inc":7,"q":"/room/1"})");
    // The queue's answer to the no-op goes straight; those to join and leave by way of the user.
    auto answer = queue::reply_to(room.bench.take_one<queue::Op>(), room.queue.name);
    answer.verdict.at = {Inc{7}, 5};
    answer.verdict.is_new = false;
    room.bench.deliver(answer);
    CHECK(alice.next() == R"({"op":"ok","i":5,"seq":5})");
    room.queue.post("6");
    CHECK(alice.texts.empty());
    auto joined = queue::reply_to(passed[0].op, room.queue.name);
    joined.verdict.at = {Inc{7}, 4};
    joined.standing = queue::Standing{Inc{7}};
    room.bench.deliver(joined);
    CHECK(alice.next() == R"({"op":"ok","i":4,"seq":4})");
    auto left = queue::reply_to(passed[1].op, room.queue.name);
    left.verdict.at = {Inc{7}, 5};
    room.bench.deliver(left);
    CHECK(alice.next() == R"({"op":"ok","i":5,"seq":5})");
    room.queue.post("7");
    CHECK(alice.texts.empty());
}

TEST_CASE("an op that has the number of a leave in an earlier history ends no stream") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    static_cast<void>(alice.next());
    room.bench.peers.say(alice, R"({"op":"leave","i":5,"n":5,"inc":6,"q":"/room/1"})");
    room.bench.peers.say(alice,
                         R"({"op":"send","i":6,"n":5,"inc":7,"q":"/room/1","m":"chat","d":1})");
    auto answer = queue::reply_to(room.bench.take_one<queue::Op>(), room.queue.name);
    answer.verdict.at = {Inc{7}, 5};
    room.bench.deliver(answer);
    CHECK(alice.next() == R"({"op":"ok","i":6,"seq":5})");
    room.queue.post("6");
    CHECK(has(alice.next(), R"("op":"msg")"));
}

TEST_CASE("the second answer to a leave that was sent twice ends no later stream") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    room.join(alice, 3);
    room.queue.answer();
    static_cast<void>(alice.next());
    const auto answer_leave = [&](int request, bool is_new) {
        queue::OpReply reply;
        reply.reply_to = {ref_of(alice), static_cast<std::uint64_t>(request)};
        reply.queue = room.queue.name;
        reply.number = static_cast<OpNumber>(request);
        reply.what = queue::OpReply::What::leave;
        reply.verdict.at = room.queue.content.at;
        reply.verdict.is_new = is_new;
        room.bench.deliver(reply);
        CHECK(has(alice.next(), fmt::format(R"({{"op":"ok","i":{})", request)));
    };
    answer_leave(3, true);
    answer_leave(4, true);
    room.listen(alice, 5);
    CHECK(has(alice.next(), R"("op":"joined","i":5)"));
    answer_leave(3, false);
    answer_leave(4, false);
    room.queue.post("6");
    CHECK(has(alice.next(), R"("op":"msg")"));
    // Another one, and one whose first answer went to an earlier connection, end it.
    SUBCASE("another leave") { answer_leave(6, true); }
    SUBCASE("another leave, of which only the second answer comes") { answer_leave(6, false); }
    room.queue.post("7");
    CHECK(alice.texts.empty());
}

TEST_CASE("a leave of long ago, sent or withdrawn again, does not hide that its user is in again") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    room.join(alice, 3);
    room.queue.answer();
    static_cast<void>(alice.next());
    queue::OpReply reply;
    reply.reply_to = {ref_of(alice), std::uint64_t{4}};
    reply.queue = room.queue.name;
    reply.number = 2;
    reply.verdict.at = {Inc{7}, 2};
    reply.verdict.is_new = false;
    reply.standing = queue::Standing{Inc{7}};
    SUBCASE("sent") { reply.what = queue::OpReply::What::leave; }
    SUBCASE("withdrawn") {
        room.bench.peers.say(alice, R"({"op":"leave","i":4,"n":2,"inc":7,"q":"/room/1"})");
        static_cast<void>(room.bench.take_sent<user::Pass>());
        room.bench.peers.say(alice, R"({"op":"withdraw","i":4,"n":2,"inc":7,"q":"/room/1"})");
        static_cast<void>(room.bench.take_sent<queue::Op>());
    }
    room.bench.deliver(reply);
    CHECK(alice.next() == R"({"op":"ok","i":4,"seq":2})");
    CHECK(has(alice.next(), R"("op":"joined","q":"/room/1","member":true)"));
    room.queue.post("6");
    CHECK(has(alice.next(), R"("op":"msg")"));
}

TEST_CASE("a refusal of an older subscription is ignored") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.bench.deliver(queue::SubscribeRefused{room.queue.name, SubId{1}, ErrorCode::no_queue});
    room.bench.deliver(queue::Ended{room.queue.name, SubId{1}, Inc{7}});
    room.queue.answer();
    CHECK(has(alice.next(), R"("op":"joined","i":1)"));
}

TEST_CASE("when a queue is deleted, its listeners are reset and hear no more") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    TestPeer& bob = room.listener("bob");
    room.queue.answer();
    room.queue.post("3");
    alice.texts.clear();
    room.queue.end();
    CHECK(
        alice.next() ==
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

TEST_CASE(
    "who is served while the queue turns out not to be there any more is told that nothing is "
    "left") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    alice.texts.clear();
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.is_heard = true;
    room.queue.post("4");  // A gap: the replica asks again, …
    room.queue.refuse(ErrorCode::no_queue);
    CHECK(alice.next().starts_with(R"({"op":"reset","q":"/room/1","at":[0,0],"why":"gone")"));
}

TEST_CASE("who waits for its welcome when the queue is deleted is refused") {
    ListenedRoom room;
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
    ListenedRoom room;
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

TEST_CASE("each of two requests that wait for the same stream is told that it is refused") {
    ListenedRoom room;
    room.queue.rules.listen = queue::WhoListens::members;
    TestPeer& alice = room.listener("alice");
    room.listen(alice, 2);
    room.queue.answer();
    CHECK(alice.next() == R"({"op":"err","i":1,"code":"M2004","outcome":"rejected"})");
    CHECK(alice.next() == R"({"op":"err","i":2,"code":"M2004","outcome":"rejected"})");
}

TEST_CASE("a listener who may not listen to the new history is served no more") {
    ListenedRoom room;
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
    ListenedRoom room;
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
    ListenedRoom room;
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
        reply.standing = queue::Standing{Inc{7}};
        if (i == 1) {
            reply.standing.reset();
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

TEST_CASE("a repeated join of who was removed since is an OK without a stream") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    for (int i = 0; i < 200; ++i) {  // More than may be open at once: each is closed by its answer.
        room.bench.peers.say(alice, R"({"op":"join","i":1,"n":1,"inc":7,"q":"/room/1"})");
        queue::OpReply reply;
        reply.reply_to = room.bench.take_one<user::Pass>().op.reply_to;
        reply.queue = room.queue.name;
        reply.what = queue::OpReply::What::join;
        reply.verdict.at = Cursor{Inc{7}, 2};
        room.bench.deliver(reply);
        CHECK(alice.next() == R"({"op":"ok","i":1,"seq":2})");
        room.bench.pass(25ms);
    }
    CHECK(room.bench.sent.empty());
}

TEST_CASE("joins that are not answered are bounded: further ones are to be repeated") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    for (int i = 0; i < 64; ++i) {
        room.bench.peers.say(alice,
                             fmt::format(R"({{"op":"join","i":1,"q":"/room/{}"}})", 1 + i % 2));
        room.bench.pass(25ms);
    }
    CHECK(room.bench.take_sent<user::Pass>().size() == 64);
    room.bench.peers.say(alice, R"({"op":"join","i":2,"q":"/room/3"})");
    CHECK(alice.next() == R"({"op":"retry","i":2,"code":"M2022","after_ms":1000})");
    CHECK(room.bench.sent.empty());
}

// ---- In one breath ---------------------------------------------------------------------------

TEST_CASE("what a client says of one queue in one breath counts in its order") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    const auto say_at_once = [&](std::initializer_list<std::string_view> frames) {
        std::string bytes;
        for (const auto frame : frames) {
            bytes += text_frame(frame);
        }
        room.bench.peers.send(alice, bytes);
    };
    constexpr std::string_view listen = R"({"op":"listen","i":1,"q":"/room/1"})";
    constexpr std::string_view unlisten = R"({"op":"unlisten","i":2,"q":"/room/1"})";
    constexpr std::string_view again = R"({"op":"listen","i":3,"q":"/room/1"})";
    SUBCASE("to listen again is to listen") {
        room.listen(alice, 1);
        room.queue.answer();
        alice.texts.clear();
        say_at_once({unlisten, again});
        CHECK(alice.next() == R"({"op":"ok","i":2})");
        CHECK(has(alice.next(), R"("op":"joined","i":3)"));
    }
    SUBCASE("also where nothing is known of the queue yet") {
        say_at_once({listen, unlisten, again});
        CHECK(alice.next() == R"({"op":"ok","i":1})");
        CHECK(alice.next() == R"({"op":"ok","i":2})");
        room.queue.answer();
        CHECK(has(alice.next(), R"("op":"joined","i":3)"));
    }
    SUBCASE("also behind the hello") {
        TestPeer& bob = room.bench.peers.connect();
        room.bench.peers.send(bob, text_frame(R"({"op":"hello","v":[1],"user":"bob"})") +
                                       text_frame(listen) + text_frame(unlisten) +
                                       text_frame(again));
        room.bench.deliver(room.bench.attached(room.bench.take_one<user::Attach>()));
        CHECK(has(bob.next(), R"("op":"hello")"));
        CHECK(bob.next() == R"({"op":"ok","i":1})");
        CHECK(bob.next() == R"({"op":"ok","i":2})");
        room.queue.answer();
        CHECK(has(bob.next(), R"("op":"joined","i":3)"));
        room.queue.post("3");
        CHECK(bob.texts.size() == 1);
        return;
    }
    SUBCASE("and what is unlistened to cannot be read") {
        room.listen(alice, 1);
        room.queue.answer();
        alice.texts.clear();
        say_at_once({unlisten, R"({"op":"history","i":5,"q":"/room/1","m":"chat"})", again});
        CHECK(alice.next() == R"({"op":"ok","i":2})");
        CHECK(has(alice.next(), R"({"op":"err","i":5,"code":"M2003")"));
        CHECK(has(alice.next(), R"("op":"joined","i":3)"));
    }
    room.queue.post("3");
    CHECK(has(alice.next(), R"("seq":3)"));
    CHECK(alice.texts.empty());
    say_at_once({unlisten});
    CHECK(alice.next() == R"({"op":"ok","i":2})");
    room.queue.post("4");
    CHECK(alice.texts.empty());
}

TEST_CASE("of the welcomes that one client awaits of one queue four wait, the older are an OK") {
    ListenedRoom room;
    TestPeer& alice = room.bench.user("alice");
    for (int i = 1; i <= 7; ++i) {
        room.listen(alice, i);
    }
    for (int i = 1; i <= 3; ++i) {
        CHECK(alice.next() == fmt::format(R"({{"op":"ok","i":{}}})", i));
    }
    room.queue.answer();
    for (int i = 4; i <= 7; ++i) {
        CHECK(has(alice.next(), fmt::format(R"("op":"joined","i":{})", i)));
    }
    SUBCASE("also while it does not read") {
        room.bench.peers.block(alice);
        for (int i = 1; i <= 9; ++i) {  // One joined waits, four are postponed.
            room.listen(alice, i);
        }
        room.bench.peers.drain(alice);
        CHECK(has(alice.next(), R"("op":"joined","i":1)"));
        for (int i = 2; i <= 5; ++i) {
            CHECK(alice.next() == fmt::format(R"({{"op":"ok","i":{}}})", i));
        }
        for (int i = 6; i <= 9; ++i) {
            CHECK(has(alice.next(), fmt::format(R"("op":"joined","i":{})", i)));
        }
    }
    room.queue.post("3");
    CHECK(alice.texts.size() == 1);
}

// ---- History ---------------------------------------------------------------------------------

TEST_CASE("history is for those who follow the queue") {
    ListenedRoom room;
    room.queue.post("[3]");
    TestPeer& alice = room.bench.user("alice");
    const auto ask = [&] {
        room.bench.peers.say(alice,
                             R"({"op":"history","i":5,"q":"/room/1","m":"chat","before":4})");
    };
    ask();
    CHECK(
        alice.next() ==
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

}  // namespace
}  // namespace muster::gateway
