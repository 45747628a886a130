#pragma once

#include <cstdint>

namespace muster::runtime {

/// Returns 64 bits from the operating system's source of chance, for seeds and secrets.
[[nodiscard]] std::uint64_t random_bits();

}  // namespace muster::runtime
