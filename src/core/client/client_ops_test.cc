// Long because: every line of the table of operations has its story here, on one bench.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/client/test_bench.h"

// How requests get their numbers, their sendings and their one verdict.
namespace muster::client {
namespace {

using namespace std::chrono_literals;
using wire::ClientOp;

constexpr std::string_view room = "/room/1";

Bench bench_in_room() {
    Bench bench;
    bench.go_online();
    bench.join(room, {Inc{7}, 3});
    return bench;
}

wire::OkFrame ok(std::optional<std::uint64_t> request, Seq seq) {
    wire::OkFrame frame;
    frame.request = request;
    frame.seq = seq;
    return frame;
}

wire::RetryFrame retry(std::optional<std::uint64_t> request, ErrorCode code, std::uint32_t ms = 0) {
    wire::RetryFrame frame;
    frame.request = request;
    frame.code = code;
    frame.after_ms = ms;
    return frame;
}

wire::RefusedFrame refused(std::optional<std::uint64_t> request, std::uint32_t attempt) {
    wire::RefusedFrame frame;
    frame.request = request;
    frame.attempt = attempt;
    return frame;
}

// ---- Numbers -------------------------------------------------------------------------------

TEST_CASE("a join to an unknown inc is op 1 of the present one, and the next op is number 2") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    const auto* join = bench.sent(ClientOp::join);
    REQUIRE(join != nullptr);
    CHECK(join->number == 1);
    CHECK(join->inc == Inc{0});
    CHECK(join->attempt == 1);
    bench.receive(Bench::joined(room, {Inc{7}, 3}, join->request));
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(bench.verdict()->at == Cursor{Inc{7}, 3});
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->number == 2);
    CHECK(bench.sent(ClientOp::send)->inc == Inc{7});
}

TEST_CASE("what is sent before the join was answered waits for its inc") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    const auto request = bench.sent(ClientOp::join)->request;
    bench.submit(room, say());
    bench.submit(room, put("alice", "7"));
    CHECK(bench.outbox.empty());
    bench.receive(Bench::joined(room, {Inc{7}, 3}, request));
    CHECK(bench.sent(ClientOp::send)->number == 2);
    CHECK(bench.sent(ClientOp::set)->number == 3);
}

TEST_CASE("ops of an offline client are sent in order once it is on line") {
    Bench bench;
    bench.step(Start{});
    bench.submit(room, Join{});
    bench.submit(room, say("1"));
    bench.submit(room, say("2"));
    bench.sign_in();
    CHECK(bench.all<SendFrame>().size() == 1);
    bench.receive(Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::join)->request));
    const auto sends = bench.all_sent(ClientOp::send);
    REQUIRE(sends.size() == 2);
    CHECK(sends[0]->data->bytes == "1");
    CHECK(sends[1]->data->bytes == "2");
}

TEST_CASE("numbers are counted per queue") {
    Bench bench = bench_in_room();
    bench.join("/room/2", {Inc{9}, 1});
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->number == 2);
    bench.submit("/room/2", say());
    CHECK(bench.sent(ClientOp::send)->number == 2);
    CHECK(bench.sent(ClientOp::send)->inc == Inc{9});
}

TEST_CASE("at most 32 numbers are unresolved, counted from the lowest open one") {
    Bench bench = bench_in_room();
    std::vector<std::uint64_t> requests;
    for (int i = 0; i < 40; ++i) {
        bench.submit(room, say());
        if (const auto* sent = bench.sent(ClientOp::send)) {
            requests.push_back(*sent->request);
        }
    }
    REQUIRE(requests.size() == 32);
    bench.receive(ok(requests[5], 10));  // Not the lowest: the window does not move.
    CHECK(bench.all<SendFrame>().empty());
    bench.receive(ok(requests[0], 11));
    CHECK(bench.sent(ClientOp::send)->number == 34);
    bench.receive(ok(requests[4], 12));
    CHECK(bench.all<SendFrame>().empty());
}

