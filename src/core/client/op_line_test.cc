#include "core/client/op_line.h"

#include <vector>

#include <doctest/doctest.h>

// What the tests of the whole client (client_ops_test.cc) do not reach easily.
namespace muster::client {
namespace {

using namespace std::chrono_literals;

constexpr Instant now{1h};

OpLine::Op request(Request body, std::uint64_t id = 1) {
    OpLine::Op op;
    op.id = OpId{id};
    op.body = std::move(body);
    return op;
}

OpLine::Op message(std::uint64_t id = 1) {
    return request(Send{MountName{"chat"}, Payload{"1"}}, id);
}

/// Opens and sends all that may be sent; returns the numbers.
std::vector<OpNumber> send_all(OpLine& line, std::uint64_t& last_request) {
    std::vector<OpNumber> numbers;
    while (OpLine::Op* op = line.open_next()) {
        op->request = ++last_request;
        line.sent(*op, now);
        numbers.push_back(op->number);
    }
    return numbers;
}

TEST_CASE("only joins, leaves, sends and sets are ops") {
    CHECK(is_op(Join{}));
    CHECK(is_op(Leave{}));
    CHECK(is_op(Send{}));
    CHECK(is_op(Set{}));
    CHECK_FALSE(is_op(Listen{}));
    CHECK_FALSE(is_op(Unlisten{}));
    CHECK_FALSE(is_op(History{}));
}

TEST_CASE("in a later inc no-ops use up the number of a join that may stray") {
    for (const int attempts : {1, 2}) {
        OpLine line;
        std::uint64_t last_request = 0;
        REQUIRE(line.add(request(Join{})));
        CHECK(send_all(line, last_request) == std::vector<OpNumber>{1});
        for (int i = 1; i < attempts; ++i) {
            line.sent(*line.find(1), now);  // The first copy may still arrive, much later.
        }
        line.settle_ok(*line.find(1), Inc{7}, now);
        line.bind(Inc{8});
        REQUIRE(line.add(message()));
        const auto numbers = send_all(line, last_request);
        if (attempts == 1) {
            CHECK(numbers == std::vector<OpNumber>{1});
            continue;
        }
        CHECK(numbers == std::vector<OpNumber>{1});
        REQUIRE(line.open().size() == 1);
        CHECK(line.open()[0].intent == OpLine::Intent::fill);
        line.settle_rejected(line.open()[0], ErrorCode::withdrawn, now);
        CHECK(send_all(line, last_request) == std::vector<OpNumber>{2});
        CHECK(line.open()[0].intent == OpLine::Intent::apply);
    }
}

TEST_CASE("an op that nothing open will bring an inc for is hopeless") {
    OpLine line;
    CHECK_FALSE(line.is_next_hopeless());
    REQUIRE(line.add(request(Leave{})));
    REQUIRE(line.add(request(Join{})));
    CHECK(line.is_next_hopeless());  // The join behind it would wait for ever.
    line.held().pop_front();
    CHECK_FALSE(line.is_next_hopeless());
    REQUIRE(line.open_next() != nullptr);
    REQUIRE(line.add(message()));
    CHECK_FALSE(line.is_next_hopeless());
    OpLine::withdraw(line.open().front(), OpLine::Intent::withdraw);
    CHECK(line.is_next_hopeless());
}

TEST_CASE("fillers reach back one window at most") {
    OpLine line;
    std::uint64_t last_request = 0;
    line.bind(Inc{7});
    for (int i = 0; i < 60; ++i) {
        REQUIRE(line.add(message()));
        send_all(line, last_request);
        if (i < 59) {
            line.settle_ok(line.open().front(), Inc{7}, now);
        }
    }
    for (int i = 0; i < 2; ++i) {
        line.push_back(*line.find(last_request), ErrorCode::hole, 0ms, now);
        line.time_passed(now + 1min);
    }
    REQUIRE(line.open().size() == OpLine::window);
    for (std::size_t i = 0; i < OpLine::window; ++i) {
        CHECK(line.open()[i].number == 61 - OpLine::window + i);
    }
}

TEST_CASE("fillers reach back no further than the window of the newest number") {
    // A HOLE may be old: what is older than that has left the queue's ring by now.
    OpLine line;
    std::uint64_t last_request = 0;
    line.bind(Inc{7});
    for (OpNumber number = 1; number <= 60; ++number) {
        REQUIRE(line.add(message()));
        send_all(line, last_request);
        if (number <= 40) {
            line.settle_ok(line.open().front(), Inc{7}, now);
        }
    }
    for (int i = 0; i < 2; ++i) {
        line.push_back(line.open().front(), ErrorCode::hole, 0ms, now);
        line.time_passed(now + 1min);
    }
    CHECK(line.open().front().number == 61 - OpLine::window);
    SUBCASE("an OK shows that the queue has seen all before it: no filler is needed any more") {
        line.settle_ok(*line.find(41), Inc{7}, now);
        CHECK(line.open().front().number == 42);
        CHECK(line.open().size() == 19);
    }
}

TEST_CASE("asks are bounded, and the next waits") {
    OpLine line;
    std::uint64_t last_request = 0;
    for (std::size_t i = 0; i < OpLine::asks_max + 3; ++i) {
        REQUIRE(line.add(request(History{MountName{"chat"}, {}})));
    }
    CHECK(send_all(line, last_request).size() == OpLine::asks_max);
    line.settle(*line.find(1), now);
    CHECK(send_all(line, last_request).size() == 1);
}

}  // namespace
}  // namespace muster::client
