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
        MUSTER_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
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

    /// Did it say anything that we know?
    [[nodiscard]] bool is_known() const noexcept { return is_known_; }

    /// Waits for its end, and says how it ended: "dies (SIGABRT)"; empty: in order.
    std::string end() {
        const int status = wait();
        if (WIFSIGNALED(status)) {
            return fmt::format("dies (SIG{})", ::sigabbrev_np(WTERMSIG(status)));
        }
        return WEXITSTATUS(status) == 0 ? std::string{}
                                        : fmt::format("ends with {}", WEXITSTATUS(status));
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

/// What one build says at a place: a line, or how it ended there.
struct Place {
    std::optional<ShadowLine> line;
    std::string end;  ///< "dies (SIGABRT)"

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
    ShadowLine end;          ///< of both, where they did not part
    std::string both_die;    ///< "dies (SIGABRT)": both, at the same place
    std::uint64_t last = 0;  ///< the last input of which both made the same
    std::optional<Parting> parting;
};

/// What a build told of an explained input.
struct Explanation {
    std::string input;
    std::vector<ShadowLine> said;
    std::vector<ShadowLine> recorded;
    std::uint64_t differs_at = 0;
};

class Comparer {
public:
    Comparer(const RecordingPaths& files, const AgainstArguments& arguments)
        : files_(files), arguments_(arguments) {}

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
                found.both_die = by_this->end;
                return found;
            }
            if (by_this->line->kind == Kind::end) {
                found.end = *by_this->line;
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

    /// Errors: it cannot run this recording at all.
    static Result<Place> look_at(Build& build) {
        auto line = build.next();
        if (!line) {
            return tl::unexpected(std::move(line.error()));
        }
        Place place{std::move(*line), {}};
        if (!place.line) {
            place.end = build.end();
            if (!build.is_known()) {
                return failure(ErrorCode::bad_request,
                               "a build cannot run the recording: see above");
            }
            if (place.end.empty()) {
                return failure(ErrorCode::bad_request, "a build ends before it is at the end");
            }
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
        parting.by_this = at_this ? parting.by_this : end_of(by_this);
        parting.by_other = at_other ? parting.by_other : end_of(by_other);
        found.end.differs_at = at_this ? at_this->differs_at : 0;
        found.parting = std::move(parting);
        return found;
    }

    static std::string end_of(const Place& place) {
        return place.line ? "is at the recording's end" : place.end;
    }

    /// Has a build tell an input in words; nothing where it did not come to it.
    std::optional<Explanation> explain(const std::string& program, const Place& place,
                                       std::uint64_t entry) {
        if (!place.is_step() || entry == 0) {
            return std::nullopt;
        }
        auto build = Build::start(words_for(program, entry));
        if (!build) {
            return std::nullopt;
        }
        Explanation told;
        for (;;) {
            auto line = (*build)->next();
            if (!line || !*line) {
                return std::nullopt;
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
    static void put_in_words(Parting& parting, const std::optional<Explanation>& by_this,
                             const std::optional<Explanation>& by_other) {
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
        const std::uint64_t differs_at = found.end.differs_at;
        if (differs_at != 0 && differs_at < at.entry) {
            text += fmt::format("both differ from the recording from entry {} on\n", differs_at);
        }
    } else if (!found.both_die.empty()) {
        text = fmt::format("both builds the same: each {} at the input behind entry {}\n",
                           found.both_die, found.last);
    } else {
        text =
            fmt::format("both builds the same: {} inputs, {} entries{}; {}\n", found.end.inputs,
                        found.end.entry, found.end.is_stopped ? "; stopped where they were to" : "",
                        found.end.differs_at == 0
                            ? "as recorded"
                            : fmt::format("both differ from the recording from entry {} on",
                                          found.end.differs_at));
    }
    return text;
}

std::string as_json(const Comparison& found) {
    std::string text =
        fmt::format(R"("same":{},"entries":{},"inputs":{},"stopped":{})", !found.parting,
                    found.end.entry, found.end.inputs, found.end.is_stopped);
    if (found.end.differs_at != 0) {
        text += fmt::format(R"(,"differs_from_recording_at":{})", found.end.differs_at);
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
        const auto recording = open_recording(files);
        if (!recording) {
            cli::print_error(recording.error().detail, label(recording.error().code));
            return cli::exit_failed;
        }
        const auto found = Comparer(files, arguments).compare();
        if (!found) {
            cli::print_error(found.error().detail);
            return cli::exit_failed;
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
        was_until_reached = was_until_reached || found->end.is_stopped || found->parting;
        code = found->parting || !found->both_die.empty() ? cli::exit_failed : code;
    }
    if (!was_until_reached) {
        cli::print_error("the recording never comes to " + arguments.until);
        return cli::exit_failed;
    }
    return code;
}

}  // namespace muster::app
