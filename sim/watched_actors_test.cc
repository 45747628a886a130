#include "sim/watched_actors.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "core/actor/test_bench.h"
#include "core/queue/queue_test_bench.h"
#include "sim/world.h"

namespace muster::sim {
namespace {

using namespace std::chrono_literals;

const QueueName alice{"/user/alice"};
const QueueName room{"/room/1"};
const ConnectionRef connection{ShardId{0}, ConnectionId{1}};

/// One watched actor, driven by hand.
struct Bench : actor::Bench {
    explicit Bench(const QueueName& name) : actor::Bench(nullptr, name) {
        actor = actors.make(name);
    }

    /// From here on it is another one, which has read what the first one has written.
    void restore() {
        std::string state;
        actor->save(now, state);
        actor = actors.restore(self, now, state);
        REQUIRE(actor != nullptr);
    }

    void op(queue::OpBody body) {
        queue::Op op;
        op.sender.user = UserId("alice");
        op.sender.is_server = true;
        op.sender.session = SessionId{5};
        op.body = std::move(body);
        step(actor::ActorAddress{alice}, std::move(op));
    }

    World world{1};
    History& history = world.history;
    roles::SiteActors site{queue::settings_of({queue::open_room()}),
                           std::make_shared<user::UserSettings>()};
    WatchedActors actors{world, site};
};

TEST_CASE("a restored user queue ends the session that it was restored with, and begins none") {
    Bench bench(alice);
    bench.step(actor::GatewayAddress{},
               user::Attach{connection, UserId("alice"), Cid{1, 1}, 1, SharedText("192.0.2.1")});
    const auto attached = bench.only<user::Attached>();
    REQUIRE(bench.history.sessions.size() == 1);
    bench.pass(5s);
    SUBCASE("while it has a connection") { bench.restore(); }
    bench.step(actor::GatewayAddress{}, user::Detach{UserId("alice"), attached.cep});
    bench.pass(5s);
    SUBCASE("while it has none") { bench.restore(); }
    CHECK(bench.history.sessions.size() == 1);
    bench.pass(115s);
    REQUIRE(bench.history.sessions.size() == 2);
    CHECK(bench.history.sessions[1].session == attached.session);
    CHECK_FALSE(bench.history.sessions[1].begins);
    CHECK(bench.history.sessions[1].away_for == 120s);
}

TEST_CASE("of a restored queue's members only what changes is written down") {
    Bench bench(room);
    bench.op(queue::JoinOp{});
    const auto& changes = bench.history.member_changes;
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].is_member);
    bench.restore();
    bench.op(queue::SetOp{MountName("round"), {{Key("a"), Payload("1")}}, {}});
    CHECK(changes.size() == 1);
    bench.op(queue::LeaveOp{});
    REQUIRE(changes.size() == 2);
    CHECK_FALSE(changes[1].is_member);
    CHECK_FALSE(changes[1].is_end);
    CHECK(changes[1].at.seq > changes[0].at.seq + 1);
}

}  // namespace
}  // namespace muster::sim
