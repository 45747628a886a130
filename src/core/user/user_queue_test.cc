// Long because: every line of the table of user queues has its story here, on one bench.
// GUARANTEES.md 5.4, line by line, but for the policies (logins_test.cc), and without the mailbox,
// which is still to come.
#include "core/user/user_queue.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "core/user/user_queue_test_bench.h"

namespace muster::user {
namespace {

using namespace std::chrono_literals;
using queue::OpReply;
using queue::Verdict;

using Lines = std::vector<std::string>;

// ---- Attach ----------------------------------------------------------------------------------

TEST_CASE("the first connection begins a session and gets the first cep") {
    Bench bench;
    CHECK(bench.actor->is_absent());
    const auto attached = bench.sign_in(connection(3, 7));
    CHECK(bench.gateways_sent<Attached>() == std::vector{ShardId{3}});
    CHECK(attached.connection == connection(3, 7));
    CHECK(attached.cep.inc > Inc{std::uint64_t{7} << 32U});
    CHECK(attached.cep.counter == 1);
    CHECK(attached.session.value > attached.cep.inc.value);
    CHECK(attached.joined.empty());
    CHECK(bench.outbox.size() == 1);
    CHECK(bench.report().is_online);
}

TEST_CASE("an attach of the connection that is current is answered by the same cep again") {
    Bench bench;
    const auto first = bench.sign_in();
    bench.attach(connection(0, 1));
    const auto again = bench.only<Attached>();
    CHECK(again.cep == first.cep);
    CHECK(again.session == first.session);
    CHECK(bench.all<Kick>().empty());
}

TEST_CASE("the newest connection wins: a bigger cep for it, a kick that names it for the other") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto second = bench.sign_in(connection(4, 2), laptop);
    CHECK(second.cep > first.cep);
    CHECK(second.cep.inc == first.cep.inc);
    CHECK(second.session == first.session);
    CHECK(bench.gateways_sent<Kick>() == std::vector{ShardId{0}});
    CHECK(bench.only<Kick>().connection == connection(0, 1));
    CHECK(bench.only<Kick>().winner == second.cep);
    CHECK_FALSE(bench.only<Kick>().disconnected);
    CHECK(bench.only<Kick>().same_client_at.empty());
}

TEST_CASE("row 36: whom its own client takes over from is told from where that has come") {
    Bench bench;
    bench.sign_in(connection(0, 1), phone, 1);
    bench.sign_in(connection(4, 2), phone, 2);
    CHECK(bench.only<Kick>().connection == connection(0, 1));
    CHECK(bench.only<Kick>().same_client_at.view() == "192.0.2.1");
}

TEST_CASE("a late attempt of a client's connection that it has given up is STALE") {
    Bench bench;
    const auto winner = bench.sign_in(connection(0, 2), phone, 2);
    for (const std::uint64_t attempt : {0, 1, 2}) {
        bench.attach(connection(5, 1), phone, attempt);
        CHECK(bench.only<Stale>().connection == connection(5, 1));
        CHECK(bench.gateways_sent<Stale>() == std::vector{ShardId{5}});
        CHECK(bench.outbox.size() == 1);
    }
    CHECK(bench.sign_in(connection(0, 2), phone, 2).cep == winner.cep);
    CHECK(bench.sign_in(connection(0, 3), phone, 3).cep > winner.cep);
}

TEST_CASE("attempts are counted for each client apart, also when another was current meanwhile") {
    Bench bench;
    bench.sign_in(connection(0, 1), phone, 5);
    bench.sign_in(connection(0, 2), laptop, 1);
    bench.attach(connection(0, 3), phone, 5);
    CHECK(bench.all<Stale>().size() == 1);
    bench.sign_in(connection(0, 4), phone, 6);
    bench.attach(connection(0, 5), laptop, 1);
    CHECK(bench.all<Stale>().size() == 1);
}

TEST_CASE("only the attempts of the newest clients are remembered") {
    Bench bench(UserSettings{.clients_max = 2});
    bench.sign_in(connection(0, 1), Cid{0, 1}, 5);
    bench.sign_in(connection(0, 2), Cid{0, 2}, 5);
    bench.sign_in(connection(0, 3), Cid{0, 1}, 6);
    bench.sign_in(connection(0, 4), Cid{0, 3}, 5);
    bench.attach(connection(0, 5), Cid{0, 1}, 6);
    CHECK(bench.all<Stale>().size() == 1);
    bench.attach(connection(0, 6), Cid{0, 2}, 5);
    CHECK(bench.all<Attached>().size() == 1);
}

TEST_CASE("a connection is told of all queues that the user is in, by their incs") {
    Bench bench;
    const auto first = bench.sign_in();
    bench.join(first, room, Inc{70});
    bench.join(first, hall, Inc{80});
    const auto second = bench.sign_in(connection(0, 2), laptop);
    REQUIRE(second.joined.size() == 2);
    CHECK(second.joined[0].queue == hall);
    CHECK(second.joined[0].inc == Inc{80});
    CHECK(second.joined[1].queue == room);
}

// ---- Detach, and the end of a session --------------------------------------------------------

TEST_CASE("a session ends 120 s after its last connection, and leaves what the user joined") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.join(attached);
    bench.detach(attached.cep);
    CHECK(bench.outbox.empty());
    CHECK(bench.report().is_online);  // As the queues show it, until the session ends.
    CHECK(bench.report().connections == 0);
    CHECK(bench.report().session == attached.session);
    bench.pass(120s - 1us);
    CHECK(bench.outbox.empty());
    bench.pass(1us);
    CHECK(bench.actors_sent<queue::Op>() == std::vector{room});
    const auto op = bench.only<queue::Op>();
    CHECK(op.sender.is_server);
    CHECK(op.sender.user == bench.user);
    CHECK(std::get<queue::LeaveOp>(op.body).user == bench.user);
    CHECK(std::get<queue::LeaveOp>(op.body).reason == queue::LeaveReason::timeout);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a user that comes back in time keeps the session and the queues") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone, 1);
    bench.join(first);
    bench.detach(first.cep);
    bench.pass(119s);
    const auto second = bench.sign_in(connection(0, 2), phone, 2);
    CHECK(second.session == first.session);
    CHECK(second.joined.size() == 1);
    CHECK(bench.all<queue::Presence>().empty());
    bench.pass(1h);
    CHECK(bench.outbox.empty());
    // Going again, the time begins anew.
    bench.detach(second.cep);
    bench.pass(119s);
    CHECK(bench.outbox.empty());
    bench.pass(1s);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("being away is counted from the last going, not from one before") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone, 1);
    bench.detach(first.cep);
    bench.pass(60s);
    const auto second = bench.sign_in(connection(0, 2), phone, 2);
    bench.detach(second.cep);
    bench.pass(119s);
    CHECK_FALSE(bench.actor->is_absent());
    bench.pass(1s);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("the detach of a connection that has lost already changes nothing") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto second = bench.sign_in(connection(0, 2), laptop);
    bench.detach(first.cep);
    CHECK(bench.report().connections == 1);
    bench.detach(second.cep);
    CHECK(bench.report().connections == 0);
    bench.detach(second.cep);
    bench.pass(120s);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a user that was forgotten comes back younger: session, cep and its inc have grown") {
    Bench bench;
    const auto first = bench.sign_in();
    bench.detach(first.cep);
    bench.pass(120s);
    REQUIRE(bench.actor->is_absent());
    bench.actor = std::make_unique<UserQueue>(bench.settings, bench.user);
    const auto second = bench.sign_in();
    CHECK(second.cep > first.cep);
    CHECK(second.session > first.session);
}

