#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "muster/client.h"

/// How commands show what a client has been told: as text, one line a thing (a change of several
/// keys or members has one for each); as JSON always one line, in the words of the protocol.
namespace muster::cli {

/// Prints what became of a request; returns the exit code that goes with it.
int print_outcome(const Outcome& outcome, Format format);

[[nodiscard]] std::string as_text(const Message& message);
[[nodiscard]] std::string as_json(const Message& message);
[[nodiscard]] std::string as_text(const StateChange& change);
[[nodiscard]] std::string as_json(const StateChange& change);
[[nodiscard]] std::string as_text(const MembersChange& change);
[[nodiscard]] std::string as_json(const MembersChange& change);
[[nodiscard]] std::string as_text(const Joined& joined);
[[nodiscard]] std::string as_json(const Joined& joined);
[[nodiscard]] std::string as_text(const Gap& gap);
[[nodiscard]] std::string as_json(const Gap& gap);
[[nodiscard]] std::string as_text(const Reset& reset);
[[nodiscard]] std::string as_json(const Reset& reset);
[[nodiscard]] std::string as_text(const MountChange& change);
[[nodiscard]] std::string as_json(const MountChange& change);

/// A queue that stands still (`stalled`), or goes on again.
struct Stall {
    std::string_view queue;
    bool is_stalled = false;
};
[[nodiscard]] std::string as_text(const Stall& stall);
[[nodiscard]] std::string as_json(const Stall& stall);

/// Returns what to say of a server that cannot be reached, and why, naming it once.
[[nodiscard]] std::string cannot_connect_text(std::string_view server, std::string_view why);

/// Returns those of `wanted` that the joined queue does not have, in their order.
[[nodiscard]] std::vector<std::string> missing_mounts(const std::vector<std::string>& wanted,
                                                      const Joined& joined);

}  // namespace muster::cli
