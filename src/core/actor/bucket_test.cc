#include "core/actor/bucket.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/actor/test_actors.h"

namespace muster::actor {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

const QueueName a{"/a"};
const QueueName b{"/b"};
const QueueName c{"/c"};

/// One bucket of obedient actors, driven by hand.
struct Bench {
    explicit Bench(BucketSettings with = {.epoch = Epoch{7}, .seed = 5})
        : settings(with), bucket(with, actors) {}

    Outbox deliver(const QueueName& name, std::string_view text) {
        Outbox outbox;
        bucket.deliver(name, order(name, text), now, WallTime{1}, outbox);
        return outbox;
    }
    Lines pass(Duration duration) {
        now += duration;
        Outbox outbox;
        bucket.wake_due(now, WallTime{1}, outbox);
        return told(outbox);
    }

    ObedientActors actors;
    BucketSettings settings;
    Bucket bucket;
    Instant now{100s};
};

// ---- Inputs ----------------------------------------------------------------------------------

TEST_CASE("every input takes the next lsn, a wake as well") {
    Bench bench;
    CHECK(bench.bucket.last_lsn() == 0);
    bench.deliver(a, "add");
    bench.deliver(b, "wake 10");
    CHECK(bench.bucket.last_lsn() == 2);
    bench.pass(10ms);
    CHECK(bench.bucket.last_lsn() == 3);
    bench.pass(10ms);
    CHECK(bench.bucket.last_lsn() == 3);
}

TEST_CASE("an actor is made when it is needed and forgotten when it holds nothing") {
    Bench bench;
    bench.deliver(a, "nonsense");
    CHECK(bench.bucket.actor_count() == 0);
    bench.deliver(a, "add");
    bench.deliver(b, "add");
    CHECK(bench.bucket.actor_count() == 2);
    bench.deliver(a, "forget");
    CHECK(bench.bucket.actor_count() == 1);
}

TEST_CASE("what an actor sends comes from its name, in its order") {
    Bench bench;
    Outbox outbox;
    bench.bucket.deliver(a, order(a, "add"), bench.now, WallTime{1}, outbox);
    bench.bucket.deliver(b, order(b, "inc"), bench.now, WallTime{1}, outbox);
    REQUIRE(outbox.size() == 2);
    CHECK(std::get<ActorAddress>(outbox[0].from).name == a);
    CHECK(std::get<ActorAddress>(outbox[1].from).name == b);
    CHECK(std::holds_alternative<ServiceAddress>(outbox[0].to));
}

TEST_CASE("incs begin with the epoch and grow over all actors of the bucket") {
    Bench bench;
    const std::uint64_t first = (std::uint64_t{7} << 32U) + 1;
    CHECK(told(bench.deliver(a, "inc")) == Lines{"/a " + std::to_string(first)});
    CHECK(told(bench.deliver(b, "inc")) == Lines{"/b " + std::to_string(first + 1)});
    bench.deliver(a, "forget");
    CHECK(told(bench.deliver(a, "inc")) == Lines{"/a " + std::to_string(first + 2)});
}

TEST_CASE("chance is a function of the seed and the lsn, whatever else has happened") {
    Bench one;
    Bench other;
    one.deliver(a, "add");
    other.deliver(b, "inc");
    other.now += 1h;
    const auto drawn = told(one.deliver(a, "add"));
    CHECK(drawn == told(other.deliver(a, "add")));
    CHECK(drawn != told(other.deliver(a, "add")));

    Bench differently({.epoch = Epoch{7}, .seed = 6});
    differently.deliver(a, "add");
    CHECK(drawn != told(differently.deliver(a, "add")));
}

// ---- Wakes -----------------------------------------------------------------------------------

TEST_CASE("actors are woken in the order of their times, then of their names") {
    Bench bench;
    bench.deliver(c, "wake 20");
    bench.deliver(b, "wake 10");
    bench.deliver(a, "wake 20");
    CHECK(bench.bucket.next_wake() == bench.now + 10ms);
    CHECK(bench.pass(10ms - 1us).empty());
    CHECK(bench.pass(1us) == Lines{"/b 1"});
    CHECK(bench.pass(1h) == Lines{"/a 1", "/c 1"});
    CHECK_FALSE(bench.bucket.next_wake().has_value());
}

TEST_CASE("an actor has one wake planned: the earliest that it has asked for") {
    Bench bench;
    bench.deliver(a, "wake 20");
    bench.deliver(a, "wake 10");
    bench.deliver(a, "wake 30");
    CHECK(bench.bucket.next_wake() == bench.now + 10ms);
    CHECK(bench.pass(1h) == Lines{"/a 1"});
    bench.deliver(a, "wake 30");
    CHECK(bench.pass(30ms) == Lines{"/a 2"});
}

TEST_CASE("many requests cost no more than one") {
    Bench bench;
    for (int i = 1000; i > 0; --i) {
        bench.deliver(a, "wake " + std::to_string(i));
    }
    CHECK(bench.pass(1h).size() == 1);
    CHECK_FALSE(bench.bucket.next_wake().has_value());
}

TEST_CASE("who asks to be woken at once is woken later than now, so a turn always ends") {
    Bench bench;
    bench.deliver(a, "wake again 0");
    CHECK(bench.bucket.next_wake() == bench.now + 1us);
    CHECK(bench.pass(0us).empty());
    CHECK(bench.pass(1us) == Lines{"/a 1"});
    CHECK(bench.bucket.next_wake() == bench.now + 1us);
}

TEST_CASE("an actor that is forgotten is not woken, nor who comes after it under its name") {
    Bench bench;
    bench.deliver(a, "wake 10");
    bench.deliver(a, "forget");
    CHECK_FALSE(bench.bucket.next_wake().has_value());
    bench.deliver(a, "add");
    CHECK(bench.pass(1h).empty());
}

// ---- Names -----------------------------------------------------------------------------------

TEST_CASE("the first names by prefix and place are found, whatever the order of the table") {
    Bench bench;
    for (const auto* name : {"/room/3", "/room/1", "/hall/1", "/room/2", "/rooms"}) {
        bench.deliver(QueueName(name), "add");
    }
    const auto names = [&](std::string_view prefix, std::string_view after, std::size_t count_max) {
        std::vector<QueueName> found;
        bench.bucket.collect_names(prefix, after, count_max, found);
        std::sort(found.begin(), found.end());
        return found;
    };
    using Names = std::vector<QueueName>;
    CHECK(names("/room/", "", 9) ==
          Names{QueueName("/room/1"), QueueName("/room/2"), QueueName("/room/3")});
    CHECK(names("/room/", "", 2) == Names{QueueName("/room/1"), QueueName("/room/2")});
    CHECK(names("/room/", "/room/1", 1) == Names{QueueName("/room/2")});
    CHECK(names("", "/room/3", 9) == Names{QueueName("/rooms")});
    CHECK(names("/x", "", 9).empty());
    CHECK(names("", "", 0).empty());
}

// ---- The log ---------------------------------------------------------------------------------

TEST_CASE("the log is kept from its opening on, while somebody reads it") {
    Bench bench;
    bench.deliver(a, "add");
    bench.bucket.open_log();
    CHECK(bench.bucket.read_log(1).value().empty());
    bench.deliver(a, "add");
    bench.deliver(b, "wake 10");
    bench.pass(10ms);
    const auto entries = bench.bucket.read_log(1).value();
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].lsn == 2);
    CHECK(entries[0].actor == a);
    CHECK(std::holds_alternative<Message>(entries[0].event));
    CHECK(entries[2].lsn == 4);
    CHECK(entries[2].actor == b);
    CHECK(entries[2].now == bench.now);
    CHECK(entries[2].wall == WallTime{1});
    CHECK(std::holds_alternative<Wake>(entries[2].event));
    CHECK(bench.bucket.read_log(3).value().size() == 1);
    CHECK(bench.bucket.read_log(4).value().empty());
    // What came before the opening is not there.
    CHECK(bench.bucket.read_log(0).error().code == ErrorCode::limit);
}

