#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace muster {

/// Counts how often something happens against "so many a second, so many at once".
///
/// Shape: one point in time, the "theoretical arrival time" of the generic cell rate algorithm
///        (GCRA, ITU-T I.371): no counter to refill, no timer.
/// Cost:  a few integer operations.
class RateMeter {
public:
    RateMeter() = default;

    /// The meter that another one was which had this full_at().
    explicit RateMeter(Instant full_at) noexcept : next_(full_at) {}

    /// Returns the time from which on the whole burst is there again: then it is as good as new.
    [[nodiscard]] Instant full_at() const noexcept { return next_; }

    /// Takes one if there is room and returns nothing; else takes none and returns how long to wait
    /// until there is. `per_second` and `burst` must not be 0.
    std::optional<Duration> take(Instant now, std::uint32_t per_second, std::uint32_t burst) noexcept {
        const Duration interval{std::chrono::microseconds{1'000'000} / per_second};
        const Instant allowed_until = now + interval * (burst - 1);
        if (next_ > allowed_until) {
            return next_ - allowed_until;
        }
        next_ = (next_ > now ? next_ : now) + interval;
        return std::nullopt;
    }

private:
    Instant next_{};
};

}  // namespace muster
