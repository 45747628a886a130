#pragma once

#include <cstdint>
#include <optional>

/// What processes have used, from /proc.
namespace muster::bench {

/// The machine's monotonic clock, the same in all processes.
[[nodiscard]] std::int64_t now_us() noexcept;

/// CPU time of a process so far, in seconds; nullopt for one that is unknown (0) or not there.
[[nodiscard]] std::optional<double> cpu_seconds(int pid);

/// CPU time of this process so far, in seconds.
[[nodiscard]] double own_cpu_seconds() noexcept;

[[nodiscard]] std::optional<double> resident_bytes(int pid);

}  // namespace muster::bench
