#pragma once

#include <string_view>

namespace muster::app {

/// Returns the version of this build: "0.1.0".
[[nodiscard]] std::string_view version() noexcept;

}  // namespace muster::app
