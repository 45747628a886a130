#pragma once

#include <cstddef>
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

/// Reads the entries of one shard's recording, in order. (list_recordings() in recording_files.h
/// tells which ones a folder holds.)
///
/// Thread:     any, one at a time. The recording may still be written: what is there is read.
/// Memory:     one MiB, or the biggest entry.
/// Invariants: every entry that next() returns is one that was appended, whole.
class RecordingReader {
public:
    /// How the recording ends, once next() has returned nothing.
    enum class End : std::uint8_t {
        unread,     ///< there is more to read, or an error
        closed,     ///< in order
        stopped,    ///< it gave up; the server's log says why
        cut_short,  ///< the process died, or still writes
    };

    /// Takes the files of one shard and life, in any order, or one folder that holds no others. The
    /// oldest may be missing. Segments that were prepared but not begun are left out.
    /// Errors: no_recording, not_a_recording, newer_recording, damaged_recording, segment_missing;
    /// each with the file's name.
    [[nodiscard]] static Result<RecordingReader> open(std::vector<std::filesystem::path> paths);

    /// Returns the next entry, valid until the next call, or nothing at the end.
    /// Errors: damaged_recording with file and place; no_recording where a file has gone. The same
    /// again from then on.
    [[nodiscard]] Result<std::optional<std::string_view>> next();

    [[nodiscard]] End end() const noexcept { return end_; }
    [[nodiscard]] ShardId shard() const noexcept { return shard_; }
    [[nodiscard]] Boot boot() const noexcept { return boot_; }
    [[nodiscard]] const std::string& head() const noexcept { return head_; }

    /// Are the first segments there, too?
    [[nodiscard]] bool begins_at_start() const noexcept { return segments_.front().number == 0; }

    /// The index in the recording of the entry that next() would return, counted from 0.
    [[nodiscard]] std::uint64_t next_entry() const noexcept { return next_entry_; }
    /// Where that entry stands.
    [[nodiscard]] std::uint64_t segment() const noexcept { return segments_[place_].number; }
    [[nodiscard]] const std::filesystem::path& file() const noexcept {
        return segments_[place_].file;
    }
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

private:
    struct Segment {
        std::filesystem::path file;
        std::uint64_t number = 0;
        std::uint64_t first_entry = 0;
        std::uint64_t first_frame_at = 0;
    };
    enum class Step : std::uint8_t { entry, next_segment, end };

    RecordingReader() = default;

    Result<void> take(const std::filesystem::path& file);
    Result<void> check_series();
    Result<void> open_segment(std::size_t place);
    Result<Step> step();
    Result<Step> end_segment(End end);
    Result<std::optional<std::string_view>> peek(std::uint64_t count);
    tl::unexpected<Error> damaged(std::string_view what) const;

    std::vector<Segment> segments_;  // By number, without gaps; at least one.
    ShardId shard_;
    Boot boot_;
    std::string head_;
    bool has_head_ = false;  // While the files are being taken.

    std::size_t place_ = 0;  // In segments_.
    Descriptor fd_;
    std::uint64_t next_entry_ = 0;
    std::uint64_t offset_ = 0;   // In the file: the next frame.
    std::string buffer_;         // A part of the file …
    std::size_t buffer_at_ = 0;  // … of which this much is read …
    std::uint64_t file_at_ = 0;  // … and what is behind it begins here.
    std::string_view entry_;     // In buffer_.
    End end_ = End::unread;
    std::optional<Error> error_;
};

}  // namespace muster::runtime
