#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "base/error_code.h"
#include "base/result.h"
#include "shell/admin/request.h"

namespace muster::admin {

/// Why a request is refused, with all that may help its sender.
struct Problem {
    ErrorCode code = ErrorCode::bad_request;
    std::string detail = {};                    ///< for people
    std::optional<std::string> pointer = {};    ///< where in the body (RFC 6901); "" = all of it
    std::uint16_t status = 0;                   ///< 0: that of the registry
    std::optional<bool> is_retryable = {};      ///< nothing: as the registry says
    std::optional<std::uint64_t> current = {};  ///< conflict: the seq at which the key changed
    std::optional<std::uint64_t> limit = {};    ///< what was exceeded
    std::optional<std::uint32_t> retry_after_ms = {};  ///< also sent as Retry-After
    bool is_unknown = false;                           ///< it may have taken effect, or may yet
    std::vector<Header> headers = {};
};

/// A value, or the problem for the sender.
template <typename T>
using Parsed = tl::expected<T, Problem>;

[[nodiscard]] inline tl::unexpected<Problem> refuse(Problem problem) {
    return tl::unexpected<Problem>(std::move(problem));
}

[[nodiscard]] inline Problem problem_of(const Error& error) {
    return Problem{.code = error.code, .detail = error.detail};
}

/// Returns the problem document (RFC 9457) with its status.
[[nodiscard]] Response to_response(const Problem& problem);

}  // namespace muster::admin
