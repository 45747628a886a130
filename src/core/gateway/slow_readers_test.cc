#include "core/gateway/slow_readers.h"

#include <chrono>
#include <cstddef>
#include <string>

#include <doctest/doctest.h>

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

const QueueName room("/room/1");
const MountName chat("chat");
constexpr Instant now{1h};

TEST_CASE("a slow reader is counted by user, queue and mount") {
    SlowReaders readers;
    ++readers.of(UserId("alice"), room, chat, now).dropped;
    ++readers.of(UserId("alice"), room, chat, now).conflated;
    ++readers.of(UserId("alice"), room, MountName("dice"), now).dropped;
    ++readers.of(UserId("alice"), QueueName("/room/2"), chat, now).dropped;
    ++readers.of(UserId("bob"), room, chat, now).closed;
    CHECK(readers.all().size() == 4);
    CHECK(readers.of(UserId("alice"), room, chat, now).total() == 2);
}

TEST_CASE("of more slow readers than the table holds the heaviest stay") {
    SlowReaders readers;
    for (std::size_t i = 0; i < SlowReaders::count_max; ++i) {
        readers.of(UserId("u" + std::to_string(i)), room, chat, now).dropped = 10 + i;
    }
    for (int i = 0; i < 1'000; ++i) {
        ++readers.of(UserId("passing" + std::to_string(i)), room, chat, now).dropped;
    }
    CHECK(readers.all().size() == SlowReaders::count_max);
    CHECK(readers.of(UserId("u63"), room, chat, now).dropped == 73);
    CHECK(readers.of(UserId("u1"), room, chat, now).dropped == 11);
}

TEST_CASE("who was slow once makes room in time for who is now") {
    SlowReaders readers;
    readers.of(UserId("alice"), room, chat, now).dropped = 1'000;
    readers.of(UserId("bob"), room, chat, now + 10min).dropped = 300;
    CHECK(readers.of(UserId("alice"), room, chat, now + 10min).dropped == 500);
    CHECK(readers.of(UserId("bob"), room, chat, now + 30min).dropped == 75);
    ++readers.of(UserId("carol"), room, chat, now + 24h).closed;
    CHECK(readers.all().size() == 1);
}

}  // namespace
}  // namespace muster::gateway
