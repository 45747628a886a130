// The states of GUARANTEES.md 5.3 from the welcome on, each with its events. What ends a connection
// by bad input is in the files of rows.
#include "core/gateway/connection.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/cid_text.h"
#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;
using Fenced = queue::FenceReply::Kind;

// ---- Kicks -----------------------------------------------------------------------------------

TEST_CASE("a newer connection of the user ends this one with 4003, an older one does not") {
    States states;
    GatewayBench& bench = states.bench;
    const auto kick = [&](const TestPeer& peer, std::int64_t ahead) {
        Cep winner = bench.last_cep();
        winner.counter += static_cast<std::uint64_t>(ahead);
        bench.deliver(user::Kick{ref_of(peer), winner});
    };
    SUBCASE("while attaching, the answer decides") {
        TestPeer& peer = states.attaching();
        kick(peer, 1);
        CHECK_FALSE(peer.is_ended);
    }
    SUBCASE("while fencing") {
        TestPeer& peer = states.fencing();
        kick(peer, 0);
        kick(peer, -1);
        CHECK_FALSE(peer.is_ended);
        kick(peer, 1);
        bench.check_closed(peer, 4003, "M1003");
    }
    SUBCASE("when up") {
        TestPeer& peer = states.up();
        kick(peer, 0);
        bench.deliver(user::Kick{ref_of(peer), Cep{Inc{4}, 100}});  // Of a dead user queue.
        CHECK_FALSE(peer.is_ended);
        bench.deliver(user::Kick{ref_of(peer), Cep{Inc{6}, 1}});
        bench.check_closed(peer, 4003, "M1003");
    }
}

TEST_CASE("the backend's disconnect ends the connection with 4004") {
    States states;
    for (TestPeer* peer : {&states.fencing(), &states.up()}) {
        states.bench.deliver(user::Kick{ref_of(*peer), states.bench.last_cep(), true});
        states.bench.check_closed(*peer, 4004, "M1004");
    }
}

// ---- Up --------------------------------------------------------------------------------------

TEST_CASE("a silent client is pinged after 15 s, and closed with 4000 after 35 s") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.pass(15s - 1us);
    CHECK(peer.texts.empty());
    bench.pass(1us);
    CHECK(peer.next() == R"({"op":"ping"})");
    bench.pass(20s - 1us);
    CHECK(peer.texts.empty());
    CHECK_FALSE(peer.is_ended);
    bench.pass(1us);
    bench.check_closed(peer, 4000, "M1006");
    CHECK(bench.counters().closed_silent == 1);
    CHECK(bench.take_one<user::Detach>().user == "alice");
}

TEST_CASE("a client is not silent because the server stood still: it is asked once more") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    SUBCASE("nothing was asked yet") { bench.pass(14s); }
    SUBCASE("its answer to a ping lies unread") {
        bench.pass(15s);
        CHECK(peer.next() == R"({"op":"ping"})");
    }
    bench.now += 40s;
    bench.turn();  // Of a loop that was woken by its clock, before it has looked at its sockets.
    CHECK(peer.next() == R"({"op":"ping"})");
    SUBCASE("and is there") {
        bench.peers.say(peer, R"({"op":"pong"})");
        bench.pass(15s);
        CHECK(peer.next() == R"({"op":"ping"})");
        CHECK_FALSE(peer.is_ended);
    }
    SUBCASE("and is gone") {
        bench.pass(20s - 1us);
        CHECK(peer.texts.empty());
        CHECK_FALSE(peer.is_ended);
        bench.pass(1us);
        bench.check_closed(peer, 4000, "M1006");
    }
}

TEST_CASE("any byte of the client puts the ping off, and answers one") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.pass(10s);
    bench.peers.send(peer, "\x81");
    bench.pass(15s - 1us);
    CHECK(peer.texts.empty());
    bench.pass(1us);
    CHECK(peer.next() == R"({"op":"ping"})");
    bench.pass(19s);
    bench.peers.send(peer, "\x80");
    bench.pass(15s - 1us);
    CHECK(peer.texts.empty());
    bench.pass(1us);
    CHECK(peer.next() == R"({"op":"ping"})");
}