TEST_CASE("number 1 goes alone: were it overtaken, the queue would not know whose number 2 is") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Listen{});
    auto joined = Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::listen)->request);
    joined.member = false;
    bench.receive(joined);
    bench.submit(room, say("1"));
    const auto first = bench.sent(ClientOp::send)->request;
    bench.submit(room, say("2"));
    bench.submit(room, say("3"));
    CHECK(bench.outbox.empty());
    SUBCASE("it is answered") {}
    SUBCASE("a busy gateway turns it away") {
        bench.receive(retry(first, ErrorCode::busy, 500));
        bench.pass(500ms);
        REQUIRE(bench.sent(ClientOp::send) != nullptr);
        CHECK(bench.sent(ClientOp::send)->number == 1);
    }
    bench.receive(ok(first, 4));
    const auto sends = bench.all_sent(ClientOp::send);
    REQUIRE(sends.size() == 2);
    CHECK(sends[0]->number == 2);
    CHECK(sends[1]->number == 3);
}

TEST_CASE("a queue holds 64 requests; the next is not sent") {
    Bench bench;
    bench.step(Start{});
    bench.submit(room, Join{});
    for (int i = 0; i < 63; ++i) {
        bench.submit(room, say());
        CHECK(bench.outbox.empty());
    }
    bench.submit(room, say());
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
    CHECK(bench.verdict()->code == ErrorCode::busy);
}

TEST_CASE("who has neither joined nor listens cannot send") {
    Bench bench;
    bench.go_online();
    for (const Request& request : {say(), put("a", "1"), Request{Leave{}}}) {
        bench.submit(room, request);
        REQUIRE(bench.verdict() != nullptr);
        CHECK(bench.verdict()->outcome == Outcome::not_sent);
        CHECK(bench.verdict()->code == ErrorCode::not_member);
    }
}

TEST_CASE("requests that no server would accept cost no number") {
    Bench bench = bench_in_room();
    struct Case {
        std::string queue;
        Request request;
        ErrorCode code;
    };
    const std::vector<Case> cases = {
        {"no-slash", Join{}, ErrorCode::bad_name},
        {"/room//1", Listen{}, ErrorCode::bad_name},
        {std::string{room}, Send{MountName{""}, Payload{"1"}}, ErrorCode::bad_name},
        {std::string{room}, Send{MountName{"chat"}, Payload{std::string(16 * 1024 + 1, '1')}},
         ErrorCode::too_big},
        {std::string{room}, say(""), ErrorCode::bad_request},
        {std::string{room}, say("{"), ErrorCode::bad_request},
        {std::string{room}, say(R"(1}{"op":"leave")"), ErrorCode::bad_request},
        {std::string{room}, say("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), ErrorCode::bad_request},
        {std::string{room}, put("a", "nul"), ErrorCode::bad_request},
        {std::string{room}, put("", "1"), ErrorCode::bad_name},
        {std::string{room}, put(std::string(257, 'k'), "1"), ErrorCode::bad_name},
        {std::string{room}, History{MountName{"a b"}}, ErrorCode::bad_name},
    };
    for (const Case& one : cases) {
        bench.submit(one.queue, one.request);
        REQUIRE(bench.verdict() != nullptr);
        CHECK(bench.verdict()->outcome == Outcome::not_sent);
        CHECK(bench.verdict()->code == one.code);
    }
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->number == 2);
}

TEST_CASE("every kind of request carries its own fields") {
    Bench bench = bench_in_room();
    bench.submit(room, put("alice", "9", 20));
    const auto* set = bench.sent(ClientOp::set);
    REQUIRE(set != nullptr);
    CHECK(set->mount == "scores");
    CHECK(set->key == "alice");
    CHECK(set->data->bytes == "9");
    CHECK(set->if_seq == 20);
    bench.submit(room, put("alice", ""));
    CHECK_FALSE(bench.sent(ClientOp::set)->data);
    bench.submit(room, History{MountName{"chat"}, 17});
    const auto* history = bench.sent(ClientOp::history);
    REQUIRE(history != nullptr);
    CHECK(history->before == 17);
    CHECK_FALSE(history->number);
    bench.submit(room, Leave{});
    CHECK(bench.sent(ClientOp::leave)->number == 4);
    bench.submit("/room/2", Listen{});
    CHECK_FALSE(bench.sent(ClientOp::listen)->number);
    bench.receive(Bench::joined("/room/2", {Inc{8}, 3}, bench.sent(ClientOp::listen)->request));
    bench.submit("/room/2", Unlisten{});
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);
}

// ---- Sending again -------------------------------------------------------------------------

