// Followers and readers: snapshots, events, ends.
#include <doctest/doctest.h>

#include "core/queue/queue_test_bench.h"

namespace muster::queue {
namespace {

using namespace std::chrono_literals;
using Kind = Verdict::Kind;

const TestClient alice = client_of("alice");
const TestClient bob = client_of("bob");

TEST_CASE("to follow a queue that is not there is refused, and makes none") {
    QueueBench bench;
    bench.step(actor::GatewayAddress{ShardId{2}}, Subscribe{SubId{5}, ShardId{2}, {}});
    CHECK(bench.gateways_sent<SubscribeRefused>() == std::vector{ShardId{2}});
    const auto refused = bench.only<SubscribeRefused>();
    CHECK(refused.code == ErrorCode::no_queue);
    CHECK(refused.sub == SubId{5});
    CHECK(refused.queue == bench.self);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a follower gets a snapshot of its own, and then every event after it") {
    QueueBench bench;
    bench.join(alice);
    bench.send(alice, "chat", "1");
    const auto snapshot = bench.subscribe(0);
    CHECK(shows_same(*snapshot, bench.content()));
    CHECK(bench.only<Subscribed>().sub == SubId{1});
    const Cursor at = snapshot->at;
    bench.send(alice, "chat", "2");
    CHECK(snapshot->at == at);  // It does not change with the queue.
    REQUIRE(bench.published().size() == 1);
    CHECK(bench.published().front()->seq == at.seq + 1);
}

TEST_CASE("a second subscription of a shard takes the first one's place") {
    QueueBench bench;
    bench.join(alice);
    bench.subscribe(0, 1);
    bench.subscribe(0, 2);
    bench.send(alice, "chat", "1");
    CHECK(bench.only<Published>().sub == SubId{2});
    bench.unsubscribe(0, 1);  // Late: not the one that counts.
    bench.send(alice, "chat", "1");
    CHECK(bench.published().size() == 1);
    bench.unsubscribe(0, 2);
    bench.send(alice, "chat", "1");
    CHECK(bench.all<Published>().empty());
}

TEST_CASE("who follows no more is told nothing more, the others are") {
    QueueBench bench;
    bench.join(alice);
    bench.subscribe(0);
    bench.subscribe(1);
    bench.unsubscribe(0);
    CHECK(bench.outbox.empty());
    bench.send(alice, "chat", "1");
    CHECK(bench.gateways_sent<Published>() == std::vector{ShardId{1}});
}

TEST_CASE("a snapshot holds no message that is too old") {
    QueueBench bench;
    bench.join(alice);
    bench.send(alice, "chat", "1");
    bench.pass(1min);
    const Seq kept = bench.send(alice, "chat", "2").at.seq;
    bench.pass(1min);
    const auto snapshot = bench.subscribe(0);
    const auto& history = snapshot->mounts.at(MountName("chat")).history;
    REQUIRE(history.size() == 1);
    CHECK(history.front().event->seq == kept);
    CHECK(snapshot->mounts.at(MountName("chat")).forgotten_through == kept - 1);
}

TEST_CASE("the service reads a copy of all that the queue shows, or that there is none") {
    QueueBench bench;
    bench.step(actor::ServiceAddress{}, Read{RequestId{8}});
    CHECK(bench.only<ReadReply>().request == RequestId{8});
    CHECK(bench.only<ReadReply>().content == nullptr);
    CHECK(bench.actor->is_absent());

    bench.join(alice);
    bench.send(alice, "chat", "1");
    bench.step(actor::ServiceAddress{}, Read{RequestId{9}});
    REQUIRE(bench.only<ReadReply>().content != nullptr);
    CHECK(shows_same(*bench.only<ReadReply>().content, bench.content()));
    CHECK(std::holds_alternative<actor::ServiceAddress>(bench.outbox.at(0).to));
}

TEST_CASE("a leave is published with its reason and the number of members after it") {
    QueueBench bench;
    bench.join(alice);
    bench.join(bob);
    bench.subscribe(0);
    bench.leave(bob);
    const auto event = bench.published().at(0);
    const auto& changed = std::get<MemberChanged>(event->body);
    CHECK(event->from == bob.user);
    CHECK_FALSE(changed.member.has_value());
    CHECK(changed.reason == LeaveReason::left);
    CHECK(changed.count == 1);
}

}  // namespace
}  // namespace muster::queue