TEST_CASE("the log is kept for the last of its readers, and then forgotten") {
    Bench bench;
    bench.bucket.open_log();
    bench.bucket.open_log();
    bench.deliver(a, "add");
    bench.bucket.close_log();
    CHECK(bench.bucket.read_log(0).value().size() == 1);
    bench.bucket.close_log();
    bench.deliver(a, "add");
    bench.bucket.open_log();
    CHECK(bench.bucket.read_log(2).value().empty());
    CHECK_FALSE(bench.bucket.read_log(1).has_value());
}

TEST_CASE("the log is bounded: a reader that is too slow is told so") {
    Bench bench({.epoch = Epoch{7}, .log_entries_max = 3});
    bench.bucket.open_log();
    for (int i = 0; i < 10; ++i) {
        bench.deliver(a, "add");
    }
    CHECK(bench.bucket.read_log(7).value().size() == 3);
    CHECK(bench.bucket.read_log(7).value().front().lsn == 8);
    CHECK(bench.bucket.read_log(6).error().code == ErrorCode::limit);
}

// ---- Snapshots -------------------------------------------------------------------------------

TEST_CASE("a snapshot gives the same bucket: actors, wakes, incs, chance, lsn") {
    Bench bench;
    bench.deliver(a, "add");
    bench.deliver(b, "inc");
    bench.deliver(c, "wake again 10");
    const std::string bytes = bench.bucket.save(bench.now);

    // Another process has another clock, and a seed of its own.
    const Instant elsewhere{7s};
    BucketSettings settings = bench.settings;
    settings.seed = 1'234;
    auto restored = Bucket::restore(settings, bench.actors, elsewhere, bytes);
    REQUIRE(restored.has_value());
    CHECK(restored->save(elsewhere) == bytes);
    CHECK(restored->last_lsn() == 3);
    CHECK(restored->actor_count() == 3);
    CHECK(restored->next_wake() == elsewhere + 10ms);
    Outbox outbox;
    restored->deliver(a, order(a, "add"), elsewhere, WallTime{1}, outbox);
    restored->deliver(a, order(a, "inc"), elsewhere, WallTime{1}, outbox);
    Lines expected = told(bench.deliver(a, "add"));
    expected.push_back(told(bench.deliver(a, "inc")).front());
    CHECK(told(outbox) == expected);
}

