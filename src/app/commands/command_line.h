#pragma once

namespace muster::app {

/// Parses the command line and runs the command. Returns the exit code of the program: 0 done, 1
/// failed, 2 wrong usage or settings, 3 the server cannot be reached.
int run_command_line(int argc, char** argv);

}  // namespace muster::app
