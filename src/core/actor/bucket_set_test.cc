#include "core/actor/bucket_set.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/actor/test_actors.h"

namespace muster::actor {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

struct Bench {
    Lines deliver(std::uint32_t bucket, std::string_view name, std::string_view text) {
        Outbox outbox;
        const QueueName to(name);
        set.deliver(BucketId{bucket}, to, order(to, text), now, WallTime{1}, outbox);
        return told(outbox);
    }
    Lines pass(Duration duration) {
        now += duration;
        Outbox outbox;
        set.wake_due(now, WallTime{1}, outbox);
        return told(outbox);
    }

    ObedientActors actors;
    BucketSet set{{.bucket_count = 16, .epoch = Epoch{7}, .seed = 5}, actors};
    Instant now{100s};
};

TEST_CASE("each bucket has a log, incs and chance of its own") {
    Bench bench;
    const auto first = "/a " + std::to_string((std::uint64_t{7} << 32U) + 1);
    CHECK(bench.deliver(0, "/a", "inc") == Lines{first});
    CHECK(bench.deliver(9, "/a", "inc") == Lines{first});
    CHECK(bench.deliver(0, "/a", "add") != bench.deliver(9, "/a", "add"));
    CHECK(bench.set.bucket(BucketId{9}).last_lsn() == 2);
    CHECK(bench.set.bucket(BucketId{9}).id() == BucketId{9});
    CHECK(bench.set.bucket(BucketId{3}).last_lsn() == 0);
    CHECK(bench.set.actor_count() == 2);
}

TEST_CASE("the earliest wake of all buckets is known") {
    Bench bench;
    CHECK_FALSE(bench.set.next_wake().has_value());
    bench.deliver(1, "/a", "wake 30");
    CHECK(bench.set.next_wake() == bench.now + 30ms);
    bench.deliver(2, "/b", "wake 10");
    CHECK(bench.set.next_wake() == bench.now + 10ms);
    bench.deliver(2, "/b", "forget");
    CHECK(bench.set.next_wake() == bench.now + 30ms);
    bench.deliver(1, "/a", "forget");
    CHECK_FALSE(bench.set.next_wake().has_value());
}

TEST_CASE("all buckets whose time has come are woken, the earliest first") {
    Bench bench;
    bench.deliver(1, "/a", "wake 30");
    bench.deliver(5, "/b", "wake 10");
    bench.deliver(3, "/c", "wake 20");
    CHECK(bench.pass(20ms) == Lines{"/b 1", "/c 1"});
    CHECK(bench.pass(1h) == Lines{"/a 1"});
    CHECK(bench.pass(1h).empty());
}

TEST_CASE("who is overdue without having planned a wake is woken once, within the look interval") {
    Bench bench;
    bench.pass(0s);
    CHECK_FALSE(bench.set.next_wake().has_value());
    bench.deliver(3, "/b", "overdue");
    bench.deliver(3, "/a", "overdue");
    bench.deliver(12, "/c", "overdue");
    bench.deliver(3, "/d", "add");
    const Instant overdue_at = bench.now + 30s;
    std::vector<std::string> woken;
    while (const auto at = bench.set.next_wake()) {
        REQUIRE(*at > bench.now);
        REQUIRE(*at <= overdue_at + 2 * look_interval);
        const auto now = bench.pass(*at - bench.now);
        CHECK((now.empty() || bench.now >= overdue_at));
        CHECK((now.empty() || bench.now <= overdue_at + look_interval));
        woken.insert(woken.end(), now.begin(), now.end());
    }
    CHECK(std::count(woken.begin(), woken.end(), "/c 1") == 1);
    CHECK(std::find(woken.begin(), woken.end(), "/a 1") <
          std::find(woken.begin(), woken.end(), "/b 1"));
    CHECK(woken.size() == 3);
    CHECK(bench.pass(1h).empty());
}

TEST_CASE("each bucket's time to be looked after comes once in the look interval") {
    LookTimes times;
    CHECK_FALSE(times.pass_to(Instant{100s}));
    for (int round = 0; round < 3; ++round) {
        std::map<std::uint32_t, int> looks;
        const Instant end = times.next() + look_interval;
        while (times.next() < end) {
            REQUIRE(times.pass_to(times.next()));
            for (std::uint32_t id = 0; id < 40; ++id) {
                looks[id] += times.includes(BucketId{id}) ? 1 : 0;
            }
            CHECK_FALSE(times.pass_to(times.next() - 1us));
        }
        for (const auto& [id, count] : looks) {
            CHECK(count == 1);
        }
    }
}

TEST_CASE("after a pause nobody is looked after at once, but each in its time") {
    LookTimes times;
    CHECK_FALSE(times.pass_to(Instant{100s}));
    const Instant resumed{130s};
    CHECK_FALSE(times.pass_to(resumed));
    std::map<std::uint32_t, int> looks;
    while (times.next() <= resumed + look_interval) {
        REQUIRE(times.pass_to(times.next()));
        for (std::uint32_t id = 0; id < 40; ++id) {
            looks[id] += times.includes(BucketId{id}) ? 1 : 0;
        }
    }
    CHECK(looks.size() == 40);
    for (const auto& [id, count] : looks) {
        CHECK(count == 1);
    }
}

TEST_CASE("the buckets of one of many shards are looked after one after the other") {
    LookTimes times;
    CHECK_FALSE(times.pass_to(Instant{100s}));
    std::size_t most = 0;
    for (std::uint32_t step = 0; step < LookTimes::groups; ++step) {
        REQUIRE(times.pass_to(times.next()));
        std::size_t together = 0;
        for (std::uint32_t id = 5; id < 4'096; id += 16) {  // Those of shard 5 of 16.
            together += times.includes(BucketId{id}) ? 1U : 0U;
        }
        most = std::max(most, together);
    }
    CHECK(most <= 2 * 256 / LookTimes::groups);
}

TEST_CASE("a bucket that is due in every turn does not keep the others waiting") {
    Bench bench;
    bench.deliver(1, "/a", "wake again 0");
    bench.deliver(2, "/b", "wake 5");
    CHECK(bench.pass(5ms) == Lines{"/a 1", "/b 1"});
    CHECK(bench.set.next_wake() == bench.now + 1us);
}

TEST_CASE("names come from all buckets, in order, page by page") {
    Bench bench;
    for (std::uint32_t i = 0; i < 40; ++i) {
        bench.deliver(i % 16, "/room/" + std::to_string(10 + i), "add");
    }
    bench.deliver(0, "/hall", "add");
    std::vector<QueueName> all;
    for (std::string after;;) {
        const auto page = bench.set.names("/room/", after, 7);
        CHECK(page.size() <= 7);
        CHECK(std::is_sorted(page.begin(), page.end()));
        all.insert(all.end(), page.begin(), page.end());
        if (page.size() < 7) {
            break;
        }
        after = page.back().text();
    }
    CHECK(all.size() == 40);
    CHECK(std::is_sorted(all.begin(), all.end()));
    CHECK(all.front() == "/room/10");
    CHECK(bench.set.names("", "", 1) == std::vector{QueueName("/hall")});
    CHECK(bench.set.names("", "", 0).empty());
}

TEST_CASE("the next wake is always that of the bucket that has the earliest") {
    CHECK(rc::check([] {
        Bench bench;
        std::map<std::uint32_t, Instant> expected;  // One actor per bucket, woken once.
        const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1'000));
        for (const int step : steps) {
            const auto bucket = static_cast<std::uint32_t>(step % 5);
            const int wait = step / 10 % 50;
            if (step < 200) {
                bench.pass(std::chrono::milliseconds{wait});
                std::erase_if(expected, [&](const auto& e) { return e.second <= bench.now; });
            } else if (step < 300) {
                bench.deliver(bucket, "/a", "forget");
                expected.erase(bucket);
            } else {
                const Instant at =
                    bench.now + std::max<Duration>(std::chrono::milliseconds{wait}, Duration{1});
                bench.deliver(bucket, "/a", "wake " + std::to_string(wait));
                const auto [planned, is_new] = expected.emplace(bucket, at);
                planned->second = std::min(planned->second, at);
            }
            std::optional<Instant> earliest;
            for (const auto& [id, at] : expected) {
                earliest = std::min(earliest.value_or(at), at);
            }
            RC_ASSERT(bench.set.next_wake() == earliest);
        }
    }));
}

}  // namespace
}  // namespace muster::actor
