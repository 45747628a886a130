#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "shell/runtime/channel.h"
#include "shell/runtime/descriptor.h"
#include "shell/runtime/recording_disk.h"
#include "shell/runtime/recording_format.h"
#include "shell/runtime/recording_sink.h"

namespace muster::runtime {

/// Mode crash: segments are files that lie in memory, so that an entry is safe from the death of
/// the process as soon as it is copied.
///
/// Shape:      the disk's thread prepares `ahead` segments (allocated on the disk, mapped, all
///             zeros) and hands them to the shard, which fills them and hands them back. Just in
///             front of the shard, the disk's thread touches the pages, so that the shard meets no
///             page that the kernel must first ask the disk about.
/// Thread:     the shard writes into the maps; the disk's thread makes and removes them.
/// Invariants: the files together never exceed bytes_max.
/// Full:       no prepared segment when one is needed, or an entry too big for one: stops.
class MappedSink final : public RecordingSink {
public:
    /// How many segments are prepared beyond the one that is being filled.
    static constexpr std::size_t ahead = 2;
    /// bytes_max is at least so many segments: those, the present one, and one that is full.
    static constexpr std::uint64_t segment_count_min = ahead + 2;

    MappedSink(RecordingSettings settings, RecordingDisk& disk)
        : RecordingSink(std::move(settings)), disk_(disk) {}
    ~MappedSink() override;

    Result<void> open() override;
    void append(std::string_view entry) noexcept override;
    void work() override;
    bool has_work() override;
    void close() override;

private:
    /// A segment that the shard may write to.
    struct Prepared {
        std::uint64_t number = 0;
        char* map = nullptr;
    };
    /// A segment that the shard is done with.
    struct Done {
        std::uint64_t number = 0;
        std::uint64_t used_bytes = 0;
    };
    /// The disk's side of a segment.
    struct Segment {
        std::uint64_t number = 0;
        std::uint64_t bytes = 0;
        char* map = nullptr;  // nullptr once it is done.
        std::uint64_t touched_bytes = 0;
        Descriptor fd;
    };

    // The shard.
    bool begin_segment(std::uint64_t frame);
    void end_segment(EndMark mark) noexcept;
    void give_up(std::string reason);

    // The disk's thread.
    void take_done();
    void prepare();
    Result<Segment> make(std::uint64_t number);
    void remove_oldest();
    void touch();
    void drop_prepared();

    RecordingDisk& disk_;

    // The shard's.
    char* map_ = nullptr;
    std::uint64_t used_ = 0;     // Of the present segment.
    std::uint64_t ring_at_ = 0;  // The fill at which the disk's thread hears of our progress.

    // The disk's thread's.
    std::deque<Segment> segments_;  // By number; at most one in use, then the prepared ones.
    std::uint64_t segments_bytes_ = 0;
    std::uint64_t next_number_ = 0;

    Channel<Prepared> prepared_{ahead};  // Pushed by the disk's thread, popped by the shard.
    Channel<Done> done_{ahead * 2};      // Pushed by the shard, popped by the disk's thread.
    // How far the shard has come, in bytes from the start of segment 0 (all are of one size).
    // Written by the shard, read by the disk's thread, whom nothing but this number depends on.
    std::atomic<std::uint64_t> progress_{0};

    std::mutex
        failure_mutex_;    // Guards failure_: the disk's thread writes, the shard reads at its end.
    std::string failure_;  // Why the last segment could not be prepared.
};

}  // namespace muster::runtime
