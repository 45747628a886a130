// From a good hello to the welcome: attaching and fencing of GUARANTEES.md 5.3.
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
using Fenced = queue::FenceReply::Kind;

// ---- Sign-in ---------------------------------------------------------------------------------

TEST_CASE("a good hello asks the user queue, and its answer becomes the hello of the server") {
    GatewayBench bench;
    TestPeer& peer = bench.peers.connect();
    bench.say_hello(peer, "alice", R"(,"nonce":"n1","cn":4)");
    const auto attach = bench.take_one<user::Attach>("/user/alice");
    CHECK(attach.connection == ref_of(peer));
    CHECK(attach.attempt_number == 4);
    CHECK(attach.cid == derive_cid(bench.settings->secret, UserId("alice"), "n1"));
    CHECK(peer.texts.empty());
    CHECK(bench.counters().users_online == 0);
    bench.deliver(bench.attached(attach));
    const std::string hello = peer.next();
    CHECK(hello.starts_with(R"({"op":"hello","v":1,"user":"alice","session":82,"resume":")"));
    CHECK(hello.ends_with(R"(","ping":15})"));
    CHECK(bench.counters().users_online == 1);
    CHECK(bench.sent.empty());
}

TEST_CASE("the same nonce makes the same client, and without one each hello makes a new one") {
    GatewayBench bench;
    const auto cid = [&](std::string_view user, std::string_view more) {
        bench.say_hello(bench.peers.connect(), user, more);
        return bench.take_one<user::Attach>().cid;
    };
    CHECK(cid("alice", R"(,"nonce":"n1","cn":1)") == cid("alice", R"(,"nonce":"n1","cn":2)"));
    CHECK(cid("alice", R"(,"nonce":"n1")") != cid("alice", R"(,"nonce":"n2")"));
    CHECK(cid("alice", R"(,"nonce":"n1")") != cid("bob", R"(,"nonce":"n1")"));
    CHECK(cid("alice", "") != cid("alice", ""));
}

TEST_CASE("the hello comes after all joined queues have been fenced, then their `joined`") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = bench.sign_in("alice", {}, {{room_name, Inc{7}}, {QueueName("/b"), Inc{9}}});
    const auto fences = bench.take_sent<queue::Fence>();
    REQUIRE(fences.size() == 2);
    CHECK(fences[0].user == "alice");
    CHECK(fences[0].cep == bench.last_cep());
    CHECK(fences[0].inc == Inc{7});
    CHECK(fences[1].inc == Inc{9});
    bench.deliver(queue::FenceReply{ref_of(peer), room_name, Inc{7}});
    CHECK(peer.texts.empty());
    bench.deliver(queue::FenceReply{ref_of(peer), QueueName("/b"), Inc{9}});
    CHECK(peer.next().starts_with(R"({"op":"hello")"));
    FakeQueue room(bench, "/room/1");
    room.answer();
    CHECK(peer.next().starts_with(R"({"op":"joined","q":"/room/1","member":true,"at":[7,2])"));
    CHECK(bench.take_sent<queue::Subscribe>("/b").size() == 1);
}

TEST_CASE("who was fenced in one history is no member of the next one, which it has never joined") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = bench.sign_in("alice", {}, {{room_name, Inc{7}}});
    static_cast<void>(bench.take_sent<queue::Fence>());
    bench.deliver(queue::FenceReply{ref_of(peer), room_name, Inc{7}});
    CHECK(peer.next().starts_with(R"({"op":"hello")"));
    // Between the answer and our asking the backend has made it anew, for members only.
    FakeQueue room(bench, "/room/1", Inc{8});
    room.rules.listen = queue::WhoListens::members;
    room.answer();
    CHECK(peer.next().starts_with(R"({"op":"reset","q":"/room/1","at":[0,0],"why":"gone")"));
    room.post("1");
    CHECK(peer.texts.empty());
}

TEST_CASE("what `since` names is resumed: joined queues as a member, others as a listener") {
    GatewayBench bench;
    FakeQueue room(bench, "/room/1");
    FakeQueue other(bench, "/b");
    room.post("3");
    other.post("3");
    TestPeer& peer =
        bench.sign_in("alice", R"(,"since":{"/b":[7,2],"/room/1":[7,1]})", {{room_name, Inc{7}}});
    answer_fence(bench);
    CHECK(peer.next().starts_with(R"({"op":"hello")"));
    room.answer();
    CHECK(peer.next().find(R"("seq":3,"prev":1,)") != std::string::npos);
    CHECK(peer.next().starts_with(R"({"op":"joined","q":"/room/1","member":true)"));
    other.answer();
    CHECK(peer.next().find(R"("seq":3,"from")") != std::string::npos);
    CHECK(peer.next().starts_with(R"({"op":"joined","q":"/b","member":false)"));
}

