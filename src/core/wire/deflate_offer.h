#pragma once

#include <string_view>

#include "core/wire/http_head.h"

/// How a client and a server agree on permessage-deflate.
/// Source: RFC 7692 sections 5 and 7.1; RFC 6455 section 9.1.
namespace muster::wire {

/// Returns the answer to the first offer of permessage-deflate in `Sec-WebSocket-Extensions` that
/// deflate.h can keep; empty where there is none. It always says that no message builds on an
/// earlier one, and names a window only where the offer does.
///
/// Offers are declined that have a parameter which is not known, stands twice or has a bad value,
/// or that ask for a smaller window than we look back (below 2^deflate_window_bits bytes).
/// Cost: linear.
[[nodiscard]] std::string_view answer_to_deflate_offers(const HeaderList& headers) noexcept;

}  // namespace muster::wire
