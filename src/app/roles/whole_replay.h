#pragma once

#include <cstdint>
#include <memory>

#include "app/roles/recording.h"
#include "app/roles/shard_machine.h"

namespace muster::roles {

/// Runs a shard again from its first event on: its machines are fed what the recording says came
/// from outside, and must say what it says that they said. What killed the shard kills the replay
/// at the same place.
class WholeReplay {
public:
    /// `site` and `seed` as they were then (RecordingHead).
    WholeReplay(ShardId shard, std::shared_ptr<const Site> site, std::uint64_t seed);

    /// Feeds the machines until the recording's end, the limits, or the first difference.
    /// Errors: those of `next`; bad_request where an entry cannot be read.
    [[nodiscard]] Result<ReplayReport> run(const EntrySource& next, const ReplayLimits& limits);

    /// The machines as they stand now; what they put out is for the caller to take.
    [[nodiscard]] ShardMachine& machine() noexcept { return machine_; }

private:
    ShardMachine machine_;
};

}  // namespace muster::roles