TEST_CASE("an idle client costs one wake each 15 s and no other") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.pass(5s);
    bench.turn();
    CHECK(bench.gateway.next_wake() == bench.now + 10s);
    for (int i = 0; i < 3; ++i) {
        bench.pass(10s);
        bench.peers.say(peer, R"({"op":"ping"})");
        bench.pass(5s);
        CHECK(bench.gateway.next_wake() == bench.now + 10s);
    }
}

TEST_CASE(
    "a connection that is up asks each 15 s, with its ping, whether it is still the current one") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    for (int i = 0; i < 3; ++i) {
        bench.pass(15s - 1us);
        CHECK(bench.sent.empty());
        bench.pass(1us);
        const auto check = bench.take_one<user::Check>("/user/alice");
        CHECK(check.connection == ref_of(peer));
        CHECK(check.cep == bench.last_cep());
        CHECK(peer.next() == R"({"op":"ping"})");
        bench.peers.say(peer, R"({"op":"pong"})");
    }
}

TEST_CASE("the way of a ping's answer does not part the next ping from the check") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.pass(15s);
    for (int i = 0; i < 3; ++i) {
        CHECK(peer.next() == R"({"op":"ping"})");
        CHECK(bench.take_sent<user::Check>().size() == 1);
        bench.pass(900ms);
        bench.peers.say(peer, R"({"op":"pong"})");
        bench.pass(15s - 900ms - 1us);
        CHECK(bench.sent.empty());
        CHECK(peer.texts.empty());
        bench.pass(1us);
    }
}

TEST_CASE("a connection asks within 15 s also if it is busy, if pings are rare, or unanswered") {
    Settings settings = settings_for_tests();
    bool is_busy = true;
    SUBCASE("it speaks all the time") {}
    SUBCASE("pings are rare") { settings.limits.ping_interval = 1h; }
    SUBCASE("its ping is not answered") { is_busy = false; }
    GatewayBench bench(std::move(settings));
    TestPeer& peer = bench.user("alice");
    Duration since_last{};
    for (int second = 0; second < (is_busy ? 100 : 34); ++second) {
        bench.pass(1s);
        since_last += 1s;
        if (!bench.take_sent<user::Check>().empty()) {
            since_last = {};
        }
        CHECK(since_last < 15s);
        if (is_busy) {
            bench.peers.say(peer, R"({"op":"pong"})");
        }
    }
    CHECK_FALSE(peer.is_ended);
}

TEST_CASE("who has lost without having been told learns it by asking") {
    using Standing = user::Checked::Standing;
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = states.up();
    const auto answer = [&](Standing standing, std::int64_t ahead) {
        Cep cep = bench.last_cep();
        cep.counter += static_cast<std::uint64_t>(ahead);
        bench.deliver(user::Checked{ref_of(peer), standing, cep});
    };
    answer(Standing::current, 0);
    answer(Standing::other, 0);
    answer(Standing::other, -1);  // Of a user queue's lineage that is no more.
    CHECK_FALSE(peer.is_ended);
    SUBCASE("to another connection: 4003") {
        answer(Standing::other, 1);
        bench.check_closed(peer, 4003, "M1003");
        CHECK(bench.counters().closed_superseded == 1);
    }
    SUBCASE("the session: 4004") {
        answer(Standing::no_session, 0);
        bench.check_closed(peer, 4004, "M1004");
    }
}

TEST_CASE("the backend's joins and kicks come as `joined` and `left`") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    FakeQueue room(bench, "/room/1");
    bench.deliver(user::MembershipChanged{ref_of(peer), room_name, true});
    room.answer();
    CHECK(peer.next().starts_with(R"({"op":"joined","q":"/room/1","member":true,"at":[7,2])"));
    bench.deliver(
        user::MembershipChanged{ref_of(peer), room_name, false, queue::LeaveReason::kicked});
    CHECK(peer.next() == R"({"op":"left","q":"/room/1","why":"kicked"})");
    room.post("1");
    CHECK(peer.texts.empty());
    // Once more is nothing new.
    bench.deliver(
        user::MembershipChanged{ref_of(peer), room_name, false, queue::LeaveReason::kicked});
    CHECK(peer.texts.empty());
}

