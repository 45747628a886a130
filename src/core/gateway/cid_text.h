#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace muster::gateway {

/// Returns a cid as clients keep it: 32 hexadecimal digits.
[[nodiscard]] std::string to_text(const Cid& cid);

/// Returns the cid of exactly such a text.
[[nodiscard]] std::optional<Cid> parse_cid(std::string_view text) noexcept;

}  // namespace muster::gateway
