// Two builds are held against each other: their machines here, of sites with other rules.
#include "app/roles/shadow_run.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "app/roles/recorded_site.h"
#include "app/roles/shard_bench.h"

namespace muster::roles {
namespace {

/// What a build makes of a recording.
struct Told {
    std::vector<ShadowStep> steps;
    ShadowReport report;
};

Told run_shard(RecordedSite& recorded, std::shared_ptr<const Site> build, ShadowWish wish = {}) {
    Told told;
    wish.tell = [&told](const ShadowStep& step) { told.steps.push_back(step); };
    auto report =
        run_shadow_of_shard(recorded.source(0), wish,
                            std::make_unique<ShardMachine>(ShardId{0}, std::move(build),
                                                           ShardBench::seed_of(ShardId{0})));
    REQUIRE(report);
    told.report = *std::move(report);
    return told;
}

Told run_buckets(RecordedSite& recorded, std::size_t from, std::shared_ptr<const Site> build,
                 ShadowWish wish = {}) {
    Told told;
    wish.tell = [&told](const ShadowStep& step) { told.steps.push_back(step); };
    auto report = run_shadow_of_buckets(recorded.source(0, from), wish, build);
    REQUIRE(report);
    told.report = *std::move(report);
    return told;
}

/// Of a build that lets one member alone into a queue.
std::shared_ptr<const Site> strict_build() {
    BenchSite strict;
    strict.queues.members_max = 1;
    return ShardBench(strict).site();
}

/// The index of the first step that the two have otherwise.
std::size_t first_difference(const Told& one, const Told& other) {
    const auto [at, there] =
        std::mismatch(one.steps.begin(), one.steps.end(), other.steps.begin(), other.steps.end());
    REQUIRE(at != one.steps.end());
    REQUIRE(there != other.steps.end());
    return static_cast<std::size_t>(at - one.steps.begin());
}

TEST_CASE("a build that says what was recorded is told to do so, at every input") {
    RecordedSite recorded;
    recorded.live("/room/1");
    recorded.live("/room/2");
    const Told told = run_shard(recorded, recorded.bench.site());
    const Entries& entries = recorded.entries[0];
    CHECK(told.report.differs_at == 0);
    CHECK(told.report.entries == entries.size());
    CHECK(told.report.inputs == entries.size() - count_of_kind(entries, sent_index) -
                                    count_of_kind(entries, snapshot_index));
    CHECK(told.report.inputs == told.steps.size());
    CHECK(std::ranges::is_sorted(told.steps, {}, &ShadowStep::entry));
}

TEST_CASE("two builds that both leave the recording in the same way agree with each other") {
    RecordedSite recorded;
    recorded.live("/room/1");
    recorded.live("/room/2");
    const Told one = run_shard(recorded, strict_build());
    const Told other = run_shard(recorded, strict_build());
    CHECK(one.report.differs_at > 0);
    CHECK(one.report.entries == recorded.entries[0].size());  // They go on to its end.
    CHECK(one.steps == other.steps);
}

TEST_CASE("the input at which two builds part is found, and told in words") {
    RecordedSite recorded;
    recorded.live("/room/1");
    const Told same = run_shard(recorded, recorded.bench.site());
    const Told strict = run_shard(recorded, strict_build());
    const std::size_t at = first_difference(same, strict);
    const std::uint64_t entry = same.steps[at].entry;
    CHECK(strict.steps[at].entry == entry);
    CHECK(strict.report.differs_at == entry);  // The other one does what was recorded.

    const ShadowWish wish{.limits = {}, .explained = entry, .tell = {}};
    const Told told = run_shard(recorded, recorded.bench.site(), wish);
    const Told told_strict = run_shard(recorded, strict_build(), wish);
    CHECK(told.report.input.starts_with("an event of a socket"));
    CHECK(told.report.input == told_strict.report.input);
    const auto texts = [](const std::vector<ShadowWords>& words) {
        std::vector<std::string> all;
        for (const ShadowWords& one : words) {
            all.push_back(one.text);
        }
        return all;
    };
    CHECK(texts(told.report.said) == texts(told.report.recorded));
    CHECK(texts(told_strict.report.recorded) == texts(told.report.recorded));
    const std::string published = "Published, /room/1 to the gateway of shard 0";
    const std::string refused = "OpReply, /room/1 to /user/bob";
    const auto has = [&](const Told& who, const std::string& what) {
        return std::ranges::count(texts(who.report.said), what) > 0;
    };
    CHECK(has(told, published));
    CHECK_FALSE(has(told_strict, published));
    CHECK(has(told_strict, refused));
    CHECK(told.report.entries < recorded.entries[0].size());  // It ends there.
}

TEST_CASE("other bytes to a client are found at the beginning of the next turn") {
    RecordedSite recorded;
    recorded.live("/room/1");
    BenchSite talkative;
    talkative.gateway.limits.listed_members_max = 0;  // Only what members are told changes.
    const auto build = ShardBench(talkative).site();
    const Told same = run_shard(recorded, recorded.bench.site());
    const Told other = run_shard(recorded, build);
    const std::size_t at = first_difference(same, other);
    const Told told =
        run_shard(recorded, build, {.limits = {}, .explained = same.steps[at].entry, .tell = {}});
    CHECK(told.report.input.starts_with("a turn begins"));
    REQUIRE(told.report.said.size() == 1);
    CHECK(told.report.said[0].text == "the bytes that the turn before put out");
    CHECK(told.report.said[0].hash != told.report.recorded[0].hash);
}

TEST_CASE("what the last input caused is compared, too") {
    RecordedSite recorded;
    recorded.say(recorded.bench.sign_in("alice"), R"({"op":"join","q":"/room/1","i":1})");
    auto& bob = recorded.bench.sign_in("bob");
    recorded.bench.in_one_turn(
        [&] { recorded.say(bob, R"({"op":"join","q":"/room/1","i":1})"); });  // strict: refused.
    Entries& entries = recorded.entries[0];
    while (parse_entry(entries.back()).value().index() != sent_index) {
        entries.pop_back();
    }
    std::size_t last = entries.size();
    while (parse_entry(entries[last - 1]).value().index() == sent_index) {
        --last;
    }
    REQUIRE(entries.size() - last >= 2);
    const auto site = recorded.bench.site();
    const ShadowWish whole{
        .limits = {}, .explained = 0, .tell = {}, .is_whole = [] { return true; }};
    SUBCASE("by a build that decides it otherwise") {
        CHECK(run_shard(recorded, site, whole).report.differs_at == 0);
        CHECK(run_shard(recorded, strict_build(), whole).report.differs_at == last);
        CHECK(run_shard(recorded, strict_build()).report.differs_at == last);  // What is there.
    }
    SUBCASE("where the recording lacks some of it: fully, if that is its end") {
        entries.pop_back();
        CHECK(run_shard(recorded, site).report.differs_at == 0);
        CHECK(run_shard(recorded, site, whole).report.differs_at == last);
    }
}

TEST_CASE("what buckets said last is compared fully where the recording ends in order") {
    RecordedSite recorded;
    recorded.live("/room/1");
    ++recorded.segment;
    recorded.live("/room/1");
    Entries& entries = recorded.entries[0];
    const ShadowWish whole{
        .limits = {}, .explained = 0, .tell = {}, .is_whole = [] { return true; }};
    const auto site = recorded.bench.site();
    CHECK(run_buckets(recorded, 0, site, whole).report.differs_at == 0);
    const auto is_published = [](const std::string& entry) {
        const Entry parsed = parse_entry(entry).value();
        return parsed.index() == sent_index && in_words(parsed).starts_with("Published");
    };
    while (!is_published(entries.back())) {
        entries.pop_back();
    }
    entries.pop_back();
    CHECK(run_buckets(recorded, 0, site).report.differs_at == 0);
    CHECK(run_buckets(recorded, 0, site, whole).report.differs_at == entries.size());
}

TEST_CASE("a shadow run stops where it is to") {
    RecordedSite recorded;
    recorded.live("/room/1");
    const Told whole = run_shard(recorded, recorded.bench.site());
    ShadowWish wish;
    wish.limits.entry = 50;
    const Told at_entry = run_shard(recorded, recorded.bench.site(), wish);
    CHECK(at_entry.report.is_stopped);
    CHECK(at_entry.steps.back().entry < 50);
    wish.limits = {.entry = {}, .queue = "/room/1", .seq = 5};
    const Told at_seq = run_shard(recorded, recorded.bench.site(), wish);
    CHECK(at_seq.report.is_stopped);
    CHECK(at_seq.steps.size() < whole.steps.size());
}

TEST_CASE("buckets are held against each other wherever the recording begins") {
    RecordedSite recorded;
    recorded.live("/room/1");
    ++recorded.segment;
    recorded.live("/room/2");
    const std::size_t from = recorded.entries[0].size();
    ++recorded.segment;
    recorded.live("/room/1");
    recorded.live("/room/2");
    for (const std::size_t begin : {from / 2, from, from + 1, from + 100}) {
        const Told told = run_buckets(recorded, begin, recorded.bench.site());
        CHECK(told.report.differs_at == 0);
        CHECK(told.steps.size() > 20);
        CHECK(told.report.entries == recorded.entries[0].size() - begin);
    }
    const Told same = run_buckets(recorded, from, recorded.bench.site());
    const Told strict = run_buckets(recorded, from, strict_build());
    CHECK(strict.steps == run_buckets(recorded, from, strict_build()).steps);
    CHECK(strict.report.differs_at > 0);
    const std::uint64_t entry = same.steps[first_difference(same, strict)].entry;
    const ShadowWish wish{.limits = {}, .explained = entry, .tell = {}};
    const Told told = run_buckets(recorded, from, recorded.bench.site(), wish);
    const Told told_strict = run_buckets(recorded, from, strict_build(), wish);
    REQUIRE_FALSE(told.report.said.empty());
    REQUIRE_FALSE(told_strict.report.said.empty());
    REQUIRE(told.report.recorded.size() >= told.report.said.size());
    for (std::size_t i = 0; i < told.report.said.size(); ++i) {
        CHECK(told.report.said[i].text == told.report.recorded[i].text);
        CHECK(told.report.said[i].hash == told.report.recorded[i].hash);
    }
    CHECK(told.report.said[0].hash != told_strict.report.said[0].hash);  // Refused, or not.
}

TEST_CASE("an entry that cannot be read ends a shadow run with its number") {
    RecordedSite recorded;
    recorded.live("/room/1");
    recorded.entries[0][40] = "\xff";
    const auto report =
        run_shadow_of_shard(recorded.source(0), {},
                            std::make_unique<ShardMachine>(ShardId{0}, recorded.bench.site(),
                                                           ShardBench::seed_of(ShardId{0})));
    REQUIRE_FALSE(report);
    CHECK(report.error().detail.starts_with("entry 4"));
    const auto buckets = run_shadow_of_buckets(recorded.source(0), {}, recorded.bench.site());
    REQUIRE_FALSE(buckets);
    CHECK(buckets.error().detail.starts_with("entry 4"));
}

}  // namespace
}  // namespace muster::roles