TEST_CASE("what `since` names beyond 64 queues in all is told to be left out") {
    GatewayBench bench;
    std::string since;
    for (int i = 0; i < 64; ++i) {
        since += fmt::format(R"({}"/room/{}":[7,1])", i == 0 ? "" : ",", i + 10);
    }
    TestPeer& peer =
        bench.sign_in("alice", fmt::format(R"(,"since":{{{}}})", since), {{room_name, Inc{7}}});
    answer_fence(bench);
    CHECK(peer.next().starts_with(R"({"op":"hello")"));
    CHECK(peer.next() == R"({"op":"left","q":"/room/73","why":"limit"})");
    CHECK(bench.take_sent<queue::Subscribe>().size() == 64);
}

TEST_CASE("a joined queue whose history has ended is no membership any more") {
    States states;
    GatewayBench& bench = states.bench;
    SUBCASE("told by a reset where the client did not ask") {
        TestPeer& peer = states.fencing();
        answer_fence(bench, Fenced::gone);
        CHECK(peer.next().starts_with(R"({"op":"hello")"));
        CHECK(
            peer.next() ==
            R"({"op":"reset","q":"/room/1","at":[0,0],"why":"gone","mounts":{},"members":0,"who":{}})");
        CHECK(bench.take_sent<queue::Subscribe>().empty());
    }
    SUBCASE("and by the new history where it did: as a listener, if it may") {
        TestPeer& peer =
            bench.sign_in("alice", R"(,"since":{"/room/1":[7,40]})", {{room_name, Inc{7}}});
        answer_fence(bench, Fenced::gone);
        FakeQueue room(bench, "/room/1", Inc{8});
        room.answer();
        CHECK(peer.next().starts_with(R"({"op":"hello")"));
        CHECK(peer.next().starts_with(R"({"op":"reset","q":"/room/1","at":[8,2],"why":"gone")"));
        CHECK(peer.next().starts_with(R"({"op":"joined","q":"/room/1","member":false,"at":[8,2])"));
    }
    CHECK(bench.take_sent<user::Detach>().empty());
}

TEST_CASE("a late attempt, and one that is overtaken, end with 4003") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& bob = bench.user("bob");
    SUBCASE("by the user queue's word") {
        TestPeer& peer = states.attaching();
        bench.deliver(user::Stale{ref_of(peer)});
        bench.check_closed(peer, 4003, "M1003", &bob);
        CHECK(bench.take_sent<user::Detach>().empty());
    }
    SUBCASE("by the user queue's word, as another connection stays") {
        TestPeer& peer = states.attaching();
        bench.deliver(user::Stale{ref_of(peer), true});
        CHECK(peer.close_reason ==
              "M1003 superseded: busy: another connection of the user is there, and stays");
        bench.check_closed(peer, 4003, "M1003", &bob);
    }
    SUBCASE("by a queue's word") {
        TestPeer& peer = states.fencing();
        answer_fence(bench, Fenced::overtaken);
        bench.check_closed(peer, 4003, "M1003", &bob);
        CHECK(bench.take_one<user::Detach>().cep == bench.last_cep());
    }
    SUBCASE("also later") {
        TestPeer& peer = states.up();
        bench.deliver(user::Stale{ref_of(peer)});
        bench.check_closed(peer, 4003, "M1003", &bob);
    }
    CHECK(bench.counters().closed_superseded == 1);
}

TEST_CASE(
    "a sign-in that takes 8 s is given up with 1013, and what comes of it later is detached") {
    States states;
    GatewayBench& bench = states.bench;
    SUBCASE("while attaching") {
        TestPeer& peer = states.attaching();
        bench.pass(8s - 1us);
        CHECK_FALSE(peer.is_ended);
        bench.pass(1us);
        const auto attach = bench.take_sent<user::Attach>().back();
        CHECK(bench.sent.empty());
        bench.check_closed(peer, 1013, "M1033");
        auto attached = bench.attached(attach);
        const auto cep = attached.cep;
        bench.deliver(std::move(attached), actor::ActorAddress{QueueName("/user/alice")});
        CHECK(bench.take_one<user::Detach>("/user/alice").cep == cep);
    }
    SUBCASE("while fencing, from the hello on") {
        TestPeer& peer = states.attaching();
        bench.pass(5s);
        bench.deliver(
            bench.attached(bench.take_sent<user::Attach>().back(), {{room_name, Inc{7}}}));
        bench.pass(3s - 1us);
        CHECK_FALSE(peer.is_ended);
        bench.pass(1us);
        bench.check_closed(peer, 1013, "M1033");
        CHECK(bench.take_one<user::Detach>().cep == bench.last_cep());
    }
}

