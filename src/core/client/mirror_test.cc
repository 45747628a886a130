#include "core/client/mirror.h"

#include <string>

#include <doctest/doctest.h>

namespace muster::client {
namespace {

wire::Data json(std::string_view text) { return {.bytes = text}; }

wire::JoinedFrame sample() {
    wire::JoinedFrame frame;
    frame.queue = "/room/1";
    frame.at = {Inc{7}, 19};
    frame.mounts.push_back({.name = "chat"});
    frame.mounts.push_back({.name = "scores", .is_state = true, .values = {{"alice", json("7")}}});
    frame.member_count = 2;
    frame.who = {{"alice", "{}"}, {"bob", "{}"}};
    return frame;
}

TEST_CASE("joined fills a mirror with mounts, values and members") {
    Mirror mirror;
    REQUIRE(mirror.replace(sample()));
    CHECK(mirror.at() == Cursor{Inc{7}, 19});
    CHECK(mirror.mounts().size() == 2);
    REQUIRE(mirror.find("scores", "alice") != nullptr);
    CHECK(mirror.find("scores", "alice")->value.bytes() == "7");
    CHECK_FALSE(mirror.find("scores", "alice")->changed_at);
    CHECK(mirror.find("scores", "bob") == nullptr);
    CHECK(mirror.find("nowhere", "bob") == nullptr);
    CHECK(mirror.member_count() == 2);
    CHECK(mirror.members().size() == 2);
}

TEST_CASE("a state change sets and deletes keys and remembers where") {
    Mirror mirror;
    REQUIRE(mirror.replace(sample()));
    wire::StateFrame frame;
    frame.mount = "scores";
    frame.seq = 20;
    frame.changes = {{"bob", json("8")}, {"alice", std::nullopt}, {"never", std::nullopt}};
    REQUIRE(mirror.apply(frame));
    CHECK(mirror.find("scores", "alice") == nullptr);
    CHECK(mirror.find("scores", "bob")->changed_at == 20);
}

TEST_CASE("a reset leaves nothing of what was there before") {
    Mirror mirror;
    REQUIRE(mirror.replace(sample()));
    wire::ResetFrame reset;
    reset.at = {Inc{8}, 0};
    REQUIRE(mirror.replace(reset));
    CHECK(mirror.at() == Cursor{Inc{8}, 0});
    CHECK(mirror.mounts().empty());
    CHECK(mirror.members().empty());
    CHECK(mirror.member_count() == 0);
}

TEST_CASE("members come, change and go") {
    Mirror mirror;
    REQUIRE(mirror.replace(sample()));
    wire::MembersFrame frame;
    frame.set = {{"eve", "{}"}, {"alice", R"({"online":false})"}};
    frame.gone = {{"bob", "timeout"}, {"nobody", "left"}};
    frame.count = 2;
    REQUIRE(mirror.apply(frame));
    CHECK(mirror.members().size() == 2);
    CHECK(mirror.members().find("alice")->second.bytes() == R"({"online":false})");
    CHECK(mirror.member_count() == 2);
}

TEST_CASE("a mount that goes takes its keys along, one that comes is empty") {
    Mirror mirror;
    REQUIRE(mirror.replace(sample()));
    wire::MountChangeFrame gone;
    gone.mount = "scores";
    REQUIRE(mirror.apply(gone));
    CHECK(mirror.find("scores", "alice") == nullptr);
    CHECK(mirror.mounts().size() == 1);
    wire::MountChangeFrame come;
    come.mount = "positions";
    come.type = "state";
    REQUIRE(mirror.apply(come));
    CHECK(mirror.mounts().find("positions")->second.is_state);
}

TEST_CASE("a mirror refuses to grow without end, and forgets what it gave back") {
    Mirror mirror;
    REQUIRE(mirror.replace(sample()));
    const std::string big(1024 * 1024, 'x');
    wire::StateFrame frame;
    frame.mount = "scores";
    for (int round = 0; round < 50; ++round) {  // The same key again and again.
        frame.changes = {{"big", json(big)}};
        REQUIRE(mirror.apply(frame));
        frame.changes = {{"big", std::nullopt}};
        REQUIRE(mirror.apply(frame));
    }
    bool fits = true;
    int count = 0;
    while (fits && count < 50) {
        const std::string key = "key " + std::to_string(++count);
        frame.changes = {{key, json(big)}};
        fits = mirror.apply(frame);
    }
    CHECK(count == 8);
    CHECK_FALSE(fits);
}

}  // namespace
}  // namespace muster::client
