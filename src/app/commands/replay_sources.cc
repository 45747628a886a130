#include "app/commands/replay_sources.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

#include "shell/runtime/recording_files.h"

namespace muster::app {
namespace {

// A whole number, all of `text`.
std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(number)
                                                                    : std::nullopt;
}

}  // namespace

Result<std::vector<RecordingPaths>> recordings_in(const std::vector<std::string>& named) {
    std::error_code
        ignored;  // What cannot be looked at cannot be read either: the reader says why.
    if (named.size() > 1 || !std::filesystem::is_directory(named.front(), ignored)) {
        return std::vector<RecordingPaths>{RecordingPaths(named.begin(), named.end())};
    }
    const auto found = runtime::list_recordings(named.front());
    if (!found) {
        return tl::unexpected(found.error());
    }
    std::vector<RecordingPaths> meant;
    for (const auto& recording : *found) {
        if (recording.boot != found->front().boot) {
            break;
        }
        RecordingPaths& files = meant.emplace_back();
        for (const auto& segment : recording.segments) {
            files.push_back(segment.file);
        }
    }
    if (meant.empty()) {
        return failure(ErrorCode::no_recording, "there is no recording in " + named.front());
    }
    return meant;
}

Result<roles::ReplayLimits> limits_of(std::string_view until) {
    roles::ReplayLimits limits;
    if (until.empty()) {
        return limits;
    }
    const auto at = until.rfind('@');
    const auto number = number_in(at == std::string_view::npos ? until : until.substr(at + 1));
    if (!number || at == 0) {
        return failure(ErrorCode::bad_request,
                       "--until wants the number of an entry, or a queue and a seq: /room/123@20");
    }
    if (at == std::string_view::npos) {
        limits.entry = *number;
    } else {
        limits.queue = until.substr(0, at);
        limits.seq = *number;
    }
    return limits;
}

Result<OpenRecording> open_recording(RecordingPaths files) {
    auto reader = runtime::RecordingReader::open(std::move(files));
    if (!reader) {
        return tl::unexpected(std::move(reader.error()));
    }
    auto shard = server::read_recording_head(reader->head());
    if (!shard) {
        return tl::unexpected(std::move(shard.error()));
    }
    return OpenRecording{*std::move(reader), *std::move(shard)};
}

}  // namespace muster::app
