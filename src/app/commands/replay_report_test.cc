#include "app/commands/replay_report.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace muster::app {
namespace {

ReplayOutcome outcome() {
    ReplayOutcome outcome;
    outcome.report.entries = 812;
    outcome.report.turns = 204;
    outcome.report.compared = 514;
    outcome.version = "0.1.0";
    outcome.shard = ShardId{2};
    outcome.is_whole = true;
    outcome.end = runtime::RecordingReader::End::closed;
    return outcome;
}

bool contains(std::string_view text, std::string_view what) {
    return text.find(what) != std::string_view::npos;
}

TEST_CASE("a replay without a difference says so in two lines") {
    CHECK(as_text(outcome()) ==
          "recording of shard 2 by version 0.1.0, from its start; ended in order\n"
          "replayed 812 entries, 204 turns; 514 things compared, all the same\n");
    CHECK(as_json(outcome()) ==
          R"({"shard":2,"version":"0.1.0","whole":true,"entries":812,"turns":204,"compared":514,)"
          R"("skipped":0,"stopped":false,"end":"ended in order"})"
          "\n");
}

TEST_CASE("what the JSON form of a replay remarks, the text form says, too") {
    ReplayOutcome all = outcome();
    all.report.skipped = 31;
    all.report.is_stopped = true;
    all.report.difference = roles::Difference{412, "Published", "OpReply"};
    all.is_whole = false;
    all.end = runtime::RecordingReader::End::cut_short;
    CHECK(as_text(all) ==
          "recording of shard 2 by version 0.1.0, without its start: only the buckets; cut short: "
          "the process died, or still runs\n"
          "replayed 812 entries, 204 turns; 514 things compared; 31 inputs skipped, of machines "
          "whose state is not known; stopped where it was to\n"
          "first difference at entry 412\n"
          "  recorded: Published\n"
          "  replayed: OpReply\n");
    for (const std::string_view what :
         {R"("whole":false)", R"("skipped":31)", R"("stopped":true)", R"("end":"cut short)",
          R"("difference":{"entry":412,"recorded":"Published","replayed":"OpReply"})"}) {
        CHECK(contains(as_json(all), what));
    }
}

TEST_CASE("a replay that stopped before an entry names it, and what it causes") {
    ReplayOutcome stopped = outcome();
    stopped.report.is_stopped = true;
    stopped.until = 813;
    CHECK(contains(as_text(stopped), "all the same; stopped before entry 813\n"));
    stopped.until = 815;
    CHECK(contains(as_text(stopped),
                   "; stopped before entry 813, the input that caused entry 815\n"));
}

}  // namespace
}  // namespace muster::app