TEST_CASE("what the server joined stays when the session ends, and is told of presence") {
    Bench bench;
    bench.join_by_server(room);
    const auto attached = bench.sign_in();
    CHECK(bench.actors_sent<queue::Presence>() == std::vector{room});
    CHECK(bench.only<queue::Presence>().is_online);
    CHECK(bench.only<queue::Presence>().session == attached.session);
    CHECK(bench.only<queue::Presence>().cep == attached.cep);
    bench.join(attached, hall);
    bench.detach(attached.cep);
    bench.pass(120s);
    CHECK(bench.actors_sent<queue::Op>() == std::vector{hall});
    CHECK(bench.actors_sent<queue::Presence>() == std::vector{room});
    CHECK_FALSE(bench.only<queue::Presence>().is_online);
    CHECK(bench.only<queue::Presence>().session == attached.session);
    CHECK(bench.joined() == Lines{"/room/1 70"});
    CHECK_FALSE(bench.actor->is_absent());
}

// ---- Checks ----------------------------------------------------------------------------------

TEST_CASE("a connection that asks is told whether it is current, or who is, or that nobody is") {
    using Standing = Checked::Standing;
    Bench bench;
    CHECK(bench.check(connection(3, 1), Cep{Inc{5}, 1}).standing == Standing::no_session);
    CHECK(bench.actor->is_absent());
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto second = bench.sign_in(connection(4, 2), laptop);
    CHECK(bench.check(connection(4, 2), second.cep).standing == Standing::current);
    CHECK(bench.check(connection(0, 1), first.cep).standing == Standing::other);
    CHECK(bench.only<Checked>().cep == second.cep);
    bench.detach(second.cep);
    CHECK(bench.check(connection(0, 1), first.cep).standing == Standing::other);
    bench.pass(120s);
    CHECK(bench.check(connection(0, 1), first.cep).standing == Standing::no_session);
}

