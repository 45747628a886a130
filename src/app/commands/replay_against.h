#pragma once

#include <string>
#include <vector>

#include "app/commands/replay_sources.h"

namespace muster::app {

struct AgainstArguments {
    std::string program;  ///< the other build
    std::string until;    ///< as ReplayArguments::until; empty: to the end
    bool as_json = false;
};

/// Lets this build and another one run each recording, side by side, and prints whether they make
/// the same of every input, or the first of which they do not: so two builds that both decide
/// otherwise than the one that recorded, but in the same way, are the same.
///
/// Each runs in a process of its own and prints a line for each input (replay_shadow.h); a build
/// that is ahead waits, so memory does not grow. A recording is read once before, so that both end
/// at the same entry though it may still be written. Returns the program's exit code: failed where
/// they differ, where both die, or where one cannot be run.
int replay_against(const std::vector<RecordingPaths>& recordings,
                   const AgainstArguments& arguments);

}  // namespace muster::app
