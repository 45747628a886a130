#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "app/roles/shard_machine.h"
#include "app/server/site.h"
#include "app/settings.h"
#include "base/ids.h"
#include "base/result.h"

/// What stands at the start of each file of a recording: all that makes the same shard again.
namespace muster::server {

/// Returns the head for `shard`, whose chance began with `seed` (proto/muster/entry.proto).
[[nodiscard]] std::string recording_head(const app::Settings& settings, const SiteKeys& keys,
                                         ShardId shard, std::uint64_t seed);

/// A shard as it was when it was recorded.
struct RecordedShard {
    std::string version;  ///< of the program that recorded it
    ShardId shard;
    std::uint64_t seed = 0;
    std::shared_ptr<const roles::Site> site;
};

/// Reads a head. Errors: damaged_recording, where it is damaged or its settings are not understood.
[[nodiscard]] Result<RecordedShard> read_recording_head(std::string_view head);

}  // namespace muster::server
