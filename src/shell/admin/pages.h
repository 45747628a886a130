#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "shell/admin/request.h"
#include "web/assets.h"

namespace muster::admin {

/// Returns the page or file of the console at `path` (as sent; `/` is its first page), or nothing
/// where there is none. The pages hold no secrets: what they show, they ask the API for.
/// `if_none_match` is that header of the request: what the browser has is not sent again.
[[nodiscard]] std::optional<Response> page(std::string_view path,
                                           std::optional<std::string_view> if_none_match,
                                           std::span<const web::Asset> assets);

}  // namespace muster::admin
