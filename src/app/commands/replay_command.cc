#include "app/commands/replay_command.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/commands/replay_dump.h"
#include "app/roles/bucket_replay.h"
#include "app/roles/whole_replay.h"
#include "app/server/recording_head.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "shell/runtime/recording_files.h"
#include "shell/runtime/recording_reader.h"

extern "C" void muster_replay_reached() {
    asm volatile("");  // Stays a function that is called, for the debugger's sake.
}

namespace muster::app {
namespace {

using Paths = std::vector<std::filesystem::path>;
using Reader = runtime::RecordingReader;

// A whole number, all of `text`.
std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(number)
                                                                    : std::nullopt;
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

// The recordings that are meant: of a folder, those of the life that was written to last.
Result<std::vector<Paths>> recordings_in(const std::vector<std::string>& named) {
    std::error_code
        ignored;  // What cannot be looked at cannot be read either: the reader says why.
    if (named.size() > 1 || !std::filesystem::is_directory(named.front(), ignored)) {
        return std::vector<Paths>{Paths(named.begin(), named.end())};
    }
    const auto found = runtime::list_recordings(named.front());
    if (!found) {
        return tl::unexpected(found.error());
    }
    std::vector<Paths> meant;
    for (const auto& recording : *found) {
        if (recording.boot != found->front().boot) {
            break;
        }
        Paths& files = meant.emplace_back();
        for (const auto& segment : recording.segments) {
            files.push_back(segment.file);
        }
    }
    if (meant.empty()) {
        return failure(ErrorCode::no_recording, "there is no recording in " + named.front());
    }
    return meant;
}

std::string_view end_in_words(Reader::End end) {
    switch (end) {
        case Reader::End::unread: return "not read to its end";
        case Reader::End::closed: return "ended in order";
        case Reader::End::stopped: return "it gave up; the server's log says why";
        case Reader::End::cut_short: return "cut short: the process died, or still runs";
    }
    return "";
}

struct Outcome {
    roles::ReplayReport report;
    std::string version;
    ShardId shard;
    bool is_whole = false;
    bool was_until_reached = true;  ///< or there was none
    Reader::End end = Reader::End::unread;
};

std::string as_text(const Outcome& outcome) {
    const auto& report = outcome.report;
    std::string text =
        fmt::format("recording of shard {} by version {}, {}; {}\nreplayed {} entries, {} turns; ",
                    outcome.shard.value, outcome.version,
                    outcome.is_whole ? "from its start" : "without its start: only the buckets",
                    end_in_words(outcome.end), report.entries, report.turns);
    if (!report.difference) {
        text += fmt::format("{} things compared, all the same{}\n", report.compared,
                            report.is_stopped ? "; stopped where it was to" : "");
    } else {
        text += fmt::format("first difference at entry {}\n  recorded: {}\n  replayed: {}\n",
                            report.difference->entry, report.difference->recorded,
                            report.difference->replayed);
    }
    return text;
}

std::string as_json(const Outcome& outcome) {
    const auto& report = outcome.report;
    std::string text =
        fmt::format(R"({{"shard":{},"version":{},"whole":{},"entries":{},"turns":{},"compared":{},)"
                    R"("skipped":{},"stopped":{},"end":{})",
                    outcome.shard.value, json_text(outcome.version), outcome.is_whole,
                    report.entries, report.turns, report.compared, report.skipped,
                    report.is_stopped, json_text(end_in_words(outcome.end)));
    if (report.difference) {
        text += fmt::format(R"(,"difference":{{"entry":{},"recorded":{},"replayed":{}}})",
                            report.difference->entry, json_text(report.difference->recorded),
                            json_text(report.difference->replayed));
    }
    return text + "}\n";
}

/// Replays one shard's recording, and prints its state where that was asked for.
Result<Outcome> replay(Paths files, const ReplayArguments& arguments, roles::ReplayLimits limits) {
    auto reader = Reader::open(std::move(files));
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    const auto shard = server::read_recording_head(reader->head());
    if (!shard) {
        return tl::unexpected(shard.error());
    }
    Outcome outcome{{}, shard->version, shard->shard, reader->begins_at_start()};
    if (limits.entry || !limits.queue.empty()) {
        outcome.was_until_reached = false;
        limits.reached = [&arguments, &outcome] {
            outcome.was_until_reached = true;
            muster_replay_reached();
            return arguments.goes_on;
        };
    }
    const auto next = [&] { return reader->next(); };
    const auto finish = [&](const Result<roles::ReplayReport>& report,
                            auto& replayed) -> Result<Outcome> {
        if (!report) {
            return tl::unexpected(report.error());
        }
        outcome.report = *report;
        outcome.end = reader->end();
        if (arguments.dumps_state) {
            dump_state(replayed, arguments.queue);
        }
        return outcome;
    };
    if (outcome.is_whole) {
        roles::WholeReplay whole(shard->shard, shard->site, shard->seed);
        return finish(whole.run(next, limits), whole);
    }
    roles::BucketReplay buckets(shard->site);
    return finish(buckets.run(next, limits), buckets);
}

std::vector<std::string> arguments_for_child(const ReplayArguments& arguments) {
    std::vector<std::string> child{"replay"};
    child.insert(child.end(), arguments.paths.begin(), arguments.paths.end());
    if (!arguments.until.empty()) {
        child.insert(child.end(), {"--until", arguments.until});
    }
    if (arguments.dumps_state) {
        child.insert(child.end(), {"--dump", "state"});
    }
    if (!arguments.queue.empty()) {
        child.insert(child.end(), {"--queue", arguments.queue});
    }
    if (arguments.as_json) {
        child.insert(child.end(), {"-o", "json"});
    }
    return child;
}

// Becomes another program. Returns only where that cannot be.
int become(std::vector<std::string> words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (auto& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    cli::print_error(fmt::format("cannot run {}: {}", words.front(), std::strerror(errno)));
    return cli::exit_failed;
}

// The debugger runs this program's replay: up to --until if it was given, else to where it dies.
int replay_in_gdb(const ReplayArguments& arguments) {
    std::vector<std::string> words{"gdb", "-q"};
    if (isatty(STDIN_FILENO) == 0) {
        words.emplace_back("-batch");
    }
    if (!arguments.until.empty()) {
        words.insert(words.end(), {"-ex", "break muster_replay_reached"});
    }
    words.insert(words.end(), {"-ex", "run", "-ex", "backtrace", "--args", arguments.program});
    const auto child = arguments_for_child(arguments);
    words.insert(words.end(), child.begin(), child.end());
    words.emplace_back("--go-on");
    return become(std::move(words));
}

int replay_against(const ReplayArguments& arguments) {
    std::vector<std::string> words{arguments.against};
    const auto child = arguments_for_child(arguments);
    words.insert(words.end(), child.begin(), child.end());
    return become(std::move(words));
}

}  // namespace

int replay_command(const ReplayArguments& arguments) {
    const auto limits = limits_of(arguments.until);
    if (!limits) {
        cli::print_error(limits.error().detail);
        return cli::exit_usage;
    }
    if (arguments.in_gdb) {
        return replay_in_gdb(arguments);
    }
    if (!arguments.against.empty()) {
        return replay_against(arguments);
    }
    const auto recordings = recordings_in(arguments.paths);
    if (!recordings) {
        cli::print_error(recordings.error().detail, label(recordings.error().code));
        return cli::exit_failed;
    }
    int code = cli::exit_ok;
    bool was_until_reached = false;
    for (const auto& files : *recordings) {
        const auto outcome = replay(files, arguments, *limits);
        if (!outcome) {
            cli::print_error(outcome.error().detail, label(outcome.error().code));
            return cli::exit_failed;
        }
        // The state goes to stdout alone, so that it can be piped.
        fmt::print(arguments.dumps_state ? stderr : stdout, "{}",
                   arguments.as_json ? as_json(*outcome) : as_text(*outcome));
        code = outcome->report.difference ? cli::exit_failed : code;
        was_until_reached = was_until_reached || outcome->was_until_reached;
    }
    if (!was_until_reached) {
        cli::print_error("the recording never comes to " + arguments.until);
        return cli::exit_failed;
    }
    return code;
}

}  // namespace muster::app