TEST_CASE("the bytes of a snapshot do not depend on the order in which things came") {
    Bench one;
    Bench other;
    one.deliver(a, "add");
    one.deliver(b, "add");
    other.deliver(b, "add");
    other.deliver(a, "add");
    CHECK(one.bucket.save(one.now) == other.bucket.save(other.now));
}

TEST_CASE("a snapshot that is damaged, or of another lineage, is refused") {
    Bench bench;
    bench.deliver(a, "add");
    bench.deliver(b, "wake 10");
    const std::string bytes = bench.bucket.save(bench.now);
    const auto is_refused = [&](std::string_view snapshot, std::uint32_t epoch = 7) {
        BucketSettings settings = bench.settings;
        settings.epoch = Epoch{epoch};
        const auto restored = Bucket::restore(settings, bench.actors, bench.now, snapshot);
        return !restored && restored.error().code == ErrorCode::bad_request;
    };
    CHECK_FALSE(is_refused(bytes));
    CHECK(is_refused(bytes, 8));
    CHECK(is_refused(bytes, 6));
    CHECK(is_refused(""));
    CHECK(is_refused("\xff\xff\xff\xff"));
    CHECK(is_refused(std::string_view(bytes).substr(0, bytes.size() - 1)));
    CHECK(is_refused(bytes + bytes));  // Every actor twice.
    std::string state = bytes;
    state.replace(state.find("1 0 0"), 5, "broke");
    CHECK(is_refused(state));
    state = bytes;
    state.replace(state.find("1 0 0"), 5, "0 0 0");  // An absent actor is not saved.
    CHECK(is_refused(state));
}

TEST_CASE("an entry that is replayed does what it did before, a wake as well") {
    Bench bench;
    bench.deliver(a, "wake again 10");
    const std::string snapshot = bench.bucket.save(bench.now);
    bench.bucket.open_log();
    bench.deliver(b, "add");
    bench.pass(10ms);
    auto restored = Bucket::restore(bench.settings, bench.actors, Instant{100s}, snapshot).value();
    Outbox outbox;
    const auto entries = bench.bucket.read_log(1).value();
    for (const auto& entry : entries) {
        restored.replay(entry, outbox);
    }
    CHECK(restored.save(bench.now) == bench.bucket.save(bench.now));
    CHECK(restored.next_wake() == bench.bucket.next_wake());
}

TEST_CASE("a bucket restored from any place and fed the rest of the log is the same bucket") {
    CHECK(rc::check([] {
        Bench bench;
        std::string snapshot = bench.bucket.save(bench.now);
        Instant snapshot_at = bench.now;
        Lsn snapshot_lsn = 0;
        bench.bucket.open_log();
        Lines after_snapshot;
        const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100));
        const std::vector<std::string> orders{"add",     "inc",          "forget", "wake 0",
                                              "wake 30", "wake again 7", "nonsense"};
        for (const int step : steps) {
            const QueueName name{std::string{"/"} + static_cast<char>('a' + step % 3)};
            Lines lines;
            if (step < 10) {
                snapshot = bench.bucket.save(bench.now);
                snapshot_at = bench.now;
                snapshot_lsn = bench.bucket.last_lsn();
                after_snapshot.clear();
            } else if (step < 40) {
                lines = bench.pass(std::chrono::milliseconds{step - 10});
            } else {
                lines = told(bench.deliver(name, orders[static_cast<std::size_t>(step) % 7]));
            }
            after_snapshot.insert(after_snapshot.end(), lines.begin(), lines.end());
        }
        auto restored =
            Bucket::restore(bench.settings, bench.actors, snapshot_at, snapshot).value();
        Outbox outbox;
        const auto entries = bench.bucket.read_log(snapshot_lsn).value();
        for (const auto& entry : entries) {
            restored.replay(entry, outbox);
        }
        RC_ASSERT(told(outbox) == after_snapshot);
        RC_ASSERT(restored.save(bench.now) == bench.bucket.save(bench.now));
    }));
}

}  // namespace
}  // namespace muster::actor
