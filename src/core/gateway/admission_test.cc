#include "core/gateway/admission.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include <doctest/doctest.h>

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;
using Kind = Admission::Kind;

struct Door {
    Admission admission;
    Limits limits;
    Rng rng{1};
    Instant now{1h};

    std::optional<Duration> knock(Kind kind = Kind::login) {
        return admission.admit(kind, now, limits, rng);
    }
    int let_in(Kind kind, int count) {
        int in = 0;
        for (int i = 0; i < count; ++i) {
            in += knock(kind) ? 0 : 1;
        }
        return in;
    }
};

TEST_CASE("a burst is let in at once, and after it as many as the rate allows") {
    Door door;
    CHECK(door.let_in(Kind::login, 1'000) == 200);
    door.now += 500ms;
    CHECK(door.let_in(Kind::login, 1'000) == 100);
}

TEST_CASE("resumes have a rate of their own, and new logins do not use it up") {
    Door door;
    CHECK(door.let_in(Kind::login, 10'000) == 200);
    CHECK(door.let_in(Kind::resume, 10'000) == 2'000);
}

TEST_CASE("a rate of 0 lets everybody in") {
    Door door;
    door.limits.logins_per_second = 0;
    CHECK(door.let_in(Kind::login, 100'000) == 100'000);
    CHECK_FALSE(door.admission.refuses_all(door.now, door.limits, door.rng));
}

TEST_CASE("who is sent away is told a half to one and a half of the time that the line takes") {
    Door door;
    door.let_in(Kind::login, 200);
    constexpr int waiting = 4'000;  // 20 s at 200/s.
    Duration shortest = 1h;
    Duration longest{};
    for (int i = 1; i <= waiting; ++i) {
        const auto wait = door.knock();
        REQUIRE(wait);
        const Duration line = std::max<Duration>(i * 5ms, 200ms);
        CHECK(*wait >= line / 2);
        CHECK(*wait <= line / 2 * 3);
        if (i > waiting - 100) {
            shortest = std::min(shortest, *wait);
            longest = std::max(longest, *wait);
        }
    }
    CHECK(longest - shortest > 15s);  // Spread, and not all at one moment.
}

TEST_CASE("nobody is told to stay away for more than four and a half minutes") {
    Door door;
    door.let_in(Kind::login, 1'000'000);
    for (int i = 0; i < 1'000; ++i) {
        CHECK(door.knock().value() <= 270s);
    }
}

TEST_CASE("a flood of those who do not do as they are told makes the line no longer than that") {
    Door door;
    for (int i = 0; i < 10 * 60; ++i) {
        door.let_in(Kind::login, 10'000);
        door.now += 1s;
    }
    door.now += 3min;
    CHECK(door.let_in(Kind::login, 200) == 200);
    CHECK(door.knock().value() <= 300ms);
}

TEST_CASE("a line that has passed is forgotten") {
    Door door;
    door.let_in(Kind::login, 4'200);
    door.now += 21s;
    CHECK(door.let_in(Kind::login, 200) == 200);
    CHECK(door.knock().value() <= 300ms);
}

TEST_CASE("everybody is refused before the upgrade only while neither kind is let in") {
    Door door;
    const auto refuses_all = [&] {
        return door.admission.refuses_all(door.now, door.limits, door.rng).has_value();
    };
    CHECK_FALSE(refuses_all());
    door.let_in(Kind::resume, 2'000);
    CHECK_FALSE(refuses_all());
    door.let_in(Kind::login, 200);
    CHECK(refuses_all());
    door.now += 1ms;
    CHECK_FALSE(refuses_all());  // Asking has used up nothing.
    CHECK(door.let_in(Kind::resume, 10) == 2);
}

// Row 57 of GUARANTEES.md section 7: 50,000 reconnects in 1 s.
TEST_CASE("row 57: 50,000 that come back within a second are all in again within five minutes") {
    Door door;
    struct Attempt {
        Instant at;
        bool operator>(const Attempt& other) const { return at > other.at; }
    };
    std::priority_queue<Attempt, std::vector<Attempt>, std::greater<>> attempts;
    const Instant began = door.now;
    for (int i = 0; i < 50'000; ++i) {
        attempts.push({began + i * 20us});
    }
    std::vector<int> admitted_in_second(600);
    std::uint64_t tries = 0;
    while (!attempts.empty()) {
        door.now = attempts.top().at;
        attempts.pop();
        ++tries;
        if (const auto wait = door.knock(Kind::resume)) {
            attempts.push({door.now + *wait});
        } else {
            ++admitted_in_second.at(static_cast<std::size_t>((door.now - began) / 1s));
        }
    }
    CHECK(door.now - began < 5min);
    CHECK(tries < 3 * 50'000);
    const auto busiest = std::ranges::max_element(admitted_in_second);
    CHECK(*busiest <= 2 * 2'000);  // A burst and a second's share.
}

}  // namespace
}  // namespace muster::gateway
