#pragma once

#include <chrono>
#include <cstdint>

namespace muster {

/// The clock of the core: it has no now(). The core is told the time (Context::now), so the same
/// machine runs in production, in a test, in a replay and in the simulator.
struct CoreClock {
    using rep = std::int64_t;
    using period = std::micro;
    using duration = std::chrono::duration<rep, period>;
    using time_point = std::chrono::time_point<CoreClock>;
    static constexpr bool is_steady = true;
};

/// A span of monotonic time, in microseconds.
using Duration = CoreClock::duration;

/// A point of monotonic time. Only differences within one process mean anything.
using Instant = CoreClock::time_point;

/// Wall-clock time in milliseconds since 1970: shown to people and compared with what is signed by
/// others (a token's `exp`). Never used for any other decision.
struct WallTime {
    std::int64_t ms = 0;
    friend auto operator<=>(const WallTime&, const WallTime&) = default;
};

}  // namespace muster
