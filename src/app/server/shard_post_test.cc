#include "app/server/shard_post.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

namespace muster::server {
namespace {

constexpr ShardId own{0};
constexpr ShardId other{1};

/// The post of shard 0 of two, and the other one's end of the channel.
struct Bench {
    Switchboard switchboard{2};
    ShardPost post{switchboard, own};

    void send(actor::Body body) {
        post.send({other, {actor::ActorAddress{}, actor::GatewayAddress{other}, std::move(body)}});
    }
    void send_event(std::string_view queue, Seq seq) {
        auto event = std::make_shared<queue::Event>();
        event->seq = seq;
        send(queue::Published{QueueName(queue), SubId{1}, Inc{1}, std::move(event)});
    }
    void send_answer(OpNumber number) {
        queue::OpReply reply;
        reply.number = number;
        send(std::move(reply));
    }
    std::optional<actor::Message> pop() {
        auto item = switchboard.to_shard(own.value, other).pop();
        return item ? std::optional(std::get<actor::Message>(*std::move(item))) : std::nullopt;
    }
    /// Takes all that there is, with the post handing on in between.
    std::vector<actor::Message> pop_all() {
        std::vector<actor::Message> all;
        for (;;) {
            post.hand_on();
            auto message = pop();
            if (!message) {
                return all;
            }
            all.push_back(*std::move(message));
        }
    }
    /// Sends answers until `count` wait.
    OpNumber fill(std::size_t count) {
        OpNumber last = 0;
        while (post.kept_count(other) < count) {
            send_answer(++last);
        }
        return last;
    }
};

TEST_CASE("what a full channel does not take waits, and arrives in order") {
    Bench bench;
    CHECK(bench.post.empty());
    const OpNumber last = bench.fill(100);
    CHECK(bench.post.is_blocked());
    CHECK_FALSE(bench.post.is_strained());
    const auto all = bench.pop_all();
    REQUIRE(all.size() == last);
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(std::get<queue::OpReply>(all[i].body).number == i + 1);
    }
    CHECK(bench.post.empty());
}

TEST_CASE("from busy_from on the shard is strained, until some has left") {
    Bench bench;
    bench.fill(ShardPost::busy_from - 1);
    CHECK_FALSE(bench.post.is_strained());
    bench.fill(ShardPost::busy_from);
    CHECK(bench.post.is_strained());
    bench.pop();
    bench.post.hand_on();
    CHECK_FALSE(bench.post.is_strained());
}

TEST_CASE("from kept_max on one event of each queue waits, however many are sent") {
    Bench bench;
    bench.fill(ShardPost::kept_max);
    for (Seq seq = 1; seq <= 50'000; ++seq) {
        bench.send_event(seq % 2 == 0 ? "/room/even" : "/room/odd", seq);
    }
    CHECK(bench.post.kept_count(other) == ShardPost::kept_max + 2);
    CHECK(bench.post.events_conflated() == 49'998);
    const auto all = bench.pop_all();
    // The newest ones, so that the receiver sees what it has missed.
    const auto& even = std::get<queue::Published>(all[all.size() - 2].body);
    const auto& odd = std::get<queue::Published>(all[all.size() - 1].body);
    CHECK(even.queue == "/room/even");
    CHECK(even.event->seq == 50'000);
    CHECK(odd.event->seq == 49'999);
    CHECK(bench.post.empty());
}

TEST_CASE("a queue's events stay in order while an older one of it waits as the newest") {
    Bench bench;
    bench.fill(ShardPost::kept_max);
    bench.send_event("/room/1", 1);
    while (bench.post.kept_count(other) > 10) {  // There is room again, but 1 has not left.
        bench.pop();
        bench.post.hand_on();
    }
    bench.send_event("/room/1", 2);
    Seq last = 0;
    for (const auto& message : bench.pop_all()) {
        if (const auto* event = std::get_if<queue::Published>(&message.body)) {
            CHECK(event->event->seq > last);
            last = event->event->seq;
        }
    }
    CHECK(last == 2);
}

TEST_CASE("no answer is dropped, even beyond kept_max") {
    Bench bench;
    const OpNumber last = bench.fill(ShardPost::kept_max + 1'000);
    CHECK(bench.pop_all().size() == last);
}

TEST_CASE("what the service thread does not take does not keep clients waiting") {
    Bench bench;
    for (int i = 0; i < 2'000; ++i) {
        bench.post.send(FromShard{ShardStopped{own}});
    }
    CHECK_FALSE(bench.post.is_blocked());
    CHECK_FALSE(bench.post.empty());
    std::size_t taken = 0;
    do {
        bench.post.hand_on();
        while (bench.switchboard.to_service(own).pop()) {
            ++taken;
        }
    } while (!bench.post.empty());
    CHECK(taken == 2'000);
}

}  // namespace
}  // namespace muster::server
