#include "shell/runtime/clock.h"

#include <chrono>

namespace muster::runtime {

Instant monotonic_now() noexcept {
    return Instant{std::chrono::duration_cast<Duration>(
        std::chrono::steady_clock::now().time_since_epoch())};
}

WallTime wall_now() noexcept {
    return WallTime{std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
}

}  // namespace muster::runtime