TEST_CASE("a connection of which nothing is heard for 37.5 s is gone, and the session after it") {
    Bench bench;
    CHECK_FALSE(bench.actor->overdue_at().has_value());
    const auto attached = bench.sign_in(connection(3, 1));
    CHECK_FALSE(bench.wake_at.has_value());  // An idle user costs no timer.
    bench.pass(30s);
    bench.check(connection(3, 1), attached.cep);
    CHECK(bench.actor->overdue_at() == bench.now + 37'500ms);
    bench.pass(37'500ms - 1us);
    bench.wake();
    CHECK(bench.report().connections == 1);
    bench.pass(1us);
    bench.wake();
    CHECK(bench.outbox.empty());
    CHECK(bench.report().connections == 0);
    CHECK(bench.report().is_online);
    CHECK_FALSE(bench.actor->overdue_at().has_value());
    // It was not gone after all: it has missed what it was to be told, and signs in anew.
    CHECK(bench.check(connection(3, 1), attached.cep).standing == Checked::Standing::no_session);
    bench.pass(120s);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("an attach that is repeated is a sign of life, too; a lost one's check is none") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto second = bench.sign_in(connection(0, 2), laptop);
    bench.pass(10s);
    bench.check(connection(0, 1), first.cep);
    CHECK(bench.actor->overdue_at() == bench.now + 27'500ms);
    bench.attach(connection(0, 2), laptop);
    CHECK(bench.only<Attached>().cep == second.cep);
    CHECK(bench.actor->overdue_at() == bench.now + 37'500ms);
}

// ---- Presence --------------------------------------------------------------------------------

TEST_CASE("quick reconnects change nobody's presence, in whatever order the old one's end comes") {
    Bench bench;
    bench.join_by_server();
    auto last = bench.sign_in(connection(0, 1), phone, 1);
    CHECK(bench.only<queue::Presence>().is_online);
    for (std::uint64_t attempt = 2; attempt < 6; ++attempt) {
        const bool is_seen_to_go = attempt % 2 == 0;
        if (is_seen_to_go) {
            bench.detach(last.cep);
            CHECK(bench.outbox.empty());
        }
        const auto next = bench.sign_in(connection(0, attempt), phone, attempt);
        CHECK(bench.all<queue::Presence>().empty());
        CHECK(next.session == last.session);
        bench.detach(last.cep);
        CHECK(bench.outbox.empty());
        last = next;
    }
    bench.pass(30s);
    CHECK(bench.outbox.empty());
    CHECK(bench.report().is_online);
}

TEST_CASE("an attach at the instant at which the session ends either keeps it or begins the next") {
    Bench bench;
    bench.join_by_server();
    const auto first = bench.sign_in(connection(0, 1), phone, 1);
    bench.detach(first.cep);
    bench.pass(120s - 1us);
    SUBCASE("it comes first") {
        bench.now += 1us;
        CHECK(bench.sign_in(connection(0, 2), phone, 2).session == first.session);
        CHECK(bench.all<queue::Presence>().empty());
        bench.pass(0s);
        CHECK(bench.outbox.empty());
        CHECK(bench.report().is_online);
    }
    SUBCASE("it comes second: off line, then on line with a younger session") {
        bench.pass(1us);
        CHECK_FALSE(bench.only<queue::Presence>().is_online);
        CHECK(bench.only<queue::Presence>().session == first.session);
        CHECK_FALSE(bench.report().is_online);
        const auto second = bench.sign_in(connection(0, 2), phone, 2);
        CHECK(bench.only<queue::Presence>().is_online);
        CHECK(bench.only<queue::Presence>().session == second.session);
        CHECK(second.session > first.session);
    }
}

// ---- Joins and leaves ------------------------------------------------------------------------

TEST_CASE("a join is noted, stamped with the session and passed on; its verdict comes back here") {
    Bench bench;
    const auto attached = bench.sign_in(connection(3, 1));
    const auto op = bench.op_of(attached, bench.join_body());
    bench.pass_on(room, op);
    CHECK(bench.actors_sent<queue::Op>() == std::vector{room});
    const auto passed = bench.only<queue::Op>();
    CHECK(passed.sender.session == attached.session);
    CHECK(passed.sender.cep == attached.cep);
    CHECK(passed.number == 3);
    CHECK(std::get<ConnectionRef>(passed.reply_to.who) == connection(3, 1));
    CHECK(bench.joined() == Lines{"/room/1 0"});

    bench.answer(room, op, Inc{70});
    CHECK(bench.gateways_sent<OpReply>() == std::vector{ShardId{3}});
    CHECK(bench.only<OpReply>().what == OpReply::What::join);
    CHECK(bench.only<OpReply>().reply_to.request == 17);
    CHECK(bench.only<OpReply>().verdict.at == Cursor{Inc{70}, 5});
    CHECK(bench.all<MembershipChanged>().empty());  // The answer says it.
    CHECK(bench.joined() == Lines{"/room/1 70"});
}

TEST_CASE("a join or leave of a connection that is not current is FENCED and goes no further") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto second = bench.sign_in(connection(4, 2), laptop);
    for (const auto& body : {bench.join_body(), bench.leave_body()}) {
        bench.pass_on(room, bench.op_of(first, body));
        CHECK(bench.all<queue::Op>().empty());
        CHECK(bench.gateways_sent<OpReply>() == std::vector{ShardId{0}});
        const auto reply = bench.only<OpReply>();
        CHECK(reply.verdict.kind == Verdict::Kind::fenced);
        CHECK(reply.verdict.code == ErrorCode::superseded);
        CHECK(reply.queue == room);
        CHECK(reply.number == 3);
    }
    CHECK(bench.joined().empty());
    bench.detach(second.cep);
    bench.pass_on(room, bench.op_of(second, bench.join_body()));
    CHECK(bench.only<OpReply>().verdict.kind == Verdict::Kind::fenced);
}

TEST_CASE("a join of somebody who is not signed in at all is FENCED and leaves nothing behind") {
    Bench bench;
    bench.pass_on(room, bench.op_of(Attached{}, bench.join_body()));
    CHECK(bench.only<OpReply>().verdict.kind == Verdict::Kind::fenced);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a join that is rejected is struck out") {
    Bench bench;
    const auto attached = bench.sign_in();
    const auto op = bench.op_of(attached, bench.join_body());
    bench.pass_on(room, op);
    bench.answer_rejected(room, op, ErrorCode::forbidden);
    CHECK(bench.only<OpReply>().verdict.code == ErrorCode::forbidden);
    CHECK(bench.joined().empty());
}

TEST_CASE("a leave is passed on, and its verdict strikes the queue out") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.join(attached);
    const auto op = bench.op_of(attached, bench.leave_body());
    bench.pass_on(room, op);
    CHECK(bench.actors_sent<queue::Op>() == std::vector{room});
    CHECK(bench.joined() == Lines{"/room/1 70"});
    bench.answer(room, op, Inc{});
    CHECK(bench.only<OpReply>().what == OpReply::What::leave);
    CHECK(bench.all<MembershipChanged>().empty());
    CHECK(bench.joined().empty());
}

TEST_CASE("a leave that is rejected since the user is no member strikes the queue out as well") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.join(attached);
    const auto op = bench.op_of(attached, bench.leave_body());
    bench.pass_on(room, op);
    bench.answer_rejected(room, op, ErrorCode::not_member);
    // An error does not tell the gateway that the stream must end.
    CHECK_FALSE(bench.only<MembershipChanged>().is_member);
    CHECK(bench.joined().empty());
}

TEST_CASE("a leave that overtakes nothing: a join passed behind it survives its verdict") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.join(attached);
    const auto leave = bench.op_of(attached, bench.leave_body());
    const auto join = bench.op_of(attached, bench.join_body());
    bench.pass_on(room, leave);
    bench.pass_on(room, join);
    bench.answer(room, leave, Inc{});
    CHECK(bench.joined() == Lines{"/room/1 0"});
    bench.answer(room, join, Inc{70});
    CHECK(bench.joined() == Lines{"/room/1 70"});
}

