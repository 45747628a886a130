#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "shell/runtime/channel.h"
#include "shell/runtime/descriptor.h"
#include "shell/runtime/recording_disk.h"
#include "shell/runtime/recording_format.h"
#include "shell/runtime/recording_sink.h"

namespace muster::runtime {

/// Mode all: the shard copies entries into blocks of memory, the disk's thread writes them out.
///
/// Shape:  one stream of bytes, numbered from 0 since the start, cut into blocks; the segments'
///         headers and end marks are not in it: the disk's thread writes those.
/// Thread: the shard fills blocks and says how far; the disk's thread writes up to there and hands
///         empty blocks back.
/// Full:   no room for an entry in buffer_bytes_max, or a write that fails: stops. What is in the
///         blocks then is still written, as far as the disk takes it.
/// Loses:  what was appended in the last 0.2 s, or what the disk has not taken, when the process is
///         killed.
class BufferedSink final : public RecordingSink {
public:
    static constexpr std::size_t block_bytes = std::size_t{256} * 1024;

    BufferedSink(RecordingSettings settings, RecordingDisk& disk);

    Result<void> open() override;
    void append(std::string_view entry) noexcept override;
    void work() override;
    bool has_work() override;
    void close() override;

private:
    using Block = std::array<char, block_bytes>;

    /// Where in the stream a segment begins.
    struct Boundary {
        std::uint64_t at = 0;
        std::uint64_t segment = 0;
        std::uint64_t first_entry = 0;
    };
    /// A segment on the disk that is finished.
    struct Finished {
        std::uint64_t number = 0;
        std::uint64_t bytes = 0;
    };

    static constexpr std::size_t boundary_count_max = 1024;

    // The shard.
    bool make_room(std::uint64_t frame);
    bool begin_segment(std::uint64_t frame);
    void put(const char* from, std::size_t count) noexcept;

    // The disk's thread.
    Result<void> begin_file(const Boundary& boundary);
    Result<void> end_file(EndMark mark);
    Result<void> write(const char* from, std::size_t count);
    Result<void> write_stream(std::uint64_t until);
    Result<void> write_all_there_is();
    Error cannot_write(int error) const;

    RecordingDisk& disk_;
    std::size_t block_count_max_;

    // The shard's.
    std::vector<std::unique_ptr<Block>> blocks_;  // All there are; made when first needed.
    std::vector<Block*> free_;
    Block* filling_ = nullptr;
    std::uint64_t end_ = 0;            // Of the stream.
    std::uint64_t segment_bytes_ = 0;  // Of the present segment.

    // The disk's thread's.
    Block* writing_ = nullptr;
    std::uint64_t written_ = 0;  // Of the stream.
    std::optional<Boundary> boundary_;
    Descriptor fd_;
    std::uint64_t file_number_ = 0;
    std::uint64_t file_bytes_ = 0;
    std::deque<Finished> finished_;
    std::uint64_t finished_bytes_ = 0;

    Channel<Block*> full_;   // Pushed by the shard when it begins a block, popped by the disk's.
    Channel<Block*> empty_;  // Pushed by the disk's thread, popped by the shard.
    Channel<Boundary> boundaries_;  // Pushed by the shard, popped by the disk's thread.
    // How much of the stream is there, in whole entries. Written by the shard after the bytes, the
    // blocks and the boundaries; read by the disk's thread before them. Sequentially consistent for
    // RecordingDisk's proof that no work is left lying.
    std::atomic<std::uint64_t> appended_{0};
};

}  // namespace muster::runtime
