// Long because: every way in which a stream begins, breaks off and ends has its story here, on one
// bench.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/client/test_bench.h"

// How a client follows queues: cursors, gaps, resets, memberships.
namespace muster::client {
namespace {

using namespace std::chrono_literals;
using Follow = Client::Follow;
using State = Client::State;
using wire::ClientOp;

constexpr std::string_view room = "/room/1";

Bench bench_in_room() {
    Bench bench;
    bench.go_online();
    bench.join(room, {Inc{7}, 3});
    return bench;
}

wire::ResetFrame reset(Cursor at, std::string_view why) {
    wire::ResetFrame frame;
    frame.queue = room;
    frame.at = at;
    frame.why = why;
    return frame;
}

/// A message that was missed: it names what it follows.
wire::MsgFrame replay(Seq seq, Seq prev) {
    wire::MsgFrame frame = Bench::message(room, seq);
    frame.prev = prev;
    return frame;
}

wire::OkFrame ok(std::optional<std::uint64_t> request) {
    wire::OkFrame frame;
    frame.request = request;
    return frame;
}

/// A listener of the room at (7,3).
Bench bench_that_listens() {
    Bench bench;
    bench.go_online();
    bench.submit(room, Listen{});
    auto joined = Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::listen)->request);
    joined.member = false;
    bench.receive(joined);
    return bench;
}

/// One that was, and may listen again from there on.
Bench bench_that_has_listened() {
    Bench bench = bench_that_listens();
    bench.submit(room, Unlisten{});
    bench.receive(ok(bench.sent(ClientOp::unlisten)->request));
    return bench;
}

Seq cursor(const Bench& bench) { return bench.client.find(room)->at().seq; }

bool broke(const Bench& bench) {
    const auto* close = bench.only<CloseSocket>();
    return close != nullptr && close->close_code == 1002 && bench.client.state() == State::idle;
}

TEST_CASE("events that follow one another are delivered and move the cursor") {
    Bench bench = bench_in_room();
    bench.receive(Bench::message(room, 4));
    REQUIRE(bench.delivered<wire::MsgFrame>() != nullptr);
    CHECK(bench.delivered<wire::MsgFrame>()->from == "bob");
    wire::StateFrame state;
    state.queue = room;
    state.mount = "scores";
    state.seq = 5;
    state.changes = {{"alice", wire::Data{"8"}}};
    bench.receive(state);
    CHECK(bench.delivered<wire::StateFrame>() != nullptr);
    CHECK(bench.client.find(room)->find("scores", "alice")->value.bytes() == "8");
    wire::MembersFrame members;
    members.queue = room;
    members.seq = 6;
    members.set = {{"eve", "{}"}};
    members.count = 2;
    bench.receive(members);
    CHECK(bench.client.find(room)->member_count() == 2);
    wire::MountChangeFrame mount;
    mount.queue = room;
    mount.mount = "positions";
    mount.seq = 7;
    mount.type = "state";
    bench.receive(mount);
    CHECK(bench.delivered<wire::MountChangeFrame>() != nullptr);
    CHECK(cursor(bench) == 7);
}

TEST_CASE("an event out of place is not delivered: the client closes with 1002 and resumes") {
    for (const Seq seq : {0U, 1U, 3U, 5U, 100U}) {
        CAPTURE(seq);
        Bench bench = bench_in_room();
        bench.receive(Bench::message(room, seq));
        CHECK(bench.all<Deliver>().empty());
        CHECK(broke(bench));
        bench.come_back();
        REQUIRE(bench.last_hello().since.size() == 1);
        CHECK(bench.last_hello().since[0].second == Cursor{Inc{7}, 3});
    }
}

TEST_CASE("a conflated stream names what its event follows") {
    Bench bench = bench_in_room();
    auto message = Bench::message(room, 9);
    message.prev = 3;
    bench.receive(message);
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    CHECK(cursor(bench) == 9);
    message.seq = 12;
    message.prev = 8;
    bench.receive(message);
    CHECK(broke(bench));
}

TEST_CASE("a resume names the cursor, takes what was missed, and joined ends it") {
    Bench bench = bench_in_room();
    bench.receive(Bench::message(room, 4));
    bench.cut();
    bench.come_back();
    REQUIRE(bench.last_hello().since.size() == 1);
    CHECK(bench.last_hello().since[0].first == room);
    CHECK(bench.last_hello().since[0].second == Cursor{Inc{7}, 4});
    CHECK(bench.client.follow(room) == Follow::resuming);
    // The state changes between are not replayed: `joined` brings the state.
    bench.receive(replay(6, 4));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    CHECK(cursor(bench) == 4);
    bench.receive(Bench::joined(room, {Inc{7}, 8}));
    CHECK(bench.delivered<wire::JoinedFrame>() != nullptr);
    CHECK(cursor(bench) == 8);
    CHECK(bench.client.follow(room) == Follow::live);
    bench.receive(Bench::message(room, 9));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
}

TEST_CASE("a resume that is cut goes on from the same cursor and shows nothing twice") {
    Bench bench = bench_in_room();
    bench.cut();
    bench.come_back();
    bench.receive(replay(5, 3));
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since[0].second == Cursor{Inc{7}, 3});
    bench.receive(replay(5, 3));
    CHECK(bench.all<Deliver>().empty());
    bench.receive(replay(6, 5));
    CHECK(bench.all<Deliver>().size() == 1);
}

TEST_CASE("a gateway whose copy is behind replays that were shown is left for a while, unblamed") {
    Bench bench = bench_in_room();
    bench.cut();
    bench.come_back();
    bench.receive(replay(5, 3));
    bench.cut();
    bench.come_back();
    bench.receive(Bench::joined(room, {Inc{7}, 4}));
    CHECK(bench.all<Deliver>().empty());
    REQUIRE(bench.only<CloseSocket>() != nullptr);
    CHECK(bench.only<CloseSocket>()->close_code == 1000);
    CHECK_FALSE(bench.only<StatusChanged>()->reason);
    bench.come_back();
    CHECK(bench.last_hello().since[0].second == Cursor{Inc{7}, 3});
    bench.receive(Bench::joined(room, {Inc{7}, 5}));
    CHECK(bench.delivered<wire::JoinedFrame>() != nullptr);
    bench.receive(Bench::message(room, 6));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
}

