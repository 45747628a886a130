#include "app/server/note_line.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace muster::server {
namespace {

using namespace std::chrono_literals;
using Kind = gateway::Note::Kind;

// Keeps each line as `overload count=1 peer=… detail=…`.
struct Bench {
    std::vector<std::string> lines;
    NoteLines notes{[this](observe::LogEvent event, std::string_view, auto fields) {
        std::string line{observe::describe(event).id};
        for (const observe::LogField& field : fields) {
            CHECK(observe::describe(event).fields.find(field.name) != std::string_view::npos);
            line += ' ' + std::string(field.name) + '=';
            line += field.is_number ? std::to_string(field.number) : std::string(field.text);
        }
        lines.push_back(line);
    }};
    Instant now{100s};

    void note(Kind kind, std::string peer, std::uint64_t count = 1) {
        ShardNote noted;
        noted.note.kind = kind;
        noted.note.detail = kind == Kind::crowded_out ? "crowd" : "sign-in";
        noted.note.count = count;
        noted.peer = std::move(peer);
        notes.take(noted, now);
    }
};

TEST_CASE("a crowd that is put off is one line a second for each reason, with its count") {
    Bench bench;
    for (int i = 0; i < 1'000; ++i) {
        bench.note(Kind::put_off, "192.0.2.1");
    }
    bench.note(Kind::crowded_out, "192.0.2.2", 64);
    CHECK(bench.lines == std::vector<std::string>{"overload count=1 peer=192.0.2.1 detail=sign-in",
                                                  "overload count=64 peer=192.0.2.2 detail=crowd"});
    bench.lines.clear();
    bench.now += 1s - 1us;
    bench.notes.time_passed(bench.now);
    bench.note(Kind::put_off, "192.0.2.3");
    CHECK(bench.lines.empty());
    SUBCASE("told when it is due though nobody else comes") {
        bench.now += 1us;
        bench.notes.time_passed(bench.now);
        CHECK(bench.lines ==
              std::vector<std::string>{"overload count=1000 peer=192.0.2.3 detail=sign-in"});
        bench.now += 1h;
        bench.notes.time_passed(bench.now);
        CHECK(bench.lines.size() == 1);
    }
    SUBCASE("told at the end") {
        bench.notes.time_passed(Instant::max());
        CHECK(bench.lines.size() == 1);
    }
}

TEST_CASE("what is no crowd has a line each") {
    Bench bench;
    bench.note(Kind::abuse, "192.0.2.1");
    bench.note(Kind::abuse, "192.0.2.2");
    CHECK(bench.lines == std::vector<std::string>{"abuse peer=192.0.2.1 detail=sign-in",
                                                  "abuse peer=192.0.2.2 detail=sign-in"});
}

TEST_CASE("the line of a slow client names queue, mount and limit") {
    Bench bench;
    ShardNote noted;
    noted.note.kind = Kind::slow;
    noted.note.user = UserId("alice");
    noted.note.queue = QueueName("/room/1");
    noted.note.mount = MountName("chat");
    noted.note.detail = "more than 256 messages wait";
    noted.peer = "192.0.2.1";
    bench.notes.take(noted, bench.now);
    CHECK(bench.lines ==
          std::vector<std::string>{"slow_client user=alice peer=192.0.2.1 queue=/room/1 mount=chat "
                                   "detail=more than 256 messages wait"});
}

TEST_CASE("what a shard says of itself is a line of its own kind") {
    Bench bench;
    using Trouble = ShardTrouble;
    bench.notes.take(Trouble{ShardId{1}, Trouble::Kind::accept_paused, "no descriptors", 0, {}});
    bench.notes.take(Trouble{ShardId{1}, Trouble::Kind::accept_resumed, {}, 0, {}});
    bench.notes.take(Trouble{ShardId{2}, Trouble::Kind::channel_full, {}, 17, {}});
    bench.notes.take(Trouble{ShardId{3}, Trouble::Kind::late, {}, 0, 40s});
    CHECK(bench.lines == std::vector<std::string>{"accept_paused shard=1 reason=no descriptors",
                                                  "accept_resumed shard=1",
                                                  "channel_full shard=2 count=17",
                                                  "shard_late shard=3 late_ms=40000"});
}

}  // namespace
}  // namespace muster::server