TEST_CASE("after a reconnect all open ops are sent again, in order, with the same numbers") {
    Bench bench = bench_in_room();
    bench.submit(room, say("1"));
    bench.submit(room, say("2"));
    bench.cut();
    bench.come_back();
    const auto sends = bench.all_sent(ClientOp::send);
    REQUIRE(sends.size() == 2);
    CHECK(sends[0]->number == 2);
    CHECK(sends[0]->attempt == 2);
    CHECK(sends[0]->data->bytes == "1");
    CHECK(sends[1]->number == 3);
}

TEST_CASE("without an answer everything of the queue is sent again after 3, 6, 12, 15, 15 s") {
    Bench bench = bench_in_room();
    bench.submit(room, say());
    for (const Duration wait : std::vector<Duration>{3s, 6s, 12s, 15s, 15s}) {
        bench.step(Heard{bench.socket()});
        bench.pass(wait - 1us);
        CHECK(bench.sent(ClientOp::send) == nullptr);
        bench.step(Heard{bench.socket()});
        bench.pass(1us);
        CHECK(bench.sent(ClientOp::send) != nullptr);
    }
    CHECK(bench.sent(ClientOp::send)->attempt == 6);
}

TEST_CASE("HOLE, RETRY and BUSY decide nothing: all of the queue is sent again after the delay") {
    for (const ErrorCode code : {ErrorCode::hole, ErrorCode::retry, ErrorCode::busy}) {
        Bench bench = bench_in_room();
        bench.submit(room, say("1"));
        const auto first = bench.sent(ClientOp::send)->request;
        bench.submit(room, say("2"));
        const auto second = bench.sent(ClientOp::send)->request;
        bench.receive(retry(first, code, 500));
        bench.receive(retry(second, code, 500));
        CHECK(bench.all<Verdict>().empty());
        bench.submit(room, say("3"));  // Behind the others, or it would get a HOLE.
        CHECK(bench.outbox.empty());
        bench.pass(499ms);
        CHECK(bench.outbox.empty());
        bench.pass(1ms);
        const auto sends = bench.all_sent(ClientOp::send);
        REQUIRE(sends.size() == 3);
        CHECK(sends[0]->number == 2);
        CHECK(sends[1]->number == 3);
        CHECK(sends[2]->number == 4);
        bench.receive(ok(first, 4));
        CHECK(bench.verdict()->outcome == Outcome::ok);
    }
}

TEST_CASE("a BUSY without a delay waits 3 s, a HOLE 100 ms, and both grow") {
    Bench bench = bench_in_room();
    bench.submit(room, say());
    const auto request = bench.sent(ClientOp::send)->request;
    bench.receive(retry(request, ErrorCode::busy));
    bench.pass(3s - 1us);
    CHECK(bench.sent(ClientOp::send) == nullptr);
    bench.pass(1us);
    CHECK(bench.sent(ClientOp::send) != nullptr);
    Duration waited{0};
    for (int i = 0; i < 8; ++i) {
        bench.receive(retry(request, ErrorCode::hole));
        const Instant before = bench.now;
        while (bench.sent(ClientOp::send) == nullptr &&
               bench.all_sent(ClientOp::withdraw).empty()) {
            bench.step(Heard{bench.socket()});
            bench.now = *bench.client.wake_at();
            bench.step(TimePassed{});
        }
        CHECK(bench.now - before >= waited);
        waited = bench.now - before;
        CHECK(waited <= OpLine::retry_max);
        bench.outbox.clear();
    }
    CHECK(waited >= 10s);
}

TEST_CASE("where the lowest open op gets HOLE twice, no-ops fill the numbers before it") {
    Bench bench = bench_in_room();
    bench.submit(room, say("1"));
    const auto first = bench.sent(ClientOp::send)->request;
    bench.receive(ok(first, 4));  // In truth a gateway's word: the queue never saw number 2.
    bench.submit(room, say("2"));
    const auto second = bench.sent(ClientOp::send)->request;
    bench.receive(retry(second, ErrorCode::hole));
    bench.pass(1s);
    CHECK(bench.all_sent(ClientOp::withdraw).empty());
    bench.receive(retry(second, ErrorCode::hole));
    bench.pass(1s);
    const auto fillers = bench.all_sent(ClientOp::withdraw);
    REQUIRE(fillers.size() == 2);
    CHECK(fillers[0]->number == 1);
    CHECK(fillers[1]->number == 2);
    CHECK(bench.all<SendFrame>().back()->frame.number == 3);
    const auto filler = fillers[1]->request;
    bench.receive(Bench::err(filler, ErrorCode::withdrawn));
    CHECK(bench.all<Verdict>().empty());
}