TEST_CASE("a repeated join of who was removed since is an OK, but no membership") {
    Bench bench;
    const auto attached = bench.sign_in();
    const auto op = bench.op_of(attached, bench.join_body());
    bench.pass_on(room, op);
    bench.answer(room, op, Inc{});
    CHECK(bench.only<OpReply>().verdict.kind == Verdict::Kind::ok);
    CHECK_FALSE(bench.only<OpReply>().standing.has_value());
    CHECK(bench.joined().empty());
}

TEST_CASE("row 50: the 65th join is passed on as refused, so that its number is used up") {
    Bench bench;
    const auto attached = bench.sign_in();
    for (int i = 0; i < 64; ++i) {
        bench.join(attached, QueueName("/room/" + std::to_string(i)));
    }
    bench.pass_on(hall, bench.op_of(attached, bench.join_body()));
    CHECK(bench.only<queue::Op>().reject_with == ErrorCode::limit);
    CHECK(bench.report().joined.size() == 64);
    bench.pass_on(QueueName("/room/5"), bench.op_of(attached, bench.join_body()));
    CHECK_FALSE(bench.only<queue::Op>().reject_with.has_value());
}

TEST_CASE("a join that was refused on its way is passed on and not noted") {
    Bench bench;
    const auto attached = bench.sign_in();
    auto op = bench.op_of(attached, bench.join_body());
    op.reject_with = ErrorCode::limit;
    bench.pass_on(room, op);
    CHECK(bench.only<queue::Op>().reject_with == ErrorCode::limit);
    CHECK(bench.joined().empty());
}

