#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "core/queue/messages.h"
#include "shell/admin/json_body.h"
#include "shell/admin/problem.h"

/// Mount rules in JSON, in the words and units of the configuration file (SURFACES.md section 7):
/// `{"type":"message","write":"members","history":100,"history_ttl":"2m","max_bytes":"4KiB",…}`.
namespace muster::admin {

/// Reads the rules that stand as an object at `pointer`. What is left out is as in a new template.
[[nodiscard]] Parsed<queue::MountRules> parse_rules(std::string_view object, std::string pointer,
                                                    std::uint32_t payload_bytes_max);

/// Appends the rules' fields, without the braces. parse_rules reads them back to the same.
void append_rules(std::string& out, const queue::MountRules& rules);

/// Reads a field such as "10m" (base/units.h); `otherwise` where there is none.
[[nodiscard]] Duration parse_duration(Fields& fields, std::string_view name, Duration otherwise);

}  // namespace muster::admin
