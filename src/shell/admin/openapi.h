#pragma once

#include <string_view>

namespace muster::admin {

/// Returns openapi.json, which lies beside this file and inside the program: the description of the
/// whole API for machines (OpenAPI 3.1).
[[nodiscard]] std::string_view openapi_json() noexcept;

}  // namespace muster::admin
