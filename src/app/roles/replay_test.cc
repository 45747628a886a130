// Recordings: what is written down of a shard can be run again, and every difference is found.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "app/roles/bucket_replay.h"
#include "app/roles/entry_recorder.h"
#include "app/roles/shard_bench.h"
#include "app/roles/whole_replay.h"

namespace muster::roles {
namespace {

using namespace std::chrono_literals;
using Entries = std::vector<std::string>;

/// A site whose shards are recorded from their first step on.
struct RecordedSite {
    explicit RecordedSite(std::uint16_t shards = 1, std::uint64_t entry_bytes_max = 1'000'000)
        : bench(BenchSite{.shard_count = shards}), entries(shards) {
        for (std::uint16_t i = 0; i < shards; ++i) {
            bench.machine(i).record_to(std::make_unique<EntryRecorder>(
                EntrySink{[this, i](std::string_view entry) { append(entries[i], entry); },
                          [this] { return segment; }, entry_bytes_max}));
        }
    }

    void append(Entries& to, std::string_view entry) {
        to.emplace_back(entry);
        if (segment_entries != 0 && to.size() % segment_entries == 1) {
            ++segment;  // It has begun with this entry.
        }
    }

    ShardBench bench;
    std::vector<Entries> entries;  ///< by shard
    std::uint64_t segment = 0;
    std::size_t segment_entries = 0;  ///< a new segment after so many; 0: by hand

    void say(const gateway::TestPeer& peer, std::string_view json, std::size_t shard = 0) {
        bench.peers(shard).say(peer, json);
    }

    /// Something of everything: joins, messages, state, refusals, a backend, time, a slow client.
    void live(std::string_view room) {
        const std::size_t shard = bench.site()->placement.shard_count() - 1U;
        auto& alice = bench.sign_in("alice");
        auto& bob = bench.sign_in("bob", {}, shard);
        const auto in_room = [&](std::string_view more) {
            return fmt::format(R"({{"q":"{}",{}}})", room, more);
        };
        say(alice, in_room(R"("op":"join","i":1)"));
        say(bob, in_room(R"("op":"listen","i":1)"), shard);
        say(bob, in_room(R"("op":"join","i":2)"), shard);
        for (int i = 0; i < 5; ++i) {
            say(alice, in_room(fmt::format(R"("op":"send","i":3,"m":"chat","d":"hi {}")", i)));
            say(bob, in_room(fmt::format(R"("op":"set","m":"scores","k":"bob","d":{})", i)), shard);
            bench.pass(1s);
        }
        say(alice, in_room(R"("op":"send","i":4,"m":"news","d":1)"));  // Forbidden.
        bench.op(room, queue::SendOp{MountName("news"), Payload("1")});
        bench.membership("carol", room, true);
        bench.peers().block(alice);
        for (int i = 0; i < 3; ++i) {
            say(bob, in_room(fmt::format(R"("op":"set","m":"scores","k":"x","d":{})", i)), shard);
        }
        bench.peers().drain(alice);
        bench.peers(shard).hang_up(bob);
        bench.pass(30s);
        say(alice, in_room(R"("op":"history","i":5,"m":"chat")"));
        say(alice, in_room(R"("op":"nonsense","i":6)"));
        bench.peers().send(alice, "\x81\x01x");  // Not masked: it is closed.
        bench.pass(200s);
    }

    std::function<Result<std::optional<std::string_view>>()> source(std::size_t shard,
                                                                    std::size_t from = 0) {
        return [this, shard, at = from]() mutable -> Result<std::optional<std::string_view>> {
            if (at == entries[shard].size()) {
                return std::nullopt;
            }
            return entries[shard][at++];
        };
    }

    Result<ReplayReport> replay(std::uint16_t shard = 0, const ReplayLimits& limits = {}) {
        WholeReplay replay(ShardId{shard}, bench.site(), ShardBench::seed_of(ShardId{shard}));
        return replay.run(source(shard), limits);
    }
};

std::size_t count_of_kind(const Entries& entries, std::size_t index) {
    std::size_t count = 0;
    for (const auto& entry : entries) {
        count += parse_entry(entry).value().index() == index ? 1U : 0U;
    }
    return count;
}
constexpr std::size_t sent_index = 3;
constexpr std::size_t snapshot_index = 5;

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
