#include "app/commands/replay_against.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "app/commands/replay_report.h"
#include "app/commands/replay_shadow.h"
#include "base/check.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "shell/runtime/descriptor.h"

namespace muster::app {
namespace {

using Kind = ShadowLine::Kind;

constexpr const char* this_program = "/proc/self/exe";

/// One build's shadow run, in a process of its own.
///
/// Owns: the process, which ends with this object at the latest.
class Build {
public:
    static Result<std::unique_ptr<Build>> start(std::vector<std::string> words) {
        int ends[2] = {-1, -1};
        if (::pipe2(ends, O_CLOEXEC) != 0) {
            return failure(ErrorCode::bad_request,
                           fmt::format("cannot run {}: no pipe to it: {}", words.front(),
                                       std::strerror(errno)));
        }
        std::unique_ptr<Build> build{new Build{words.front(), ends[0]}};
        runtime::Descriptor write_end{ends[1]};
        std::vector<char*> argv;
        argv.reserve(words.size() + 1);
        for (auto& word : words) {
            argv.push_back(word.data());
        }
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, write_end.fd(), STDOUT_FILENO);
        const int error =
            ::posix_spawnp(&build->process_, argv[0], &actions, nullptr, argv.data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        if (error != 0) {
            build->process_ = 0;
            return failure(ErrorCode::bad_request,
                           fmt::format("cannot run {}: {}", words.front(), std::strerror(error)));
        }
        return build;
    }
    ~Build() {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            static_cast<void>(wait());
        }
        std::fclose(from_);
    }
    Build(const Build&) = delete;
    Build& operator=(const Build&) = delete;

    /// Returns the next line, nothing at the end. Errors: it says something else.
    Result<std::optional<ShadowLine>> next() {
        if (!has_begun_) {
            const auto form = read();
            has_begun_ = true;
            if (form && *form != shadow_form) {
                return not_understood(*form);
            }
            is_known_ = form.has_value();
        }
        const auto text = read();
        if (!text) {
            return std::nullopt;
        }
        auto line = parse_shadow_line(*text);
        return line ? Result<std::optional<ShadowLine>>{std::move(line)} : not_understood(*text);
    }

    /// Waits for its end, and says how it died: "dies (SIGABRT)". Errors: it ended otherwise,
    /// though it had not come to the end. It has said why itself.
    Result<std::string> death() {
        const int status = wait();
        if (WIFSIGNALED(status)) {
            return fmt::format("dies (SIG{})", ::sigabbrev_np(WTERMSIG(status)));
        }
        return failure(ErrorCode::bad_request,
                       is_known_ ? fmt::format("{} could not go on, and ended with {}: see above",
                                               program_, WEXITSTATUS(status))
                                 : "a build cannot run the recording: see above");
    }

private:
    Build(std::string program, int from)
        : program_(std::move(program)), from_(::fdopen(from, "r")) {
        MUSTER_CHECK(from_ != nullptr);
    }

    std::optional<std::string> read() {
        std::array<char, shadow_line_bytes_max> buffer{};
        if (std::fgets(buffer.data(), static_cast<int>(buffer.size()), from_) == nullptr) {
            return std::nullopt;
        }
        std::string text{buffer.data()};
        if (text.ends_with('\n')) {
            text.pop_back();
        }
        return text;
    }
    int wait() {
        int status = 0;
        while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
        }
        process_ = 0;
        return status;
    }
    tl::unexpected<Error> not_understood(std::string_view text) const {
        return failure(ErrorCode::bad_request,
                       fmt::format("{} says something else than this build expects: {}", program_,
                                   text.substr(0, 80)));
    }

    std::string program_;
    std::FILE* from_;
    pid_t process_ = 0;
    bool has_begun_ = false;
    bool is_known_ = false;
};

/// What one build says at a place: a line, or how it died there.
struct Place {
    std::optional<ShadowLine> line;
    std::string death;  ///< "dies (SIGABRT)"

