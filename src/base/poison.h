#pragma once

#include <source_location>
#include <string_view>

#include "base/check.h"

namespace muster {

/// Ends the process at `where` if `text` holds `poison`: but only in `muster_poisoned`, the program
/// with which tests show that what kills a server can be replayed. Elsewhere it is nothing.
inline void die_if_poisoned(
    [[maybe_unused]] std::string_view text, [[maybe_unused]] std::string_view poison,
    [[maybe_unused]] std::source_location where = std::source_location::current()) noexcept {
#ifdef MUSTER_POISONED
    if (text.find(poison) != std::string_view::npos) {
        check_failed("poisoned", where.file_name(), static_cast<int>(where.line()));
    }
#endif
}

/// Returns whether `text` asks to be decided otherwise than it should be: never, but in
/// `muster_poisoned`, which so is a build with another rule, too.
[[nodiscard]] inline bool is_decided_otherwise([[maybe_unused]] std::string_view text) noexcept {
#ifdef MUSTER_POISONED
    return text.find("another rule") != std::string_view::npos;
#else
    return false;
#endif
}

}  // namespace muster
