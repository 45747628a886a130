#include "app/commands/replay_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "app/commands/replay_against.h"
#include "app/commands/replay_dump.h"
#include "app/commands/replay_report.h"
#include "app/commands/replay_shadow.h"
#include "app/commands/replay_sources.h"
#include "app/roles/bucket_replay.h"
#include "app/roles/whole_replay.h"
#include "cli/commands.h"
#include "cli/terminal.h"

extern "C" void muster_replay_reached() {
    asm volatile("");  // Stays a function that is called, for the debugger's sake.
}

namespace muster::app {
namespace {

/// Replays one shard's recording, and prints its state where that was asked for.
Result<ReplayOutcome> replay(RecordingPaths files, const ReplayArguments& arguments,
                             roles::ReplayLimits limits) {
    const auto until = limits.entry;
    if (until) {
        limits.entry = cause_of(files, *until);
    }
    auto recording = open_recording(std::move(files));
    if (!recording) {
        return tl::unexpected(std::move(recording.error()));
    }
    auto& reader = recording->reader;
    const auto& shard = recording->shard;
    ReplayOutcome outcome;
    outcome.until = until;
    outcome.version = shard.version;
    outcome.shard = shard.shard;
    outcome.is_whole = reader.begins_at_start();
    if (limits.entry || !limits.queue.empty()) {
        outcome.was_until_reached = false;
        limits.reached = [&arguments, &outcome] {
            outcome.was_until_reached = true;
            muster_replay_reached();
            return arguments.goes_on;
        };
    }
    const auto next = [&] { return reader.next(); };
    const auto finish = [&](const Result<roles::ReplayReport>& report,
                            auto& replayed) -> Result<ReplayOutcome> {
        if (!report) {
            return tl::unexpected(report.error());
        }
        outcome.report = *report;
        outcome.end = reader.end();
        if (arguments.dumps_state) {
            outcome.queues_printed = dump_state(replayed, arguments.queue);
        }
        return outcome;
    };
    if (outcome.is_whole) {
        roles::WholeReplay whole(shard.shard, shard.site, shard.seed);
        return finish(whole.run(next, limits), whole);
    }
    roles::BucketReplay buckets(shard.site);
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

int shadow(RecordingPaths files, const ReplayArguments& arguments, roles::ReplayLimits limits) {
    const auto printed = print_shadow({.files = std::move(files),
                                       .limits = std::move(limits),
                                       .explained = arguments.explained,
                                       .entries = arguments.entries});
    if (!printed) {
        cli::print_error(printed.error().detail, label(printed.error().code));
        return cli::exit_failed;
    }
    return cli::exit_ok;
}

// What one shard's files lack, the others may have: each is replayed.
int replay_all(const std::vector<RecordingPaths>& recordings, const ReplayArguments& arguments,
               const roles::ReplayLimits& limits) {
    int code = cli::exit_ok;
    bool are_all_read = true;
    bool was_until_reached = false;
    std::size_t queues_printed = 0;
    for (const auto& files : recordings) {
        const auto outcome = replay(files, arguments, limits);
        if (!outcome) {
            cli::print_error(outcome.error().detail, label(outcome.error().code));
            code = cli::exit_failed;
            are_all_read = false;
            continue;
        }
        // The state goes to stdout alone, so that it can be piped.
        fmt::print(arguments.dumps_state ? stderr : stdout, "{}",
                   arguments.as_json ? as_json(*outcome) : as_text(*outcome));
        code = outcome->report.difference ? cli::exit_failed : code;
        was_until_reached = was_until_reached || outcome->was_until_reached;
        queues_printed += outcome->queues_printed;
    }
    const std::string_view in =
        are_all_read ? "the recording" : "what of the recording can be read";
    if (!was_until_reached && !arguments.until.empty()) {
        cli::print_error(fmt::format("{} never comes to {}", in, arguments.until));
        return cli::exit_failed;
    }
    if (!arguments.queue.empty() && queues_printed == 0) {
        cli::print_error(
            arguments.queue.starts_with("/user/")
                ? fmt::format("{} is a user's own queue: --dump shows none of those",
                              arguments.queue)
                : fmt::format("{} has no queue {}{}", in, arguments.queue,
                              arguments.until.empty() ? " at its end" : " where it was to stop"));
        return cli::exit_failed;
    }
    return code;
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
    const auto recordings = recordings_in(arguments.paths);
    if (!recordings) {
        cli::print_error(recordings.error().detail, label(recordings.error().code));
        return cli::exit_failed;
    }
    if (!arguments.against.empty()) {
        return replay_against(
            *recordings,
            {.program = arguments.against, .until = arguments.until, .as_json = arguments.as_json});
    }
    if (arguments.is_shadow) {
        return shadow(recordings->front(), arguments, *limits);
    }
    return replay_all(*recordings, arguments, *limits);
}

}  // namespace muster::app