TEST_CASE("a session that ends while a join is under way leaves what was joined") {
    Bench bench;
    const auto attached = bench.sign_in();
    const auto op = bench.op_of(attached, bench.join_body());
    bench.pass_on(room, op);
    bench.detach(attached.cep);
    bench.pass(120s);
    CHECK(bench.actors_sent<queue::Op>() == std::vector{room});  // Behind the join.
    CHECK(bench.actor->is_absent());
    bench.answer(room, op, Inc{70});
    CHECK(bench.actors_sent<queue::Op>() == std::vector{room});
    CHECK(std::get<queue::LeaveOp>(bench.only<queue::Op>().body).reason ==
          queue::LeaveReason::timeout);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("the verdict of our own leave at a session's end does not undo a later join") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone, 1);
    bench.join(first);
    bench.detach(first.cep);
    bench.pass(120s);
    const auto behind = bench.only<queue::Op>();
    const auto second = bench.sign_in(connection(0, 2), phone, 2);
    const auto again = bench.op_of(second, bench.join_body());
    bench.pass_on(room, again);
    bench.answer(room, behind, Inc{});
    CHECK(bench.outbox.empty());  // Nobody waits for it.
    CHECK(bench.joined() == Lines{"/room/1 0"});
    bench.answer(room, again, Inc{70});
    CHECK(bench.joined() == Lines{"/room/1 70"});
}

TEST_CASE("a join of a connection that has lost is fenced behind it, and told to the winner") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto op = bench.op_of(first, bench.join_body());
    bench.pass_on(room, op);
    const auto second = bench.sign_in(connection(4, 2), laptop);
    CHECK(second.joined.empty());
    CHECK(bench.actors_sent<queue::Presence>() == std::vector{room});
    CHECK(bench.only<queue::Presence>().cep == second.cep);
    CHECK(bench.only<queue::Presence>().is_online);
    bench.answer(room, op, Inc{70});
    CHECK(bench.gateways_sent<MembershipChanged>() == std::vector{ShardId{4}});
    CHECK(bench.only<MembershipChanged>().is_member);
    CHECK(bench.only<MembershipChanged>().queue == room);
    CHECK(bench.only<MembershipChanged>().connection == connection(4, 2));
    CHECK(bench.only<MembershipChanged>().inc == Inc{70});
    CHECK(bench.joined() == Lines{"/room/1 70"});
}

TEST_CASE("who takes over during a join to a queue of which an older history is noted fences it") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone);
    bench.join(first, room, Inc{70});
    bench.pass_on(room, bench.op_of(first, bench.join_body()));
    const auto second = bench.sign_in(connection(4, 2), laptop);
    CHECK(second.joined.size() == 1);
    CHECK(bench.only<queue::Presence>().cep == second.cep);
}

TEST_CASE("of two joins on their way the answer of one leaves the other to be fenced") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto join = bench.op_of(first, bench.join_body());
    const auto leave = bench.op_of(first, bench.leave_body());
    bench.pass_on(room, join);
    bench.pass_on(room, leave);
    bench.pass_on(room, join);
    bench.answer(room, join, Inc{70});
    bench.answer(room, leave, Inc{});
    CHECK(bench.joined() == Lines{"/room/1 0"});
    const auto saved = UserQueue::restore(bench.settings, bench.user, bench.now, bench.saved());
    REQUIRE(saved != nullptr);
    const auto second = bench.sign_in(connection(4, 2), laptop);
    CHECK(bench.only<queue::Presence>().cep == second.cep);
    bench.answer(room, join, Inc{70});
    CHECK(bench.joined() == Lines{"/room/1 70"});
    bench.answer(room, leave, Inc{});
    CHECK(bench.joined().empty());
}

TEST_CASE(
    "who signs in between a leave and the join behind it is told of the queue by their answers") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone);
    bench.join(first);
    const auto leave = bench.op_of(first, bench.leave_body());
    const auto join = bench.op_of(first, bench.join_body());
    bench.pass_on(room, leave);
    bench.pass_on(room, join);
    // A fence would come too early, or go with the member who leaves: it stands behind the join.
    const auto second = bench.sign_in(connection(4, 2), laptop);
    CHECK(second.joined.empty());
    CHECK(bench.only<queue::Presence>().cep == second.cep);
    SUBCASE("the leave was carried out") {
        bench.answer(room, leave, Inc{});
        CHECK(bench.all<MembershipChanged>().empty());
        bench.answer(room, join, Inc{70});
    }
    SUBCASE("the leave was one of long ago") { bench.answer(room, leave, Inc{70}); }
    CHECK(bench.only<MembershipChanged>().is_member);
    CHECK(bench.only<MembershipChanged>().connection == connection(4, 2));
    CHECK(bench.sign_in(connection(4, 3), laptop, 2).joined.size() == 1);
}

