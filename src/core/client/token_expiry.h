#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"

namespace muster::client {

/// Returns when `token` (a JWT) ends, by its own word: for asking for the next one in time, never
/// for trust. Nothing where it is no JWT or names no time. Linear; no signature is looked at.
/// Source: RFC 7519 section 4.1.4.
[[nodiscard]] std::optional<WallTime> token_expiry(std::string_view token);

}  // namespace muster::client
