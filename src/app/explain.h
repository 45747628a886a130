#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error_code.h"

/// The registry of error codes in words: for terminals, for machines, and as a page of the
/// reference. All three say the same, for they are made from the same table.
namespace muster::app {

/// Returns what somebody may mean who types `text`, the likeliest first; empty where it is nothing
/// of ours. Known are labels (`M2003`, `m2003`, `2003`), names (`not_member`) and the codes with
/// which a WebSocket was closed (`4003`, `1008`). 4001 is both, M4001 and a close for M1001.
[[nodiscard]] std::vector<const ErrorInfo*> errors_meant_by(std::string_view text);

/// Returns some lines for a terminal, 100 columns wide at most.
[[nodiscard]] std::string explain(const ErrorInfo& info);

/// Returns one JSON object on one line: code, name, http_status and close_code (null where it has
/// none), retryable, meaning, cause, fix.
[[nodiscard]] std::string explain_as_json(const ErrorInfo& info);

/// Returns all codes, one a line, for `muster explain` without an argument.
[[nodiscard]] std::string list_errors();

/// Returns the page docs/reference/errors.md.
[[nodiscard]] std::string error_reference_markdown();

}  // namespace muster::app