TEST_CASE("what is to be left is resumed until it is, so that nothing is passed over unsaid") {
    Bench bench = bench_in_room();
    bench.cut();
    bench.submit(room, Leave{});
    bench.come_back();
    REQUIRE(bench.last_hello().since.size() == 1);
    CHECK(bench.last_hello().since[0].second == Cursor{Inc{7}, 3});
    CHECK(bench.all<Dropped>().empty());
    bench.receive(replay(5, 3));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    SUBCASE("in the history of before") {
        bench.receive(Bench::joined(room, {Inc{7}, 5}));
        CHECK(bench.delivered<wire::JoinedFrame>() != nullptr);
    }
    SUBCASE("in a new one") {
        bench.receive(reset({Inc{8}, 2}, "gone"));
        CHECK(bench.delivered<wire::ResetFrame>() != nullptr);
    }
    CHECK(bench.all_sent(ClientOp::unlisten).empty());
    REQUIRE(bench.sent(ClientOp::leave) != nullptr);
    bench.receive(ok(bench.sent(ClientOp::leave)->request));
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(bench.client.follow(room) == Follow::none);
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.empty());
}

TEST_CASE("a stream goes on until its unlisten is answered, whatever is decided before that") {
    Bench bench = bench_that_listens();
    bench.submit(room, say());
    const auto said = bench.sent(ClientOp::send)->request;
    SUBCASE("an op is accepted") {
        bench.submit(room, Unlisten{});
        const auto unlisten = bench.sent(ClientOp::unlisten)->request;
        bench.receive(ok(said));
        bench.receive(Bench::message(room, 4));
        CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
        bench.receive(ok(unlisten));
    }
    SUBCASE("an op is rejected") {
        bench.submit(room, Unlisten{});
        const auto unlisten = bench.sent(ClientOp::unlisten)->request;
        bench.receive(Bench::err(said, ErrorCode::not_member));
        bench.receive(Bench::message(room, 4));
        CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
        bench.receive(ok(unlisten));
    }
    SUBCASE("a second listen is given up") {
        const OpId second = bench.submit(room, Listen{});
        const auto listen = bench.sent(ClientOp::listen)->request;
        bench.submit(room, Unlisten{});
        CHECK(bench.all_sent(ClientOp::unlisten).empty());
        bench.step(GiveUp{second});
        bench.receive(Bench::message(room, 4));
        CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
        auto joined = Bench::joined(room, {Inc{7}, 4}, listen);
        joined.member = false;
        bench.receive(joined);
        REQUIRE(bench.sent(ClientOp::unlisten) != nullptr);
        bench.receive(ok(bench.sent(ClientOp::unlisten)->request));
    }
    CHECK(bench.client.follow(room) == Follow::none);
    CHECK(bench.all<Dropped>().empty());
    CHECK(bench.verdict()->outcome == Outcome::ok);
}

TEST_CASE("what waits in a queue that is deleted ends, also with an unlisten behind it") {
    Bench bench = bench_that_listens();
    bench.submit(room, say());
    const auto said = bench.sent(ClientOp::send)->request;
    const OpId waiting = bench.submit(room, put("a", "1"));  // For number 1 to be answered.
    bench.submit(room, Unlisten{});
    bench.receive(reset({Inc{7}, 5}, "deleted"));
    CHECK(bench.delivered<wire::ResetFrame>() != nullptr);
    bench.receive(Bench::err(said, ErrorCode::gone));
    REQUIRE(bench.all<Verdict>().size() == 2);
    CHECK(bench.all<Verdict>()[1]->id == waiting);
    CHECK(bench.all<Verdict>()[1]->outcome == Outcome::not_sent);
    REQUIRE(bench.sent(ClientOp::unlisten) != nullptr);
    bench.receive(ok(bench.sent(ClientOp::unlisten)->request));
    CHECK(bench.client.waiting_count() == 0);
}

TEST_CASE("who is removed while a leave is on its way is told so, as that has not been answered") {
    Bench bench = bench_that_listens();
    bench.submit(room, say());
    bench.submit(room, Unlisten{});
    wire::LeftFrame left;
    left.queue = room;
    left.why = "kicked";
    bench.receive(left);
    CHECK(bench.delivered<wire::LeftFrame>() != nullptr);
    bench.receive(left);
    CHECK(bench.all<Deliver>().empty());
}

TEST_CASE("a listen that is given up off line takes nothing from the unlisten behind it") {
    Bench bench = bench_that_listens();
    bench.cut();
    const OpId second = bench.submit(room, Listen{});
    bench.submit(room, Unlisten{});
    bench.step(GiveUp{second});
    bench.come_back();
    REQUIRE(bench.last_hello().since.size() == 1);
    CHECK(bench.last_hello().since[0].second == Cursor{Inc{7}, 3});
}

TEST_CASE(
    "a leave that is answered after a later join ends nothing, however old the gateway's copy") {
    Bench bench = bench_in_room();
    bench.submit(room, Leave{});
    const auto leave = bench.sent(ClientOp::leave)->request;
    bench.submit(room, Join{});
    bench.receive(Bench::joined(room, {Inc{7}, 9}, bench.sent(ClientOp::join)->request));
    REQUIRE(bench.client.is_member(room));
    CHECK_FALSE(bench.client.find(room)->members().contains("alice"));  // The copy is behind.
    auto late = ok(leave);
    late.seq = 4;
    bench.receive(late);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(bench.client.is_member(room));
    bench.receive(Bench::message(room, 10));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.size() == 1);
}

TEST_CASE("joined at an older place or inc breaks the connection") {
    for (const Cursor at : {Cursor{Inc{7}, 2}, Cursor{Inc{6}, 100}}) {
        Bench bench = bench_in_room();
        bench.cut();
        bench.come_back();
        bench.receive(Bench::joined(room, at));
        CHECK(broke(bench));
    }
}

