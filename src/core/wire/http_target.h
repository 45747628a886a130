#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/wire/http_head.h"

namespace muster::wire {

/// The longest path as sent: every byte of a queue, a mount and a key percent-encoded, and some
/// more.
inline constexpr std::size_t path_bytes_max = 2048;

/// Sets `path` to the decoded path of a request's target and returns the query as sent, without the
/// `?`. Decodes once; `%2F` becomes a plain `/`, so that encodeURIComponent(key) works. All checks
/// look at the decoded path, which is the only thing that may be routed by: it begins with `/`, is
/// UTF-8, has no control character and no segment `.` or `..`. Empty segments stay: a queue name
/// refuses them itself. Reuse `path`, and there is no allocation.
/// Errors: 400; 414 above path_bytes_max.
/// Source: GUARANTEES.md section 7, row 8.
[[nodiscard]] HttpResult<std::string_view> decode_target(std::string_view target,
                                                         std::string& path);

/// Returns the first value of `name` in a query such as `wait=25&mounts=chat,scores`, as sent. A
/// name without `=` has an empty value. Names are compared as sent.
[[nodiscard]] std::optional<std::string_view> query_value(std::string_view query,
                                                          std::string_view name) noexcept;

/// Appends a query's value to `out`, decoded (`+` is a space). Errors: 400 where it has a broken
/// percent sign, is no UTF-8 or has a control character; `out` is then of no use.
[[nodiscard]] HttpResult<void> append_query_decoded(std::string& out, std::string_view value);

}  // namespace muster::wire