// ---- Verdicts ------------------------------------------------------------------------------

TEST_CASE("an op that the queue rejects was never applied, and says why") {
    Bench bench = bench_in_room();
    const OpId id = bench.submit(room, put("alice", "9", 20));
    auto err = Bench::err(bench.sent(ClientOp::set)->request, ErrorCode::conflict);
    err.current = 21;
    err.detail = "it changed";
    bench.receive(err);
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->id == id);
    CHECK(bench.verdict()->outcome == Outcome::rejected);
    CHECK(bench.verdict()->code == ErrorCode::conflict);
    CHECK(bench.verdict()->current == 21);
    CHECK(bench.verdict()->detail == "it changed");
}

TEST_CASE("an answer that comes twice, or to nothing, is no second verdict") {
    Bench bench = bench_in_room();
    bench.submit(room, say());
    const auto request = bench.sent(ClientOp::send)->request;
    bench.receive(ok(request, 4));
    CHECK(bench.verdict() != nullptr);
    bench.receive(ok(request, 4));
    CHECK(bench.outbox.empty());
    bench.receive(Bench::err(request, ErrorCode::gone));
    bench.receive(Bench::err(std::nullopt, ErrorCode::unsupported));
    bench.receive(retry(request, ErrorCode::busy));
    bench.receive(refused(request, 1));
    bench.receive(ok(999'999, 4));
    CHECK(bench.outbox.empty());
}

TEST_CASE("REFUSED of an op that was sent once is final, and its number goes out as a no-op") {
    Bench bench = bench_in_room();
    bench.submit(room, say());
    bench.receive(refused(bench.sent(ClientOp::send)->request, 1));
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->outcome == Outcome::rejected);
    CHECK(bench.verdict()->code == ErrorCode::refused);
    const auto* filler = bench.sent(ClientOp::withdraw);
    REQUIRE(filler != nullptr);
    CHECK(filler->number == 2);
    CHECK(filler->attempt == 2);
    bench.receive(Bench::err(filler->request, ErrorCode::withdrawn));
    CHECK(bench.outbox.empty());
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->number == 3);
}

TEST_CASE("REFUSED of an op that was sent twice is ignored") {
    Bench bench = bench_in_room();
    bench.submit(room, say());
    bench.cut();
    bench.come_back();
    const auto request = bench.sent(ClientOp::send)->request;
    for (const std::uint32_t attempt : {1U, 2U}) {
        bench.receive(refused(request, attempt));
        CHECK(bench.all<Verdict>().empty());
    }
    bench.receive(ok(request, 4));
    CHECK(bench.verdict()->outcome == Outcome::ok);
}

TEST_CASE("GONE is unknown, and new ops wait for the new inc and count from 1") {
    Bench bench = bench_in_room();
    bench.submit(room, say("10"));
    const auto request = bench.sent(ClientOp::send)->request;
    bench.submit(room, say("11"));
    const auto second = bench.sent(ClientOp::send)->request;
    bench.receive(Bench::err(request, ErrorCode::gone));
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->outcome == Outcome::unknown);
    CHECK(bench.verdict()->code == ErrorCode::gone);
    bench.submit(room, say("12"));
    CHECK(bench.outbox.empty());
    wire::ResetFrame reset;
    reset.queue = room;
    reset.at = {Inc{8}, 0};
    reset.why = "gone";
    bench.receive(reset);
    // Membership ended with the history: the join comes first.
    const auto* join = bench.sent(ClientOp::join);
    REQUIRE(join != nullptr);
    CHECK(join->number == 1);
    CHECK(bench.sent(ClientOp::send) == nullptr);
    bench.receive(Bench::joined(room, {Inc{8}, 1}, join->request));
    CHECK(bench.all<Verdict>().empty());  // Nobody asked for this one.
    const auto* send = bench.sent(ClientOp::send);
    REQUIRE(send != nullptr);
    CHECK(send->number == 2);
    CHECK(send->inc == Inc{8});
    // The older op still belongs to the older inc.
    bench.receive(Bench::err(second, ErrorCode::gone));
    CHECK(bench.verdict()->code == ErrorCode::gone);
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->number == 3);
}