TEST_CASE("a late answer to a join is its verdict, but no step back") {
    Bench bench = bench_in_room();
    bench.submit(room, Join{});
    const auto request = bench.sent(ClientOp::join)->request;
    bench.receive(Bench::message(room, 4));
    bench.receive(Bench::joined(room, {Inc{7}, 3}, request));
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(bench.all<Deliver>().empty());
    CHECK(cursor(bench) == 4);
}

TEST_CASE("a join answered again to who was removed since does not make a member") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    auto joined = Bench::joined(room, {Inc{7}, 9}, bench.sent(ClientOp::join)->request);
    joined.member = false;
    bench.receive(joined);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK_FALSE(bench.client.is_member(room));
    bench.cut();
    bench.come_back();
    CHECK(bench.all_sent(ClientOp::join).empty());
}

TEST_CASE("an OK without a stream makes no member") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    wire::OkFrame frame = ok(bench.sent(ClientOp::join)->request);
    frame.seq = 9;
    bench.receive(frame);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK_FALSE(bench.client.is_member(room));
    bench.cut();
    bench.come_back();
    CHECK(bench.all_sent(ClientOp::join).empty());
}

TEST_CASE("RESET replaces the state, unless it is older than the cursor") {
    Bench bench = bench_in_room();
    bench.receive(reset({Inc{7}, 9}, "behind"));
    REQUIRE(bench.delivered<wire::ResetFrame>() != nullptr);
    CHECK(cursor(bench) == 9);
    CHECK(bench.client.is_member(room));
    bench.receive(Bench::message(room, 10));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    for (const Cursor at : {Cursor{Inc{7}, 9}, Cursor{Inc{6}, 50}}) {
        Bench other = bench_in_room();
        other.receive(reset({Inc{7}, 10}, "behind"));
        other.receive(reset(at, "behind"));
        CHECK(broke(other));
    }
}

TEST_CASE("RESET(unknown) may go back") {
    Bench bench = bench_in_room();
    bench.receive(reset({Inc{5}, 1}, "unknown"));
    CHECK(bench.delivered<wire::ResetFrame>() != nullptr);
    CHECK(bench.client.find(room)->at() == Cursor{Inc{5}, 1});
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->inc == Inc{5});
    CHECK(bench.sent(ClientOp::send)->number == 1);
}

TEST_CASE("RESET(gone) ends the membership, and who had joined joins again") {
    Bench bench = bench_in_room();
    bench.receive(reset({Inc{8}, 0}, "gone"));
    CHECK_FALSE(bench.client.is_member(room));
    REQUIRE(bench.sent(ClientOp::join) != nullptr);
    bench.receive(Bench::joined(room, {Inc{8}, 1}, bench.sent(ClientOp::join)->request));
    CHECK(bench.client.is_member(room));
}

TEST_CASE("RESET(deleted) ends the membership for good") {
    Bench bench = bench_in_room();
    bench.receive(reset({Inc{8}, 0}, "deleted"));
    CHECK_FALSE(bench.client.is_member(room));
    CHECK(bench.sent(ClientOp::join) == nullptr);
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.empty());
}

TEST_CASE("a queue that is not there any more is asked for once more, whatever was wanted of it") {
    Bench bench = bench_in_room();
    bench.submit(room, Listen{});
    bench.receive(Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::listen)->request));
    bench.receive(reset({}, "gone"));
    CHECK(bench.delivered<wire::ResetFrame>() != nullptr);
    const auto* listen = bench.sent(ClientOp::listen);
    const auto* join = bench.sent(ClientOp::join);
    REQUIRE(listen != nullptr);
    REQUIRE(join != nullptr);
    CHECK_FALSE(join->cursor);
    CHECK(join->number == 2);  // The inc may live on, only not for this listener.
    const auto listen_request = listen->request;
    const auto join_request = join->request;
    bench.receive(Bench::err(listen_request, ErrorCode::no_queue));
    CHECK(bench.only<Dropped>() != nullptr);
    bench.receive(Bench::err(join_request, ErrorCode::no_queue));
    CHECK(bench.all<Dropped>().empty());  // Once is enough.
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.empty());
    CHECK(bench.all<SendFrame>().empty());
}

TEST_CASE("the OK of a leave of long ago does not hide that somebody has joined us since") {
    Bench bench = bench_in_room();
    bench.submit(room, Leave{});
    const auto leave = bench.sent(ClientOp::leave)->request;
    bench.cut();
    bench.come_back();
    auto joined = Bench::joined(room, {Inc{7}, 9});
    auto done = ok(leave);
    done.seq = 5;
    bool is_since = false;
    SUBCASE("decided before that") {
        joined.who.push_back({"alice", {}});
        is_since = true;
    }
    SUBCASE("decided before that, and the server did not know yet when it said so") {}
    SUBCASE("decided after it") {
        joined.who.push_back({"alice", {}});
        done.seq = 10;
    }
    bench.receive(joined);
    bench.receive(done);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(bench.client.is_member(room) == is_since);
    CHECK(bench.client.follow(room) == (is_since ? Follow::live : Follow::none));
}

TEST_CASE("who leaves but listens as well goes on listening from its cursor") {
    Bench bench = bench_in_room();
    bench.submit(room, Listen{});
    bench.receive(Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::listen)->request));
    bench.submit(room, Leave{});
    wire::OkFrame ok;
    ok.request = bench.sent(ClientOp::leave)->request;
    bench.receive(ok);
    REQUIRE(bench.sent(ClientOp::listen) != nullptr);
    CHECK(bench.sent(ClientOp::listen)->cursor == Cursor{Inc{7}, 3});
}

TEST_CASE("a join may go on where an earlier life of the client stopped") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{Cursor{Inc{7}, 3}});
    CHECK(bench.sent(ClientOp::join)->cursor == Cursor{Inc{7}, 3});
    const auto request = bench.sent(ClientOp::join)->request;
    bench.receive(replay(5, 3));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.receive(Bench::joined(room, {Inc{7}, 6}, request));
    CHECK(bench.delivered<wire::JoinedFrame>() != nullptr);
}

