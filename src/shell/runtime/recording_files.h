#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "shell/runtime/descriptor.h"

namespace muster::runtime {

/// What the name of a segment's file says.
struct SegmentName {
    Boot boot;
    ShardId shard;
    std::uint64_t segment = 0;

    friend auto operator<=>(const SegmentName&, const SegmentName&) = default;
};

/// Returns `000000000000002a-shard1-00000007.rec`: the boot in hex, the shard, the segment. Sorted
/// as text they stand in order (up to 100 million segments).
[[nodiscard]] std::string text_of(const SegmentName& name);

/// Returns what `text` names, or nothing where text_of() cannot have made it.
[[nodiscard]] std::optional<SegmentName> parse_segment_name(std::string_view text);

/// One file of a recording.
struct RecordedSegment {
    std::filesystem::path file;
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;  ///< of the file, with what is prepared but not written yet
};

/// The files of one shard in one life of a server. At least one; by number.
struct Recording {
    Boot boot;
    ShardId shard;
    std::vector<RecordedSegment> segments;
    std::uint64_t bytes = 0;
    std::filesystem::file_time_type changed;  ///< the last time that one of them was written to

    [[nodiscard]] bool begins_at_start() const { return segments.front().number == 0; }
    [[nodiscard]] bool has_gap() const {
        return segments.back().number - segments.front().number + 1 != segments.size();
    }
};

/// Returns all recordings whose files lie in `folder`, by their names alone: the life that was
/// written to last comes first, its shards in order. Other files are left out.
/// Errors: no_recording where the folder cannot be read; an empty one gives an empty list.
[[nodiscard]] Result<std::vector<Recording>> list_recordings(const std::filesystem::path& folder);

/// Makes `folder` where it is missing: for its owner alone, because it holds what users sent.
/// Errors: bad_settings.
[[nodiscard]] Result<void> make_recording_folder(const std::filesystem::path& folder);

/// The same, and locks it: two servers in one folder would remove each other's files as those of an
/// earlier life. The lock is held while the descriptor is open.
/// Errors: bad_settings, which names the process that holds the folder.
[[nodiscard]] Result<Descriptor> lock_recording_folder(const std::filesystem::path& folder);

/// Removes whole lives other than `present` from `folder`, the oldest first, until they hold no
/// more than `bytes_max`; but never the newest one. Any thread; two at a time do no harm.
void remove_old_lives(const std::filesystem::path& folder, Boot present, std::uint64_t bytes_max);

}  // namespace muster::runtime