    [[nodiscard]] bool is_step() const { return line && line->kind == Kind::step; }
    friend bool operator==(const Place&, const Place&) = default;
};

/// Where two builds first made something else of an input.
struct Parting {
    std::uint64_t entry = 0;  ///< the input's; 0: behind the last one
    std::string input;
    std::string recorded;
    std::string by_this;
    std::string by_other;
};

struct Comparison {
    std::optional<ShadowLine> end;  ///< of both, where they came to it and did not part
    std::uint64_t differs_at = 0;   ///< where this build leaves the recording; 0: not, or not known
    std::string both_die;           ///< "dies (SIGABRT)": both, at the same place
    std::uint64_t last = 0;         ///< the last input of which both made the same
    std::optional<Parting> parting;
};

/// Where a recording ended when it was looked at.
struct RecordingEnd {
    /// How many entries there were, where it may still grow: so a build that reads later sees no
    /// more. None: nothing can be added.
    std::optional<std::uint64_t> entries;
    std::optional<Error> error;  ///< what cannot be read; what stands before it can
};

/// Reads all of a recording. Cost: as of one more build.
RecordingEnd end_of(runtime::RecordingReader& reader) {
    for (std::uint64_t entries = 0;; ++entries) {
        const auto entry = reader.next();
        if (!entry) {
            return {{}, entry.error()};
        }
        if (!*entry) {
            const bool may_grow = reader.end() == runtime::RecordingReader::End::cut_short;
            return {may_grow ? std::optional(entries) : std::nullopt, {}};
        }
    }
}

/// What a build told of an explained input.
struct Explanation {
    std::string input;
    std::vector<ShadowLine> said;
    std::vector<ShadowLine> recorded;
    std::uint64_t differs_at = 0;
};

class Comparer {
public:
    Comparer(const RecordingPaths& files, RecordingEnd end, const AgainstArguments& arguments)
        : files_(files), end_(std::move(end)), arguments_(arguments) {}

    Result<Comparison> compare() {
        auto builds = start_both();
        if (!builds) {
            return tl::unexpected(std::move(builds.error()));
        }
        auto& [this_build, other_build] = *builds;
        Comparison found;
        for (;;) {
            auto by_this = look_at(*this_build);
            auto by_other = by_this ? look_at(*other_build) : std::move(by_this);
            if (!by_other) {
                return tl::unexpected(std::move(by_other.error()));
            }
            if (*by_this != *by_other) {
                return part(std::move(found), *by_this, *by_other);
            }
            if (!by_this->line) {
                found.both_die = by_this->death;
                return found;
            }
            if (by_this->line->kind == Kind::end) {
                found.end = *by_this->line;
                found.differs_at = by_this->line->differs_at;
                return found;
            }
            found.last = by_this->line->entry;
        }
    }

private:
    std::vector<std::string> words_for(const std::string& program, std::uint64_t explained) const {
        std::vector<std::string> words{program, "replay", "--shadow"};
        if (!arguments_.until.empty()) {
            words.insert(words.end(), {"--until", arguments_.until});
        }
        if (explained != 0) {
            words.insert(words.end(), {"--explain", std::to_string(explained)});
        }
        if (end_.entries) {
            words.insert(words.end(), {"--entries", std::to_string(*end_.entries)});
        }
        for (const auto& file : files_) {
            words.push_back(file.string());
        }
        return words;
    }

    Result<std::pair<std::unique_ptr<Build>, std::unique_ptr<Build>>> start_both() {
        auto by_this = Build::start(words_for(this_program, 0));
        if (!by_this) {
            return tl::unexpected(std::move(by_this.error()));
        }
        return Build::start(words_for(arguments_.program, 0)).map([&](auto by_other) {
            return std::pair{*std::move(by_this), std::move(by_other)};
        });
    }

