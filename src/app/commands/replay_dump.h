#pragma once

#include <cstddef>
#include <string_view>

#include "app/roles/bucket_replay.h"
#include "app/roles/whole_replay.h"

namespace muster::app {

/// Prints what each queue holds, one JSON object a line, in the forms of the client protocol: a
/// `joined`, then a `msg` for each message that is still remembered. Only `queue`, if it is not
/// empty. Returns how many queues were printed. Reading is an input: replay nothing afterwards.
std::size_t dump_state(roles::WholeReplay& replay, std::string_view queue);
std::size_t dump_state(roles::BucketReplay& replay, std::string_view queue);

}  // namespace muster::app
