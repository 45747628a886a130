#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "app/server/site.h"
#include "app/settings.h"
#include "base/ids.h"
#include "base/result.h"
#include "shell/runtime/descriptor.h"
#include "shell/runtime/recording_disk.h"
#include "shell/runtime/recording_writer.h"

namespace muster::server {

/// Where the recordings of all shards of a server go, in one life of it.
///
/// Owns: the lock on their folder, and the thread that waits for the disk; outlives the writers.
class Recordings {
public:
    /// Locks the folder, where anything is to be recorded. `data_folder`: in which it lies, unless
    /// the settings name an absolute one. Settings and keys outlive this.
    /// Errors: bad_settings: another server has the folder, or it cannot be written to.
    [[nodiscard]] static Result<Recordings> begin(const app::Settings& settings,
                                                  const SiteKeys& keys,
                                                  const std::filesystem::path& data_folder);

    [[nodiscard]] bool are_on() const noexcept {
        return settings_.recording.mode != app::RecordMode::off;
    }
    [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }

    /// Returns the writer of one shard, whose chance begins with `seed`; nullptr where nothing is
    /// to be recorded. Errors: bad_settings, which says what the disk does not allow.
    [[nodiscard]] Result<std::unique_ptr<runtime::RecordingWriter>> open(ShardId shard,
                                                                         std::uint64_t seed);

private:
    Recordings(const app::Settings& settings, const SiteKeys& keys,
               const std::filesystem::path& data_folder);

    const app::Settings& settings_;
    const SiteKeys& keys_;
    std::filesystem::path folder_;
    Boot boot_;
    runtime::Descriptor lock_;  // Only where they are on; so is the disk.
    std::unique_ptr<runtime::RecordingDisk> disk_;
};

}  // namespace muster::server