TEST_CASE("a join of a connection that was given up for silent is told so, and not that it lost") {
    Bench bench;
    const auto attached = bench.sign_in(connection(3, 1));
    bench.pass(37'500ms);
    bench.wake();
    bench.pass_on(room, bench.op_of(attached, bench.join_body()));
    CHECK(bench.only<OpReply>().verdict.kind == Verdict::Kind::fenced);
    CHECK(bench.only<OpReply>().verdict.code == ErrorCode::session_lost);
    const auto newer = bench.sign_in(connection(3, 2), phone, 2);
    bench.pass_on(room, bench.op_of(attached, bench.join_body()));
    CHECK(bench.only<OpReply>().verdict.code == ErrorCode::superseded);
    CHECK(newer.cep != attached.cep);
    // Also if the user queue was forgotten meanwhile, and has begun anew.
    Bench forgotten;
    forgotten.pass_on(room, forgotten.op_of(attached, forgotten.join_body()));
    CHECK(forgotten.only<OpReply>().verdict.code == ErrorCode::session_lost);
}

TEST_CASE("a leave of a connection that has lost is told to the winner") {
    Bench bench;
    const auto first = bench.sign_in(connection(0, 1), phone);
    bench.join(first);
    const auto op = bench.op_of(first, bench.leave_body());
    bench.pass_on(room, op);
    bench.sign_in(connection(4, 2), laptop);
    bench.answer(room, op, Inc{});
    CHECK_FALSE(bench.only<MembershipChanged>().is_member);
    CHECK(bench.only<MembershipChanged>().connection == connection(4, 2));
}

// ---- The server's joins ----------------------------------------------------------------------

TEST_CASE("the server joins and removes a user that is not on line") {
    Bench bench;
    bench.pass_on(room, bench.server_op(bench.join_body()));
    CHECK(bench.only<queue::Op>().sender.session == SessionId{});
    CHECK_FALSE(bench.actor->is_absent());
    bench.answer(room, bench.server_op(bench.join_body()), Inc{70}, true);
    CHECK(std::holds_alternative<actor::ServiceAddress>(bench.outbox.at(0).to));
    CHECK(bench.only<OpReply>().what == OpReply::What::join);
    CHECK(bench.joined() == Lines{"/room/1 70"});

    const auto op = bench.server_op(bench.leave_body(queue::LeaveReason::kicked));
    bench.pass_on(room, op);
    bench.answer(room, op, Inc{});
    CHECK(bench.all<OpReply>().size() == 1);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a server's join names the newest cep: the queue fences whom it joins at once") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.pass_on(room, bench.server_op(bench.join_body()));
    CHECK(bench.only<queue::Op>().sender.cep == attached.cep);
    CHECK(bench.only<queue::Op>().sender.is_server);
}

TEST_CASE("a server's join of who is not on line fences what a lost user queue has let in") {
    Bench bench;
    bench.pass_on(room, bench.server_op(bench.join_body()));
    const Cep fence = bench.only<queue::Op>().sender.cep;
    CHECK(fence.inc.value != 0);
    CHECK(bench.sign_in().cep == Cep{fence.inc, 1});  // It goes on from there.
}

TEST_CASE("a server's join that is rejected leaves nothing behind") {
    Bench bench;
    const auto op = bench.server_op(bench.join_body());
    bench.pass_on(room, op);
    bench.answer_rejected(room, op, ErrorCode::no_queue);
    CHECK(bench.only<OpReply>().verdict.code == ErrorCode::no_queue);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("the connection of a user whom the server joins or removes is told, once") {
    Bench bench;
    bench.sign_in(connection(3, 1));
    bench.join_by_server();
    CHECK(bench.gateways_sent<MembershipChanged>() == std::vector{ShardId{3}});
    CHECK(bench.only<MembershipChanged>().is_member);
    bench.join_by_server();  // A new role, say: no news for the connection.
    CHECK(bench.all<MembershipChanged>().empty());
    const auto op = bench.server_op(bench.leave_body(queue::LeaveReason::kicked));
    bench.pass_on(room, op);
    bench.answer(room, op, Inc{});
    CHECK_FALSE(bench.only<MembershipChanged>().is_member);
    CHECK(bench.only<MembershipChanged>().reason == queue::LeaveReason::kicked);
}

TEST_CASE("whom the server joined while he was in by himself stays when the session ends") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.join(attached);
    const auto op = bench.server_op(bench.join_body());
    SUBCASE("it is answered") {
        bench.pass_on(room, op);
        bench.answer(room, op, Inc{70}, true);
    }
    SUBCASE("it is under way") { bench.pass_on(room, op); }
    bench.detach(attached.cep);
    bench.pass(120s);
    CHECK(bench.all<queue::Op>().empty());
    CHECK_FALSE(bench.only<queue::Presence>().is_online);
    CHECK(bench.joined() == Lines{"/room/1 70"});
}

TEST_CASE("a leave at a session's end that the queue refuses puts the queue back on the list") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.join(attached);
    bench.detach(attached.cep);
    bench.pass(120s);
    bench.answer_rejected(room, bench.only<queue::Op>(), ErrorCode::forbidden,
                          queue::Standing{Inc{70}, true});
    CHECK(bench.joined() == Lines{"/room/1 70"});
}

// ---- Queues that end -------------------------------------------------------------------------

TEST_CASE("a queue whose history has ended is struck out, a younger one is not") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.join(attached, room, Inc{70});
    const auto end = [&](const QueueName& queue, Inc inc) {
        bench.step(actor::ActorAddress{queue}, QueueEnded{queue, inc});
    };
    end(room, Inc{69});
    end(hall, Inc{99});
    CHECK(bench.joined() == Lines{"/room/1 70"});
    end(room, Inc{70});
    CHECK(bench.joined().empty());
}

