#pragma once

#include <vector>

#include "core/gateway/messages.h"

namespace muster::server {

/// The web pages inside the binary, as the gateway serves them. The page itself stands at `/`.
/// Unpacks each once, for clients that take no gzip.
[[nodiscard]] std::vector<gateway::Page> built_in_pages();

}  // namespace muster::server
