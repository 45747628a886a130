#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/roles/recording.h"
#include "base/ids.h"
#include "shell/runtime/recording_reader.h"

namespace muster::app {

/// How the replay of one recording went, as `muster replay` says it.
struct ReplayOutcome {
    roles::ReplayReport report;
    std::string version;  ///< of the program that recorded
    ShardId shard;
    bool is_whole = false;          ///< from the shard's start on
    bool was_until_reached = true;  ///< or there was none
    /// The entry that `--until` named, if it did; where it is an output, the replay has stopped
    /// before its input.
    std::optional<std::uint64_t> until{};
    std::size_t queues_printed = 0;  ///< by `--dump`
    runtime::RecordingReader::End end = runtime::RecordingReader::End::unread;
};

/// Returns a few lines for people, or one line of JSON; both say the same.
[[nodiscard]] std::string as_text(const ReplayOutcome& outcome);
[[nodiscard]] std::string as_json(const ReplayOutcome& outcome);

/// Returns `text` as a JSON string.
[[nodiscard]] std::string json_text(std::string_view text);

}  // namespace muster::app
