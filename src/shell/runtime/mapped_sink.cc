#include "shell/runtime/mapped_sink.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"

namespace muster::runtime {
namespace {

// The disk's thread hears of the shard's progress this often, and touches pages this far ahead.
constexpr std::uint64_t ring_bytes = std::uint64_t{1} << 20U;
constexpr std::uint64_t touch_bytes = 4 * ring_bytes;

}  // namespace

MappedSink::~MappedSink() {
    for (const Segment& segment : segments_) {
        if (segment.map != nullptr) {
            ::munmap(segment.map, settings_.segment_bytes);
        }
    }
}

Result<void> MappedSink::open() {
    // The first must be made; that a later one was not, is told when it is needed.
    auto first = make(next_number_);
    if (!first) {
        return tl::unexpected{first.error()};
    }
    Prepared item{first->number, first->map};
    segments_bytes_ += first->bytes;
    segments_.push_back(std::move(*first));
    ++next_number_;
    MUSTER_CHECK(prepared_.push(item));
    MUSTER_CHECK(begin_segment(0));
    work();
    return {};
}

// --- The shard -----------------------------------------------------------------------------------

void MappedSink::append(std::string_view entry) noexcept {
    const std::uint64_t frame = frame_bytes(entry.size());
    if (used_ + frame + end_mark_bytes > settings_.segment_bytes && !begin_segment(frame)) {
        return;
    }
    char* const at = map_ + used_;
    store_u32(at + frame_start_bytes, crc32c(entry));
    std::copy(entry.begin(), entry.end(), at + frame_head_bytes);
    publish_u64(at, frame_start(static_cast<std::uint32_t>(entry.size())));
    used_ += frame;
    bytes_ += frame;
    ++entries_;
    if (used_ >= ring_at_) {
        ring_at_ = used_ + ring_bytes;
        progress_.store(segment_ * settings_.segment_bytes + used_);
        disk_.ring();
    }
}

/// Moves on to the next segment, which must have room for `frame`. False: the recording has
/// stopped.
bool MappedSink::begin_segment(std::uint64_t frame) {
    if (frame > recording_entry_bytes_max ||
        first_frame_at(settings_.head.size()) + frame + end_mark_bytes > settings_.segment_bytes) {
        give_up(fmt::format("an entry of {} bytes does not fit into a segment of {}", frame,
                            settings_.segment_bytes));
        return false;
    }
    const auto next = prepared_.pop();
    if (!next) {
        std::string reason;
        {
            const std::lock_guard lock{failure_mutex_};
            reason = failure_;
        }
        give_up(reason.empty() ? "the disk was too slow: the next segment was not ready in time"
                               : std::move(reason));
        return false;
    }
    if (map_ != nullptr) {
        end_segment(EndMark::continued);
    }
    segment_ = next->number;
    map_ = next->map;
    const std::string header = encode({.shard = settings_.shard,
                                       .boot = settings_.boot,
                                       .segment = segment_,
                                       .first_entry = entries_,
                                       .head = settings_.head});
    // The magic last: without it, the segment is one that was not begun.
    constexpr std::size_t magic_bytes = recording_magic.size();
    std::memcpy(map_ + magic_bytes, header.data() + magic_bytes, header.size() - magic_bytes);
    publish_u64(map_, load_u64(header.data()));
    used_ = header.size();
    bytes_ += header.size();
    ring_at_ = ring_bytes;
    progress_.store(segment_ * settings_.segment_bytes + used_);
    disk_.ring();  // Prepare one more.
    return true;
}

void MappedSink::end_segment(EndMark mark) noexcept {
    publish_u64(map_ + used_, frame_start(mark));
    used_ += end_mark_bytes;
    bytes_ += end_mark_bytes;
    Done done{segment_, used_};
    MUSTER_CHECK(done_.push(done));  // It has room for all segments that there can be.
    map_ = nullptr;
}

void MappedSink::give_up(std::string reason) {
    if (map_ != nullptr) {
        end_segment(EndMark::stopped);
    }
    stop(std::move(reason));
    disk_.ring();  // Let go of what is prepared.
}

// --- The disk's thread ---------------------------------------------------------------------------

void MappedSink::work() {
    const bool was_on = is_on();  // First: once it is off, the shard's last segment is done.
    take_done();
    if (!was_on) {
        drop_prepared();
        return;
    }
    prepare();
    touch();
}

// The shard's side is ours, too, now that it appends no more.
void MappedSink::close() {
    if (map_ != nullptr) {
        end_segment(EndMark::closed);
    }
    end();
    work();
}

bool MappedSink::has_work() { return !done_.empty(); }

void MappedSink::take_done() {
    while (const auto done = done_.pop()) {
        const auto segment = std::ranges::find(segments_, done->number, &Segment::number);
        MUSTER_CHECK(segment != segments_.end());
        ::munmap(segment->map, settings_.segment_bytes);
        segment->map = nullptr;
        // What was not used goes back to the disk. A failure leaves zeros, which say the same.
        if (::ftruncate(segment->fd.fd(), static_cast<off_t>(done->used_bytes)) == 0) {
            segments_bytes_ -= segment->bytes - done->used_bytes;
            segment->bytes = done->used_bytes;
        }
        segment->fd.close();
    }
}

void MappedSink::prepare() {
    const auto is_mapped = [](const Segment& segment) { return segment.map != nullptr; };
    // One of those that are mapped is the shard's own.
    while (std::ranges::count_if(segments_, is_mapped) < static_cast<std::ptrdiff_t>(ahead + 1)) {
        while (segments_bytes_ + settings_.segment_bytes > settings_.bytes_max &&
               segments_.front().map == nullptr) {
            remove_oldest();
        }
        auto made = make(next_number_);
        {
            const std::lock_guard lock{failure_mutex_};
            failure_ = made ? std::string{} : made.error().detail;
        }
        if (!made) {
            return;  // The next ring tries again.
        }
        Prepared item{made->number, made->map};
        segments_bytes_ += made->bytes;
        segments_.push_back(std::move(*made));
        ++next_number_;
        MUSTER_CHECK(prepared_.push(item));
    }
}

Result<MappedSink::Segment> MappedSink::make(std::uint64_t number) {
    const std::filesystem::path file = file_of(number);
    const auto failed = [&file](int error) {
        return failure(ErrorCode::bad_settings,
                       fmt::format("cannot make {} for the recording: {}", file.string(),
                                   std::generic_category().message(error)));
    };
    Segment segment;
    segment.number = number;
    segment.bytes = settings_.segment_bytes;
    segment.fd = Descriptor{::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                   S_IRUSR | S_IWUSR)};
    if (!segment.fd.is_open()) {
        return failed(errno);
    }
    // Room on the disk for every page, now: later a full disk would be a SIGBUS.
    int error = disk_.calls().allocate(segment.fd.fd(), segment.bytes);
    if (error == 0) {
        void* const map =
            ::mmap(nullptr, segment.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, segment.fd.fd(), 0);
        if (map != MAP_FAILED) {
            segment.map = static_cast<char*>(map);
            return segment;
        }
        error = errno;
    }
    ::unlink(file.c_str());
    return failed(error);
}

