#include "shell/runtime/recording_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "shell/runtime/recording_files.h"
#include "shell/runtime/recording_format.h"

namespace muster::runtime {
namespace {

constexpr std::uint64_t read_bytes = std::uint64_t{1} << 20U;

tl::unexpected<Error> cannot_read(const std::filesystem::path& file, int error) {
    return failure(ErrorCode::no_recording, fmt::format("cannot read {}: {}", file.string(),
                                                        std::generic_category().message(error)));
}

Result<Descriptor> open_file(const std::filesystem::path& file) {
    // O_NONBLOCK: a pipe in the file's place must not hold us up.
    Descriptor fd{::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    struct stat status{};
    if (!fd.is_open() || ::fstat(fd.fd(), &status) != 0) {
        return cannot_read(file, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return failure(ErrorCode::not_a_recording, fmt::format("{} is no file", file.string()));
    }
    return fd;
}

/// Reads `count` bytes from `at` on, or as many as there are.
Result<std::size_t> read_at(int fd, const std::filesystem::path& file, char* to, std::size_t count,
                            std::uint64_t at) {
    std::size_t done = 0;
    while (done < count) {
        const ssize_t bytes = ::pread(fd, to + done, count - done, static_cast<off_t>(at + done));
        if (bytes < 0 && errno != EINTR) {
            return cannot_read(file, errno);
        }
        if (bytes == 0) {
            break;
        }
        done += bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
    }
    return done;
}

std::string_view text_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::not_a_recording: return "is not a segment of a recording";
        case ErrorCode::newer_recording: return "was recorded by a newer version of Muster";
        default: return "is damaged: its header has changed since it was written";
    }
}

}  // namespace

Result<RecordingReader> RecordingReader::open(std::vector<std::filesystem::path> paths) {
    std::error_code no_folder;
    if (paths.size() == 1 && std::filesystem::is_directory(paths[0], no_folder)) {
        const auto recordings = list_recordings(paths[0]);
        if (!recordings) {
            return tl::unexpected{recordings.error()};
        }
        if (recordings->size() != 1) {
            return failure(ErrorCode::no_recording,
                           fmt::format("{} holds {} recordings; name the files of one",
                                       paths[0].string(), recordings->size()));
        }
        paths.clear();
        for (const RecordedSegment& segment : recordings->front().segments) {
            paths.push_back(segment.file);
        }
    }
    RecordingReader reader;
    for (const std::filesystem::path& file : paths) {
        if (auto taken = reader.take(file); !taken) {
            return tl::unexpected{std::move(taken.error())};
        }
    }
    if (reader.segments_.empty()) {
        return failure(
            ErrorCode::no_recording,
            paths.empty() ? "no file was named" : "nothing was recorded in " + paths[0].string());
    }
    std::ranges::sort(reader.segments_, {}, &Segment::number);
    if (auto checked = reader.check_series(); !checked) {
        return tl::unexpected{std::move(checked.error())};
    }
    if (auto opened = reader.open_segment(0); !opened) {
        return tl::unexpected{std::move(opened.error())};
    }
    return reader;
}

/// Reads the header of `file` and remembers it, if it was begun.
Result<void> RecordingReader::take(const std::filesystem::path& file) {
    auto fd = open_file(file);
    if (!fd) {
        return tl::unexpected{std::move(fd.error())};
    }
    std::string bytes(segment_header_bytes, '\0');
    auto count = read_at(fd->fd(), file, bytes.data(), bytes.size(), 0);
    if (!count) {
        return tl::unexpected{std::move(count.error())};
    }
    bytes.resize(*count);
    const auto start = decode_segment_start(bytes);
    if (!start) {
        const ErrorCode code = start.error().code;
        return failure(code, fmt::format("{} {}", file.string(), text_of(code)));
    }
    if (!start->has_value()) {
        return {};
    }
    const SegmentHeader& header = (*start)->header;
    struct stat status{};
    ::fstat(fd->fd(), &status);
    const std::uint64_t first_frame = first_frame_at((*start)->head_bytes);
    if (static_cast<std::uint64_t>(status.st_size) < first_frame) {
        return {};  // Cut short before the first entry.
    }
    std::string head((*start)->head_bytes, '\0');
    count = read_at(fd->fd(), file, head.data(), head.size(), segment_header_bytes);
    if (!count) {
        return tl::unexpected{std::move(count.error())};
    }
    if (*count != head.size() || crc32c(head) != (*start)->head_crc) {
        return failure(ErrorCode::damaged_recording,
                       fmt::format("{} {}", file.string(), text_of(ErrorCode::damaged_recording)));
    }
    if (!has_head_) {
        has_head_ = true;
        shard_ = header.shard;
        boot_ = header.boot;
        head_ = std::move(head);
    } else if (header.shard != shard_ || header.boot != boot_ || head != head_) {
        return failure(ErrorCode::no_recording,
                       fmt::format("{} and {} belong to two recordings; name the files of one",
                                   segments_.front().file.string(), file.string()));
    }
    segments_.push_back({file, header.segment, header.first_entry, first_frame});
    return {};
}

Result<void> RecordingReader::check_series() {
    for (std::size_t i = 1; i < segments_.size(); ++i) {
        const Segment& one = segments_[i - 1];
        const Segment& other = segments_[i];
        if (one.number == other.number) {
            return failure(ErrorCode::no_recording,
                           fmt::format("{} and {} are both segment {}; name one of them",
                                       one.file.string(), other.file.string(), one.number));
        }
        if (one.number + 1 != other.number) {
            const auto missing = text_of(SegmentName{boot_, shard_, one.number + 1});
            return failure(ErrorCode::segment_missing,
                           fmt::format("{} is missing, though {} follows it", missing,
                                       other.file.filename().string()));
        }
    }
    return {};
}

Result<void> RecordingReader::open_segment(std::size_t place) {
    auto fd = open_file(segments_[place].file);
    if (!fd) {
        return tl::unexpected{std::move(fd.error())};
    }
    fd_ = std::move(*fd);
    place_ = place;
    next_entry_ = segments_[place].first_entry;
    offset_ = segments_[place].first_frame_at;
    file_at_ = offset_;
    buffer_.clear();
    buffer_at_ = 0;
    return {};
}

Result<std::optional<std::string_view>> RecordingReader::next() {
    while (!error_ && end_ == End::unread) {
        const auto stepped = step();
        if (!stepped) {
            error_ = stepped.error();
        } else if (*stepped == Step::entry) {
            return entry_;
        }
    }
    if (error_) {
        return tl::unexpected{*error_};
    }
    return std::nullopt;
}

/// Reads one frame: the entry into entry_, or what stands in its place.
Result<RecordingReader::Step> RecordingReader::step() {
    auto start = peek(frame_start_bytes);
    if (!start) {
        return tl::unexpected{std::move(start.error())};
    }
    const std::uint64_t both = start->has_value() ? load_u64((*start)->data()) : 0;
    if (both == 0) {
        return end_segment(End::cut_short);
    }
    const auto length = static_cast<std::uint32_t>(both);
    if (both != frame_start(length)) {
        return damaged("an entry's length is");
    }
    if (length >= static_cast<std::uint32_t>(EndMark::first)) {
        switch (EndMark{length}) {
            case EndMark::closed: return end_segment(End::closed);
            case EndMark::stopped: return end_segment(End::stopped);
            case EndMark::continued: break;
        }
        if (place_ + 1 == segments_.size()) {
            return end_segment(End::cut_short);  // The process died before it began the next one.
        }
        if (segments_[place_ + 1].first_entry != next_entry_) {
            return damaged("the number of entries is");
        }
        if (auto opened = open_segment(place_ + 1); !opened) {
            return tl::unexpected{std::move(opened.error())};
        }
        return Step::next_segment;
    }
    if (length > recording_entry_bytes_max) {
        return damaged("an entry's length is");
    }
    auto frame = peek(frame_bytes(length));
    if (!frame) {
        return tl::unexpected{std::move(frame.error())};
    }
    if (!frame->has_value()) {
        return end_segment(End::cut_short);
    }
    const std::string_view entry = (*frame)->substr(frame_head_bytes, length);
    if (load_u32((*frame)->data() + frame_start_bytes) != crc32c(entry)) {
        return damaged("the CRC says that an entry is");
    }
    entry_ = entry;
    buffer_at_ += (*frame)->size();
    offset_ += (*frame)->size();
    ++next_entry_;
    return Step::entry;
}

Result<RecordingReader::Step> RecordingReader::end_segment(End end) {
    if (place_ + 1 < segments_.size()) {
        return damaged("the file is cut short, though a later one follows it, which is");
    }
    end_ = end;
    return Step::end;
}

/// Returns the next `count` bytes of the file, or nothing where there are fewer.
Result<std::optional<std::string_view>> RecordingReader::peek(std::uint64_t count) {
    const std::uint64_t there = buffer_.size() - buffer_at_;
    if (there < count) {
        struct stat status{};
        if (::fstat(fd_.fd(), &status) != 0) {
            return cannot_read(file(), errno);
        }
        const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
        if (file_bytes < offset_ || file_bytes - offset_ < count) {
            return std::nullopt;  // Before memory is taken for a length that was never written.
        }
        buffer_.erase(0, buffer_at_);
        buffer_at_ = 0;
        const std::uint64_t wanted = std::min(std::max(count, read_bytes), file_bytes - offset_);
        buffer_.resize(wanted);
        const auto read =
            read_at(fd_.fd(), file(), buffer_.data() + there, wanted - there, file_at_);
        if (!read) {
            return tl::unexpected{read.error()};
        }
        file_at_ += *read;
        buffer_.resize(there + *read);
        if (buffer_.size() < count) {
            return std::nullopt;  // It has become shorter meanwhile.
        }
    }
    return std::string_view{buffer_}.substr(buffer_at_, count);
}

tl::unexpected<Error> RecordingReader::damaged(std::string_view what) const {
    return failure(ErrorCode::damaged_recording,
                   fmt::format("{} is damaged at byte {} (entry {}): {} not what was written",
                               file().string(), offset_, next_entry_, what));
}

}  // namespace muster::runtime
