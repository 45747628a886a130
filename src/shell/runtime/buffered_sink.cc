#include "shell/runtime/buffered_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"

namespace muster::runtime {
namespace {

/// Returns the end of the block in which the byte before `at` lies.
std::uint64_t block_end_of(std::uint64_t at) {
    constexpr std::uint64_t bytes = BufferedSink::block_bytes;
    return (at + bytes - 1) / bytes * bytes;
}

}  // namespace

BufferedSink::BufferedSink(RecordingSettings settings, RecordingDisk& disk)
    : RecordingSink(std::move(settings)),
      disk_(disk),
      block_count_max_(std::max<std::size_t>(
          2, static_cast<std::size_t>(settings_.buffer_bytes_max / block_bytes))),
      full_(std::bit_ceil(block_count_max_)),
      empty_(std::bit_ceil(block_count_max_)),
      boundaries_(boundary_count_max) {}

Result<void> BufferedSink::open() {
    auto begun = begin_file({});
    if (!begun) {
        return begun;
    }
    segment_bytes_ = file_bytes_;
    bytes_ = file_bytes_;
    return {};
}

// --- The shard -----------------------------------------------------------------------------------

void BufferedSink::append(std::string_view entry) noexcept {
    const std::uint64_t frame = frame_bytes(entry.size());
    if (!make_room(frame)) {
        return;
    }
    if (segment_bytes_ + frame + end_mark_bytes > settings_.segment_bytes &&
        !begin_segment(frame)) {
        return;
    }
    std::array<char, frame_head_bytes> head{};
    store_u64(head.data(), frame_start(static_cast<std::uint32_t>(entry.size())));
    store_u32(head.data() + frame_start_bytes, crc32c(entry));
    constexpr std::array<char, 8> zeros{};
    put(head.data(), head.size());
    put(entry.data(), entry.size());
    put(zeros.data(), frame - frame_head_bytes - entry.size());
    segment_bytes_ += frame;
    bytes_ += frame;
    ++entries_;
    const bool is_block_full = end_ / block_bytes != (end_ - frame) / block_bytes;
    appended_.store(end_);
    if (is_block_full) {
        disk_.ring();
    } else {
        disk_.ring_softly();
    }
}

/// Makes sure that there are blocks for `frame`. False: the recording has stopped.
bool BufferedSink::make_room(std::uint64_t frame) {
    const std::uint64_t block_end = block_end_of(end_);
    if (end_ + frame <= block_end) {
        return true;
    }
    const std::uint64_t needed = (end_ + frame - block_end + block_bytes - 1) / block_bytes;
    while (free_.size() < needed) {
        if (const auto block = empty_.pop()) {
            free_.push_back(*block);
        } else if (blocks_.size() < block_count_max_) {
            blocks_.push_back(std::make_unique_for_overwrite<Block>());
            free_.push_back(blocks_.back().get());
        } else {
            break;
        }
    }
    if (free_.size() >= needed) {
        return true;
    }
    stop(needed > block_count_max_
             ? fmt::format("an entry of {} bytes does not fit into the buffers of {}", frame,
                           block_count_max_ * block_bytes)
             : fmt::format("the disk was too slow: {} KiB of buffers were full",
                           blocks_.size() * block_bytes / 1024));
    disk_.ring();
    return false;
}

/// Moves on to the next segment, which must have room for `frame`. False: the recording has
/// stopped.
bool BufferedSink::begin_segment(std::uint64_t frame) {
    const std::uint64_t header = first_frame_at(settings_.head.size());
    if (frame > recording_entry_bytes_max ||
        header + frame + end_mark_bytes > settings_.segment_bytes) {
        stop(fmt::format("an entry of {} bytes does not fit into a segment of {}", frame,
                         settings_.segment_bytes));
        disk_.ring();
        return false;
    }
    Boundary boundary{.at = end_, .segment = segment_ + 1, .first_entry = entries_};
    if (!boundaries_.push(boundary)) {
        stop(fmt::format("the disk was too slow: {} segments were not written yet",
                         boundary_count_max));
        disk_.ring();
        return false;
    }
    ++segment_;
    segment_bytes_ = header;
    bytes_ += end_mark_bytes + header;
    return true;
}

void BufferedSink::put(const char* from, std::size_t count) noexcept {
    while (count > 0) {
        const std::size_t at = end_ % block_bytes;
        if (at == 0) {
            filling_ = free_.back();
            free_.pop_back();
            Block* block = filling_;
            MUSTER_CHECK(full_.push(block));  // It has room for all blocks that there can be.
        }
        const std::size_t part = std::min(count, block_bytes - at);
        std::copy_n(from, part, filling_->data() + at);
        from += part;
        count -= part;
        end_ += part;
    }
}

// --- The disk's thread ---------------------------------------------------------------------------

void BufferedSink::work() {
    const bool was_on = is_on();  // First: once it is off, nothing more is appended.
    if (!fd_.is_open()) {
        return;
    }
    const auto written = write_all_there_is();
    if (!written) {
        stop(written.error().detail);
        fd_.close();
    } else if (!was_on) {
        static_cast<void>(end_file(EndMark::stopped));
    }
}

void BufferedSink::close() {
    const bool was_on = is_on();
    if (fd_.is_open()) {
        const auto written = write_all_there_is().and_then(
            [&] { return end_file(was_on ? EndMark::closed : EndMark::stopped); });
        if (written) {
            bytes_ += end_mark_bytes;
        } else {
            stop(written.error().detail);  // The recording ends as after a crash.
        }
    }
    fd_.close();
    end();
}

bool BufferedSink::has_work() { return fd_.is_open() && appended_.load() != written_; }

Result<void> BufferedSink::write_all_there_is() {
    const std::uint64_t appended = appended_.load();
    while (written_ < appended) {
        if (!boundary_) {
            boundary_ = boundaries_.pop();
        }
        if (boundary_ && boundary_->at == written_) {
            auto begun =
                end_file(EndMark::continued).and_then([this] { return begin_file(*boundary_); });
            if (!begun) {
                return begun;
            }
            boundary_.reset();
            continue;
        }
        const std::uint64_t until = boundary_ ? std::min(boundary_->at, appended) : appended;
        if (auto written = write_stream(until); !written) {
            return written;
        }
    }
    return {};
}

/// Writes the stream up to `until`, or to the end of the present block.
Result<void> BufferedSink::write_stream(std::uint64_t until) {
    const std::size_t at = written_ % block_bytes;
    if (at == 0) {
        const auto block = full_.pop();
        MUSTER_CHECK(block.has_value());
        writing_ = *block;
    }
    const std::size_t part =
        static_cast<std::size_t>(std::min<std::uint64_t>(until - written_, block_bytes - at));
    if (auto written = write(writing_->data() + at, part); !written) {
        return written;
    }
    written_ += part;
    if (written_ % block_bytes == 0) {
        Block* block = std::exchange(writing_, nullptr);
        MUSTER_CHECK(empty_.push(block));  // It has room for all blocks that there can be.
    }
    return {};
}

Result<void> BufferedSink::begin_file(const Boundary& boundary) {
    while (!finished_.empty() && finished_bytes_ + settings_.segment_bytes > settings_.bytes_max) {
        ::unlink(file_of(finished_.front().number).c_str());
        finished_bytes_ -= finished_.front().bytes;
        finished_.pop_front();
    }
    file_number_ = boundary.segment;
    file_bytes_ = 0;
    const std::string name = file_of(file_number_).string();
    fd_ = Descriptor{::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                            S_IRUSR | S_IWUSR)};
    if (!fd_.is_open()) {
        return tl::unexpected{cannot_write(errno)};
    }
    const std::string header = encode({.shard = settings_.shard,
                                       .boot = settings_.boot,
                                       .segment = boundary.segment,
                                       .first_entry = boundary.first_entry,
                                       .head = settings_.head});
    auto written = write(header.data(), header.size());
    if (!written) {
        ::unlink(name.c_str());
    }
    return written;
}

