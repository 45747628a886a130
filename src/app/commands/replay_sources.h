#pragma once

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

/// Returns the recordings that are meant: one, or of a folder those of the life that was written to
/// last. Errors: no_recording.
[[nodiscard]] Result<std::vector<RecordingPaths>> recordings_in(
    const std::vector<std::string>& named);

/// Returns where `until` says that a replay is to stop. Errors: bad_request.
[[nodiscard]] Result<roles::ReplayLimits> limits_of(std::string_view until);

/// A recording that is open, and what its head says.
struct OpenRecording {
    runtime::RecordingReader reader;
    server::RecordedShard shard;
};

/// Errors: those of RecordingReader::open() and read_recording_head().
[[nodiscard]] Result<OpenRecording> open_recording(RecordingPaths files);

}  // namespace muster::app
