#include "app/server/service_site.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "shell/runtime/clock.h"

namespace muster::server {
namespace {

constexpr ShardId shard{0};

/// A site with one shard, whose part the test plays.
struct Bench {
    Switchboard switchboard{1};
    ServiceSite site{switchboard, ring::Placement(HashKey{1, 2}, 16, 1), 16 * 1024};
    std::vector<std::optional<admin::Reply>> answers;

    void ask() {
        site.ask(
            QueueName("/room/1"), [](RequestId request) { return queue::Read{request}; },
            [this](std::optional<admin::Reply> reply) { answers.push_back(std::move(reply)); });
    }
    std::optional<ToShard> pop() { return switchboard.to_shard(1, shard).pop(); }
    std::optional<RequestId> pop_request() {
        const auto item = pop();
        return item ? std::optional(
                          std::get<queue::Read>(std::get<actor::Message>(*item).body).request)
                    : std::nullopt;
    }
    void answer(RequestId request) {
        FromShard item{actor::Message{actor::ActorAddress{}, actor::ServiceAddress{},
                                      queue::ReadReply{request, nullptr}}};
        REQUIRE(switchboard.to_service(shard).push(item));
        site.take_from_shards(runtime::monotonic_now());
    }
    void let_all_time_out() { site.time_passed(runtime::monotonic_now() + ServiceSite::deadline); }
    /// Asks until one question waits for the full channel.
    std::size_t fill() {
        std::size_t count = 0;
        while (site.kept_count() == 0) {
            ask();
            ++count;
        }
        return count;
    }
};

TEST_CASE("an answer that comes too late reaches nobody, least of all the next question") {
    Bench bench;
    bench.ask();
    const auto first = bench.pop_request();
    REQUIRE(first);
    bench.let_all_time_out();
    REQUIRE(bench.answers.size() == 1);
    CHECK_FALSE(bench.answers[0]);

    bench.ask();
    const auto second = bench.pop_request();
    REQUIRE(second);
    CHECK(*second != *first);
    bench.answer(*first);
    CHECK(bench.answers.size() == 1);
    bench.answer(*second);
    REQUIRE(bench.answers.size() == 2);
    CHECK(bench.answers[1]);
    bench.answer(*second);
    CHECK(bench.answers.size() == 2);
}

TEST_CASE("what has not left when its question times out never leaves") {
    Bench bench;
    const std::size_t asked = bench.fill();
    bench.let_all_time_out();
    CHECK(bench.answers.size() == asked);
    CHECK(bench.site.kept_count() == 0);
    bench.ask();  // Waits behind nothing but the full channel.
    std::size_t left = 0;
    while (bench.pop()) {
        ++left;
    }
    bench.site.take_from_shards(runtime::monotonic_now());
    while (bench.pop()) {
        ++left;
    }
    CHECK(left == asked);  // One has not left, one has been asked since.
}

TEST_CASE("no more waits for a full channel than may be asked") {
    Bench bench;
    for (std::size_t i = 0; i < 3 * ServiceSite::questions_max; ++i) {
        bench.ask();
    }
    CHECK(bench.site.kept_count() <= ServiceSite::questions_max);
    CHECK(bench.answers.size() == 2 * ServiceSite::questions_max);  // With nothing, at once.
    CHECK_FALSE(bench.answers.front());
    bench.let_all_time_out();
    bench.fill();
    CHECK(bench.site.kept_count() == 1);
}

TEST_CASE("a stop leaves however much waits, after what was asked before") {
    Bench bench;
    bench.fill();
    bool has_stopped = false;
    bench.site.stop_shards([&] { has_stopped = true; });
    CHECK_FALSE(bench.site.is_ready());
    std::optional<ToShard> last;
    for (int i = 0; i < 2; ++i) {
        while (auto item = bench.pop()) {
            last = std::move(item);
        }
        bench.site.take_from_shards(runtime::monotonic_now());
    }
    REQUIRE(last);
    CHECK(std::holds_alternative<StopShard>(*last));
    CHECK_FALSE(bench.pop());
    FromShard drained{ShardDrained{shard}};
    REQUIRE(bench.switchboard.to_service(shard).push(drained));
    bench.site.take_from_shards(runtime::monotonic_now());
    last = bench.pop();
    REQUIRE(last);
    CHECK(std::holds_alternative<EndShard>(*last));
    CHECK_FALSE(has_stopped);
    FromShard stopped{ShardStopped{shard}};
    REQUIRE(bench.switchboard.to_service(shard).push(stopped));
    bench.site.take_from_shards(runtime::monotonic_now());
    CHECK(has_stopped);
}

TEST_CASE("metrics come from the shards that have answered, once the deadline is over") {
    Bench bench;
    std::string text;
    bench.site.metrics([&](std::string page) { text = std::move(page); });
    bench.let_all_time_out();
    CHECK(text.find("muster_ops_refused_busy_total 0") != std::string::npos);
}

}  // namespace
}  // namespace muster::server
