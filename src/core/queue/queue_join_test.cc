// Joining, leaving, presence: who is a member, and what the others see of it.
#include <doctest/doctest.h>

#include "core/queue/queue_test_bench.h"

namespace muster::queue {
namespace {

using namespace std::chrono_literals;
using Kind = Verdict::Kind;

const TestClient alice = client_of("alice");
const TestClient bob = client_of("bob");

Template closed_room() {
    Template rules = open_room();
    rules.create = WhoMay::server;
    rules.join = WhoMay::server;
    return rules;
}

// ---- Joining ---------------------------------------------------------------------------------

TEST_CASE("where anyone may create, the first join makes the queue with its template's mounts") {
    QueueBench bench;
    const auto verdict = bench.join(alice);
    CHECK(verdict.kind == Kind::ok);
    CHECK(verdict.is_new);
    CHECK(verdict.at == bench.content().at);
    CHECK(bench.content().mounts.size() == open_room().mounts.size());
    CHECK(bench.content().members.contains(alice.user));
    CHECK(bench.inc() > Inc{std::uint64_t{7} << 32U});
}

TEST_CASE("where only the server creates, a join to what is not there is rejected: no_queue") {
    Template rules = open_room();
    rules.create = WhoMay::server;
    QueueBench bench(settings_of({rules}));
    const auto verdict = bench.join(alice);
    CHECK(verdict.kind == Kind::rejected);
    CHECK(verdict.code == ErrorCode::no_queue);
    CHECK(bench.actor->is_absent());
    CHECK(bench.join_by_server("alice").code == ErrorCode::no_queue);
}

TEST_CASE("where only the server joins, a client's join neither joins nor creates") {
    Template rules = open_room();
    rules.join = WhoMay::server;
    QueueBench bench(settings_of({rules}));
    CHECK(bench.join(alice).code == ErrorCode::no_queue);
    CHECK(bench.actor->is_absent());

    CHECK(bench.ask_as_server(CreateOp{}).kind == Kind::ok);
    const auto verdict = bench.join(alice);
    CHECK(verdict.kind == Kind::rejected);
    CHECK(verdict.code == ErrorCode::forbidden);
    CHECK(bench.content().members.empty());
}

TEST_CASE("where anyone creates but only the server joins, the server's join creates") {
    Template rules = open_room();
    rules.join = WhoMay::server;
    QueueBench bench(settings_of({rules}));
    CHECK(bench.join_by_server("alice").kind == Kind::ok);
    CHECK(bench.content().members.contains(alice.user));
}

TEST_CASE("a queue that no template matches is the server's alone") {
    QueueBench bench(settings_of({open_room()}), "/guild/7");
    CHECK(bench.join(alice).code == ErrorCode::no_queue);
    CHECK(bench.ask_as_server(CreateOp{}).kind == Kind::ok);
    CHECK(bench.join(alice).code == ErrorCode::forbidden);
    CHECK(bench.join_by_server("alice").kind == Kind::ok);
}

TEST_CASE("a join that cannot be does not leave a queue behind") {
    Limits limits;
    limits.members_max = 0;
    QueueBench bench(settings_of({open_room()}, limits));
    CHECK(bench.join(alice).code == ErrorCode::limit);
    CHECK(bench.actor->is_absent());
    CHECK(bench.ask(alice, JoinOp{alice.user, {}, {}}, {.number = 2}).kind == Kind::expired);
    CHECK(bench.actor->is_absent());
    CHECK_FALSE(bench.wake_at.has_value());
}

TEST_CASE("a join is published once, with the number of members after it") {
    QueueBench bench;
    bench.join(alice);
    bench.subscribe(0);
    bench.join(bob);
    REQUIRE(bench.published().size() == 1);
    const auto event = bench.published().front();
    const auto& changed = std::get<MemberChanged>(event->body);
    CHECK(event->from == bob.user);
    CHECK(changed.user == bob.user);
    REQUIRE(changed.member.has_value());
    CHECK(changed.member->is_online);
    CHECK(changed.member->session == bob.session);
    CHECK_FALSE(changed.member->by_server);
    CHECK(changed.count == 2);
}

TEST_CASE("an op's events come before its verdict") {
    QueueBench bench;
    bench.join(alice);
    bench.subscribe(0);
    bench.join(bob);
    REQUIRE(bench.outbox.size() == 2);
    CHECK(std::holds_alternative<Published>(bench.outbox[0].body));
    CHECK(std::holds_alternative<OpReply>(bench.outbox[1].body));
}

TEST_CASE("who is a member already and joins again changes nothing") {
    QueueBench bench;
    bench.join(alice);
    const Seq before = bench.seq();
    const auto verdict = bench.join(alice);
    CHECK(verdict.kind == Kind::ok);
    CHECK_FALSE(verdict.is_new);
    CHECK(verdict.at.seq == before);
    CHECK(bench.seq() == before);
}

TEST_CASE("a member that joins again in a new session is shown with that session") {
    QueueBench bench;
    bench.join(alice);
    TestClient later = alice;
    later.session = SessionId{11};
    bench.join(later);
    CHECK(bench.content().members.at(alice.user).session == SessionId{11});
}

TEST_CASE("a queue has no more members than it may, but those that it has may join again") {
    Limits limits;
    limits.members_max = 1;
    QueueBench bench(settings_of({open_room()}, limits));
    bench.join(alice);
    const auto verdict = bench.join(bob);
    CHECK(verdict.kind == Kind::rejected);
    CHECK(verdict.code == ErrorCode::limit);
    CHECK(bench.join_by_server("bob").code == ErrorCode::limit);
    CHECK(bench.join(alice).kind == Kind::ok);
    bench.leave(alice);
    CHECK(bench.join(bob).kind == Kind::ok);
}

TEST_CASE("nobody joins or leaves for somebody else, but the server") {
    QueueBench bench;
    bench.join(alice);
    CHECK(bench.ask(alice, JoinOp{bob.user, {}, {}}).code == ErrorCode::forbidden);
    bench.join(bob);
    CHECK(bench.ask(alice, LeaveOp{bob.user, LeaveReason::left}).code == ErrorCode::forbidden);
    CHECK(bench.ask(alice, LeaveOp{bob.user, LeaveReason::kicked}).code == ErrorCode::forbidden);
    CHECK(bench.ask(alice, LeaveOp{alice.user, LeaveReason::kicked}).code == ErrorCode::forbidden);
    CHECK(bench.content().members.size() == 2);
}

// ---- Members that the server joins -----------------------------------------------------------

TEST_CASE("the server's join carries role and info, and shows whether the user is on line") {
    QueueBench bench(settings_of({closed_room()}));
    bench.ask_as_server(CreateOp{});
    CHECK(bench.join_by_server("alice", {}, R"({"name":"Alice"})", "player").is_new);
    const Member& member = bench.content().members.at(alice.user);
    CHECK(member.by_server);
    CHECK_FALSE(member.is_online);
    CHECK(member.role.view() == "player");
    CHECK(member.info.bytes() == R"({"name":"Alice"})");

    CHECK_FALSE(bench.join_by_server("alice", SessionId{4}, "{}", "judge").is_new);
    CHECK(bench.content().members.at(alice.user).is_online);
    CHECK(bench.content().members.at(alice.user).role.view() == "judge");
}

TEST_CASE("what the server says of all members has a limit, below which it may be changed") {
    Limits limits;
    limits.state_bytes_max = 100;
    QueueBench bench(settings_of({open_room()}, limits));
    const std::string meta = R"({"name":")" + std::string(30, 'x') + R"("})";  // 41 bytes.
    CHECK(bench.join_by_server("alice", {}, meta, "judge").kind == Kind::ok);
    CHECK(bench.join_by_server("bob", {}, meta).kind == Kind::ok);
    CHECK(bench.join_by_server("carol", {}, meta).code == ErrorCode::full);
    CHECK(bench.join_by_server("carol", {}, "{}").kind == Kind::ok);
    CHECK(bench.join_by_server("alice", {}, "{}").kind == Kind::ok);
    bench.restart();
    CHECK(bench.content().info_bytes == 41 + 2 + 2);
    CHECK(bench.join_by_server("carol", {}, meta).kind == Kind::ok);
    CHECK(bench.leave(bob).kind == Kind::ok);
    CHECK(bench.content().info_bytes == 41 + 2);
}

TEST_CASE("whom the server has joined may join itself as well, and stays the server's member") {
    QueueBench bench(settings_of({closed_room()}));
    bench.ask_as_server(CreateOp{});
    bench.join_by_server("alice", {}, {}, "player");
    CHECK(bench.join(alice).kind == Kind::ok);
    const Member& member = bench.content().members.at(alice.user);
    CHECK(member.by_server);
    CHECK(member.is_online);
    CHECK(member.role.view() == "player");
}

TEST_CASE("a session's end takes those away that joined themselves, not those that were joined") {
    QueueBench bench;
    bench.join(alice);
    bench.join_by_server("bob", bob.session);
    bench.subscribe(0);
    CHECK(bench.ask_as_server(LeaveOp{alice.user, LeaveReason::timeout}).kind == Kind::ok);
    const auto event = bench.published().at(0);
    const auto& changed = std::get<MemberChanged>(event->body);
    CHECK_FALSE(changed.member.has_value());
    CHECK(changed.reason == LeaveReason::timeout);
    CHECK(changed.count == 1);

    CHECK(bench.ask_as_server(LeaveOp{bob.user, LeaveReason::timeout}).code ==
          ErrorCode::forbidden);
    CHECK(bench.content().members.contains(bob.user));
    CHECK(bench.ask_as_server(LeaveOp{bob.user, LeaveReason::kicked}).kind == Kind::ok);
    CHECK(bench.content().members.empty());
}

TEST_CASE("who is no member cannot leave") {
    QueueBench bench;
    bench.join(alice);
    const auto verdict = bench.leave(bob);
    CHECK(verdict.kind == Kind::rejected);
    CHECK(verdict.code == ErrorCode::not_member);
    CHECK(bench.ask_as_server(LeaveOp{bob.user, LeaveReason::kicked}).code ==
          ErrorCode::not_member);
}

TEST_CASE("the answer to a join or leave says how the user stands then, whatever the verdict") {
    QueueBench bench;
    auto reply = bench.feed_op(QueueBench::op_of(alice, JoinOp{alice.user, {}, {}}));
    CHECK(reply.what == OpReply::What::join);
    CHECK(reply.user == alice.user);
    REQUIRE(reply.standing.has_value());
    CHECK(reply.standing->inc == bench.inc());
    CHECK_FALSE(reply.standing->by_server);

    bench.join_by_server("bob");
    reply = bench.feed_op(QueueBench::server_op(LeaveOp{bob.user, LeaveReason::timeout}));
    CHECK(reply.verdict.kind == Kind::rejected);
    REQUIRE(reply.standing.has_value());
    CHECK(reply.standing->by_server);

    reply = bench.feed_op(QueueBench::server_op(LeaveOp{bob.user, LeaveReason::kicked}));
    CHECK(reply.what == OpReply::What::leave);
    CHECK(reply.leave_reason == LeaveReason::kicked);
    CHECK_FALSE(reply.standing.has_value());
}

TEST_CASE("a repeated join of who was removed since is answered OK, and says: no member") {
    QueueBench bench;
    bench.join(bob);
    const auto first = bench.join(alice, {.number = 1});
    bench.ask_as_server(LeaveOp{alice.user, LeaveReason::kicked});
    const auto again =
        bench.feed_op(QueueBench::op_of(alice, JoinOp{alice.user, {}, {}}, {.number = 1}));
    CHECK(again.verdict.kind == Kind::ok);
    CHECK(again.verdict.at == first.at);
    CHECK_FALSE(again.standing.has_value());
    CHECK_FALSE(bench.content().members.contains(alice.user));
}

// ---- Presence --------------------------------------------------------------------------------

TEST_CASE("a user queue's word on presence is published when it changes something") {
    QueueBench bench;
    bench.join_by_server("alice");
    bench.subscribe(0);
    const auto tell = [&](std::uint64_t session, bool is_online) {
        bench.step(actor::ActorAddress{QueueName("/user/alice")},
                   Presence{alice.user, SessionId{session}, is_online, {}});
        return bench.published().size();
    };
    CHECK(tell(10, true) == 1);
    CHECK(bench.content().members.at(alice.user).is_online);
    CHECK(tell(10, true) == 0);
    CHECK(tell(10, false) == 1);
    CHECK_FALSE(bench.content().members.at(alice.user).is_online);
}

TEST_CASE("a session's end that comes after the next one's beginning is ignored") {
    QueueBench bench;
    bench.join_by_server("alice");
    const auto tell = [&](std::uint64_t session, bool is_online) {
        bench.step(actor::ActorAddress{QueueName("/user/alice")},
                   Presence{alice.user, SessionId{session}, is_online, {}});
    };
    tell(12, true);
    tell(11, false);
    CHECK(bench.content().members.at(alice.user).is_online);
    CHECK(bench.content().members.at(alice.user).session == SessionId{12});
}

TEST_CASE("presence of a stranger, or in a queue that is not there, changes nothing") {
    QueueBench bench;
    const Presence presence{alice.user, SessionId{1}, true, {}};
    bench.step(actor::ActorAddress{QueueName("/user/alice")}, presence);
    CHECK(bench.actor->is_absent());
    bench.join(bob);
    const Seq before = bench.seq();
    bench.step(actor::ActorAddress{QueueName("/user/alice")}, presence);
    CHECK(bench.seq() == before);
}

// ---- Fences ----------------------------------------------------------------------------------

TEST_CASE("after a fence no op of a smaller cep is applied, and no-ops and the server still are") {
    QueueBench bench;
    bench.join(alice);
    CHECK(bench.fence(alice.user, {Inc{5}, 2}, bench.inc()) == FenceReply::Kind::fenced_in);
    const auto verdict = bench.send(alice, "chat", "1");
    CHECK(verdict.kind == Kind::fenced);
    CHECK(verdict.code == ErrorCode::superseded);
    CHECK(bench.leave(alice).kind == Kind::fenced);
    CHECK(bench.join(alice).kind == Kind::fenced);
    CHECK(bench.withdraw(alice, {.number = 1, .inc = bench.inc()}).code == ErrorCode::withdrawn);

    TestClient newer = alice;
    newer.cep = {Inc{5}, 2};
    CHECK(bench.send(newer, "chat", "2").kind == Kind::ok);
    CHECK(bench.join_by_server("alice").kind == Kind::ok);
}

TEST_CASE("a fence with a smaller cep than one before is overtaken, and takes nothing back") {
    QueueBench bench;
    bench.join(alice);
    const Inc inc = bench.inc();
    CHECK(bench.fence(alice.user, {Inc{6}, 1}, inc) == FenceReply::Kind::fenced_in);
    CHECK(bench.fence(alice.user, {Inc{5}, 9}, inc) == FenceReply::Kind::overtaken);
    CHECK(bench.fence(alice.user, {Inc{6}, 1}, inc) == FenceReply::Kind::fenced_in);
    TestClient client = alice;
    client.cep = {Inc{5}, 9};
    CHECK(bench.send(client, "chat", "1").kind == Kind::fenced);
}

TEST_CASE("a fence of another history, or where there is no queue, finds it gone") {
    QueueBench bench;
    CHECK(bench.fence(alice.user, alice.cep) == FenceReply::Kind::gone);
    CHECK(bench.actor->is_absent());
    bench.join(alice);
    CHECK(bench.fence(alice.user, alice.cep, Inc{bench.inc().value - 1}) == FenceReply::Kind::gone);
    CHECK(bench.fence(alice.user, alice.cep, Inc{bench.inc().value + 1}) == FenceReply::Kind::gone);
    CHECK(bench.fence(alice.user, alice.cep) == FenceReply::Kind::fenced_in);
}

TEST_CASE("a fence is answered to the connection that it is for, and names the inc that it named") {
    QueueBench bench;
    bench.join(alice);
    const Inc asked{bench.inc().value - 1};
    bench.fence(alice.user, alice.cep, asked);
    CHECK(bench.only<FenceReply>().inc == asked);
    bench.fence(alice.user, alice.cep);
    CHECK(bench.only<FenceReply>().inc == Inc{});
    CHECK(bench.gateways_sent<FenceReply>() == std::vector{ShardId{3}});
    CHECK(bench.only<FenceReply>().connection == ConnectionRef{ShardId{3}, ConnectionId{9}});
    CHECK(bench.only<FenceReply>().queue == bench.self);
}

TEST_CASE("a join fences with its own cep: nothing older of that user is applied after it") {
    QueueBench bench;
    TestClient newer = alice;
    newer.cep = {Inc{5}, 7};
    bench.join(newer);
    CHECK(bench.send(alice, "chat", "1").kind == Kind::fenced);
}

TEST_CASE("a join by the server fences with the cep that the user queue has put to it") {
    QueueBench bench;
    bench.join(alice);
    bench.leave(alice);  // The fence goes with the member.
    Op op = bench.server_op(JoinOp{alice.user, {}, {}});
    op.sender.cep = {Inc{5}, 7};
    CHECK(bench.feed_op(std::move(op)).verdict.kind == Kind::ok);
    CHECK(bench.send(alice, "chat", "1").kind == Kind::fenced);
}

TEST_CASE("the user queue's presence fences as well") {
    QueueBench bench;
    bench.join(alice);
    bench.step(actor::ActorAddress{QueueName("/user/alice")},
               Presence{alice.user, alice.session, true, {Inc{5}, 2}});
    CHECK(bench.outbox.empty());
    CHECK(bench.send(alice, "chat", "1").kind == Kind::fenced);
}

TEST_CASE("each of a user's slots has a fence of its own") {
    QueueBench bench;
    bench.join(alice);  // In slot 0, turn 1.
    TestClient device = alice;
    device.cid = Cid{0, 2};
    device.cep = Cep::of_slot(Inc{5}, 1, 2);
    CHECK(bench.send(device, "chat", "1").kind == Kind::ok);
    CHECK(bench.fence(alice.user, Cep::of_slot(Inc{5}, 1, 3)) == FenceReply::Kind::fenced_in);
    CHECK(bench.send(device, "chat", "2").kind == Kind::fenced);
    CHECK(bench.send(alice, "chat", "3").kind == Kind::ok);
    CHECK(bench.fence(alice.user, device.cep) == FenceReply::Kind::overtaken);
    CHECK(bench.fence(alice.user, Cep::of_slot(Inc{5}, 0, 4)) == FenceReply::Kind::fenced_in);
    CHECK(bench.send(alice, "chat", "4").kind == Kind::fenced);
    device.cep = Cep::of_slot(Inc{5}, 1, 3);
    CHECK(bench.send(device, "chat", "5").kind == Kind::ok);
    SUBCASE("and all go with the member") {
        bench.ask_as_server(LeaveOp{alice.user, LeaveReason::kicked});
        device.cep = Cep::of_slot(Inc{5}, 1, 1);
        CHECK(bench.join(alice).kind == Kind::ok);
        CHECK(bench.send(device, "chat", "6").kind == Kind::ok);
    }
    SUBCASE("and all are kept in a snapshot") {
        bench.restart();
        CHECK(bench.send(alice, "chat", "6").kind == Kind::fenced);
        CHECK(bench.send(device, "chat", "7").kind == Kind::ok);
        device.cep = Cep::of_slot(Inc{5}, 1, 2);
        CHECK(bench.send(device, "chat", "8").kind == Kind::fenced);
    }
}

TEST_CASE("a cep of a younger user queue fences all of the ones before, in every slot") {
    QueueBench bench;
    TestClient device = alice;
    device.cid = Cid{0, 2};
    device.cep = Cep::of_slot(Inc{5}, 1, 2);
    bench.join(alice);
    CHECK(bench.send(device, "chat", "1").kind == Kind::ok);
    CHECK(bench.fence(alice.user, Cep{Inc{6}, 0}) == FenceReply::Kind::fenced_in);
    CHECK(bench.send(alice, "chat", "2").kind == Kind::fenced);
    CHECK(bench.send(device, "chat", "3").kind == Kind::fenced);
    CHECK(bench.fence(alice.user, device.cep) == FenceReply::Kind::overtaken);
    device.cep = Cep::of_slot(Inc{6}, 1, 1);
    CHECK(bench.send(device, "chat", "4").kind == Kind::ok);
}

TEST_CASE("who joins is fenced at once, in all slots that the join names") {
    QueueBench bench;
    TestClient device = alice;
    device.cid = Cid{0, 2};
    device.cep = Cep::of_slot(Inc{5}, 1, 2);
    JoinOp join{alice.user, {}, {}, {Cep::of_slot(Inc{5}, 1, 3)}};
    SUBCASE("its own join") { CHECK(bench.ask(alice, join).kind == Kind::ok); }
    SUBCASE("the backend's") { CHECK(bench.ask_as_server(join).kind == Kind::ok); }
    SUBCASE("the backend's, again") {
        bench.join_by_server("alice");
        CHECK(bench.send(device, "chat", "1").kind == Kind::ok);
        CHECK(bench.ask_as_server(join).kind == Kind::ok);
    }
    CHECK(bench.send(device, "chat", "2").kind == Kind::fenced);
    CHECK(bench.send(alice, "chat", "3").kind == Kind::ok);
    device.cep = join.fences[0];
    CHECK(bench.send(device, "chat", "4").kind == Kind::ok);
}

TEST_CASE("fences go with the member") {
    QueueBench bench;
    bench.join(bob);
    bench.join(alice);
    bench.fence(alice.user, {Inc{5}, 2});
    bench.ask_as_server(LeaveOp{alice.user, LeaveReason::kicked});
    CHECK(bench.join(alice).kind == Kind::ok);
    // A stranger has none: nothing is kept for somebody who never joins.
    CHECK(bench.fence(UserId("carol"), {Inc{5}, 9}) == FenceReply::Kind::fenced_in);
    CHECK(bench.join(client_of("carol")).kind == Kind::ok);
}

}  // namespace
}  // namespace muster::queue