TEST_CASE("a join that is under way survives the end of the history before it") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.join(attached, room, Inc{70});
    const auto op = bench.op_of(attached, bench.join_body());
    bench.pass_on(room, op);
    bench.step(actor::ActorAddress{room}, QueueEnded{room, Inc{70}});
    CHECK(bench.joined() == Lines{"/room/1 0"});
    bench.answer(room, op, Inc{71});
    CHECK(bench.joined() == Lines{"/room/1 71"});
}

TEST_CASE("the end of the last queue of a user that is away lets the user queue go") {
    Bench bench;
    bench.join_by_server();
    bench.step(actor::ActorAddress{room}, QueueEnded{room, Inc{70}});
    CHECK(bench.actor->is_absent());
}

// ---- The backend -----------------------------------------------------------------------------

TEST_CASE("a message to the user reaches the current connection, numbered") {
    Bench bench;
    bench.sign_in(connection(3, 1));
    for (const Seq seq : {Seq{1}, Seq{2}}) {
        bench.step(actor::ServiceAddress{}, Tell{{RequestId{5}, {}}, UserId("bob"), Payload("1")});
        CHECK(bench.gateways_sent<Told>() == std::vector{ShardId{3}});
        const auto told = bench.only<Told>();
        CHECK(told.connection == connection(3, 1));
        CHECK(told.queue == bench.self);
        CHECK(told.seq == seq);
        CHECK(told.from == "bob");
        CHECK(told.data == Payload("1"));
        CHECK(told.time == bench.wall);
        CHECK(bench.only<OpReply>().verdict.kind == Verdict::Kind::ok);
        CHECK(bench.only<OpReply>().verdict.at.seq == seq);
    }
}

TEST_CASE("a message to a user without a connection is rejected: user_offline") {
    Bench bench;
    const Tell tell{{RequestId{5}, {}}, {}, Payload("1")};
    bench.step(actor::ServiceAddress{}, tell);
    CHECK(bench.only<OpReply>().verdict.code == ErrorCode::user_offline);
    CHECK(bench.actor->is_absent());
    bench.detach(bench.sign_in().cep);
    bench.step(actor::ServiceAddress{}, tell);
    CHECK(bench.only<OpReply>().verdict.code == ErrorCode::user_offline);
    CHECK(std::get<RequestId>(bench.only<OpReply>().reply_to.who) == RequestId{5});
}

TEST_CASE("to disconnect a user closes the connection, ends the session and leaves its queues") {
    Bench bench;
    const auto attached = bench.sign_in(connection(3, 1));
    bench.join(attached);
    bench.step(actor::ServiceAddress{}, Disconnect{{RequestId{5}, {}}});
    CHECK(bench.only<Kick>().disconnected);
    CHECK(bench.only<Kick>().connection == connection(3, 1));
    CHECK(bench.actors_sent<queue::Op>() == std::vector{room});
    CHECK(bench.only<OpReply>().verdict.kind == Verdict::Kind::ok);
    CHECK(bench.actor->is_absent());

    bench.step(actor::ServiceAddress{}, Disconnect{{RequestId{6}, {}}});
    CHECK(bench.only<OpReply>().verdict.code == ErrorCode::user_offline);
}

