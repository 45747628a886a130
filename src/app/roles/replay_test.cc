// Recordings: what is written down of a shard can be run again, and every difference is found.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "app/roles/bucket_replay.h"
#include "app/roles/recorded_site.h"
#include "app/roles/shard_bench.h"
#include "app/roles/whole_replay.h"

namespace muster::roles {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a shard that is run again from its first event says the same, message by message") {
    for (const auto shards : std::array<std::uint16_t, 3>{1, 2, 3}) {
        RecordedSite recorded(shards);
        recorded.live("/room/1");
        recorded.live("/room/2");
        for (std::uint16_t i = 0; i < shards; ++i) {
            const auto report = recorded.replay(i);
            REQUIRE(report.has_value());
            CHECK_FALSE(report->difference.has_value());
            CHECK(report->entries == recorded.entries[i].size());
            CHECK(report->compared ==
                  report->turns + count_of_kind(recorded.entries[i], sent_index));
            CHECK(report->turns > 0);
        }
    }
}

TEST_CASE("connections that deflate are run again to the same bytes") {
    BenchSite site;
    site.gateway.takes_deflate = true;
    RecordedSite recorded(site);
    auto& alice = recorded.bench.peers().connect(gateway::Encoding::json_deflated);
    recorded.say(alice, R"({"op":"hello","v":[1],"user":"alice"})");
    recorded.say(alice, R"({"op":"join","q":"/room/1","i":1})");
    const std::string text(2'000, 'x');
    for (int i = 0; i < 5; ++i) {
        recorded.say(
            alice, fmt::format(R"({{"op":"send","q":"/room/1","m":"chat","i":{},"d":"{}"}})", i + 2,
                               text));
    }
    recorded.bench.pass(100s);  // What went out last stands in the turn behind it.
    REQUIRE(alice.deflated_count >= 5);
    const auto report = recorded.replay();
    REQUIRE(report.has_value());
    CHECK_FALSE(report->difference.has_value());
    // That they go out deflated is seen: a site that does not take it puts out other bytes.
    WholeReplay plain(ShardId{0}, ShardBench().site(), ShardBench::seed_of(ShardId{0}));
    CHECK(plain.run(recorded.source(0), {}).value().difference.has_value());
}

TEST_CASE("a recording that ends anywhere is replayed to its end") {
    RecordedSite recorded;
    recorded.live("/room/1");
    const Entries all = recorded.entries[0];
    for (std::size_t kept = 0; kept < all.size(); kept += 7) {
        recorded.entries[0].assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept));
        const auto report = recorded.replay();
        REQUIRE(report.has_value());
        CHECK_FALSE(report->difference.has_value());
        CHECK(report->entries == kept);
    }
}

TEST_CASE("the first difference is named, with its entry") {
    RecordedSite recorded;
    recorded.live("/room/1");
    Entries& entries = recorded.entries[0];
    SUBCASE("a machine of another mind") {
        BenchSite other;
        other.queues.members_max = 1;  // So bob's join is refused.
        WholeReplay replay(ShardId{0}, ShardBench(other).site(), ShardBench::seed_of(ShardId{0}));
        const auto report = replay.run(recorded.source(0), {});
        REQUIRE(report.has_value());
        REQUIRE(report->difference.has_value());
        CHECK(report->difference->recorded == "Published, /room/1 to the gateway of shard 0");
        CHECK(report->difference->replayed == "OpReply, /room/1 to /user/bob");
        CHECK(parse_entry(entries[report->difference->entry - 1]).value().index() == sent_index);
    }
    SUBCASE("another seed") {
        WholeReplay replay(ShardId{0}, recorded.bench.site(), 1);
        const auto report = replay.run(recorded.source(0), {});
        REQUIRE(report.has_value());
        CHECK(report->difference.has_value());
    }
    SUBCASE("a message that the recording has not") {
        const auto second = std::find_if(entries.begin(), entries.end(), [](const auto& entry) {
            return parse_entry(entry).value().index() == sent_index;
        });
        const auto place = static_cast<std::uint64_t>(second - entries.begin()) + 1;
        entries.erase(second);
        const auto report = recorded.replay();
        REQUIRE(report.has_value());
        REQUIRE(report->difference.has_value());
        CHECK(report->difference->entry == place);
    }
    SUBCASE("other bytes to a client") {
        recorded.entries[0].clear();
        RecordedSite other;
        other.bench.sign_in("alice");
        other.bench.pass(100s);  // Pings, and the end.
        Entries& changed = other.entries[0];
        // Turns are the only entries that know what went out: take one of the time of the ping.
        std::size_t different = 0;
        for (std::size_t i = 1; i < changed.size(); ++i) {
            std::string& entry = changed[i];
            const auto parsed = parse_entry(entry).value();
            const auto* turn = std::get_if<TurnEntry>(&parsed);
            if (turn != nullptr && turn->outputs != 0) {
                entry.back() = static_cast<char>(entry.back() ^ 1);
                different = i + 1;
                break;
            }
        }
        REQUIRE(different > 0);
        const auto report = other.replay();
        REQUIRE(report.has_value());
        REQUIRE(report->difference.has_value());
        CHECK(report->difference->entry == different);
    }
}

