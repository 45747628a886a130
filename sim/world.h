#pragma once

#include <cstdint>

#include "base/rng.h"
#include "base/time.h"
#include "sim/history.h"
#include "sim/schedule.h"
#include "sim/trace.h"

namespace muster::sim {

/// What everything in a run shares: its time, what it writes down, and the seed of all chance.
struct World {
    explicit World(std::uint64_t seed_of_run) : seed(seed_of_run) {}
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    const std::uint64_t seed;
    Schedule schedule;
    Trace trace{schedule};
    History history;

    /// Returns the chance of one part of the run: what one part draws moves no other part's.
    [[nodiscard]] Rng chance(std::uint64_t part) const noexcept {
        Rng mixed(seed * 0x9e3779b97f4a7c15ULL + part);
        return Rng(mixed.next());
    }

    [[nodiscard]] WallTime wall() const noexcept {
        return WallTime{1'790'000'000'000 +
                        (schedule.now() - Schedule::start) / std::chrono::milliseconds{1}};
    }
};

/// Returns a duration in [least, most].
[[nodiscard]] inline Duration between(Rng& rng, Duration least, Duration most) noexcept {
    return least + Duration{static_cast<Duration::rep>(
                       rng.below(static_cast<std::uint64_t>((most - least).count()) + 1))};
}

/// Returns true once in `n` times.
[[nodiscard]] inline bool one_in(Rng& rng, std::uint64_t n) noexcept { return rng.below(n) == 0; }

}  // namespace muster::sim