TEST_CASE("a rejoin that is rejected is told once, and not tried again") {
    Bench bench = bench_in_room();
    bench.receive(reset({Inc{8}, 0}, "gone"));
    bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::forbidden));
    REQUIRE(bench.only<Dropped>() != nullptr);
    CHECK(bench.only<Dropped>()->queue == room);
    CHECK(bench.only<Dropped>()->code == ErrorCode::forbidden);
    CHECK(bench.all<Verdict>().empty());
    bench.cut();
    bench.come_back();
    CHECK(bench.sent(ClientOp::join) == nullptr);
}

TEST_CASE("a rejoin that a full gateway refuses stays open") {
    Bench bench = bench_in_room();
    bench.receive(reset({Inc{8}, 0}, "gone"));
    wire::RefusedFrame refused;
    refused.request = bench.sent(ClientOp::join)->request;
    bench.receive(refused);
    bench.pass(3s);
    CHECK(bench.sent(ClientOp::join) != nullptr);
}

TEST_CASE("a resume in which the membership is gone joins again") {
    Bench bench = bench_in_room();
    bench.cut();
    bench.come_back();
    auto joined = Bench::joined(room, {Inc{7}, 5});
    joined.member = false;
    bench.receive(joined);
    CHECK(bench.sent(ClientOp::join) != nullptr);
    CHECK(bench.sent(ClientOp::join)->number == 2);
}

TEST_CASE("a watcher is no member, follows the stream and resumes it") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Listen{});
    auto joined = Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::listen)->request);
    joined.member = false;
    bench.receive(joined);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK_FALSE(bench.client.is_member(room));
    bench.receive(Bench::message(room, 4));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.size() == 1);
    joined.request.reset();
    joined.at.seq = 4;
    bench.receive(joined);
    CHECK(bench.sent(ClientOp::join) == nullptr);
    // And it may write, if the mount lets it.
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->number == 1);
}

TEST_CASE("after unlisten and leave the stream is not wanted any more") {
    Bench bench = bench_in_room();
    bench.submit(room, Leave{});
    const auto request = bench.sent(ClientOp::leave)->request;
    bench.receive(Bench::message(room, 4));  // Still under way.
    CHECK(bench.all<Deliver>().size() == 1);
    wire::OkFrame ok;
    ok.request = request;
    bench.receive(ok);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK_FALSE(bench.client.is_member(room));
    bench.receive(Bench::message(room, 77));
    CHECK(bench.outbox.empty());
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.empty());
}

TEST_CASE("a second listen to a live stream names no cursor, a first one after a while does") {
    Bench bench = bench_in_room();
    bench.submit(room, Listen{});
    CHECK_FALSE(bench.sent(ClientOp::listen)->cursor);
    bench.submit(room, Leave{});
    bench.submit(room, Unlisten{});
    for (const auto* frame : bench.all<SendFrame>()) {
        CHECK(frame->frame.op == ClientOp::unlisten);
    }
}

// ---- Streams that nobody wants ---------------------------------------------------------------
// Were they let stream on, a later join or listen that names a cursor would be a second one to a
// live stream: the server would take what went unheard for seen.

TEST_CASE("the stream of a listen that is given up is ended, whether it has begun or not") {
    Bench bench;
    bench.go_online();
    const OpId id = bench.submit(room, Listen{});
    const auto request = bench.sent(ClientOp::listen)->request;
    bench.step(GiveUp{id});
    const auto* unlisten = bench.sent(ClientOp::unlisten);
    REQUIRE(unlisten != nullptr);
    const auto unlistened = unlisten->request;
    auto late = Bench::joined(room, {Inc{7}, 3}, request);
    late.member = false;
    bench.receive(late);
    CHECK(bench.all<Deliver>().empty());
    bench.receive(Bench::message(room, 4));
    CHECK(bench.outbox.empty());
    bench.receive(ok(unlistened));
    CHECK(bench.outbox.empty());  // Nobody has asked for it.
}

TEST_CASE("a second answer to a listen begins no stream that nobody wants") {
    Bench bench = bench_that_listens();
    bench.submit(room, Unlisten{});
    bench.receive(ok(bench.sent(ClientOp::unlisten)->request));
    auto again = Bench::joined(room, {Inc{7}, 9}, 4711);
    again.member = false;
    bench.receive(again);
    CHECK(bench.all<Deliver>().empty());
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);
}

TEST_CASE("the welcome of a listen that was given up is not that of a join behind it") {
    Bench bench = bench_that_has_listened();
    const OpId id = bench.submit(room, Listen{});
    const auto listen = bench.sent(ClientOp::listen)->request;
    bench.step(GiveUp{id});
    REQUIRE(bench.sent(ClientOp::unlisten) != nullptr);
    const auto unlisten = bench.sent(ClientOp::unlisten)->request;
    bench.receive(Bench::message(room, 4));  // Nobody hears it, …
    CHECK(bench.outbox.empty());
    bench.submit(room, Join{});
    auto late = Bench::joined(room, {Inc{7}, 5}, listen);
    late.member = false;
    bench.receive(late);
    CHECK(bench.outbox.empty());
    bench.receive(ok(unlisten));
    REQUIRE(bench.sent(ClientOp::join) != nullptr);
    CHECK(bench.sent(ClientOp::join)->cursor == Cursor{Inc{7}, 3});
    const auto join = bench.sent(ClientOp::join)->request;
    bench.receive(replay(4, 3));  // … but who joins from its cursor on is given it.
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.receive(Bench::joined(room, {Inc{7}, 6}, join));
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(cursor(bench) == 6);
}

TEST_CASE("a listen that is given up while a join waits behind it: its stream is the join's") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::forbidden));
    const OpId id = bench.submit(room, Listen{Cursor{Inc{7}, 3}});
    const auto listen = bench.sent(ClientOp::listen)->request;
    bench.submit(room, Join{});
    const auto join = bench.sent(ClientOp::join)->request;
    bench.step(GiveUp{id});
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
    CHECK(bench.all<SendFrame>().empty());
    bench.receive(replay(4, 3));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    auto joined = Bench::joined(room, {Inc{7}, 5}, listen);
    joined.member = false;
    bench.receive(joined);
    CHECK(bench.all<Verdict>().empty());
    CHECK(cursor(bench) == 5);
    bench.receive(Bench::joined(room, {Inc{7}, 6}, join));
    CHECK(cursor(bench) == 6);
}