TEST_CASE("a join to an inc that has ended becomes the first op of the next one, unseen") {
    Bench bench = bench_in_room();
    bench.submit(room, Leave{});
    bench.receive(ok(bench.sent(ClientOp::leave)->request, 4));
    const OpId id = bench.submit(room, Join{});
    const auto* join = bench.sent(ClientOp::join);
    CHECK(join->inc == Inc{7});
    CHECK(join->number == 3);
    bench.receive(Bench::err(join->request, ErrorCode::gone));
    CHECK(bench.all<Verdict>().empty());
    join = bench.sent(ClientOp::join);
    REQUIRE(join != nullptr);
    CHECK(join->inc == Inc{0});
    CHECK(join->number == 1);
    CHECK(join->attempt == 1);
    bench.receive(Bench::joined(room, {Inc{8}, 1}, join->request));
    CHECK(bench.verdict()->id == id);
    CHECK(bench.verdict()->outcome == Outcome::ok);
}

TEST_CASE("a join that was rejected uses the next number when it is tried again") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::forbidden));
    CHECK(bench.verdict()->outcome == Outcome::rejected);
    bench.submit(room, Join{});
    CHECK(bench.sent(ClientOp::join)->number == 2);
    CHECK(bench.sent(ClientOp::join)->inc == Inc{0});
    bench.receive(Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::join)->request));
    CHECK(bench.verdict()->outcome == Outcome::ok);
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->number == 3);
}

TEST_CASE("if nobody had counted the rejected join, its number is used again") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::limit));
    bench.submit(room, Join{});
    bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::expired));
    CHECK(bench.all<Verdict>().empty());
    const auto* join = bench.sent(ClientOp::join);
    REQUIRE(join != nullptr);
    CHECK(join->number == 1);
    bench.receive(Bench::joined(room, {Inc{7}, 3}, join->request));
    CHECK(bench.verdict()->outcome == Outcome::ok);
}

TEST_CASE("whether a rejected join was counted is found out by one op at a time") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::forbidden));
    bench.submit(room, Listen{});
    auto joined = Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::listen)->request);
    joined.member = false;
    bench.receive(joined);
    const OpId id = bench.submit(room, say("1"));
    const auto* first = bench.sent(ClientOp::send);
    REQUIRE(first != nullptr);
    CHECK(first->number == 2);
    const auto request = first->request;
    bench.submit(room, say("2"));
    CHECK(bench.outbox.empty());
    SUBCASE("it was") {
        bench.receive(ok(request, 4));
        CHECK(bench.sent(ClientOp::send)->number == 3);
    }
    SUBCASE("it was not: the number is taken back") {
        bench.receive(Bench::err(request, ErrorCode::expired));
        CHECK(bench.all<Verdict>().empty());
        const auto* again = bench.sent(ClientOp::send);
        REQUIRE(again != nullptr);
        CHECK(again->number == 1);
        CHECK(again->data->bytes == "1");
        bench.receive(ok(again->request, 4));
        CHECK(bench.verdict()->id == id);
        CHECK(bench.sent(ClientOp::send)->number == 2);
        CHECK(bench.client.state() == Client::State::up);
    }
}

TEST_CASE("an op of a guessed number that was given up is withdrawn where nobody had counted it") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::forbidden));
    bench.receive(Bench::joined(room, {Inc{7}, 3}));  // The backend's doing.
    const OpId id = bench.submit(room, say("1"));
    const auto send = bench.sent(ClientOp::send)->request;
    CHECK(bench.sent(ClientOp::send)->number == 2);
    bench.step(GiveUp{id});
    bench.receive(Bench::err(send, ErrorCode::expired));
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->outcome == Outcome::rejected);
    CHECK(bench.verdict()->code == ErrorCode::withdrawn);
    bench.submit(room, say("2"));
    CHECK(bench.client.state() == Client::State::up);
    CHECK(bench.sent(ClientOp::send)->number == 1);
}

TEST_CASE("who is led back to an inc goes on counting there") {
    Bench bench = bench_in_room();
    bench.submit(room, say());
    bench.receive(ok(bench.sent(ClientOp::send)->request, 4));
    wire::ResetFrame reset;
    reset.queue = room;
    reset.at = {Inc{8}, 1};
    reset.why = "behind";
    bench.receive(reset);
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->number == 1);
    reset.at = {Inc{7}, 4};
    reset.why = "unknown";
    bench.receive(reset);
    bench.submit(room, say());
    CHECK(bench.sent(ClientOp::send)->number == 3);
    CHECK(bench.sent(ClientOp::send)->inc == Inc{7});
}