TEST_CASE("row 50: the 65th queue, to which the backend joins its user, is `left` for the limit") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    for (int i = 0; i < 64; ++i) {
        bench.peers.say(peer, fmt::format(R"({{"op":"listen","q":"/other/{}"}})", i));
        bench.pass(100ms);
    }
    CHECK(bench.take_sent<queue::Subscribe>().size() == 64);
    bench.deliver(user::MembershipChanged{ref_of(peer), room_name, true});
    CHECK(peer.next() == R"({"op":"left","q":"/room/1","why":"limit"})");
    CHECK(bench.take_sent<queue::Subscribe>().empty());
    // One that is followed already is no 65th.
    bench.deliver(user::MembershipChanged{ref_of(peer), QueueName("/other/5"), true});
    CHECK(peer.texts.empty());
}

TEST_CASE("a listener whom the backend joins is told so, and misses nothing") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    FakeQueue room(bench, "/room/1");
    bench.peers.say(peer, R"({"op":"listen","i":1,"q":"/room/1"})");
    room.answer();
    CHECK(peer.next().find(R"("member":false)") != std::string::npos);
    room.add_member("alice");
    CHECK(peer.next().starts_with(R"({"op":"members")"));
    bench.deliver(user::MembershipChanged{ref_of(peer), room_name, true});
    CHECK(peer.next().starts_with(R"({"op":"joined","q":"/room/1","member":true,"at":[7,3])"));
    room.post("4");
    CHECK(peer.next().find(R"("seq":4,"from")") != std::string::npos);
    CHECK(peer.texts.empty());
    // Members do not unlisten.
    bench.peers.say(peer, R"({"op":"unlisten","i":2,"q":"/room/1"})");
    CHECK(peer.next() == R"({"op":"ok","i":2})");
    room.post("5");
    CHECK(peer.texts.size() == 1);
}

TEST_CASE("messages to the user come as mail") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.deliver(user::Told{ref_of(peer), QueueName("/user/alice"), 3, WallTime{5}, UserId(),
                             Payload("[1]")});
    CHECK(peer.next() == R"({"op":"msg","q":"/user/alice","m":"mail","seq":3,"t":5,"d":[1]})");
}

TEST_CASE("acknowledgements and pongs have no answer") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.peers.say(peer, R"({"op":"ack","n":5})");
    bench.peers.say(peer, R"({"op":"pong"})");
    CHECK(peer.texts.empty());
    CHECK_FALSE(peer.is_ended);
}

// ---- Resolve-only ----------------------------------------------------------------------------

TEST_CASE("a resolve-only connection attaches nothing, withdraws ops, and lives 30 s") {
    GatewayBench bench;
    TestPeer& peer = bench.peers.connect();
    bench.say_hello(peer, "alice", R"(,"nonce":"n1","resolve":true)");
    CHECK(bench.sent.empty());
    const std::string cid = to_text(derive_cid(bench.settings->secret, UserId("alice"), "n1"));
    CHECK(peer.next() ==
          fmt::format(R"({{"op":"hello","v":1,"user":"alice","session":0,"cid":"{}","ping":0}})",
                      cid));
    bench.pass(29s);
    bench.peers.say(peer, R"({"op":"withdraw","i":1,"q":"/room/1","n":4,"inc":7})");
    const auto op = bench.take_one<queue::Op>("/room/1");
    CHECK(std::holds_alternative<queue::WithdrawOp>(op.body));
    CHECK(to_text(op.sender.cid) == cid);
    queue::OpReply reply;
    reply.reply_to = op.reply_to;
    reply.verdict.kind = queue::Verdict::Kind::rejected;
    reply.verdict.code = ErrorCode::withdrawn;
    bench.deliver(reply);
    CHECK(peer.next() == R"({"op":"err","i":1,"code":"M2006","outcome":"rejected"})");
    bench.peers.say(peer, R"({"op":"ping"})");
    CHECK(peer.next() == R"({"op":"pong"})");
    CHECK(bench.counters().users_online == 0);
    bench.pass(1s);
    bench.check_closed(peer, 1001, "M1007");
    CHECK(bench.sent.empty());
}

