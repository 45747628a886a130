#pragma once

#include <cstdint>

namespace muster {

/// Seeded chance (splitmix64): the same seed gives the same numbers on every machine. For machines
/// and the simulator; never for secrets (those come from the operating system, as events).
class Rng {
public:
    explicit Rng(std::uint64_t seed) noexcept : state_(seed) {}

    /// Returns the next 64 uniformly distributed bits.
    std::uint64_t next() noexcept {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31U);
    }

    /// Returns a number in [0, bound), without bias. `bound` must not be 0.
    std::uint64_t below(std::uint64_t bound) noexcept {
        const std::uint64_t threshold = (0 - bound) % bound;
        for (;;) {
            const std::uint64_t draw = next();
            if (draw >= threshold) {
                return draw % bound;
            }
        }
    }

private:
    std::uint64_t state_;
};

}  // namespace muster