TEST_CASE("a queue that is not there counts nothing") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::no_queue));
    bench.submit(room, Join{});
    CHECK(bench.sent(ClientOp::join)->number == 1);
}

TEST_CASE("with a failed join the ops that waited for it are not sent") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    const auto request = bench.sent(ClientOp::join)->request;
    const OpId id = bench.submit(room, say());
    bench.receive(Bench::err(request, ErrorCode::forbidden));
    const auto verdicts = bench.all<Verdict>();
    REQUIRE(verdicts.size() == 2);
    CHECK(verdicts[1]->id == id);
    CHECK(verdicts[1]->outcome == Outcome::not_sent);
    CHECK(verdicts[1]->code == ErrorCode::forbidden);
}

TEST_CASE("EXPIRED is unknown, and the client takes a new cid once nothing else is open") {
    Bench bench = bench_in_room();
    bench.submit(room, say("1"));
    const auto first = bench.sent(ClientOp::send)->request;
    bench.submit(room, say("2"));
    const auto second = bench.sent(ClientOp::send)->request;
    bench.receive(Bench::err(first, ErrorCode::expired));
    CHECK(bench.verdict()->outcome == Outcome::unknown);
    CHECK(bench.client.state() == Client::State::up);
    bench.submit(room, say("3"));
    CHECK(bench.outbox.empty());
    bench.receive(ok(second, 9));
    CHECK(bench.client.state() == Client::State::connecting);
    auto hello = Bench::hello();
    hello.cid = "cid-2";
    bench.sign_in(hello);
    CHECK_FALSE(bench.last_hello().nonce.empty());
    bench.receive(Bench::joined(room, {Inc{7}, 9}));
    CHECK(bench.sent(ClientOp::send)->number == 1);
    CHECK(bench.sent(ClientOp::send)->data->bytes == "3");
}

// ---- Giving up -----------------------------------------------------------------------------

TEST_CASE("an op given up before it was sent is not sent") {
    Bench bench;
    bench.step(Start{});
    bench.submit(room, Join{});
    const OpId id = bench.submit(room, say());
    bench.step(GiveUp{id});
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
    CHECK(bench.verdict()->code == ErrorCode::withdrawn);
}

TEST_CASE("an op given up after it was sent is withdrawn, and the queue decides") {
    Bench bench = bench_in_room();
    const OpId id = bench.submit(room, say());
    bench.step(GiveUp{id});
    CHECK(bench.all<Verdict>().empty());
    const auto* withdraw = bench.sent(ClientOp::withdraw);
    REQUIRE(withdraw != nullptr);
    CHECK(withdraw->number == 2);
    CHECK_FALSE(withdraw->data);
    const auto request = withdraw->request;
    bench.step(GiveUp{id});
    CHECK(bench.outbox.empty());
    SUBCASE("it was withdrawn in time") {
        bench.receive(Bench::err(request, ErrorCode::withdrawn));
        CHECK(bench.verdict()->outcome == Outcome::rejected);
    }
    SUBCASE("it had been applied") {
        bench.receive(ok(request, 4));
        CHECK(bench.verdict()->outcome == Outcome::ok);
    }
}

TEST_CASE("a request given up that is nobody's does nothing") {
    Bench bench = bench_in_room();
    bench.step(GiveUp{OpId{4711}});
    CHECK(bench.outbox.empty());
}

TEST_CASE("a listen that is given up ends at once, and a late answer is shown to nobody") {
    Bench bench;
    bench.go_online();
    const OpId id = bench.submit("/room/2", Listen{});
    const auto request = bench.sent(ClientOp::listen)->request;
    bench.step(GiveUp{id});
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);  // Of the stream that begins all the same.
    auto late = Bench::joined("/room/2", {Inc{9}, 1}, request);
    late.member = false;
    bench.receive(late);
    CHECK(bench.all<Deliver>().empty());
    bench.receive(Bench::message("/room/2", 2));
    CHECK(bench.outbox.empty());
}

TEST_CASE("a request that could not be sent within its time is not sent") {
    Bench bench;
    bench.step(Start{});
    bench.submit(room, Join{});
    bench.submit(room, say(), 30s);
    bench.pass(30s - 1us);
    CHECK(bench.all<Verdict>().empty());
    bench.pass(1us);
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
    CHECK(bench.verdict()->code == ErrorCode::retry);
}

