#include "app/commands/replay_sources.h"

#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>

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

// The files of each shard of each life, as far as names tell.
std::vector<RecordingPaths> by_shard(const std::vector<std::string>& named) {
    std::map<std::pair<Boot, ShardId>, RecordingPaths> known;
    RecordingPaths unknown;
    for (const std::filesystem::path file : named) {
        const auto name = runtime::parse_segment_name(file.filename().string());
        (name ? known[{name->boot, name->shard}] : unknown).push_back(file);
    }
    std::vector<RecordingPaths> meant;
    for (auto& [whose, files] : known) {
        meant.push_back(std::move(files));
    }
    if (!unknown.empty()) {
        meant.push_back(std::move(unknown));
    }
    return meant;
}

}  // namespace

Result<std::vector<RecordingPaths>> recordings_in(const std::vector<std::string>& named) {
    std::error_code
        ignored;  // What cannot be looked at cannot be read either: the reader says why.
    if (named.size() > 1 || !std::filesystem::is_directory(named.front(), ignored)) {
        return by_shard(named);
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

std::uint64_t cause_of(const RecordingPaths& files, std::uint64_t entry) {
    auto reader = runtime::RecordingReader::open(files);
    std::uint64_t cause = entry;
    for (std::uint64_t number = 1; reader && number <= entry; ++number) {
        const auto bytes = reader->next();
        if (!bytes || !*bytes) {
            return entry;
        }
        const auto read = roles::parse_entry(**bytes);
        if (!read) {
            return entry;
        }
        if (!std::holds_alternative<roles::SentEntry>(*read)) {
            cause = number;
        }
    }
    return cause;
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
