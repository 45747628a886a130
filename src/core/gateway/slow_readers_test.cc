#include "core/gateway/slow_readers.h"

#include <string>

#include <doctest/doctest.h>

namespace muster::gateway {
namespace {

const QueueName room("/room/1");
const MountName chat("chat");

TEST_CASE("a slow reader is counted by user, queue and mount") {
    SlowReaders readers;
    ++readers.of(UserId("alice"), room, chat).dropped;
    ++readers.of(UserId("alice"), room, chat).conflated;
    ++readers.of(UserId("alice"), room, MountName("dice")).dropped;
    ++readers.of(UserId("alice"), QueueName("/room/2"), chat).dropped;
    ++readers.of(UserId("bob"), room, chat).closed;
    CHECK(readers.all().size() == 4);
    CHECK(readers.of(UserId("alice"), room, chat).total() == 2);
}

TEST_CASE("of more slow readers than the table holds the heaviest stay") {
    SlowReaders readers;
    for (std::size_t i = 0; i < SlowReaders::count_max; ++i) {
        readers.of(UserId("u" + std::to_string(i)), room, chat).dropped = 10 + i;
    }
    for (int i = 0; i < 1'000; ++i) {
        ++readers.of(UserId("passing" + std::to_string(i)), room, chat).dropped;
    }
    CHECK(readers.all().size() == SlowReaders::count_max);
    CHECK(readers.of(UserId("u63"), room, chat).dropped == 73);
    CHECK(readers.of(UserId("u1"), room, chat).dropped == 11);
}

}  // namespace
}  // namespace muster::gateway
