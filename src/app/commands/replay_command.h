#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muster::app {

struct ReplayArguments {
    std::vector<std::string> paths;  ///< files of recordings, or a folder
    std::string until;               ///< "412": before that entry; "/room/123@20": at that seq
    std::string queue;               ///< of --dump: only this one
    bool dumps_state = false;
    bool in_gdb = false;
    std::string against;   ///< another build of this program, to be held against this one
    std::string program;   ///< this one
    bool goes_on = false;  ///< past `until`, as a debugger has been told of it
    bool as_json = false;

    // For --against, of the two builds that it runs (replay_shadow.h).
    bool is_shadow = false;
    std::uint64_t explained = 0;
    std::optional<std::uint64_t> entries{};
};

/// Replays a recording and says whether it went as it did then. Returns the program's exit code:
/// failed where there is a difference, or one of the recordings cannot be read; the others are
/// replayed all the same.
int replay_command(const ReplayArguments& arguments);

}  // namespace muster::app

/// Called once where `--until` is reached: the place for a debugger's breakpoint.
extern "C" void muster_replay_reached();
