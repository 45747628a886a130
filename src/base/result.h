#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "base/error_code.h"

namespace muster {

/// Why something was refused: the registered code, and what was special this time.
struct Error {
    ErrorCode code;
    std::string detail;  ///< for people; never parsed; empty where the code says it all

    friend bool operator==(const Error&, const Error&) = default;
};

/// A value, or the reason why there is none. For all that a peer, a user, a disk or a limit can
/// cause; what only our own bug can cause is a MUSTER_CHECK.
template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> failure(ErrorCode code, std::string detail = {}) {
    return tl::unexpected<Error>(Error{code, std::move(detail)});
}

}  // namespace muster
