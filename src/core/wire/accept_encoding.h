#pragma once

#include <string_view>

namespace muster::wire {

/// Returns whether a request with this Accept-Encoding header (empty: without one) may be answered
/// gzip-encoded. Cost: linear, no allocation.
/// Source: RFC 9110, 12.5.3. It names gzip or, failing that, `*`, with a weight that is not zero.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding) noexcept;

}  // namespace muster::wire