TEST_CASE("while offline only the latest value of a key waits") {
    Bench bench = bench_in_room();
    bench.cut();
    const OpId first = bench.submit(room, put("alice", "1"));
    bench.submit(room, put("bob", "1"));
    bench.submit(room, put("alice", "2", 5));  // A condition of its own: not to be merged.
    CHECK(bench.outbox.empty());
    bench.submit(room, put("alice", "3"));
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->id == first);
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
    bench.come_back();
    bench.receive(Bench::joined(room, {Inc{7}, 3}));
    const auto sets = bench.all_sent(ClientOp::set);
    REQUIRE(sets.size() == 3);
    CHECK(sets[2]->data->bytes == "3");
}

// ---- Requests without a number -------------------------------------------------------------

TEST_CASE("history is answered with its items, and asked again after a reconnect") {
    Bench bench = bench_in_room();
    const OpId id = bench.submit(room, History{MountName{"chat"}, 17});
    bench.cut();
    bench.come_back();
    const auto* history = bench.sent(ClientOp::history);
    REQUIRE(history != nullptr);
    wire::HistoryFrame answer;
    answer.request = history->request;
    answer.items.push_back(Bench::message(room, 16));
    bench.receive(answer);
    REQUIRE(bench.only<DeliverHistory>() != nullptr);
    CHECK(bench.only<DeliverHistory>()->id == id);
    CHECK(bench.verdict()->outcome == Outcome::ok);
}

TEST_CASE("what takes no number is sent again on a connection only if it was turned away") {
    // It cannot get lost there, and an unlisten done twice would end the stream that came between.
    Bench bench = bench_in_room();
    bench.submit(room, say());
    const auto send = bench.sent(ClientOp::send)->request;
    bench.submit(room, Unlisten{});
    const auto unlisten = bench.sent(ClientOp::unlisten)->request;
    bench.pass(3s);
    REQUIRE(bench.all<SendFrame>().size() == 1);
    CHECK(bench.sent(ClientOp::send) != nullptr);
    bench.receive(retry(send, ErrorCode::busy, 100));
    bench.receive(retry(unlisten, ErrorCode::busy, 100));
    bench.pass(1s);
    REQUIRE(bench.all<SendFrame>().size() == 2);
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);
    bench.pass(15s);
    CHECK(bench.sent(ClientOp::unlisten) == nullptr);
}

TEST_CASE("what was asked for off line goes to the history that is there when the client is back") {
    Bench bench = bench_in_room();
    bench.cut();
    const OpId id = bench.submit(room, say("1"));
    bench.come_back();
    CHECK(bench.sent(ClientOp::send) == nullptr);
    SUBCASE("another one, which streams at once") {
        wire::ResetFrame reset;
        reset.queue = room;
        reset.at = Cursor{Inc{8}, 2};
        reset.why = "gone";
        bench.receive(reset);
    }
    SUBCASE("none: it begins with the join") {
        wire::ResetFrame reset;
        reset.queue = room;
        reset.why = "gone";
        bench.receive(reset);
        bench.receive(Bench::err(bench.sent(ClientOp::join)->request, ErrorCode::gone));
    }
    CHECK(bench.sent(ClientOp::send) == nullptr);
    REQUIRE(bench.sent(ClientOp::join) != nullptr);
    bench.receive(Bench::joined(room, {Inc{8}, 4}, bench.sent(ClientOp::join)->request));
    REQUIRE(bench.sent(ClientOp::send) != nullptr);
    CHECK(bench.sent(ClientOp::send)->inc == Inc{8});
    bench.receive(ok(bench.sent(ClientOp::send)->request, 5));
    CHECK(bench.verdict()->id == id);
    CHECK(bench.verdict()->outcome == Outcome::ok);
}

TEST_CASE(
    "an unlisten that waits for a resume is sent after it, whatever is sent again meanwhile") {
    Bench bench = bench_in_room();
    bench.submit(room, Unlisten{});
    bench.submit(room, say());
    bench.cut();
    bench.come_back();
    CHECK(bench.sent(ClientOp::unlisten) == nullptr);
    bench.pass(3s);
    CHECK(bench.sent(ClientOp::send) != nullptr);
    bench.receive(Bench::joined(room, {Inc{7}, 3}));
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);
}

