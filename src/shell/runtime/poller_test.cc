#include "shell/runtime/poller.h"

#include <sys/eventfd.h>

#include <chrono>

#include <doctest/doctest.h>

#include "shell/runtime/clock.h"
#include "shell/runtime/entropy.h"

namespace muster::runtime {
namespace {

TEST_CASE("a poller reports what is ready under its token, as long as it is watched") {
    const Descriptor event(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
    Poller poller(8);
    poller.add(event.fd(), EPOLLIN, 42);
    const auto ready = poller.wait(std::nullopt);
    REQUIRE(ready.size() == 1);
    CHECK(ready[0].data.u64 == 42);
    CHECK((ready[0].events & EPOLLIN) != 0);
    poller.change(event.fd(), 0, 42);
    CHECK(poller.wait(Duration::zero()).empty());
    poller.change(event.fd(), EPOLLIN, 43);
    CHECK(poller.wait(Duration::zero())[0].data.u64 == 43);
    poller.remove(event.fd());
    CHECK(poller.wait(Duration::zero()).empty());
}

TEST_CASE("a wait ends at its time, not before") {
    Poller poller(1);
    const Instant before = monotonic_now();
    CHECK(poller.wait(std::chrono::milliseconds{3}).empty());
    CHECK(monotonic_now() - before >= std::chrono::milliseconds{3});
}

TEST_CASE("two draws of chance differ") { CHECK(random_bits() != random_bits()); }

}  // namespace
}  // namespace muster::runtime