TEST_CASE("an ATTACH that is not answered within 1 s is sent again, of the same connection") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = states.attaching();
    const auto first = bench.take_one<user::Attach>("/user/alice");
    for (int second = 1; second < 8; ++second) {
        bench.pass(1s - 1us);
        CHECK(bench.sent.empty());
        bench.pass(1us);
        const auto again = bench.take_one<user::Attach>("/user/alice");
        CHECK(again.connection == first.connection);
        CHECK(again.cid == first.cid);
        CHECK(again.attempt_number == first.attempt_number);
    }
    // Both are answered, by the same cep: the second answer finds nothing left to do.
    const auto attached = bench.attached(first, {{room_name, Inc{7}}});
    bench.deliver(attached);
    bench.deliver(attached);
    CHECK(bench.take_sent<queue::Fence>().size() == 1);
    answer_fence(bench);
    bench.deliver(queue::FenceReply{ref_of(peer), room_name, Inc{7}});
    CHECK(peer.next().starts_with(R"({"op":"hello")"));
    bench.deliver(attached);
    CHECK(bench.take_sent<queue::Fence>().empty());
    CHECK(bench.take_sent<user::Detach>().empty());
    CHECK_FALSE(peer.is_ended);
}

TEST_CASE("a FENCE that is not answered within 1 s is sent again, and no other") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = bench.sign_in("alice", {}, {{room_name, Inc{7}}, {QueueName("/b"), Inc{9}}});
    CHECK(bench.take_sent<queue::Fence>().size() == 2);
    bench.pass(1s - 1us);
    CHECK(bench.sent.empty());
    bench.deliver(queue::FenceReply{ref_of(peer), room_name, Inc{7}});
    bench.deliver(
        queue::FenceReply{ref_of(peer), room_name, Inc{7}});  // The same question's, twice.
    CHECK(peer.texts.empty());
    bench.pass(1us);
    const auto again = bench.take_one<queue::Fence>("/b");
    CHECK(again.inc == Inc{9});
    CHECK(again.cep == bench.last_cep());
    CHECK(bench.sent.empty());
    bench.deliver(queue::FenceReply{ref_of(peer), QueueName("/b"), Inc{9}});
    CHECK(peer.next().starts_with(R"({"op":"hello")"));
    bench.pass(10s);
    CHECK(bench.take_sent<queue::Fence>().empty());
}

TEST_CASE("who is overtaken in one queue is closed, also by the second answer of another") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = bench.sign_in("alice", {}, {{room_name, Inc{7}}, {QueueName("/b"), Inc{9}}});
    bench.deliver(queue::FenceReply{ref_of(peer), room_name, Inc{7}});
    bench.deliver(queue::FenceReply{ref_of(peer), room_name, Inc{7}, Fenced::overtaken});
    bench.check_closed(peer, 4003, "M1003");
}

TEST_CASE("row 54: messages to a user that wait for its welcome are bounded by their bytes, too") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = states.fencing();
    const std::string text = '"' + std::string(16 * 1024 - 2, 'x') + '"';
    for (int i = 0; i < 4; ++i) {
        bench.deliver(
            user::Told{ref_of(peer), QueueName("/user/alice"), 3, WallTime{5}, {}, Payload(text)});
        CHECK_FALSE(peer.is_ended);
    }
    bench.deliver(
        user::Told{ref_of(peer), QueueName("/user/alice"), 4, WallTime{5}, {}, Payload("1")});
    bench.check_closed(peer, 4008, "M1008");
}

TEST_CASE("a connection that went is not attached anew") {
    States states;
    GatewayBench& bench = states.bench;
    for (TestPeer* peer : {&states.attaching(), &states.fencing()}) {
        bench.peers.hang_up(*peer);
    }
    static_cast<void>(bench.take_sent<user::Attach>());
    static_cast<void>(bench.take_sent<queue::Fence>());
    CHECK(bench.take_one<user::Detach>().cep == bench.last_cep());
    bench.pass(10s);
    CHECK(bench.sent.empty());
}

