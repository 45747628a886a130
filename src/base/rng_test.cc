#include "base/rng.h"

#include <array>
#include <limits>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster {
namespace {

TEST_CASE("a seed gives the numbers of splitmix64, on every machine") {
    Rng rng{1234567};
    CHECK(rng.next() == 6457827717110365317U);
    CHECK(rng.next() == 3203168211198807973U);
    CHECK(rng.next() == 9817491932198370423U);
    CHECK(rng.next() == 4593380528125082431U);
    CHECK(rng.next() == 16408922859458223821U);
}

TEST_CASE("the same seed gives the same numbers") {
    CHECK(rc::check("two generators of one seed", [](std::uint64_t seed) {
        Rng first{seed};
        Rng second{seed};
        for (int i = 0; i < 20; ++i) {
            RC_ASSERT(first.next() == second.next());
        }
    }));
}

TEST_CASE("below() stays below its bound") {
    CHECK(rc::check("small bounds", [](std::uint64_t seed) {
        const auto bound = *rc::gen::inRange<std::uint64_t>(1, 100);
        Rng rng{seed};
        for (int i = 0; i < 20; ++i) {
            RC_ASSERT(rng.below(bound) < bound);
        }
    }));
    Rng rng{7};
    CHECK(rng.below(1) == 0);
    for (const std::uint64_t bound : {std::uint64_t{1} << 63U, (std::uint64_t{1} << 63U) + 1,
                                      std::numeric_limits<std::uint64_t>::max()}) {
        for (int i = 0; i < 100; ++i) {
            CHECK(rng.below(bound) < bound);
        }
    }
}

TEST_CASE("below() gives every number about equally often") {
    std::array<int, 6> counts{};
    Rng rng{42};
    constexpr int throw_count = 60000;
    for (int i = 0; i < throw_count; ++i) {
        ++counts[rng.below(counts.size())];
    }
    for (const int count : counts) {
        CHECK(count > 9600);  // 10,000 expected; 400 is more than four standard deviations.
        CHECK(count < 10400);
    }
}

}  // namespace
}  // namespace muster