TEST_CASE("a replay stops before an entry, or where a queue has come to a seq") {
    RecordedSite recorded;
    recorded.live("/room/1");
    SUBCASE("an entry") {
        const auto report = recorded.replay(0, {.entry = 20, .queue = {}});
        REQUIRE(report.has_value());
        CHECK(report->is_stopped);
        CHECK(report->entries >= 19);
        CHECK(report->entries < recorded.entries[0].size());
    }
    SUBCASE("a seq") {
        WholeReplay replay(ShardId{0}, recorded.bench.site(), ShardBench::seed_of(ShardId{0}));
        const auto report =
            replay.run(recorded.source(0), {.entry = {}, .queue = "/room/1", .seq = 9});
        REQUIRE(report.has_value());
        CHECK(report->is_stopped);
        replay.machine().departures.clear();
        replay.machine().step(actor::Message{actor::ServiceAddress{},
                                             actor::ActorAddress{QueueName("/room/1")},
                                             queue::Read{RequestId{1}}});
        REQUIRE(replay.machine().departures.size() == 1);
        const auto& answer =
            std::get<queue::ReadReply>(replay.machine().departures[0].message.body);
        CHECK(answer.content->at.seq == 9);
    }
}

TEST_CASE("an entry that cannot be read is an error with its number, never a crash") {
    RecordedSite recorded;
    recorded.live("/room/1");
    Entries& entries = recorded.entries[0];
    const Entries all = entries;
    for (std::size_t i = 0; i < all.size(); i += 11) {
        for (const auto& damaged :
             {std::string(), std::string("\xff"), all[i].substr(0, all[i].size() / 2)}) {
            entries = all;
            entries[i] = damaged;
            const auto report = recorded.replay();
            CHECK((!report.has_value() || report->difference.has_value() || damaged == all[i]));
            BucketReplay buckets(recorded.bench.site());
            const auto parts = buckets.run(recorded.source(0), {});
            CHECK((parts.has_value() || parts.error().detail.starts_with("entry ")));
        }
    }
}

TEST_CASE("buckets are run again from their snapshots, wherever the recording begins") {
    RecordedSite recorded;
    recorded.live("/room/1");
    ++recorded.segment;
    recorded.live("/room/2");
    const std::size_t begin = recorded.entries[0].size();
    ++recorded.segment;
    recorded.live("/room/1");
    ++recorded.segment;
    recorded.live("/room/3");
    REQUIRE(count_of_kind(recorded.entries[0], snapshot_index) > 6);
    CHECK_FALSE(recorded.replay().value().difference.has_value());  // The states are equal, too.
    for (const std::size_t from : {std::size_t{0}, begin / 2, begin, begin + 1, begin + 100}) {
        BucketReplay replay(recorded.bench.site());
        const auto report = replay.run(recorded.source(0, from), {});
        REQUIRE(report.has_value());
        CHECK_FALSE(report->difference.has_value());
        CHECK(report->compared > 5);
        CHECK_FALSE(replay.buckets().empty());
    }
}

