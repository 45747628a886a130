#pragma once

#include "app/server/switchboard.h"
#include "shell/observe/log_writer.h"

namespace muster::server {

/// Writes what a gateway has to say as a line of the log.
void write_note(observe::LogWriter& log, const ShardNote& noted);

}  // namespace muster::server
