#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/roles/recording.h"
#include "app/server/recording_head.h"
#include "base/result.h"
#include "shell/runtime/recording_reader.h"

/// What the words of `muster replay` mean.
namespace muster::app {

/// The files of one recording.
using RecordingPaths = std::vector<std::filesystem::path>;

/// Returns the recordings that are meant: of a folder those of the life that was written to last;
/// of files one for each life and shard that their names tell (one of all whose names tell
/// nothing). Errors: no_recording.
[[nodiscard]] Result<std::vector<RecordingPaths>> recordings_in(
    const std::vector<std::string>& named);

/// Returns where `until` says that a replay is to stop. Errors: bad_request.
[[nodiscard]] Result<roles::ReplayLimits> limits_of(std::string_view until);

/// Returns the number of the last input (or snapshot) up to and with `entry`: what a machine says
/// is caused by what stands in front of it, so only before that can a replay stop. `entry` itself
/// where the recording ends or cannot be read before; the replay says so.
[[nodiscard]] std::uint64_t cause_of(const RecordingPaths& files, std::uint64_t entry);

/// A recording that is open, and what its head says.
struct OpenRecording {
    runtime::RecordingReader reader;
    server::RecordedShard shard;
};

/// Errors: those of RecordingReader::open() and read_recording_head().
[[nodiscard]] Result<OpenRecording> open_recording(RecordingPaths files);

}  // namespace muster::app