TEST_CASE("listen and unlisten wait for each other, lest one turned away undo the later one") {
    Bench bench = bench_in_room();
    bench.submit(room, Unlisten{});
    const auto unlisten = bench.sent(ClientOp::unlisten)->request;
    bench.submit(room, Listen{});
    CHECK(bench.all<SendFrame>().empty());
    bench.receive(retry(unlisten, ErrorCode::busy, 100));
    bench.pass(1s);
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);
    CHECK(bench.sent(ClientOp::listen) == nullptr);
    wire::OkFrame done;
    done.request = unlisten;
    bench.receive(done);
    REQUIRE(bench.sent(ClientOp::listen) != nullptr);
    const auto listen = bench.sent(ClientOp::listen)->request;
    bench.submit(room, Unlisten{});
    CHECK(bench.all<SendFrame>().empty());
    bench.receive(Bench::joined(room, {Inc{7}, 3}, listen));
    CHECK(bench.sent(ClientOp::unlisten) != nullptr);
}

TEST_CASE("history that follows a join waits for it") {
    Bench bench;
    bench.go_online();
    bench.submit(room, Join{});
    const auto request = bench.sent(ClientOp::join)->request;
    bench.submit(room, History{MountName{"chat"}, {}});
    CHECK(bench.outbox.empty());
    bench.receive(Bench::joined(room, {Inc{7}, 3}, request));
    CHECK(bench.sent(ClientOp::history) != nullptr);
}

TEST_CASE("an unlisten that nobody waits for any more keeps nothing waiting") {
    Bench bench = bench_in_room();
    const OpId id = bench.submit(room, Unlisten{});
    const auto unlisten = bench.sent(ClientOp::unlisten)->request;
    bench.step(GiveUp{id});
    bench.submit(room, Listen{});
    CHECK(bench.sent(ClientOp::listen) == nullptr);
    SUBCASE("refused") { bench.receive(refused(unlisten, 1)); }
    SUBCASE("turned away") { bench.receive(retry(unlisten, ErrorCode::busy, 100)); }
    SUBCASE("cut off") {
        bench.cut();
        bench.come_back();
        CHECK(bench.sent(ClientOp::unlisten) == nullptr);
    }
    CHECK(bench.sent(ClientOp::listen) != nullptr);
}

TEST_CASE("a listen of the client's own that a busy server refuses is sent again") {
    Bench bench = bench_in_room();
    bench.submit(room, Listen{});
    bench.receive(Bench::joined(room, {Inc{7}, 3}, bench.sent(ClientOp::listen)->request));
    bench.submit(room, Leave{});
    wire::OkFrame done;
    done.request = bench.sent(ClientOp::leave)->request;
    bench.receive(done);
    REQUIRE(bench.sent(ClientOp::listen) != nullptr);  // Who listens as well goes on.
    bench.receive(refused(bench.sent(ClientOp::listen)->request, 1));
    bench.pass(15s);
    CHECK(bench.sent(ClientOp::listen) != nullptr);
}

TEST_CASE("a refused listen is not tried again by itself") {
    Bench bench;
    bench.go_online();
    bench.submit("/room/2", Listen{});
    bench.receive(refused(bench.sent(ClientOp::listen)->request, 1));
    CHECK(bench.verdict()->outcome == Outcome::rejected);
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().since.empty());
    CHECK(bench.all_sent(ClientOp::listen).empty());
}

// ---- Bounds --------------------------------------------------------------------------------

TEST_CASE("a client that saw very many queues takes a new cid and forgets the idle ones") {
    Bench bench;
    bench.go_online();
    bench.join("/room/kept", {Inc{7}, 3});
    int renewed = 0;
    for (int i = 0; i < 3000; ++i) {
        const std::string name = "/room/" + std::to_string(i);
        bench.submit(name, Listen{});
        if (bench.client.state() != Client::State::up) {
            ++renewed;
            bench.sign_in();
        }
        const auto* listen = bench.sent(ClientOp::listen);
        REQUIRE(listen != nullptr);
        bench.receive(Bench::err(listen->request, ErrorCode::forbidden));
        CHECK(bench.verdict()->outcome == Outcome::rejected);
    }
    CHECK(renewed >= 3);
    CHECK(renewed <= 4);
    CHECK(bench.client.is_member("/room/kept"));
}

}  // namespace
}  // namespace muster::client
