#include "app/server/shard_troubles.h"

#include <chrono>
#include <vector>

#include <doctest/doctest.h>

namespace muster::server {
namespace {

using namespace std::chrono_literals;
using Kind = ShardTrouble::Kind;

struct Bench {
    ShardTroubles troubles{ShardId{3}};
    ShardTroubles::Seen seen;
    Instant now{100s};

    std::vector<Kind> look() {
        std::vector<Kind> kinds;
        for (const ShardTrouble& trouble : troubles.look(seen, now)) {
            CHECK(trouble.shard == ShardId{3});
            kinds.push_back(trouble.kind);
        }
        return kinds;
    }
};

const std::vector<Kind> nothing;

TEST_CASE("a shard that fares well tells nothing, and asks for no wake") {
    Bench bench;
    bench.seen.late_by = 1s - 1us;
    CHECK(bench.look() == nothing);
    CHECK_FALSE(bench.troubles.next_wake());
}

TEST_CASE("however often accepting is tried in vain, it is one pause, until a second without one") {
    Bench bench;
    bench.seen.pause_reason = "no descriptors";
    for (int i = 0; i < 30; ++i) {
        ++bench.seen.accept_pauses;
        const auto told = bench.troubles.look(bench.seen, bench.now);
        REQUIRE(told.size() == (i == 0 ? 1 : 0));
        if (i == 0) {
            CHECK(told[0].kind == Kind::accept_paused);
            CHECK(told[0].why == "no descriptors");
        }
        CHECK(bench.troubles.next_wake() == bench.now + 1s);
        bench.now += 100ms;
        CHECK(bench.look() == nothing);
    }
    bench.now += 900ms;
    CHECK(bench.look() == std::vector{Kind::accept_resumed});
    CHECK_FALSE(bench.troubles.next_wake());
    bench.now += 1h;
    CHECK(bench.look() == nothing);
    ++bench.seen.accept_pauses;
    CHECK(bench.look() == std::vector{Kind::accept_paused});
}

TEST_CASE("senders that are told to wait are one line a second, with how many they were") {
    Bench bench;
    bench.seen.ops_refused = 5;
    CHECK(bench.troubles.look(bench.seen, bench.now).at(0).count == 5);
    bench.seen.ops_refused = 7;
    bench.now += 1s - 1us;
    CHECK(bench.look() == nothing);
    bench.seen.ops_refused = 9;
    bench.now += 1us;
    const auto told = bench.troubles.look(bench.seen, bench.now);
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == Kind::channel_full);
    CHECK(told[0].count == 4);
    bench.now += 1h;
    CHECK(bench.look() == nothing);
}

TEST_CASE("who comes a second too late says by how much") {
    Bench bench;
    bench.seen.late_by = 40s;
    const auto told = bench.troubles.look(bench.seen, bench.now);
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == Kind::late);
    CHECK(told[0].late_by == 40s);
}

}  // namespace
}  // namespace muster::server