TEST_CASE("an unlisten waits for what a resume brings: that says whether one is a member") {
    Bench bench = bench_that_listens();
    bench.cut();
    bench.submit(room, Unlisten{});
    bench.submit(room, Listen{});
    bench.come_back();
    CHECK(bench.last_hello().since.size() == 1);
    REQUIRE(bench.client.follow(room) == Follow::resuming);
    CHECK(bench.sent(ClientOp::unlisten) == nullptr);
    auto joined = Bench::joined(room, {Inc{7}, 3});
    SUBCASE("one is: whom the backend has joined") { joined.member = true; }
    SUBCASE("one is none") { joined.member = false; }
    bench.receive(joined);
    CHECK(bench.client.is_member(room) == joined.member);
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);
}

TEST_CASE("an unlisten of whom the backend joined waits for what a resume brings, be it the end") {
    Bench bench = bench_that_listens();
    bench.receive(Bench::joined(room, {Inc{7}, 3}));
    REQUIRE(bench.client.is_member(room));
    bench.cut();
    bench.submit(room, Unlisten{});
    bench.come_back();
    CHECK(bench.last_hello().since.size() == 1);
    REQUIRE(bench.client.follow(room) == Follow::resuming);
    CHECK(bench.sent(ClientOp::unlisten) == nullptr);
    SUBCASE("it goes on") {
        bench.receive(Bench::joined(room, {Inc{7}, 3}));
        CHECK(bench.client.is_member(room));
    }
    SUBCASE("it is over") {
        bench.receive(reset({}, "gone"));
        CHECK_FALSE(bench.client.is_member(room));
    }
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);
}

TEST_CASE("a join that is given up may have been carried out: what it streams is no breach") {
    Bench bench = bench_in_room();
    bench.cut();
    bench.submit(room, Leave{});
    const OpId id = bench.submit(room, Join{});
    bench.come_back();
    bench.receive(Bench::joined(room, {Inc{7}, 5}));
    const auto leave = bench.sent(ClientOp::leave)->request;
    const auto join = bench.sent(ClientOp::join)->request;
    bench.step(GiveUp{id});
    bench.receive(ok(leave));
    bench.receive(replay(7, 6));
    CHECK(bench.client.state() == State::up);
    bench.receive(Bench::joined(room, {Inc{7}, 7}, join));
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(cursor(bench) == 7);
}

TEST_CASE("what a join that was given up brings all the same is shown whole") {
    Bench bench = bench_that_has_listened();
    const OpId id = bench.submit(room, Join{});
    const auto join = bench.sent(ClientOp::join)->request;
    CHECK(bench.sent(ClientOp::join)->cursor == Cursor{Inc{7}, 3});
    bench.step(GiveUp{id});
    bench.receive(replay(4, 3));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.receive(Bench::joined(room, {Inc{7}, 5}, join));
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(bench.delivered<wire::JoinedFrame>() != nullptr);
}

TEST_CASE("a joined that comes behind the OK of a join that was given up tells of the membership") {
    Bench bench;
    bench.go_online();
    const OpId id = bench.submit(room, Join{});
    const auto join = bench.sent(ClientOp::join)->request;
    bench.step(GiveUp{id});
    bench.receive(ok(join));  // The answer to the withdrawal, which took the shorter way.
    CHECK(bench.verdict()->outcome == Outcome::ok);
    bench.receive(Bench::joined(room, {Inc{7}, 4}, join));
    CHECK(bench.client.is_member(room));
    CHECK(bench.client.follow(room) == Follow::live);
    CHECK(bench.delivered<wire::JoinedFrame>() != nullptr);
    bench.cut();
    auto hello = Bench::hello();
    hello.session = SessionId{83};
    bench.wait_for_socket();
    bench.sign_in(hello);
    CHECK(bench.sent(ClientOp::join) != nullptr);  // It has joined, so it is taken back.
}

TEST_CASE("a reset of a stream that is being ended is not shown") {
    Bench bench = bench_that_has_listened();
    const OpId id = bench.submit(room, Listen{});
    const auto listen = bench.sent(ClientOp::listen)->request;
    bench.step(GiveUp{id});
    const auto unlisten = bench.sent(ClientOp::unlisten)->request;
    bench.submit(room, Join{});  // Waits for the unlisten.
    bench.receive(reset({Inc{8}, 6}, "gone"));
    auto joined = Bench::joined(room, {Inc{8}, 6}, listen);
    joined.member = false;
    bench.receive(joined);
    CHECK(bench.all<Deliver>().empty());
    bench.receive(ok(unlisten));
    REQUIRE(bench.sent(ClientOp::join) != nullptr);
    CHECK(bench.sent(ClientOp::join)->cursor == Cursor{Inc{7}, 3});
}

TEST_CASE("who gives a join up wants what came before it: here to leave") {
    Bench bench = bench_in_room();
    bench.submit(room, Leave{});
    const auto leave = bench.sent(ClientOp::leave)->request;
    const OpId last = bench.submit(room, Join{});
    const auto given_up = bench.sent(ClientOp::join)->request;
    bench.submit(room, Listen{});
    const auto listen = bench.sent(ClientOp::listen)->request;
    bench.submit(room, Unlisten{});
    bench.step(GiveUp{last});
    bench.receive(ok(leave));
    bench.receive(Bench::err(given_up, ErrorCode::withdrawn));
    auto joined = Bench::joined(room, {Inc{7}, 4}, listen);
    joined.member = false;
    bench.receive(joined);
    REQUIRE(bench.sent(ClientOp::unlisten) != nullptr);
    bench.receive(ok(bench.sent(ClientOp::unlisten)->request));
    CHECK(bench.client.follow(room) == Follow::none);
}