TEST_CASE("a resolve-only connection takes nothing but withdrawals") {
    States states;
    for (const std::string_view json :
         {R"({"op":"join","i":1,"q":"/room/1"})", R"({"op":"listen","i":1,"q":"/room/1"})",
          R"({"op":"send","i":1,"q":"/room/1","m":"chat","d":1})", R"({"op":"auth","token":"x"})",
          R"({"op":"ack","n":1})", R"({"op":"hello","v":[1],"user":"alice"})"}) {
        TestPeer& peer = states.resolving();
        states.bench.peers.say(peer, json);
        states.bench.check_closed(peer, 4000, "M1000");
        CHECK(states.bench.sent.empty());
    }
}

// ---- Every state -----------------------------------------------------------------------------

TEST_CASE("when the socket closes nothing is put out, and who is attached is detached") {
    States states;
    GatewayBench& bench = states.bench;
    for (TestPeer* peer : states.all()) {
        static_cast<void>(bench.take_sent<user::Attach>());
        static_cast<void>(bench.take_sent<queue::Fence>());
        const std::size_t bytes = peer->bytes;
        bench.peers.hang_up(*peer);
        CHECK(peer->bytes == bytes);
        CHECK_FALSE(peer->is_ended);
        bench.peers.check_gone(*peer);
    }
    CHECK(bench.take_sent<user::Detach>().size() == 2);  // From fencing and up.
    CHECK(bench.sent.empty());
    CHECK(bench.counters().connections_open == 0);
    CHECK(bench.counters().users_online == 0);
    CHECK(bench.gateway.next_wake().has_value());  // Timers of who is gone, which find nobody.
    bench.pass(60s);
    CHECK_FALSE(bench.gateway.next_wake().has_value());
}

TEST_CASE("when the server stops, who is up is asked to go, and everybody else closed with 1001") {
    States states;
    GatewayBench& bench = states.bench;
    const auto all = states.all();
    bench.stop();
    for (const std::size_t i : {0, 1, 2, 3, 5}) {
        CHECK(all[i]->is_ended);
        CHECK(all[i]->texts.empty());
    }
    CHECK(all[0]->bytes == 0);
    CHECK(all[1]->close_code == 1001);
    CHECK(all[3]->close_code == 1001);
    CHECK(all[4]->next() == R"({"op":"bye","code":"M1007","spread_ms":5})");
    CHECK_FALSE(all[4]->is_ended);
    CHECK(bench.counters().connections_open == 1);
}

TEST_CASE_TEMPLATE("a client that was asked to go is served until it goes, or its time is over",
                   Wire, Json, Proto, ProtoTcp) {
    GatewayBench bench(Wire::value);
    TestPeer& goer = bench.user("alice");
    TestPeer& sitter = bench.user("bob");
    bench.stop();
    for (TestPeer* peer : {&goer, &sitter}) {
        CHECK(peer->next() == R"({"op":"bye","code":"M1007","spread_ms":10})");
        bench.peers.say(*peer, R"({"op":"ping"})");
        CHECK(peer->next() == R"({"op":"pong"})");
    }
    bench.peers.hang_up(goer);
    CHECK(bench.take_one<user::Detach>().user == "alice");
    bench.pass(10ms + 1s - 1us);
    CHECK_FALSE(sitter.is_ended);
    bench.pass(1us);
    bench.check_closed(sitter, 1001, "M1007");
    CHECK(bench.counters().connections_open == 0);
}

