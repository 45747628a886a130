#include "app/server/recordings.h"

#include <algorithm>
#include <utility>

#include "app/server/recording_head.h"
#include "shell/runtime/entropy.h"
#include "shell/runtime/recording_files.h"

namespace muster::server {
namespace {

// Into how many files a short recording is divided at least: the oldest goes as a whole.
constexpr std::uint64_t segments_min = 8;

}  // namespace

Recordings::Recordings(const app::Settings& settings, const SiteKeys& keys,
                       const std::filesystem::path& data_folder)
    : settings_(settings),
      keys_(keys),
      folder_(data_folder / settings.recording.folder),  // An absolute one stays as it is.
      boot_{runtime::random_bits()} {}

Result<Recordings> Recordings::begin(const app::Settings& settings, const SiteKeys& keys,
                                     const std::filesystem::path& data_folder) {
    Recordings recordings(settings, keys, data_folder);
    if (recordings.are_on()) {
        auto lock = runtime::lock_recording_folder(recordings.folder_);
        if (!lock) {
            return tl::unexpected(std::move(lock.error()));
        }
        recordings.lock_ = *std::move(lock);
        recordings.disk_ = std::make_unique<runtime::RecordingDisk>();
    }
    return recordings;
}

Result<std::unique_ptr<runtime::RecordingWriter>> Recordings::open(ShardId shard,
                                                                   std::uint64_t seed) {
    if (!are_on()) {
        return nullptr;
    }
    runtime::RecordingSettings recording;
    recording.mode = settings_.recording.mode == app::RecordMode::crash
                         ? runtime::RecordingSettings::Mode::crash
                         : runtime::RecordingSettings::Mode::all;
    recording.folder = folder_;
    recording.shard = shard;
    recording.boot = boot_;
    recording.bytes_max = settings_.recording.bytes_max;
    recording.folder_bytes_max = settings_.recording.folder_bytes_max;
    recording.segment_bytes =
        std::min<std::uint64_t>(recording.segment_bytes, recording.bytes_max / segments_min);
    recording.head = recording_head(settings_, keys_, shard, seed);
    return runtime::RecordingWriter::open(std::move(recording), *disk_);
}

}  // namespace muster::server
