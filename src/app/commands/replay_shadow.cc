#include "app/commands/replay_shadow.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "app/roles/shadow_run.h"

namespace muster::app {
namespace {

using Kind = ShadowLine::Kind;

constexpr std::array words{std::pair{Kind::step, std::string_view{"step"}},
                           std::pair{Kind::input, std::string_view{"input"}},
                           std::pair{Kind::said, std::string_view{"said"}},
                           std::pair{Kind::recorded, std::string_view{"recorded"}},
                           std::pair{Kind::end, std::string_view{"end"}}};

// At once: the next input may be the one that kills.
void print(const ShadowLine& line) {
    fmt::print("{}\n", text_of(line));
    std::fflush(stdout);
}

void print_words(Kind kind, const std::vector<roles::ShadowWords>& all) {
    for (const auto& one : all) {
        ShadowLine line;
        line.kind = kind;
        line.hash = one.hash;
        line.text = one.text;
        print(line);
    }
}

/// Takes a number and the blank behind it off the front of `text`.
bool take(std::string_view& text, std::uint64_t& number, int base = 10) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    const bool is_good = read.ec == std::errc{} && (text.empty() || text.front() == ' ');
    text.remove_prefix(is_good && !text.empty() ? 1 : 0);
    return is_good;
}

}  // namespace

Result<void> print_shadow(const ShadowRequest& request) {
    auto recording = open_recording(request.files);
    if (!recording) {
        return tl::unexpected(std::move(recording.error()));
    }
    fmt::print("{}\n", shadow_form);
    std::fflush(stdout);
    roles::ShadowWish wish;
    wish.limits = request.limits;
    wish.explained = request.explained;
    wish.tell = [](const roles::ShadowStep& step) {
        ShadowLine line;
        line.entry = step.entry;
        line.hash = step.said;
        print(line);
    };
    auto& [reader, shard] = *recording;
    wish.is_whole = [&reader = reader] {
        return reader.end() == runtime::RecordingReader::End::closed;
    };
    const auto next = [&reader = reader,
                       left =
                           request.entries]() mutable -> Result<std::optional<std::string_view>> {
        if (left && (*left)-- == 0) {
            return std::nullopt;
        }
        return reader.next();
    };
    const auto report = reader.begins_at_start()
                            ? roles::run_shadow_of_shard(next, wish,
                                                         std::make_unique<roles::ShardMachine>(
                                                             shard.shard, shard.site, shard.seed))
                            : roles::run_shadow_of_buckets(next, wish, shard.site);
    if (!report) {
        return tl::unexpected(report.error());
    }
    if (!report->input.empty()) {
        ShadowLine line;
        line.kind = Kind::input;
        line.text = report->input;
        print(line);
        print_words(Kind::said, report->said);
        print_words(Kind::recorded, report->recorded);
    }
    ShadowLine end;
    end.kind = Kind::end;
    end.entry = report->entries;
    end.inputs = report->inputs;
    end.differs_at = report->differs_at;
    end.is_stopped = report->is_stopped;
    print(end);
    return {};
}

std::string text_of(const ShadowLine& line) {
    const auto word =
        std::ranges::find(words, line.kind, [](const auto& one) { return one.first; });
    switch (line.kind) {
        case Kind::step: return fmt::format("{} {} {:x}", word->second, line.entry, line.hash);
        case Kind::input: return fmt::format("{} {}", word->second, line.text);
        case Kind::said:
        case Kind::recorded: return fmt::format("{} {:x} {}", word->second, line.hash, line.text);
        case Kind::end:
            return fmt::format("{} {} {} {} {}", word->second, line.entry, line.inputs,
                               line.differs_at, line.is_stopped ? 1 : 0);
    }
    return {};
}

std::optional<ShadowLine> parse_shadow_line(std::string_view text) {
    const std::string_view whole = text;
    const std::string_view word = text.substr(0, text.find(' '));
    const auto known = std::ranges::find(words, word, [](const auto& one) { return one.second; });
    if (known == words.end() || word.size() == text.size()) {
        return std::nullopt;
    }
    text.remove_prefix(word.size() + 1);
    ShadowLine line;
    line.kind = known->first;
    std::uint64_t stopped = 0;
    bool is_good = true;
    switch (line.kind) {
        case Kind::step: is_good = take(text, line.entry) && take(text, line.hash, 16); break;
        case Kind::input: break;
        case Kind::said:
        case Kind::recorded: is_good = take(text, line.hash, 16); break;
        case Kind::end:
            is_good = take(text, line.entry) && take(text, line.inputs) &&
                      take(text, line.differs_at) && take(text, stopped);
            line.is_stopped = stopped == 1;
            break;
    }
    if (!is_good) {
        return std::nullopt;
    }
    line.text = text;
    return text_of(line) == whole ? std::optional(std::move(line)) : std::nullopt;
}

}  // namespace muster::app