TEST_CASE("what a client says before it is welcome waits for that, in order") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = states.fencing();
    bench.peers.say(peer, R"({"op":"unlisten","i":1,"q":"/room/2"})");
    bench.peers.say(peer, R"({"op":"ping"})");
    bench.peers.say(peer, R"({"op":"join","i":2,"q":"/room/2"})");
    CHECK(bench.take_sent<user::Pass>().empty());
    answer_fence(bench);
    CHECK(peer.next().starts_with(R"({"op":"hello")"));
    CHECK(peer.next() == R"({"op":"ok","i":1})");
    CHECK(peer.next() == R"({"op":"pong"})");
    CHECK(bench.take_one<user::Pass>().queue == "/room/2");
}

TEST_CASE("what a client says before it is welcome is bounded") {
    States states;
    TestPeer& peer = states.fencing();
    const std::string big = fmt::format(R"({{"op":"send","q":"/room/1","m":"chat","d":"{}"}})",
                                        std::string(30'000, 'x'));
    states.bench.peers.say(peer, big);
    states.bench.peers.say(peer, big);
    CHECK_FALSE(peer.is_ended);
    states.bench.peers.say(peer, big);
    states.bench.check_closed(peer, 4000, "M1000");
}

TEST_CASE("an early frame that closes keeps the later ones from being read") {
    States states;
    TestPeer& peer = states.fencing();
    states.bench.peers.say(peer, R"({"op":"kick"})");
    states.bench.peers.say(peer, R"({"op":"join","i":2,"q":"/room/2"})");
    answer_fence(states.bench);
    states.bench.check_closed(peer, 1008, "M1028");
    CHECK(states.bench.take_sent<user::Pass>().empty());
}

TEST_CASE("what the backend does between the user queue's answer and the welcome is not lost") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = states.fencing();
    SUBCASE("a join") {
        bench.deliver(user::MembershipChanged{ref_of(peer), QueueName("/b"), true, {}, Inc{9}});
        const auto fences = bench.take_sent<queue::Fence>();
        REQUIRE(fences.size() == 2);
        bench.deliver(queue::FenceReply{ref_of(peer), room_name, Inc{7}});
        CHECK(peer.texts.empty());
        bench.deliver(queue::FenceReply{ref_of(peer), QueueName("/b"), Inc{9}});
        CHECK(bench.take_sent<queue::Subscribe>("/b").size() == 1);
        CHECK(bench.take_sent<queue::Subscribe>("/room/1").size() == 1);
    }
    SUBCASE("a join of the next history of a queue, whose last one answers that it has ended") {
        bench.deliver(user::MembershipChanged{ref_of(peer), room_name, true, {}, Inc{8}});
        const auto fences = bench.take_sent<queue::Fence>();
        REQUIRE(fences.size() == 2);
        CHECK(fences[1].inc == Inc{8});
        bench.deliver(queue::FenceReply{ref_of(peer), room_name, Inc{7}, Fenced::gone});
        CHECK(peer.texts.empty());
        bench.deliver(queue::FenceReply{ref_of(peer), room_name, Inc{8}});
        FakeQueue room(bench, "/room/1", Inc{8});
        room.answer();
        CHECK(peer.next().starts_with(R"({"op":"hello")"));
        CHECK(peer.next().starts_with(R"({"op":"joined","q":"/room/1","member":true,"at":[8,2])"));
    }
    SUBCASE("a kick out of a queue") {
        bench.deliver(user::MembershipChanged{ref_of(peer), room_name, false});
        answer_fence(bench);
        CHECK(bench.take_sent<queue::Subscribe>().empty());
    }
    SUBCASE("a message to the user") {
        bench.deliver(user::Told{ref_of(peer), QueueName("/user/alice"), 1, WallTime{5},
                                 UserId("bob"), Payload("1")});
        CHECK(peer.texts.empty());
        answer_fence(bench);
        CHECK(peer.next().starts_with(R"({"op":"hello")"));
        CHECK(peer.next() ==
              R"({"op":"msg","q":"/user/alice","m":"mail","seq":1,"from":"bob","t":5,"d":1})");
    }
    SUBCASE("too many messages to the user") {
        for (Seq seq = 1; seq <= 257; ++seq) {
            CHECK_FALSE(peer.is_ended);
            bench.deliver(user::Told{ref_of(peer), QueueName("/user/alice"), seq, WallTime{5},
                                     UserId(), Payload("1")});
        }
        bench.check_closed(peer, 4008, "M1008");
    }
}

}  // namespace
}  // namespace muster::gateway
