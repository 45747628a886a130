#pragma once

#include "base/time.h"

namespace muster::runtime {

/// The machine's monotonic time, as the core counts it. The one place where it is read.
[[nodiscard]] Instant monotonic_now() noexcept;

/// The wall clock, for people and for tokens.
[[nodiscard]] WallTime wall_now() noexcept;

}  // namespace muster::runtime
