#include "shell/runtime/recording_writer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "shell/runtime/buffered_sink.h"
#include "shell/runtime/mapped_sink.h"
#include "shell/runtime/recording_files.h"
#include "shell/runtime/recording_format.h"
#include "shell/runtime/recording_sink.h"

namespace muster::runtime {
namespace {

constexpr std::uint64_t page_bytes = 4096;

Result<void> check(const RecordingSettings& settings) {
    const bool is_crash = settings.mode == RecordingSettings::Mode::crash;
    const std::uint64_t count_min = is_crash ? MappedSink::segment_count_min : 2;
    if (settings.bytes_max / count_min < settings.segment_bytes) {
        return failure(ErrorCode::bad_settings,
                       fmt::format("a recording of {} bytes is too small for segments of {}: it "
                                   "must take at least {} of them",
                                   settings.bytes_max, settings.segment_bytes, count_min));
    }
    if (settings.head.size() > recording_head_bytes_max ||
        first_frame_at(settings.head.size()) + page_bytes / 2 > settings.segment_bytes) {
        return failure(ErrorCode::bad_settings,
                       fmt::format("a segment of {} bytes is too small for a recording whose head "
                                   "has {}",
                                   settings.segment_bytes, settings.head.size()));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::open(RecordingSettings settings,
                                                               RecordingDisk& disk) {
    using Mode = RecordingSettings::Mode;
    const auto wrapped = [&disk](std::unique_ptr<RecordingSink> sink) {
        return std::unique_ptr<RecordingWriter>{new RecordingWriter{std::move(sink), disk}};
    };
    if (settings.mode == Mode::off) {
        return wrapped(nullptr);
    }
    settings.segment_bytes -= settings.segment_bytes % page_bytes;
    if (const auto checked = check(settings); !checked) {
        return tl::unexpected{checked.error()};
    }
    if (const auto made = make_recording_folder(settings.folder); !made) {
        return tl::unexpected{made.error()};
    }
    remove_old_lives(settings.folder, settings.boot, settings.folder_bytes_max);
    const std::uint64_t around_entry = settings.head.size() + page_bytes;
    const std::uint64_t entry_bytes_max =
        settings.segment_bytes - std::min(settings.segment_bytes, around_entry);

    std::unique_ptr<RecordingSink> sink;
    if (settings.mode == Mode::crash) {
        sink = std::make_unique<MappedSink>(std::move(settings), disk);
    } else {
        sink = std::make_unique<BufferedSink>(std::move(settings), disk);
    }
    if (const auto opened = sink->open(); !opened) {
        return tl::unexpected{opened.error()};
    }
    auto writer = wrapped(std::move(sink));
    writer->entry_bytes_max_ = entry_bytes_max;
    return writer;
}

RecordingWriter::RecordingWriter(std::unique_ptr<RecordingSink> sink, RecordingDisk& disk)
    : sink_(std::move(sink)), disk_(disk) {
    if (sink_ != nullptr) {
        disk_.add(*sink_);
        is_open_ = true;
    }
}

RecordingWriter::~RecordingWriter() { close(); }

void RecordingWriter::append(std::string_view entry) noexcept {
    if (is_on()) {
        sink_->append(entry);
    }
}

bool RecordingWriter::is_on() const noexcept {
    return sink_ != nullptr && !is_ended_ && sink_->is_on();
}

std::optional<std::string> RecordingWriter::take_stop_reason() {
    return sink_ == nullptr ? std::nullopt : sink_->take_stop_reason();
}

std::uint64_t RecordingWriter::entries() const noexcept {
    return sink_ == nullptr ? 0 : sink_->entries();
}

std::uint64_t RecordingWriter::bytes() const noexcept {
    return sink_ == nullptr ? 0 : sink_->bytes();
}

std::uint64_t RecordingWriter::segment() const noexcept {
    return sink_ == nullptr ? 0 : sink_->segment();
}

std::filesystem::path RecordingWriter::file() const {
    return sink_ == nullptr ? std::filesystem::path{} : sink_->file();
}

void RecordingWriter::flush() {
    if (is_open_) {
        disk_.flush();
    }
}

bool RecordingWriter::close(std::optional<Duration> patience) {
    is_ended_ = true;
    if (is_open_) {
        is_open_ = !disk_.close(*sink_, patience);
    }
    return !is_open_;
}

}  // namespace muster::runtime
