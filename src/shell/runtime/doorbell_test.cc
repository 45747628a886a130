#include "shell/runtime/doorbell.h"

#include <chrono>

#include <doctest/doctest.h>

#include "shell/runtime/poller.h"

namespace muster::runtime {
namespace {

bool is_rung(const Doorbell& bell) {
    Poller poller{4};
    poller.add(bell.fd(), EPOLLIN, 1);
    return !poller.wait(Duration::zero()).empty();
}

TEST_CASE("only an owner that sleeps is rung, and once for all rings") {
    Doorbell bell;
    bell.ring();
    CHECK_FALSE(is_rung(bell));
    bell.about_to_sleep();
    bell.ring();
    bell.ring();
    CHECK(is_rung(bell));
    bell.awake();
    CHECK_FALSE(is_rung(bell));
}

TEST_CASE("sleeping ends at the ring, or when its time is over") {
    Doorbell bell;
    bell.about_to_sleep();
    bell.sleep(std::chrono::milliseconds{1});
    bell.ring();
    bell.sleep(std::chrono::hours{1});
    bell.awake();
    CHECK_FALSE(is_rung(bell));
}

}  // namespace
}  // namespace muster::runtime