TEST_CASE("a listen that is refused leaves nothing waiting behind it, though a join is") {
    Bench bench = bench_in_room();
    bench.submit(room, Leave{});
    bench.receive(ok(bench.sent(ClientOp::leave)->request));
    bench.submit(room, Listen{});
    const auto listen = bench.sent(ClientOp::listen)->request;
    bench.submit(room, say("1"));
    const auto first = bench.sent(ClientOp::send)->request;
    bench.receive(Bench::err(first, ErrorCode::gone));
    bench.submit(room, say("2"));  // Waits for an inc, …
    bench.submit(room, Join{});    // … and this for its turn.
    CHECK(bench.all<SendFrame>().empty());
    bench.receive(Bench::err(listen, ErrorCode::no_queue));
    CHECK(bench.all<Verdict>().size() == 2);
    CHECK(bench.sent(ClientOp::join) != nullptr);
}

TEST_CASE("a second listen that is given up leaves the stream of the first as it is") {
    Bench bench = bench_that_listens();
    const OpId id = bench.submit(room, Listen{});
    const auto listen = bench.sent(ClientOp::listen)->request;
    bench.step(GiveUp{id});
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
    CHECK(bench.sent(ClientOp::unlisten) == nullptr);
    auto again = Bench::joined(room, {Inc{7}, 3}, listen);
    again.member = false;
    bench.receive(again);
    CHECK(bench.sent(ClientOp::unlisten) == nullptr);
    bench.receive(Bench::message(room, 4));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.size() == 1);
}

TEST_CASE("an unlisten that is given up after it was sent: what it ended begins again") {
    Bench bench = bench_that_listens();
    const OpId id = bench.submit(room, Unlisten{});
    const auto unlisten = bench.sent(ClientOp::unlisten)->request;
    bench.step(GiveUp{id});
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
    bench.receive(Bench::message(room, 4));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.receive(ok(unlisten));
    REQUIRE(bench.sent(ClientOp::listen) != nullptr);
    CHECK(bench.sent(ClientOp::listen)->cursor == Cursor{Inc{7}, 4});
    CHECK(bench.all<Dropped>().empty());
}

TEST_CASE("a join waits for the unlisten before it, and then says how far the queue was seen") {
    Bench bench = bench_that_listens();
    bench.submit(room, Unlisten{});
    const auto unlisten = bench.sent(ClientOp::unlisten)->request;
    bench.submit(room, Join{});
    CHECK(bench.sent(ClientOp::join) == nullptr);
    bench.receive(ok(unlisten));
    REQUIRE(bench.sent(ClientOp::join) != nullptr);
    CHECK(bench.sent(ClientOp::join)->cursor == Cursor{Inc{7}, 3});
}

TEST_CASE(
    "events of a history whose beginning was not wanted are not taken for the one asked for") {
    Bench bench = bench_that_has_listened();
    bench.receive(reset({Inc{8}, 3}, "gone"));  // Of a stream whose end is on its way.
    bench.submit(room, Listen{});
    const auto listen = bench.sent(ClientOp::listen)->request;
    bench.receive(Bench::message(room, 4));  // It follows (8,3), not the (7,3) that was named.
    CHECK(bench.outbox.empty());
    auto joined = Bench::joined(room, {Inc{8}, 4}, listen);
    joined.member = false;
    bench.receive(joined);
    CHECK(cursor(bench) == 4);
}

TEST_CASE("a membership's stream that begins behind the cursor of a join is left to that") {
    Bench bench = bench_that_has_listened();
    bench.submit(room, Join{});
    const auto join = bench.sent(ClientOp::join)->request;
    CHECK(bench.sent(ClientOp::join)->cursor == Cursor{Inc{7}, 3});
    bench.receive(Bench::joined(room, {Inc{7}, 2}));
    CHECK(bench.client.state() == State::up);
    CHECK(bench.all<Deliver>().empty());
    bench.receive(Bench::joined(room, {Inc{7}, 4}, join));
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(cursor(bench) == 4);
}

TEST_CASE("a membership's stream that begins behind what was seen is asked for from there") {
    Bench bench = bench_that_has_listened();
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.empty());
    bench.receive(Bench::joined(room, {Inc{7}, 2}));  // By a gateway that is behind the last one.
    CHECK(bench.all<Deliver>().empty());
    CHECK(bench.only<CloseSocket>()->close_code == 1000);
    bench.come_back();
    REQUIRE(bench.last_hello().since.size() == 1);
    CHECK(bench.last_hello().since[0].second == Cursor{Inc{7}, 3});
}

TEST_CASE("a second listen that is refused leaves the stream of the first as it is") {
    Bench bench = bench_that_listens();
    bench.submit(room, Listen{});
    bench.receive(Bench::err(bench.sent(ClientOp::listen)->request, ErrorCode::limit));
    CHECK(bench.verdict()->outcome == Outcome::rejected);
    bench.receive(Bench::message(room, 4));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
}

TEST_CASE("a stream that ends with a request that was given up is told to the application once") {
    Bench bench;
    bench.go_online();
    bench.receive(Bench::joined(room, {Inc{7}, 3}));  // The backend's doing, …
    const OpId id = bench.submit(room, Join{});
    auto again = Bench::joined(room, {Inc{7}, 4});
    again.member = false;  // … which it has undone since.
    bench.cut();
    bench.come_back();
    bench.receive(again);
    CHECK(bench.all<Dropped>().empty());  // A join is on its way.
    bench.step(GiveUp{id});
    REQUIRE(bench.all<Dropped>().size() == 1);
    CHECK(bench.all<Dropped>().front()->queue == room);
}

TEST_CASE("a membership by the backend that ends with its session is told once it is not resumed") {
    Bench bench;
    bench.go_online();
    bench.receive(Bench::joined(room, {Inc{7}, 3}));
    bench.cut();
    bench.wait_for_socket();
    auto hello = Bench::hello();
    hello.session = SessionId{83};
    bench.sign_in(hello);
    CHECK(bench.last_hello().since.size() == 1);  // It may have made us a member again.
    bench.cut();
    bench.wait_for_socket();
    bench.step(SocketOpened{bench.socket()});
    CHECK(bench.sent(ClientOp::hello)->since.empty());
    REQUIRE(bench.all<Dropped>().size() == 1);
    CHECK(bench.all<Dropped>().front()->code == ErrorCode::session_lost);
}

