#include "shell/observe/histogram.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

using muster::observe::Histogram;

namespace {

Histogram histogram_of(const std::vector<std::uint64_t>& values) {
    Histogram histogram;
    for (const std::uint64_t value : values) {
        histogram.add(value);
    }
    return histogram;
}

/// Values of every magnitude, the too great ones too.
rc::Gen<std::uint64_t> any_value() {
    return rc::gen::mapcat(rc::gen::inRange(0, 64), [](int bits) {
        const std::uint64_t end = bits == 63 ? ~std::uint64_t{0} : std::uint64_t{2} << bits;
        return rc::gen::inRange<std::uint64_t>(0, end);
    });
}

}  // namespace

TEST_CASE("a histogram without values has percentiles of 0") {
    const Histogram histogram;
    CHECK(histogram.count() == 0);
    CHECK(histogram.percentile(50) == 0);
    CHECK(histogram.count_at_most(1'000) == 0);
}

TEST_CASE("small values are counted exactly") {
    const Histogram histogram = histogram_of({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    CHECK(histogram.percentile(0) == 1);
    CHECK(histogram.percentile(50) == 5);
    CHECK(histogram.percentile(90) == 9);
    CHECK(histogram.percentile(100) == 10);
    CHECK(histogram.count() == 10);
    CHECK(histogram.sum() == 55);
    CHECK(histogram.max() == 10);
    CHECK(histogram.count_at_most(3) == 3);
}

TEST_CASE("a percentile is within 1/64 above the true one, whatever the values are") {
    CHECK(rc::check([] {
        const auto values =
            *rc::gen::nonEmpty(rc::gen::container<std::vector<std::uint64_t>>(any_value()));
        const auto percent = *rc::gen::inRange(0, 101);
        std::vector<std::uint64_t> sorted = values;
        for (std::uint64_t& value : sorted) {
            value = std::min(value, Histogram::value_max);
        }
        std::sort(sorted.begin(), sorted.end());
        const auto rank = static_cast<std::size_t>(
            std::ceil(percent / 100.0 * static_cast<double>(sorted.size())));
        const std::uint64_t exact = sorted[rank == 0 ? 0 : rank - 1];

        const std::uint64_t found = histogram_of(values).percentile(percent);
        RC_ASSERT(found >= exact);
        RC_ASSERT(found - exact <= exact / 64);
    }));
}

TEST_CASE("merging two histograms is counting all their values in one") {
    CHECK(rc::check([] {
        const auto gen = rc::gen::container<std::vector<std::uint64_t>>(any_value());
        const auto some = *gen;
        const auto more = *gen;
        Histogram merged = histogram_of(some);
        merged.merge(histogram_of(more));
        std::vector<std::uint64_t> all = some;
        all.insert(all.end(), more.begin(), more.end());
        RC_ASSERT(merged == histogram_of(all));
    }));
}

TEST_CASE("values beyond the end are counted as the greatest") {
    Histogram histogram;
    histogram.add(~std::uint64_t{0});
    CHECK(histogram.max() == Histogram::value_max);
    CHECK(histogram.percentile(50) == Histogram::value_max);
    CHECK(histogram.count_at_most(~std::uint64_t{0}) == 1);
    CHECK(histogram.count_at_most(1'000'000) == 0);
}
