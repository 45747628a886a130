#include "shell/runtime/channel.h"

#include <memory>
#include <thread>

#include <doctest/doctest.h>

#include "shell/runtime/doorbell.h"
#include "shell/runtime/poller.h"

namespace muster::runtime {
namespace {

TEST_CASE("what goes in first comes out first") {
    Channel<int> channel(4);
    for (int i = 1; i <= 3; ++i) {
        CHECK(channel.push(i));
    }
    CHECK(channel.pop() == 1);
    CHECK(channel.pop() == 2);
    CHECK(channel.pop() == 3);
    CHECK(channel.pop() == std::nullopt);
    CHECK(channel.empty());
}

TEST_CASE("a full channel leaves the item with its sender") {
    Channel<std::unique_ptr<int>> channel(2);
    auto first = std::make_unique<int>(1);
    auto second = std::make_unique<int>(2);
    auto third = std::make_unique<int>(3);
    CHECK(channel.push(first));
    CHECK(channel.push(second));
    CHECK_FALSE(channel.push(third));
    REQUIRE(third != nullptr);
    CHECK(**channel.pop() == 1);
    CHECK(channel.push(third));
    CHECK(third == nullptr);
}

TEST_CASE("a popped item leaves nothing behind") {
    const auto shared = std::make_shared<int>(7);
    Channel<std::shared_ptr<int>> channel(2);
    auto item = shared;
    CHECK(channel.push(item));
    channel.pop();
    CHECK(shared.use_count() == 1);
}

TEST_CASE("two threads pass a million numbers in order, and the receiver sleeps in between") {
    constexpr int count = 1'000'000;
    Channel<int> channel(64);
    Doorbell bell;
    std::thread sender([&] {
        for (int i = 0; i < count; ++i) {
            int item = i;
            while (!channel.push(item)) {
                std::this_thread::yield();
            }
            bell.ring();
        }
    });
    Poller poller(1);
    poller.add(bell.fd(), EPOLLIN, 0);
    int expected = 0;
    bool in_order = true;
    while (expected < count) {
        bell.about_to_sleep();
        if (channel.empty()) {
            static_cast<void>(poller.wait(std::nullopt));  // A lost ring would wait for ever.
        }
        bell.awake();
        while (const auto item = channel.pop()) {
            in_order = in_order && *item == expected;
            ++expected;
        }
    }
    sender.join();
    CHECK(in_order);
}

TEST_CASE("a bell that nobody waits for costs its ringers no system call, and wakes nobody") {
    Doorbell bell;
    bell.ring();
    Poller poller(1);
    poller.add(bell.fd(), EPOLLIN, 0);
    CHECK(poller.wait(Duration::zero()).empty());
}

TEST_CASE("a bell that was rung before the sleep wakes at once, and only once") {
    Doorbell bell;
    Poller poller(1);
    poller.add(bell.fd(), EPOLLIN, 5);
    bell.about_to_sleep();
    bell.ring();
    const auto ready = poller.wait(std::nullopt);
    REQUIRE(ready.size() == 1);
    CHECK(ready[0].data.u64 == 5);
    bell.awake();
    CHECK(poller.wait(Duration::zero()).empty());
}

}  // namespace
}  // namespace muster::runtime