TEST_CASE("who is resumed to nothing that it may see is told at once that it is out") {
    Bench bench;
    bench.go_online();
    bench.receive(Bench::joined(room, {Inc{7}, 3}));  // By the backend, which removes it …
    bench.cut();
    auto hello = Bench::hello();
    SUBCASE("while it is away") {}
    SUBCASE("with its session") { hello.session = SessionId{83}; }
    bench.wait_for_socket();
    bench.sign_in(hello);
    REQUIRE(bench.last_hello().since.size() == 1);
    bench.receive(reset({}, "gone"));
    REQUIRE(bench.all<Dropped>().size() == 1);
    CHECK(bench.all<Dropped>().front()->code == ErrorCode::gone);
}

TEST_CASE("a membership that is lost is told though a listening is being given up") {
    Bench bench = bench_in_room();
    bench.submit(room, Listen{});
    bench.receive(Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::listen)->request));
    bench.cut();
    bench.submit(room, Unlisten{});
    auto hello = Bench::hello();
    hello.session = SessionId{83};
    bench.wait_for_socket();
    bench.sign_in(hello);
    REQUIRE(bench.sent(ClientOp::join) != nullptr);
    bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::forbidden));
    REQUIRE(bench.all<Dropped>().size() == 1);
    CHECK(bench.all<Dropped>().front()->code == ErrorCode::forbidden);
}

TEST_CASE("a client that was stopped is told of nothing that ended with that") {
    Bench bench = bench_that_listens();
    bench.step(Stop{});
    bench.step(Start{});
    bench.sign_in();
    CHECK(bench.all<Dropped>().empty());
}

TEST_CASE("a second join that is given up leaves the wish of the first as it is") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    bench.receive(Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::join)->request));
    bench.cut();
    bench.step(GiveUp{bench.submit(room, Join{})});
    bench.wait_for_socket();
    auto hello = Bench::hello();
    hello.session = SessionId{83};  // Memberships have ended with the first one.
    bench.sign_in(hello);
    CHECK(bench.sent(ClientOp::join) != nullptr);
}

TEST_CASE("a join answered again to who was removed since ends the stream that came with it") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    auto joined = Bench::joined(room, {Inc{7}, 9}, bench.sent(ClientOp::join)->request);
    joined.member = false;
    bench.receive(joined);
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);
    CHECK(bench.client.follow(room) == Follow::none);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    REQUIRE(bench.all<Dropped>().size() == 1);  // It has been joined, and is no more.
    CHECK(bench.all<Dropped>().front()->code == ErrorCode::not_member);
}

TEST_CASE("an unlisten of the client's own ends with its connection, as does what it was to end") {
    Bench bench = bench_that_has_listened();
    bench.step(GiveUp{bench.submit(room, Listen{})});
    REQUIRE(bench.sent(ClientOp::unlisten) != nullptr);
    bench.submit(room, Listen{});
    bench.cut();
    bench.come_back();
    CHECK(bench.all_sent(ClientOp::unlisten).empty());  // It would end the new listen's stream.
    CHECK(bench.sent(ClientOp::listen) != nullptr);
}

TEST_CASE("unlisten and listen in one breath: the second stream begins where the first ended") {
    Bench bench = bench_that_listens();
    bench.cut();
    bench.submit(room, Unlisten{});
    bench.submit(room, Listen{});
    bench.come_back();
    REQUIRE(bench.last_hello().since.size() == 1);
    // The stream that the hello asked for, …
    auto joined = Bench::joined(room, {Inc{7}, 5});
    joined.member = false;
    bench.receive(joined);
    REQUIRE(bench.sent(ClientOp::unlisten) != nullptr);
    const auto unlisten = bench.sent(ClientOp::unlisten)->request;
    bench.receive(ok(unlisten));
    // … and the one that is asked for behind its end.
    REQUIRE(bench.sent(ClientOp::listen) != nullptr);
    CHECK(bench.sent(ClientOp::listen)->cursor == Cursor{Inc{7}, 5});
    const auto listen = bench.sent(ClientOp::listen)->request;
    bench.receive(replay(7, 5));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    joined.request = listen;
    joined.at.seq = 8;
    bench.receive(joined);
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(cursor(bench) == 8);
    CHECK(bench.client.follow(room) == Follow::live);
}

TEST_CASE("leave and join in one breath: what comes before the second welcome is shown") {
    Bench bench = bench_in_room();
    bench.cut();
    bench.submit(room, Leave{});
    bench.submit(room, Join{});
    bench.come_back();
    bench.receive(Bench::joined(room, {Inc{7}, 3}));
    const auto leave = bench.sent(ClientOp::leave)->request;
    REQUIRE(bench.sent(ClientOp::join) != nullptr);
    const auto join = bench.sent(ClientOp::join)->request;
    bench.receive(ok(leave));
    bench.receive(replay(5, 3));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.receive(Bench::joined(room, {Inc{7}, 6}, join));
    CHECK(cursor(bench) == 6);
}

TEST_CASE("the reset of a queue that nobody wants any more keeps nothing waiting") {
    Bench bench;
    bench.go_online();
    bench.receive(Bench::joined(room, {Inc{7}, 3}));  // The backend's doing.
    bench.cut();
    bench.submit(room, say("1"));
    bench.submit(room, say("2"));
    bench.wait_for_socket();
    auto hello = Bench::hello();
    hello.session = SessionId{83};  // With the session its membership has ended.
    bench.sign_in(hello);
    REQUIRE(bench.last_hello().since.size() == 1);
    bench.receive(reset({}, "gone"));
    const auto first = bench.sent(ClientOp::send)->request;
    bench.receive(Bench::err(first, ErrorCode::gone));
    const auto verdicts = bench.all<Verdict>();
    REQUIRE(verdicts.size() == 2);
    CHECK(verdicts[0]->outcome == Outcome::unknown);
    CHECK(verdicts[1]->outcome == Outcome::not_sent);
}