TEST_CASE("to disconnect a user that is away ends the session at once") {
    Bench bench;
    bench.detach(bench.sign_in().cep);
    bench.step(actor::ServiceAddress{}, Disconnect{{RequestId{5}, {}}});
    CHECK(bench.all<Kick>().empty());
    CHECK(bench.only<OpReply>().verdict.kind == Verdict::Kind::ok);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("what is known of a user can be read, also that nothing is") {
    Bench bench;
    CHECK_FALSE(bench.report().is_known);
    const auto attached = bench.sign_in();
    CHECK(bench.report().is_known);
    CHECK(bench.report().session == attached.session);
    bench.detach(attached.cep);
    CHECK(bench.report().is_known);
    CHECK(bench.report().is_online);
    bench.pass(120s);
    CHECK_FALSE(bench.report().is_online);
}

// ---- What is not for user queues -------------------------------------------------------------

TEST_CASE("row 46: a send to a user queue is rejected: forbidden") {
    Bench bench;
    bench.sign_in();
    queue::Op op;
    op.sender.user = UserId("bob");
    op.reply_to = {connection(2, 1), 4};
    op.number = 1;
    op.body = queue::SendOp{MountName("mail"), Payload("1")};
    bench.step(actor::GatewayAddress{ShardId{2}}, op);
    CHECK(bench.outbox.size() == 1);
    CHECK(bench.gateways_sent<OpReply>() == std::vector{ShardId{2}});
    const auto reply = bench.only<OpReply>();
    CHECK(reply.verdict.kind == Verdict::Kind::rejected);
    CHECK(reply.verdict.code == ErrorCode::forbidden);
    CHECK(reply.reply_to.request == 4);
    CHECK(reply.queue == bench.self);
    CHECK(bench.joined().empty());
}

TEST_CASE("row 46: a join to another's user queue is rejected, and struck out where it was noted") {
    Bench alice;
    const auto attached = alice.sign_in();
    const QueueName other{"/user/bob"};
    const auto op = alice.op_of(attached, alice.join_body());
    alice.pass_on(other, op);
    Bench bob;
    bob.self = other;
    bob.step(actor::ActorAddress{alice.self}, alice.only<queue::Op>());
    CHECK(bob.actor->is_absent());
    CHECK(bob.actors_sent<OpReply>() == std::vector{alice.self});
    alice.step(actor::ActorAddress{other}, bob.only<OpReply>());
    CHECK(alice.only<OpReply>().verdict.code == ErrorCode::forbidden);
    CHECK(alice.joined().empty());
}

TEST_CASE("user queues are not followed, fenced or read like others, but always answer") {
    Bench bench;
    bench.sign_in();
    bench.step(actor::GatewayAddress{ShardId{1}}, queue::Subscribe{SubId{6}, ShardId{1}, {}});
    CHECK(bench.only<queue::SubscribeRefused>().code == ErrorCode::forbidden);
    CHECK(bench.only<queue::SubscribeRefused>().sub == SubId{6});
    bench.step(actor::GatewayAddress{ShardId{1}},
               queue::Fence{bench.user, {}, Inc{6}, connection(1, 1)});
    CHECK(bench.only<queue::FenceReply>().kind == queue::FenceReply::Kind::gone);
    CHECK(bench.only<queue::FenceReply>().inc == Inc{6});
    bench.step(actor::ServiceAddress{}, queue::Read{RequestId{2}});
    CHECK(bench.only<queue::ReadReply>().content == nullptr);
    bench.step(actor::ServiceAddress{}, queue::Unsubscribe{SubId{6}, ShardId{1}});
    CHECK(bench.outbox.empty());
}

TEST_CASE("a wake that nobody asked for changes nothing") {
    Bench bench;
    bench.sign_in();
    bench.wake();
    CHECK(bench.outbox.empty());
    CHECK(bench.report().is_online);
}

// ---- Snapshots -------------------------------------------------------------------------------

TEST_CASE("a snapshot gives the same user queue, on a machine with another clock") {
    Bench bench;
    const auto attached = bench.sign_in(connection(3, 1), phone, 7);
    bench.join(attached, room, Inc{70});
    bench.join_by_server(hall, Inc{80});
    bench.pass_on(QueueName("/room/2"), bench.op_of(attached, bench.join_body()));
    bench.step(actor::ServiceAddress{}, Tell{{RequestId{5}, {}}, {}, Payload("1")});
    SUBCASE("on line") {}
    SUBCASE("away") {
        bench.detach(attached.cep);
        bench.pass(100s);
    }
    const std::string bytes = bench.saved();
    Bench other;
    other.now = Instant{5s};
    other.actor = UserQueue::restore(other.settings, other.user, other.now, bytes);
    REQUIRE(other.actor != nullptr);
    CHECK(other.saved() == bytes);
    CHECK(other.joined() == Lines{"/hall 80", "/room/1 70", "/room/2 0"});
    other.latest_inc = bench.latest_inc;
    other.attach(connection(0, 2), phone, 7);
    CHECK(other.all<Stale>().size() == 1);
    CHECK(other.sign_in(connection(0, 2), phone, 8).cep.counter == attached.cep.counter + 1);
    CHECK(other.only<Attached>().session == attached.session);
}

TEST_CASE("a session that was away when it was saved ends at the time it would have") {
    Bench bench;
    bench.detach(bench.sign_in().cep);
    bench.pass(100s);
    Bench other;
    other.actor = UserQueue::restore(other.settings, other.user, other.now, bench.saved());
    REQUIRE(other.actor != nullptr);
    other.wake_at = other.now + 20s;  // The bucket's snapshot keeps it.
    other.pass(20s - 1us);
    CHECK_FALSE(other.actor->is_absent());
    other.pass(1us);
    CHECK(other.actor->is_absent());
}

TEST_CASE("damaged bytes give no user queue") {
    Bench bench;
    const auto attached = bench.sign_in();
    bench.join(attached);
    const std::string bytes = bench.saved();
    const auto restored = [&](std::string_view state) {
        return UserQueue::restore(bench.settings, bench.user, bench.now, state) != nullptr;
    };
    CHECK(restored(bytes));
    CHECK_FALSE(restored(""));
    CHECK_FALSE(restored("\xff\xff"));
    CHECK_FALSE(restored("nonsense"));
    CHECK_FALSE(restored(std::string_view(bytes).substr(0, bytes.size() - 1)));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string flipped = bytes;
            flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
            // Whatever comes of it can be saved and read again.
            if (const auto other =
                    UserQueue::restore(bench.settings, bench.user, bench.now, flipped)) {
                std::string again;
                other->save(bench.now, again);
                CHECK(restored(again));
            }
        }
    }
}

}  // namespace
}  // namespace muster::user
