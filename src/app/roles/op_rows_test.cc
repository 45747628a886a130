// GUARANTEES.md section 7, rows 41 to 48: what queues answer, as a client sees it.
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "app/roles/shard_bench.h"

namespace muster::roles {
namespace {

using namespace std::chrono_literals;
using gateway::TestPeer;

// Alice in a room, with bob beside her, who must not notice what she does wrong.
struct Room {
    ShardBench bench;
    TestPeer& alice = bench.sign_in("alice");
    TestPeer& bob = bench.sign_in("bob");
    std::string inc;

    Room() {
        ask(bob, R"({"op":"join","i":1,"q":"/room/1"})");
        ask(alice, R"({"op":"join","i":1,"n":1,"q":"/room/1"})");
        inc = std::to_string(bench.content("/room/1")->at.inc.value);
        bob.texts.clear();
    }
    std::string ask(TestPeer& peer, std::string_view json) {
        bench.peers().say(peer, json);
        return peer.last();
    }
    std::string ask(std::string_view json) { return ask(alice, json); }
    std::string send(int number, std::string_view data, std::string_view of = {}) {
        return ask(
            fmt::format(R"({{"op":"send","i":9,"n":{},"inc":{},"q":"/room/1","m":"chat","d":{}}})",
                        number, of.empty() ? inc : of, data));
    }
    std::string error(std::string_view code) const {
        return fmt::format(R"({{"op":"err","i":9,"code":"{}","outcome":"rejected")", code);
    }
    ~Room() {
        // Bob is there and well.
        bench.peers().say(bob, R"({"op":"ping"})");
        CHECK(bob.last() == R"({"op":"pong"})");
    }
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
};

TEST_CASE("row 41: a number that was decided gets its stored result, whatever the body says now") {
    Room room;
    const std::string first = room.send(2, "1");
    CHECK(first.starts_with(R"({"op":"ok","i":9,"seq":)"));
    const auto messages = room.bob.texts.size();
    CHECK(room.send(2, "\"another\"") == first);
    CHECK(room.send(2, "1") == first);
    CHECK(room.bob.texts.size() == messages);
    CHECK(room.send(3, "1") != first);
}

TEST_CASE("row 41: a number far behind the newest closes with 4000") {
    Room room;
    for (int number = 2; number <= 40; ++number) {
        room.send(number, "1");
    }
    CHECK(room.send(9, "1").starts_with(R"({"op":"ok")"));
    CHECK(room.send(1, "1").empty());
    CHECK(room.alice.close_code == 4000);
    CHECK(room.alice.is_ended);
}

TEST_CASE("row 42: an op for a history that has ended is gone, for one that nobody knows waits") {
    Room room;
    const std::string old = room.inc;
    const std::string future = std::to_string(std::stoull(old) + 100);
    CHECK(room.send(2, "1", future) == R"({"op":"retry","i":9,"code":"M2021","after_ms":1000})");
    room.bench.op("/room/1", queue::DeleteOp{});
    CHECK(room.send(2, "1") == R"({"op":"err","i":9,"code":"M2010","outcome":"unknown"})");
    room.ask(R"({"op":"join","i":2,"q":"/room/1"})");
    CHECK(room.send(2, "1", old) == R"({"op":"err","i":9,"code":"M2010","outcome":"unknown"})");
}

TEST_CASE("a number that leaves out one waits for that") {
    Room room;
    CHECK(room.send(3, "1") == R"({"op":"retry","i":9,"code":"M2020","after_ms":0})");
    CHECK(room.send(2, "1").starts_with(R"({"op":"ok")"));
    CHECK(room.send(3, "1").starts_with(R"({"op":"ok")"));
}

TEST_CASE("row 45: to send to a queue not joined, a mount not there or a state mount is rejected") {
    Room room;
    TestPeer& carol = room.bench.sign_in("carol");
    const std::string send = R"({"op":"send","i":9,"q":"/room/1","m":"chat","d":1})";
    CHECK(room.ask(carol, send).starts_with(room.error("M2003")));
    CHECK(
        room.ask(carol, R"({"op":"listen","i":1,"q":"/room/1"})").starts_with(R"({"op":"joined")"));
    CHECK(room.ask(carol, send).starts_with(room.error("M2003")));
    CHECK(room.ask(R"({"op":"send","i":9,"q":"/room/1","m":"nothing","d":1})")
              .starts_with(room.error("M3001")));
    CHECK(room.ask(R"({"op":"send","i":9,"q":"/room/1","m":"scores","d":1})")
              .starts_with(room.error("M3002")));
    CHECK(room.ask(R"({"op":"set","i":9,"q":"/room/1","m":"chat","k":"a","d":1})")
              .starts_with(room.error("M3002")));
    CHECK(room.ask(R"({"op":"send","i":9,"q":"/room/none","m":"chat","d":1})")
              .starts_with(room.error("M2002")));
    CHECK(room.ask(R"({"op":"leave","i":9,"q":"/room/none"})").starts_with(room.error("M2002")));
    CHECK(room.bob.texts.empty());
}

TEST_CASE(
    "row 46: what a client sends to another user's queue is rejected, and nobody hears of it") {
    Room room;
    CHECK(room.ask(R"({"op":"send","i":9,"q":"/user/bob","m":"mail","d":1})")
              .starts_with(room.error("M2004")));
    CHECK(room.bob.texts.empty());
}

TEST_CASE("rules of a mount hold: only the server, or only one's own key") {
    Room room;
    CHECK(room.ask(R"({"op":"send","i":9,"q":"/room/1","m":"news","d":1})")
              .starts_with(room.error("M2004")));
    CHECK(room.ask(R"({"op":"set","i":9,"q":"/room/1","m":"positions","k":"bob","d":1})")
              .starts_with(room.error("M2004")));
    CHECK(room.ask(R"({"op":"set","i":9,"q":"/room/1","m":"positions","k":"alice","d":1})")
              .starts_with(R"({"op":"ok")"));
}

TEST_CASE("row 47: a value above 16 KiB, a key above 256 bytes, and the 1,025th key are rejected") {
    Room room;
    const auto set = [&](std::string_view key, std::size_t size) {
        return room.ask(
            fmt::format(R"({{"op":"set","i":9,"q":"/room/1","m":"scores","k":"{}","d":"{}"}})", key,
                        std::string(size - 2, 'x')));
    };
    CHECK(set("a", 16 * 1024).starts_with(R"({"op":"ok")"));
    CHECK(set("a", 16 * 1024 + 1).starts_with(room.error("M3003")));
    CHECK(room.send(2, '"' + std::string(16 * 1024, 'x') + '"').starts_with(room.error("M3003")));
    CHECK(set(std::string(256, 'k'), 2).starts_with(R"({"op":"ok")"));
    CHECK(set(std::string(257, 'k'), 2).starts_with(room.error("M3003")));
    CHECK(set("a\\u0000b", 2).starts_with(room.error("M2001")));
    for (int i = 2; i < 1'024; ++i) {
        room.bench.pass(25ms);
        CHECK(set(fmt::format("k{}", i), 2).starts_with(R"({"op":"ok")"));
        static_cast<void>(room.ask(room.bob, R"({"op":"ack","n":1})"));
    }
    room.bench.pass(25ms);
    CHECK(set("one more", 2).starts_with(room.error("M3004")));
    CHECK(set("k7", 3).starts_with(R"({"op":"ok")"));
}

TEST_CASE("row 48: a set with a stale `if` is rejected with the seq of the last change") {
    Room room;
    const auto set = [&](std::string_view expected) {
        return room.ask(fmt::format(
            R"({{"op":"set","i":9,"q":"/room/1","m":"scores","k":"a","d":1,"if":{}}})", expected));
    };
    const std::string first = set("0");
    REQUIRE(first.starts_with(R"({"op":"ok","i":9,"seq":)"));
    const auto colon = first.rfind(':');
    const std::string seq = first.substr(colon + 1, first.size() - colon - 2);
    CHECK(set("0") == room.error("M3009") + fmt::format(R"(,"current":{}}})", seq));
    CHECK(set(seq).starts_with(R"({"op":"ok")"));
    CHECK(set(seq).starts_with(room.error("M3009")));
}

TEST_CASE("row 50: the 65th queue that a user joins is rejected, by whichever connection") {
    Room room;
    for (int i = 2; i <= 64; ++i) {
        room.bench.pass(25ms);
        CHECK(room.ask(fmt::format(R"({{"op":"join","i":9,"q":"/room/{}"}})", i))
                  .starts_with(R"({"op":"joined")"));
    }
    room.bench.pass(25ms);
    CHECK(room.ask(R"({"op":"join","i":9,"q":"/room/65"})").starts_with(room.error("M2005")));
    CHECK(room.bench.content("/room/65") == nullptr);
    CHECK(room.ask(R"({"op":"leave","i":9,"q":"/room/64"})").starts_with(R"({"op":"ok")"));
    CHECK(room.ask(R"({"op":"join","i":9,"q":"/room/65"})").starts_with(R"({"op":"joined")"));
}

TEST_CASE("an op that was withdrawn first is rejected, one that was applied keeps its result") {
    Room room;
    const auto withdraw = [&](int number) {
        return room.ask(fmt::format(R"({{"op":"withdraw","i":9,"n":{},"inc":{},"q":"/room/1"}})",
                                    number, room.inc));
    };
    CHECK(withdraw(2) == room.error("M2006") + '}');
    CHECK(room.send(2, "1") == room.error("M2006") + '}');
    const std::string sent = room.send(3, "1");
    CHECK(withdraw(3) == sent);
}

}  // namespace
}  // namespace muster::roles
