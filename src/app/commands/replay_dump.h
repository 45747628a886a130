#pragma once

#include <string_view>

#include "app/roles/bucket_replay.h"
#include "app/roles/whole_replay.h"

namespace muster::app {

/// Prints what each queue holds, one JSON object a line, in the form of the client protocol's
/// `joined`; only `queue`, if it is not empty. Reading is an input: replay nothing afterwards.
void dump_state(roles::WholeReplay& replay, std::string_view queue);
void dump_state(roles::BucketReplay& replay, std::string_view queue);

}  // namespace muster::app
