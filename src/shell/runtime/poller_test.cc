#include "shell/runtime/poller.h"

#include <sys/eventfd.h>
#include <sys/time.h>

#include <chrono>
#include <csignal>

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

int event_of_signal = -1;

void ring_event(int /*signal*/) { static_cast<void>(eventfd_write(event_of_signal, 1)); }

TEST_CASE("a wait that is interrupted sees what has become ready meanwhile") {
    const Descriptor event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    event_of_signal = event.fd();
    Poller poller(1);
    poller.add(event.fd(), EPOLLIN, 42);
    struct sigaction ring{};
    struct sigaction before{};
    ring.sa_handler = ring_event;
    REQUIRE(sigaction(SIGALRM, &ring, &before) == 0);
    itimerval soon{};
    soon.it_value.tv_usec = 10'000;
    REQUIRE(setitimer(ITIMER_REAL, &soon, nullptr) == 0);
    CHECK(poller.wait(std::nullopt).size() == 1);
    REQUIRE(sigaction(SIGALRM, &before, nullptr) == 0);
}

TEST_CASE("two draws of chance differ") { CHECK(random_bits() != random_bits()); }

}  // namespace
}  // namespace muster::runtime