void MappedSink::remove_oldest() {
    ::unlink(file_of(segments_.front().number).c_str());
    segments_bytes_ -= segments_.front().bytes;
    segments_.pop_front();
}

void MappedSink::touch() {
    const std::uint64_t progress = progress_.load();
    const std::uint64_t until = progress + touch_bytes;
    for (Segment& segment : segments_) {
        const std::uint64_t begin = segment.number * settings_.segment_bytes;
        if (segment.map == nullptr || begin >= until) {
            continue;
        }
        const std::uint64_t end = std::min(until - begin, settings_.segment_bytes);
        if (end > segment.touched_bytes) {
            // A page already touched may be clean again, which costs the shard one fault: seldom.
            const std::uint64_t page = segment.touched_bytes & ~std::uint64_t{0xffff};
            // Older kernels know no such call; then the shard meets the pages itself.
            ::madvise(segment.map + page, end - page, MADV_POPULATE_WRITE);
            segment.touched_bytes = end;
        }
    }
}

void MappedSink::drop_prepared() {
    while (prepared_.pop()) {
        // The shard has stopped popping, so that both sides of the channel are ours.
    }
    while (!segments_.empty() && segments_.back().map != nullptr) {
        ::munmap(segments_.back().map, settings_.segment_bytes);
        ::unlink(file_of(segments_.back().number).c_str());
        segments_bytes_ -= segments_.back().bytes;
        segments_.pop_back();
    }
}

}  // namespace muster::runtime
