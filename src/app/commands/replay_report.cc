#include "app/commands/replay_report.h"

#include <string_view>

#include <fmt/format.h>

#include "core/wire/json_writer.h"

namespace muster::app {
namespace {

using Reader = runtime::RecordingReader;

std::string_view end_in_words(Reader::End end) {
    switch (end) {
        case Reader::End::unread: return "not read to its end";
        case Reader::End::closed: return "ended in order";
        case Reader::End::stopped: return "it gave up; the server's log says why";
        case Reader::End::cut_short: return "cut short: the process died, or still runs";
    }
    return "";
}

std::string stop_in_words(const ReplayOutcome& outcome) {
    if (!outcome.until) {
        return "; stopped where it was to";
    }
    const std::uint64_t next = outcome.report.entries + 1;
    return fmt::format("; stopped before entry {}{}", next,
                       next < *outcome.until
                           ? fmt::format(", the input that caused entry {}", *outcome.until)
                           : std::string());
}

}  // namespace

std::string as_text(const ReplayOutcome& outcome) {
    const auto& report = outcome.report;
    std::string text = fmt::format(
        "recording of shard {} by version {}, {}; {}\nreplayed {} entries, {} turns; {} "
        "things compared{}",
        outcome.shard.value, outcome.version,
        outcome.is_whole ? "from its start" : "without its start: only the buckets",
        end_in_words(outcome.end), report.entries, report.turns, report.compared,
        report.difference ? "" : ", all the same");
    if (report.skipped > 0) {
        text += fmt::format("; {} inputs skipped, of machines whose state is not known",
                            report.skipped);
    }
    if (report.is_stopped) {
        text += stop_in_words(outcome);
    }
    text += '\n';
    if (report.difference) {
        text += fmt::format("first difference at entry {}\n  recorded: {}\n  replayed: {}\n",
                            report.difference->entry, report.difference->recorded,
                            report.difference->replayed);
    }
    return text;
}

std::string as_json(const ReplayOutcome& outcome) {
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

std::string json_text(std::string_view text) {
    std::string json;
    wire::append_quoted(json, text);
    return json;
}

}  // namespace muster::app
