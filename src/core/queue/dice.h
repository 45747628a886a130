#pragma once

#include <cstdint>

#include "base/payload.h"
#include "base/result.h"
#include "base/rng.h"

namespace muster::queue {

inline constexpr std::uint32_t dice_max = 100;
inline constexpr std::uint32_t die_sides_max = 1'000'000;

/// Rolls what `request` asks for, so that nobody can cheat: `{"roll":"2d6"}` becomes
/// `{"roll":"2d6","got":[3,5]}`; its other fields stay as they are.
/// Errors: bad_request, where it is no JSON object, holds no valid `roll` (1-100 dice of 2-1,000,000
/// sides), or brings a `got` of its own.
[[nodiscard]] Result<Payload> roll_dice(const Payload& request, Rng& rng);

}  // namespace muster::queue