TEST_CASE("buckets are run again wherever a segment begins, also in the middle of a turn") {
    RecordedSite recorded;
    recorded.segment_entries = 50;
    for (int i = 0; i < 4; ++i) {
        recorded.live("/room/1");
        recorded.live("/room/2");
    }
    const std::size_t count = recorded.entries[0].size();
    REQUIRE(count > 1'000);
    CHECK_FALSE(recorded.replay().value().difference.has_value());
    for (std::size_t from = 50; from < count / 2; from += 50) {
        BucketReplay replay(recorded.bench.site());
        const auto report = replay.run(recorded.source(0, from), {});
        REQUIRE(report.has_value());
        CHECK_FALSE(report->difference.has_value());
        CHECK(report->compared > 5);
    }
}

TEST_CASE("a user whose connection is missed, as its shard hangs, is missed in replays as well") {
    RecordedSite recorded(2);
    ShardBench& bench = recorded.bench;
    const std::size_t home = bench.home_of("/user/alice");
    const auto& alice = bench.sign_in("alice", {}, 1 - home);
    recorded.say(alice, R"({"op":"join","q":"/room/1","i":1})", 1 - home);
    bench.pass(10s);
    const auto begin = recorded.entries[home].size();
    ++recorded.segment;
    // From now on only the shard of the user queue has turns.
    for (int second = 0; second < 200; ++second) {
        bench.now += 1s;
        bench.in_one_turn([] {}, home);
    }
    CHECK_FALSE(bench.user_report("alice").is_known);
    for (const std::uint16_t shard : {std::uint16_t{0}, std::uint16_t{1}}) {
        CHECK_FALSE(recorded.replay(shard).value().difference.has_value());
    }
    BucketReplay buckets(bench.site());
    const auto report = buckets.run(recorded.source(home, begin), {});
    REQUIRE(report.has_value());
    CHECK_FALSE(report->difference.has_value());
    CHECK(report->compared > 0);
}

TEST_CASE("a snapshot that is bigger than an entry may be is left out") {
    RecordedSite recorded(1, 200);
    recorded.live("/room/1");
    ++recorded.segment;
    recorded.live("/room/1");
    for (const auto& entry : recorded.entries[0]) {
        const auto parsed = parse_entry(entry).value();
        const auto* snapshot = std::get_if<SnapshotEntry>(&parsed);
        CHECK((snapshot == nullptr || entry.size() <= 200));
    }
}

TEST_CASE("a bucket that goes another way than the recording is found") {
    RecordedSite recorded;
    recorded.live("/room/1");
    ++recorded.segment;
    recorded.bench.pass(1s);
    recorded.live("/room/1");
    ++recorded.segment;
    recorded.live("/room/1");
    Entries& entries = recorded.entries[0];
    BucketReplay replay(recorded.bench.site());
    bool may_be_unreadable = false;
    SUBCASE("what it says") {
        // Some of what it said is left out.
        std::size_t i = entries.size() - 1;
        for (;; --i) {
            const auto entry = parse_entry(entries[i]).value();
            const auto* sent = std::get_if<SentEntry>(&entry);
            if (sent != nullptr && in_words(entry).starts_with("Published")) {
                break;
            }
        }
        entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
    }
    SUBCASE("its state") {
        std::size_t i = entries.size() - 1;
        while (parse_entry(entries[i]).value().index() != snapshot_index) {
            --i;
        }
        entries[i].back() = static_cast<char>(entries[i].back() ^ 1);
        may_be_unreadable = true;
    }
    const auto report = replay.run(recorded.source(0), {});
    REQUIRE((report.has_value() || may_be_unreadable));
    CHECK((!report.has_value() || report->difference.has_value()));
}

TEST_CASE("all that an entry can be is told in words") {
    RecordedSite recorded;
    recorded.live("/room/1");
    for (const auto& bytes : recorded.entries[0]) {
        CHECK_FALSE(in_words(parse_entry(bytes).value()).empty());
    }
    CHECK(in_words(Entry{SentEntry{"\xff"}}) == "a message that cannot be read");
}

}  // namespace
}  // namespace muster::roles
