#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "sim/checkers.h"
#include "sim/faults.h"

namespace muster::sim {

/// What one seed has shown.
struct Report {
    Breaches breaches;
    Duration simulated{};
    std::uint64_t requests = 0;
    std::uint64_t reads = 0;
    FaultCounts faults;
    std::string trace;  ///< empty unless asked for
};

enum class Tracing : std::uint8_t { off, on };

/// Runs one seed: a minute of work under faults, then healing and four minutes of rest, then the
/// checkers. The same seed gives the same report.
[[nodiscard]] Report run(std::uint64_t seed, Tracing tracing = Tracing::off);

}  // namespace muster::sim