TEST_CASE("the time to go grows with the number of clients, to its limit") {
    Settings settings = settings_for_tests();
    settings.limits.stop_spread_max = 12ms;
    settings.limits.stop_grace = 1ms;
    GatewayBench bench(std::move(settings));
    std::vector<TestPeer*> peers;
    for (const std::string_view name : {"alice", "bob", "carol"}) {
        peers.push_back(&bench.user(name));
    }
    bench.stop();
    for (TestPeer* peer : peers) {
        CHECK(peer->next() == R"({"op":"bye","code":"M1007","spread_ms":12})");
    }
    bench.pass(13ms - 1us);
    CHECK(bench.counters().connections_open == 3);
    bench.pass(1us);
    CHECK(bench.counters().connections_open == 0);
}

TEST_CASE("who comes while the server stops is closed with the rest") {
    GatewayBench bench;
    bench.stop();
    TestPeer& late = bench.user("alice");
    bench.pass(1s);
    CHECK(late.close_code == 1001);
    CHECK(late.is_ended);
}

TEST_CASE("an answer that comes in a state which did not ask for it is ignored") {
    States states;
    GatewayBench& bench = states.bench;
    queue::OpReply ok;
    ok.queue = room_name;
    ok.verdict.at = {Inc{7}, 22};
    for (TestPeer* peer : states.all()) {
        const auto state_is = [&](std::string_view what) {
            CAPTURE(what);
            CHECK_FALSE(peer->is_ended);
            CHECK(peer->texts.empty());
        };
        const bool is_attaching = peer->id == states.bench.peers.all()[2].id;
        const bool is_fencing = peer->id == states.bench.peers.all()[3].id;
        const bool is_up = peer->id == states.bench.peers.all()[4].id;
        const bool is_resolving = peer->id == states.bench.peers.all()[5].id;
        const ConnectionRef ref = ref_of(*peer);
        if (!is_attaching) {
            bench.deliver(user::Attached{ref, bench.last_cep(), SessionId{1}, {}});
            state_is("Attached");
        }
        if (!is_fencing) {
            bench.deliver(queue::FenceReply{ref, room_name, Inc{7}, Fenced::overtaken});
            state_is("FenceReply");
        }
        if (!is_up && !is_fencing && !is_attaching) {
            bench.deliver(user::Stale{ref});
            state_is("Stale");
        }
        if (!is_up) {
            bench.deliver(user::Checked{ref, user::Checked::Standing::no_session, Cep{Inc{99}, 1}});
            bench.deliver(user::Checked{ref, user::Checked::Standing::other, Cep{Inc{99}, 1}});
            state_is("Checked");
        }
        if (!is_up && !is_fencing) {
            bench.deliver(user::Kick{ref, Cep{Inc{99}, 1}});
            bench.deliver(user::Kick{ref, Cep{Inc{99}, 1}, true});
            state_is("Kick");
            bench.deliver(user::MembershipChanged{ref, room_name, true});
            bench.deliver(user::MembershipChanged{ref, room_name, false});
            bench.deliver(user::Told{ref, QueueName("/user/alice"), 1, {}, {}, Payload("1")});
            state_is("news");
        }
        if (!is_up && !is_resolving) {
            ok.reply_to.who = ref;
            bench.deliver(ok);
            state_is("OpReply");
        }
        bench.peers.block(*peer);
        bench.peers.drain(*peer);
        state_is("Blocked and Drained");
    }
}

TEST_CASE("events and answers for a connection that is gone find nobody") {
    States states;
    GatewayBench& bench = states.bench;
    TestPeer& peer = states.up();
    bench.peers.hang_up(peer);
    static_cast<void>(bench.take_sent<user::Detach>());
    const ConnectionRef ref = ref_of(peer);
    queue::OpReply ok;
    ok.reply_to.who = ref;
    bench.deliver(ok);
    bench.deliver(user::Kick{ref, Cep{Inc{99}, 1}, true});
    bench.deliver(user::Stale{ref});
    bench.deliver(user::MembershipChanged{ref, room_name, true});
    bench.deliver(queue::FenceReply{ref, room_name, Inc{7}});
    bench.peers.block(peer);
    bench.peers.drain(peer);
    bench.peers.hang_up(peer);
    CHECK(bench.sent.empty());
}

}  // namespace
}  // namespace muster::gateway