Result<void> BufferedSink::end_file(EndMark mark) {
    std::array<char, end_mark_bytes> bytes{};
    store_u64(bytes.data(), frame_start(mark));
    auto written = write(bytes.data(), bytes.size());
    // Some file systems tell only now that an earlier write has failed. (Linux closes in any case.)
    if (::close(fd_.release()) != 0 && errno != EINTR && written) {
        written = tl::unexpected{cannot_write(errno)};
    }
    finished_.push_back({file_number_, file_bytes_});
    finished_bytes_ += file_bytes_;
    return written;
}

Result<void> BufferedSink::write(const char* from, std::size_t count) {
    while (count > 0) {
        const ssize_t bytes = disk_.calls().write(fd_.fd(), from, count);
        if (bytes < 0) {
            if (errno == EINTR) {
                continue;
            }
            return tl::unexpected{cannot_write(errno)};
        }
        from += bytes;
        count -= static_cast<std::size_t>(bytes);
        file_bytes_ += static_cast<std::size_t>(bytes);
    }
    return {};
}

Error BufferedSink::cannot_write(int error) const {
    return {ErrorCode::bad_settings,
            fmt::format("cannot write the recording {}: {}", file_of(file_number_).string(),
                        std::generic_category().message(error))};
}

}  // namespace muster::runtime
