#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time.h"

/// How snapshots write times: as distances from the moment of saving, so that a process with
/// another monotonic clock can read them.
namespace muster::actor {

/// What is further away is damage. A thousand years keep every sum of times within 64 bits.
inline constexpr Duration saved_distance_max = std::chrono::hours{24 * 365 * 1'000};

/// Returns `at` as a snapshot of `now` writes it, in microseconds.
[[nodiscard]] inline std::int64_t to_saved(Instant at, Instant now) noexcept {
    return (at - now).count();
}

/// Returns the time that to_saved() wrote, or nothing where the distance is damaged.
[[nodiscard]] inline std::optional<Instant> from_saved(std::int64_t distance_us,
                                                       Instant now) noexcept {
    if (distance_us > saved_distance_max.count() || distance_us < -saved_distance_max.count()) {
        return std::nullopt;
    }
    return now + Duration{distance_us};
}

}  // namespace muster::actor
