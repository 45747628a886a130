#include "base/rate.h"

#include <chrono>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{100s};

// Returns how many of `wanted` at one moment are taken.
int taken_at(RateMeter& meter, Instant now, int wanted) {
    int count = 0;
    for (int i = 0; i < wanted; ++i) {
        count += meter.take(now, 40, 80).has_value() ? 0 : 1;
    }
    return count;
}

TEST_CASE("after a pause, a whole burst is taken at once, and no more") {
    RateMeter meter;
    CHECK(taken_at(meter, start, 200) == 80);
    CHECK(taken_at(meter, start + 1s, 200) == 40);
    CHECK(taken_at(meter, start + 1s, 200) == 0);
    CHECK(taken_at(meter, start + 100s, 200) == 80);
}

TEST_CASE("who is refused and waits as told is taken, and one moment sooner is not") {
    RateMeter meter;
    CHECK(taken_at(meter, start, 80) == 80);
    const auto wait = meter.take(start, 40, 80);
    REQUIRE(wait.has_value());
    CHECK(*wait == 25ms);
    CHECK(meter.take(start + *wait - 1us, 40, 80) == 1us);
    CHECK_FALSE(meter.take(start + *wait, 40, 80).has_value());
}

TEST_CASE("a refusal costs nothing: who asks too often is not punished for it") {
    RateMeter meter;
    CHECK(taken_at(meter, start, 10'000) == 80);
    CHECK(taken_at(meter, start + 25ms, 1) == 1);
}

TEST_CASE("in no span are more taken than burst and rate allow") {
    CHECK(rc::check("bounded in every span", [] {
        const auto per_second = *rc::gen::inRange<std::uint32_t>(1, 100);
        const auto burst = *rc::gen::inRange<std::uint32_t>(1, 10);
        const auto steps_ms = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 50));
        RateMeter meter;
        Instant now = start;
        std::vector<Instant> taken;
        for (const int step : steps_ms) {
            now += std::chrono::milliseconds{step};
            if (!meter.take(now, per_second, burst)) {
                taken.push_back(now);
            }
        }
        const Duration interval = Duration{1s} / per_second;
        for (std::size_t first = 0; first + burst < taken.size(); ++first) {
            // burst + 1 of them need at least one interval.
            RC_ASSERT(taken[first + burst] - taken[first] >= interval);
        }
    }));
}

}  // namespace
}  // namespace muster
