#include "shell/runtime/recording_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "shell/runtime/folder_lock.h"

namespace muster::runtime {
namespace {

/// Takes a number from the front of `text`.
template <typename Number>
bool take(std::string_view& text, Number& number, int base) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    return read.ec == std::errc{};
}

bool take(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word)) {
        return false;
    }
    text.remove_prefix(word.size());
    return true;
}

}  // namespace

std::string text_of(const SegmentName& name) {
    return fmt::format("{:016x}-shard{}-{:08}.rec", name.boot.value, name.shard.value,
                       name.segment);
}

std::optional<SegmentName> parse_segment_name(std::string_view text) {
    SegmentName name;
    std::string_view rest = text;
    const bool is_read = take(rest, name.boot.value, 16) && take(rest, "-shard") &&
                         take(rest, name.shard.value, 10) && take(rest, "-") &&
                         take(rest, name.segment, 10) && rest == ".rec";
    if (!is_read || text_of(name) != text) {
        return std::nullopt;
    }
    return name;
}

Result<std::vector<Recording>> list_recordings(const std::filesystem::path& folder) {
    std::map<std::pair<Boot, ShardId>, Recording> found;
    std::map<Boot, std::filesystem::file_time_type> lives;
    std::error_code error;
    std::filesystem::directory_iterator files{folder, error};
    for (; !error && files != std::filesystem::directory_iterator{}; files.increment(error)) {
        const std::filesystem::path& file = files->path();
        const auto name = parse_segment_name(file.filename().string());
        std::error_code gone;  // A running server may remove a file while we look at it.
        if (!name || !files->is_regular_file(gone)) {
            continue;
        }
        const std::uint64_t bytes = files->file_size(gone);
        const auto changed =
            gone ? std::filesystem::file_time_type{} : files->last_write_time(gone);
        if (gone) {
            continue;
        }
        Recording& recording = found[{name->boot, name->shard}];
        recording.boot = name->boot;
        recording.shard = name->shard;
        recording.segments.push_back({file, name->segment, bytes});
        recording.bytes += bytes;
        recording.changed =
            recording.segments.size() == 1 ? changed : std::max(recording.changed, changed);
        const auto [life, is_new] = lives.try_emplace(name->boot, changed);
        life->second = std::max(life->second, changed);
    }
    if (error) {
        return failure(ErrorCode::no_recording,
                       fmt::format("cannot read {}: {}", folder.string(), error.message()));
    }
    std::vector<Recording> recordings;
    recordings.reserve(found.size());
    for (auto& [key, recording] : found) {
        std::ranges::sort(recording.segments, {}, &RecordedSegment::number);
        recordings.push_back(std::move(recording));
    }
    std::ranges::sort(recordings, [&lives](const Recording& a, const Recording& b) {
        return std::tie(lives[b.boot], a.boot, a.shard) < std::tie(lives[a.boot], b.boot, b.shard);
    });
    return recordings;
}

Result<void> make_recording_folder(const std::filesystem::path& folder) {
    std::error_code error;
    if (folder.has_parent_path()) {
        std::filesystem::create_directories(folder.parent_path(), error);
    }
    if (!error && ::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
        error = {errno, std::generic_category()};
    }
    if (error) {
        return failure(ErrorCode::bad_settings, fmt::format("cannot make {} for recordings: {}",
                                                            folder.string(), error.message()));
    }
    return {};
}

Result<Descriptor> lock_recording_folder(const std::filesystem::path& folder) {
    if (auto made = make_recording_folder(folder); !made) {
        return tl::unexpected{std::move(made.error())};
    }
    const Descriptor opened{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!opened.is_open()) {
        return failure(ErrorCode::bad_settings,
                       fmt::format("cannot open the folder {}: {}", folder.string(),
                                   std::generic_category().message(errno)));
    }
    return lock_folder({.fd = opened.fd(),
                        .path = folder.string(),
                        .file = "recording.lock",  // The folder may be the data folder itself.
                        .setting = "recording.folder"});
}

void remove_old_lives(const std::filesystem::path& folder, Boot present, std::uint64_t bytes_max) {
    const auto recordings = list_recordings(folder);
    if (!recordings) {
        return;  // The folder cannot be read; then nothing is written there either.
    }
    std::optional<Boot> newest;
    std::uint64_t bytes = 0;
    for (const Recording& recording : *recordings) {
        if (recording.boot != present) {
            newest = newest.value_or(recording.boot);
            bytes += recording.bytes;
        }
    }
    // The oldest life is the last one; one goes with all its shards.
    std::optional<Boot> going;
    for (auto recording = recordings->rbegin(); recording != recordings->rend(); ++recording) {
        if (recording->boot == present || recording->boot == newest) {
            continue;
        }
        if (bytes <= bytes_max && recording->boot != going) {
            return;
        }
        going = recording->boot;
        for (const RecordedSegment& segment : recording->segments) {
            std::error_code ignored;  // Another shard may have been faster.
            std::filesystem::remove(segment.file, ignored);
        }
        bytes -= recording->bytes;
    }
}

}  // namespace muster::runtime
