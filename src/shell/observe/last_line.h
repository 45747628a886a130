#pragma once

#include <string_view>

#include "base/result.h"
#include "shell/observe/log_line.h"
#include "shell/observe/log_target.h"

namespace muster::observe {

/// What is needed to say "about to crash" when hardly anything works any more.
struct LastLine {
    LogTarget target;
    LogIdentity identity;
    std::string_view recording;  ///< the place of the running recording; empty: there is none
};

/// Sees to it that the process ends with one line "about to crash" where MUSTER_CHECK fails, and at
/// SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT: to the log's target and, in the form for people, to
/// stderr. Then the process ends as it would have ended without us.
///
/// Call it once, after the log's target was found good and before there is a second thread: what it
/// stores is only read afterwards. Resolves the host of a network target. The line itself takes no
/// memory and no lock, and waits at most 200 ms each for stderr and for a TCP connection.
/// Errors: bad_settings (the host is not known).
[[nodiscard]] Result<void> prepare_last_line(const LastLine& setup);

}  // namespace muster::observe
