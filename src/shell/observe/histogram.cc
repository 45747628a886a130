#include "shell/observe/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace muster::observe {
namespace {

constexpr std::uint64_t steps = std::uint64_t{1} << Histogram::precision_bits;

std::size_t index_of(std::uint64_t value) noexcept {
    if (value < steps) {
        return value;
    }
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - Histogram::precision_bits;
    return (shift + 1) * steps + ((value >> shift) - steps);
}

/// Returns the greatest value that is counted in bucket `index`.
std::uint64_t last_value_of(std::size_t index) noexcept {
    if (index < steps) {
        return index;
    }
    const std::size_t shift = index / steps - 1;
    return ((index % steps + steps + 1) << shift) - 1;
}

}  // namespace

void Histogram::add(std::uint64_t value, std::uint64_t times) {
    value = std::min(value, value_max);
    const std::size_t index = index_of(value);
    if (index >= counts_.size()) {
        counts_.resize(index + 1);
    }
    counts_[index] += times;
    count_ += times;
    sum_ += value * times;
    max_ = times > 0 ? std::max(max_, value) : max_;
}

void Histogram::merge(const Histogram& other) {
    if (other.counts_.size() > counts_.size()) {
        counts_.resize(other.counts_.size());
    }
    for (std::size_t i = 0; i < other.counts_.size(); ++i) {
        counts_[i] += other.counts_[i];
    }
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::percentile(double percent) const noexcept {
    MUSTER_CHECK(percent >= 0);
    MUSTER_CHECK(percent <= 100);
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        seen += counts_[i];
        if (seen > 0 && seen >= wanted) {
            return std::min(last_value_of(i), max_);
        }
    }
    return max_;
}

std::uint64_t Histogram::count_at_most(std::uint64_t value) const noexcept {
    const std::size_t end = std::min(counts_.size(), index_of(std::min(value, value_max)) + 1);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < end; ++i) {
        count += counts_[i];
    }
    return count;
}

}  // namespace muster::observe