TEST_CASE("who joins again says up to where it has seen the queue") {
    Bench bench = bench_in_room();
    bench.receive(Bench::message(room, 4));
    bench.submit(room, Leave{});
    wire::OkFrame ok;
    ok.request = bench.sent(ClientOp::leave)->request;
    bench.receive(ok);
    bench.submit(room, Join{});
    REQUIRE(bench.sent(ClientOp::join) != nullptr);
    CHECK(bench.sent(ClientOp::join)->cursor == Cursor{Inc{7}, 4});
    const auto request = bench.sent(ClientOp::join)->request;
    bench.receive(replay(6, 4));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.receive(Bench::joined(room, {Inc{7}, 7}, request));
    CHECK(cursor(bench) == 7);
}

TEST_CASE("a queue that the backend joined is followed without having been asked for") {
    Bench bench;
    bench.go_online();
    bench.receive(Bench::joined("/room/9", {Inc{4}, 2}));
    CHECK(bench.delivered<wire::JoinedFrame>() != nullptr);
    CHECK(bench.client.is_member("/room/9"));
    bench.receive(Bench::message("/room/9", 3));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.submit("/room/9", say());
    CHECK(bench.sent(ClientOp::send)->number == 1);
}

TEST_CASE("left ends a membership, and the client does not push back in") {
    Bench bench = bench_in_room();
    wire::LeftFrame left;
    left.queue = room;
    left.why = "kicked";
    bench.receive(left);
    REQUIRE(bench.delivered<wire::LeftFrame>() != nullptr);
    CHECK_FALSE(bench.client.is_member(room));
    bench.receive(left);
    CHECK(bench.outbox.empty());
    bench.cut();
    bench.come_back();
    CHECK(bench.sent(ClientOp::join) == nullptr);
    CHECK(bench.last_hello().since.empty());
}

TEST_CASE("lost messages and stalls are told and move no cursor") {
    Bench bench = bench_in_room();
    wire::GapFrame gap;
    gap.queue = room;
    gap.mount = "chat";
    gap.from = 4;
    gap.to = 9;
    bench.receive(gap);
    CHECK(bench.delivered<wire::GapFrame>() != nullptr);
    CHECK(cursor(bench) == 3);
    wire::StalledFrame stalled;
    stalled.queue = room;
    stalled.on = true;
    bench.receive(stalled);
    CHECK(bench.delivered<wire::StalledFrame>() != nullptr);
    gap.queue = "/room/unknown";
    bench.receive(gap);
    CHECK(bench.outbox.empty());
}

TEST_CASE("frames of queues that nobody asked for are ignored") {
    Bench bench = bench_in_room();
    bench.receive(Bench::message("/room/other", 5));
    auto other = reset({Inc{9}, 9}, "gone");
    other.queue = "/room/other";
    bench.receive(other);
    wire::LeftFrame left;
    left.queue = "/room/other";
    bench.receive(left);
    bench.receive(Bench::joined("not a name", {Inc{1}, 1}));
    CHECK(bench.outbox.empty());
    CHECK(bench.client.state() == State::up);
}

TEST_CASE("a state too big to keep ends the connection") {
    Bench bench = bench_in_room();
    const std::string big(Mirror::bytes_max, 'x');
    wire::StateFrame state;
    state.queue = room;
    state.mount = "scores";
    state.seq = 4;
    state.changes = {{"k", wire::Data{big}}};
    bench.receive(state);
    CHECK(broke(bench));
}

TEST_CASE("reliable messages are shown once and acknowledged after the application took them") {
    Bench bench;
    bench.go_online();
    auto mail = Bench::message("/user/alice", 100);
    mail.mount = "mail";
    mail.mail = 5;
    bench.receive(mail);
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    CHECK(bench.all<SendFrame>().empty());
    bench.receive(mail);  // Not taken yet, so neither shown nor acknowledged.
    CHECK(bench.outbox.empty());
    bench.step(MailTaken{5});
    REQUIRE(bench.sent(ClientOp::ack) != nullptr);
    CHECK(bench.sent(ClientOp::ack)->acked_mail == 5);
    bench.cut();
    bench.come_back();
    bench.receive(mail);
    CHECK(bench.all<Deliver>().empty());
    CHECK(bench.sent(ClientOp::ack) != nullptr);
    mail.mail = 9;
    bench.receive(mail);
    CHECK(bench.all<Deliver>().size() == 1);
}

TEST_CASE("messages to the user itself need no join and have no cursor") {
    Bench bench;
    bench.go_online();
    bench.receive(Bench::message("/user/alice", 100));
    bench.receive(Bench::message("/user/alice", 7));
    CHECK(bench.delivered<wire::MsgFrame>() != nullptr);
    bench.receive(Bench::message("/user/bob", 8));
    CHECK(bench.outbox.empty());
}

TEST_CASE("hello names at most 64 cursors") {
    Bench bench;
    bench.go_online();
    for (int i = 0; i < 70; ++i) {
        bench.join("/room/" + std::to_string(i), {Inc{7}, 3});
    }
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.size() == 64);
}

TEST_CASE("hello names the cursors of what is not to be left first") {
    Bench bench;
    bench.go_online();
    for (int i = 0; i < 70; ++i) {
        bench.join("/room/" + std::to_string(i), {Inc{7}, 3});
    }
    bench.cut();
    for (int i = 10; i < 20; ++i) {
        bench.submit("/room/" + std::to_string(i), Leave{});
    }
    bench.come_back();
    const auto& since = bench.last_hello().since;
    REQUIRE(since.size() == 64);
    for (std::size_t i = 0; i < since.size(); ++i) {
        const bool is_to_be_left =
            since[i].first.starts_with("/room/1") && since[i].first.size() == 8;
        CHECK(is_to_be_left == (i >= 60));
    }
}

}  // namespace
}  // namespace muster::client