    /// Errors: it cannot run this recording, or not as far as this.
    Result<Place> look_at(Build& build) const {
        auto line = build.next();
        if (!line) {
            return tl::unexpected(std::move(line.error()));
        }
        Place place{std::move(*line), {}};
        if (!place.line) {
            auto death = build.death();
            if (!death && end_.error) {
                return failure(end_.error->code, "could not read on: " + end_.error->detail);
            }
            if (!death) {
                return tl::unexpected(std::move(death.error()));
            }
            place.death = *std::move(death);
        }
        return place;
    }

    Result<Comparison> part(Comparison found, const Place& by_this, const Place& by_other) {
        Parting parting;
        for (const Place* place : {&by_this, &by_other}) {
            if (place->is_step() && (parting.entry == 0 || place->line->entry < parting.entry)) {
                parting.entry = place->line->entry;
            }
        }
        const auto at_this = explain(this_program, by_this, parting.entry);
        const auto at_other = explain(arguments_.program, by_other, parting.entry);
        for (const auto* at : {&at_this, &at_other}) {
            if (at->has_value()) {
                parting.input = (*at)->input;
            }
        }
        put_in_words(parting, at_this, at_other);
        parting.by_this = at_this ? parting.by_this : at_this.error().detail;
        parting.by_other = at_other ? parting.by_other : at_other.error().detail;
        found.differs_at = at_this ? at_this->differs_at : 0;
        found.parting = std::move(parting);
        return found;
    }

    /// Has a build tell an input in words. Errors: it did not come to it, or cannot tell; in words.
    Result<Explanation> explain(const std::string& program, const Place& place,
                                std::uint64_t entry) {
        if (!place.is_step()) {
            return failure(ErrorCode::bad_request,
                           place.line ? "is at the recording's end" : place.death);
        }
        return Build::start(words_for(program, entry))
            .and_then([](auto build) { return explanation_by(*build); })
            .map_error([](Error error) {
                error.detail = "cannot be told: " + error.detail;
                return error;
            });
    }

    static Result<Explanation> explanation_by(Build& build) {
        Explanation told;
        for (;;) {
            auto line = build.next();
            if (!line) {
                return tl::unexpected(std::move(line.error()));
            }
            if (!*line) {
                return build.death().and_then([](const std::string& death) -> Result<Explanation> {
                    return failure(ErrorCode::bad_request, "it " + death);
                });
            }
            switch ((*line)->kind) {
                case Kind::step: break;
                case Kind::input: told.input = (*line)->text; break;
                case Kind::said: told.said.push_back(**line); break;
                case Kind::recorded: told.recorded.push_back(**line); break;
                case Kind::end: told.differs_at = (*line)->differs_at; return told;
            }
        }
    }

    /// The first thing that one said and the other did not.
    static void put_in_words(Parting& parting, const Result<Explanation>& by_this,
                             const Result<Explanation>& by_other) {
        const std::vector<ShadowLine> nothing;
        const auto& one = by_this ? by_this->said : nothing;
        const auto& other = by_other ? by_other->said : nothing;
        const auto& recorded = by_this    ? by_this->recorded
                               : by_other ? by_other->recorded
                                          : nothing;
        std::size_t at = 0;
        while (at < one.size() && at < other.size() && one[at].hash == other[at].hash) {
            ++at;
        }
        const auto text = [at](const std::vector<ShadowLine>& lines) {
            return at < lines.size() ? lines[at].text : std::string{"nothing more"};
        };
        const auto hash = [at](const std::vector<ShadowLine>& lines) {
            return at < lines.size() ? lines[at].hash : 0;
        };
        parting.recorded = text(recorded);
        parting.by_this = text(one);
        parting.by_other = text(other);
        // Words do not tell all.
        if (by_this && parting.by_this == parting.recorded && hash(one) != hash(recorded)) {
            parting.by_this += ", with other contents";
        }
        if (by_other && parting.by_other == parting.recorded && hash(other) != hash(recorded)) {
            parting.by_other += ", with other contents";
        }
    }

    const RecordingPaths& files_;
    RecordingEnd end_;
    const AgainstArguments& arguments_;
};

