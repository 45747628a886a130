#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "shell/runtime/recording_disk.h"
#include "shell/runtime/recording_settings.h"

namespace muster::runtime {

class RecordingSink;

/// Writes one shard's recording: entries of bytes, in order, into segment files.
///
/// Owns:       its files of this life, of which the oldest go when there are too many.
/// Thread:     the shard; append() never waits for the disk or a lock. The disk is the
///             RecordingDisk's, which outlives this.
/// Invariants: mode crash: once append() has returned, the entry is there however the process ends
///             (not: the machine). Mode all: the same within 0.2 s on a disk that keeps up.
/// Full:       where the disk is full, or too slow for what is appended, or an entry is bigger than
///             a segment, the recording stops for good, with a reason; append() then does nothing.
class RecordingWriter {
public:
    /// Makes the folder and the first segment, and removes what folder_bytes_max no longer allows
    /// of earlier lives. In mode off, a writer that is never on. Waits for the disk. Errors:
    /// bad_settings, which says what the disk or the settings do not allow.
    [[nodiscard]] static Result<std::unique_ptr<RecordingWriter>> open(RecordingSettings settings,
                                                                       RecordingDisk& disk);
    ~RecordingWriter();
    RecordingWriter(const RecordingWriter&) = delete;
    RecordingWriter& operator=(const RecordingWriter&) = delete;

    /// Adds one entry, of 0 bytes to what a segment holds. Some 50 ns for 200 bytes.
    void append(std::string_view entry) noexcept;

    [[nodiscard]] bool is_on() const noexcept;

    /// Returns why the recording has stopped: once, for the log line.
    [[nodiscard]] std::optional<std::string> take_stop_reason();

    /// How much was appended: entries, and bytes in files, also of those removed since.
    [[nodiscard]] std::uint64_t entries() const noexcept;
    [[nodiscard]] std::uint64_t bytes() const noexcept;

    /// The segment that took the last entry, counted from 0. When it has changed, a segment has
    /// begun with that entry: the time to append snapshots.
    [[nodiscard]] std::uint64_t segment() const noexcept;

    /// What an entry may have at most: the rest of a segment is its head and the entry's frame.
    [[nodiscard]] std::uint64_t entry_bytes_max() const noexcept { return entry_bytes_max_; }

    /// The file of that segment, for the log. Empty in mode off.
    [[nodiscard]] std::filesystem::path file() const;

    /// Waits until all that was appended is in files and the next segments are prepared.
    void flush();

    /// Writes what is left, and the mark that the recording ended in order; is not on any more.
    /// Waits for the disk, for `patience` at most; without one, as long as it takes. Returns
    /// whether it is done. If not, it may be tried again; until it is done, the disk's thread works
    /// on memory of this writer, whose destructor waits for it. Where the disk refuses the rest,
    /// take_stop_reason() says so.
    bool close(std::optional<Duration> patience = std::nullopt);

private:
    RecordingWriter(std::unique_ptr<RecordingSink> sink, RecordingDisk& disk);

    std::unique_ptr<RecordingSink> sink_;  // None in mode off.
    RecordingDisk& disk_;
    std::uint64_t entry_bytes_max_ = 0;
    bool is_open_ = false;   // Until the disk's thread has closed the sink.
    bool is_ended_ = false;  // Nothing may be appended any more.
};

}  // namespace muster::runtime
