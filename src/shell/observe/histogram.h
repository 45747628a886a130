#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::observe {

/// Counts how often which value occurred, with a relative error of at most 1/64 and in at most
/// 16 KiB, whatever the values are. For latencies in microseconds, sizes in bytes and the like.
///
/// Shape:  values below 64 have a bucket each; above, each power of two is divided into 64 buckets
///         of one width. Buckets exist up to the biggest value seen.
/// Thread: a plain value: each shard has its own, and they are added up.
/// Source: HdrHistogram (Tene), simplified.
class Histogram {
public:
    static constexpr unsigned precision_bits = 6;

    /// Greater values are counted as this one: 2^36 us are 19 hours.
    static constexpr std::uint64_t value_max = (std::uint64_t{1} << 36U) - 1;

    void add(std::uint64_t value, std::uint64_t times = 1);

    /// Adds all that `other` counted: as if it had been counted here.
    void merge(const Histogram& other);

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }
    [[nodiscard]] std::uint64_t max() const noexcept { return max_; }

    /// Returns the least value (of those that can be told apart) that at least `percent` of all
    /// counted ones do not exceed; 0 without any. `percent` is in 0 … 100. Linear in the buckets.
    [[nodiscard]] std::uint64_t percentile(double percent) const noexcept;

    /// Returns how many were at most `value`, by the same precision. Linear in the buckets.
    [[nodiscard]] std::uint64_t count_at_most(std::uint64_t value) const noexcept;

    friend bool operator==(const Histogram&, const Histogram&) = default;

private:
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace muster::observe
