#include "cli/print.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

// How things are shown. What is shown when is tried end to end (tests/e2e/cli.test.ts).
namespace muster::cli {
namespace {

TEST_CASE("a message is one line of text, with time, mount and sender") {
    const Message message{
        .queue = "/r", .mount = "chat", .from = "bob", .data = R"({"text":"hi"})", .seq = 3};
    CHECK(as_text(message).substr(8) == R"( chat: bob {"text":"hi"})");
    CHECK(as_text(message)[2] == ':');
    Message other = message;
    other.from = "";
    other.data = std::string_view{"\x00\x01", 2};
    other.is_binary = true;
    CHECK(as_text(other).substr(8) == " chat: (server) (2 bytes)");
}

TEST_CASE("as JSON a message is the frame of the protocol") {
    Message message{.queue = "/r", .mount = "chat", .from = "bob", .data = "7", .seq = 3};
    message.time_ms = 5;
    CHECK(as_json(message) ==
          R"({"op":"msg","q":"/r","m":"chat","seq":3,"from":"bob","t":5,"d":7})");
    message.data = std::string_view{"\x00\x01", 2};
    message.is_binary = true;
    CHECK(as_json(message) ==
          R"({"op":"msg","q":"/r","m":"chat","seq":3,"from":"bob","t":5,"b":"AAE="})");
}

TEST_CASE("a change of several keys has a line for each, or is one JSON object") {
    const StateChange change{.queue = "/r",
                             .mount = "scores",
                             .seq = 9,
                             .changes = {{.key = "a", .value = "7"}, {.key = "b", .value = {}}}};
    CHECK(as_text(change) == "scores a: 7\nscores b: (deleted)");
    CHECK(as_json(change) ==
          R"({"op":"state","q":"/r","m":"scores","seq":9,"set":{"a":{"d":7}},"del":["b"]})");
}

TEST_CASE("who comes and who goes has a line for each, with the reason") {
    const MembersChange change{.queue = "/r",
                               .seq = 9,
                               .came = {{.user = "eve", .info = "{}"}},
                               .gone = {{.user = "bob", .why = "timeout"}},
                               .count = 2};
    CHECK(as_text(change) == "+ eve\n- bob (timeout)");
    CHECK(
        as_json(change) ==
        R"({"op":"members","q":"/r","seq":9,"set":{"eve":{}},"del":{"bob":"timeout"},"count":2})");
}

TEST_CASE("joined says for each mount where its stream goes on") {
    const Joined joined{.queue = "/r",
                        .is_member = true,
                        .at = {7, 3},
                        .mounts = {{.name = "chat", .resume = "gap 2..3"},
                                   {.name = "scores", .is_state = true, .resume = "snapshot"}},
                        .member_count = 2};
    CHECK(as_text(joined) == "joined /r at 3: chat gap 2..3, scores snapshot");
    CHECK(
        as_json(joined) ==
        R"({"op":"joined","q":"/r","member":true,"at":[7,3],"resume":{"chat":"gap 2..3","scores":"snapshot"},"members":2})");
}

TEST_CASE("a gap is one line that names the messages that are lost") {
    const Gap gap{.queue = "/r", .mount = "chat", .from = 23, .to = 31};
    CHECK(as_text(gap) == "chat: messages 23 to 31 are lost");
    CHECK(as_json(gap) == R"({"op":"gap","q":"/r","m":"chat","from":23,"to":31})");
}

TEST_CASE("every reset is one line with its reason") {
    const auto reset = [](std::string_view why) {
        return Reset{.queue = "/r", .why = why, .at = {8, 12}};
    };
    CHECK(as_text(reset("gone")) ==
          "reset /r at 12: gone: its history was lost, and it begins anew");
    CHECK(as_text(reset("behind")) == "reset /r at 12: behind: too much was missed to show it all");
    CHECK(as_text(reset("unknown")) ==
          "reset /r at 12: unknown: the server does not know what was seen last");
    CHECK(as_text(reset("deleted")) == "reset /r at 12: deleted");
    CHECK(as_text(reset("of the future")) == "reset /r at 12: of the future");
    CHECK(as_json(reset("gone")) == R"({"op":"reset","q":"/r","at":[8,12],"why":"gone"})");
}

TEST_CASE("mounts that come and go, and queues that stand still, are told") {
    MountChange change{.queue = "/r", .mount = "poll", .type = "state"};
    CHECK(as_text(change) == "mount poll: state");
    CHECK(as_json(change) == R"({"op":"mount","q":"/r","m":"poll","type":"state"})");
    change.type = "";
    CHECK(as_text(change) == "mount poll: (removed)");
    CHECK(as_json(change) == R"({"op":"mount","q":"/r","m":"poll","type":null})");
    CHECK(as_text(Stall{"/r", true}) == "/r stands still");
    CHECK(as_text(Stall{"/r", false}) == "/r goes on");
    CHECK(as_json(Stall{"/r", true}) == R"({"op":"stalled","q":"/r","on":true})");
}

TEST_CASE("of the mounts that are asked for, those that are not there are found") {
    const Joined joined{.mounts = {{.name = "chat"}, {.name = "scores"}}};
    CHECK(missing_mounts({}, joined).empty());
    CHECK(missing_mounts({"chat"}, joined).empty());
    CHECK(missing_mounts({"nope", "chat", "Chat"}, joined) ==
          std::vector<std::string>{"nope", "Chat"});
}

TEST_CASE("a server that cannot be reached is named once, in whatever form it was typed") {
    CHECK(cannot_connect_text("ws://h", "h:7400: Connection refused") ==
          "cannot connect to h:7400: Connection refused");
    CHECK(cannot_connect_text("h:80", "it says nothing") ==
          "cannot connect to h:80: it says nothing");
    CHECK(cannot_connect_text("h", "") == "cannot connect to h:7400");
}

TEST_CASE("what became of a request has its exit code") {
    CHECK(print_outcome({.seq = 3}, Format::json) == exit_ok);
    Outcome outcome{.kind = Outcome::Kind::rejected, .code = "M2004", .name = "forbidden"};
    CHECK(print_outcome(outcome, Format::json) == exit_failed);
    outcome = {.kind = Outcome::Kind::not_sent, .code = "M1040", .is_retryable = true};
    CHECK(print_outcome(outcome, Format::json) == exit_unreachable);
    outcome = {.kind = Outcome::Kind::not_sent, .code = "M2001"};
    CHECK(print_outcome(outcome, Format::json) == exit_failed);
}

}  // namespace
}  // namespace muster::cli