std::string as_text(const Comparison& found) {
    std::string text;
    if (found.parting) {
        const Parting& at = *found.parting;
        text = at.entry == 0 ? std::string{"first difference behind the last input\n"}
                             : fmt::format("first difference of the builds at entry {}{}{}\n",
                                           at.entry, at.input.empty() ? "" : ": ", at.input);
        text += fmt::format("  recorded:    {}\n  this build:  {}\n  other build: {}\n",
                            at.recorded, at.by_this, at.by_other);
        if (found.differs_at != 0 && found.differs_at < at.entry) {
            text +=
                fmt::format("both differ from the recording from entry {} on\n", found.differs_at);
        }
    } else if (!found.end) {
        text = fmt::format("both builds the same: each {} at the input behind entry {}\n",
                           found.both_die, found.last);
    } else {
        text = fmt::format(
            "both builds the same: {} inputs, {} entries{}; {}\n", found.end->inputs,
            found.end->entry, found.end->is_stopped ? "; stopped where they were to" : "",
            found.differs_at == 0
                ? "as recorded"
                : fmt::format("both differ from the recording from entry {} on", found.differs_at));
    }
    return text;
}

std::string as_json(const Comparison& found) {
    std::string text = fmt::format(R"("same":{})", !found.parting);
    if (found.end) {
        text += fmt::format(R"(,"entries":{},"inputs":{},"stopped":{})", found.end->entry,
                            found.end->inputs, found.end->is_stopped);
    }
    if (found.differs_at != 0) {
        text += fmt::format(R"(,"differs_from_recording_at":{})", found.differs_at);
    }
    if (!found.both_die.empty()) {
        text +=
            fmt::format(R"(,"both":{},"behind_entry":{})", json_text(found.both_die), found.last);
    }
    if (found.parting) {
        const Parting& at = *found.parting;
        text += fmt::format(
            R"(,"difference":{{"entry":{},"input":{},"recorded":{},"this":{},"other":{}}})",
            at.entry, json_text(at.input), json_text(at.recorded), json_text(at.by_this),
            json_text(at.by_other));
    }
    return text;
}

}  // namespace

int replay_against(const std::vector<RecordingPaths>& recordings,
                   const AgainstArguments& arguments) {
    int code = cli::exit_ok;
    bool was_until_reached = arguments.until.empty();
    for (const auto& files : recordings) {
        auto recording = open_recording(files);
        if (!recording) {
            cli::print_error(recording.error().detail, label(recording.error().code));
            code = cli::exit_failed;
            continue;
        }
        AgainstArguments own = arguments;
        if (const auto limits = limits_of(arguments.until); limits && limits->entry) {
            own.until = std::to_string(cause_of(files, *limits->entry));
        }
        const auto found = Comparer(files, end_of(recording->reader), own).compare();
        if (!found) {
            // Of what was asked for, no number says more than the words.
            const Error& error = found.error();
            cli::print_error(error.detail,
                             error.code == ErrorCode::bad_request ? "" : label(error.code));
            code = cli::exit_failed;
            continue;
        }
        const auto& shard = recording->shard;
        const bool is_whole = recording->reader.begins_at_start();
        if (arguments.as_json) {
            fmt::print(R"({{"shard":{},"version":{},"whole":{},"against":{},{}}}{})",
                       shard.shard.value, json_text(shard.version), is_whole,
                       json_text(arguments.program), as_json(*found), "\n");
        } else {
            fmt::print("recording of shard {} by version {}, {}\n{}", shard.shard.value,
                       shard.version,
                       is_whole ? "from its start" : "without its start: only the buckets",
                       as_text(*found));
        }
        // Where they part or die, they may not have come to it yet: that has been said.
        was_until_reached = was_until_reached || !found->end || found->end->is_stopped;
        code = found->parting || !found->both_die.empty() ? cli::exit_failed : code;
    }
    if (!was_until_reached && code == cli::exit_ok) {
        cli::print_error("the recording never comes to " + arguments.until);
        return cli::exit_failed;
    }
    return code;
}

}  // namespace muster::app
