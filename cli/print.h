#pragma once

#include <string>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "muster/client.h"

/// How commands show what a client has been told.
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

}  // namespace muster::cli
