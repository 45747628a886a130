// Ops, their numbers and their keys: GUARANTEES.md 5.1 line by line, without what needs a second
// node.
#include <string>

#include <doctest/doctest.h>

#include "core/queue/queue_test_bench.h"

namespace muster::queue {
namespace {

using namespace std::chrono_literals;
using Kind = Verdict::Kind;

const TestClient alice = client_of("alice");
const TestClient bob = client_of("bob");

/// A queue with alice in it, who joined with her op 1.
struct Room : QueueBench {
    explicit Room(Limits limits = {}) : QueueBench(settings_of({open_room()}, limits)) {
        join(bob);
        join(alice, {.number = 1});
        subscribe(0);
    }

    Numbered nth(OpNumber number) const { return {.number = number, .inc = inc()}; }
};

// ---- Which history is meant ------------------------------------------------------------------

TEST_CASE("an op for a history that is younger than ours waits: RETRY") {
    Room room;
    const Inc younger{room.inc().value + 1};
    const auto verdict = room.send(alice, "chat", "1", {.number = 2, .inc = younger});
    CHECK(verdict.kind == Kind::busy);
    CHECK(verdict.code == ErrorCode::retry);
    CHECK(verdict.retry_ms == 1000);
    CHECK(room.send(alice, "chat", "1", {.number = 2, .inc = Inc{1ULL << 62U}}).kind == Kind::busy);
    CHECK(room.published().empty());
}

TEST_CASE("an op for an older history is GONE, whatever else may be wrong with it") {
    Room room;
    const Inc older{room.inc().value - 1};
    const auto verdict = room.send(alice, "nothing", "1", {.number = 99, .inc = older});
    CHECK(verdict.kind == Kind::gone);
    CHECK(verdict.code == ErrorCode::gone);
    CHECK(room.send(alice, "chat", "1", {.number = 0, .inc = older}).kind == Kind::gone);
    CHECK(room.withdraw(alice, {.number = 2, .inc = older}).kind == Kind::gone);
}

TEST_CASE("where there is no queue, every history that has begun is GONE and a later one waits") {
    QueueBench bench;
    bench.join(alice, {.number = 1});
    const Inc first = bench.inc();
    bench.ask_as_server(DeleteOp{});
    CHECK(bench.send(alice, "chat", "1", {.number = 2, .inc = first}).kind == Kind::gone);
    CHECK(bench.send(alice, "chat", "1", {.number = 2, .inc = Inc{1}}).kind == Kind::gone);
    CHECK(bench.send(alice, "chat", "1", {.number = 2, .inc = Inc{first.value + 1}}).kind ==
          Kind::busy);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("a queue that was made again is a new history: ops of the old one are GONE") {
    Room room;
    const Inc first = room.inc();
    room.ask_as_server(DeleteOp{});
    room.join(alice, {.number = 1});
    CHECK(room.inc() > first);
    CHECK(room.send(alice, "chat", "1", {.number = 2, .inc = first}).kind == Kind::gone);
    CHECK(room.send(alice, "chat", "1", room.nth(2)).kind == Kind::ok);
}

// ---- Numbers ---------------------------------------------------------------------------------

TEST_CASE("no record and a number other than 1: EXPIRED") {
    Room room;
    TestClient other = alice;
    other.cid = {0, 2};
    const auto verdict = room.send(other, "chat", "1", room.nth(2));
    CHECK(verdict.kind == Kind::expired);
    CHECK(verdict.code == ErrorCode::expired);
    CHECK(room.send(other, "chat", "1", room.nth(1)).kind == Kind::ok);
    CHECK(room.send(other, "chat", "1", room.nth(2)).kind == Kind::ok);
}

TEST_CASE("an op repeated under its number takes effect once and gets the same verdict") {
    Room room;
    const auto first = room.send(alice, "chat", "1", room.nth(2));
    CHECK(first.is_new);
    CHECK(room.published().size() == 1);
    const auto again = room.send(alice, "chat", "1", room.nth(2));
    CHECK(again.kind == Kind::ok);
    CHECK(again.at == first.at);
    CHECK_FALSE(again.is_new);
    CHECK(room.published().empty());
}

TEST_CASE("row 41: a number that is decided gives its stored result; another body is ignored") {
    Room room;
    const auto first = room.send(alice, "chat", "1", room.nth(2));
    CHECK(room.send(alice, "chat", "2", room.nth(2)).at == first.at);
    CHECK(room.set(alice, "scores", "k", "2", {}, room.nth(2)).at == first.at);
    CHECK(room.content().mounts.at(MountName("scores")).keys.empty());
}

TEST_CASE("what was rejected stays rejected under its number, also when it would now be possible") {
    Room room;
    const auto first = room.send(alice, "later", "1", room.nth(2));
    CHECK(first.code == ErrorCode::no_mount);
    room.ask_as_server(PutMountOp{MountName("later"), {}});
    const auto again = room.send(alice, "later", "1", room.nth(2));
    CHECK(again.kind == Kind::rejected);
    CHECK(again.code == ErrorCode::no_mount);
    CHECK(room.send(alice, "later", "1", room.nth(3)).kind == Kind::ok);
}

TEST_CASE("a stored conflict keeps the seq that it was about") {
    Room room;
    const Seq at = room.set(alice, "scores", "k", "1", {}, room.nth(2)).at.seq;
    CHECK(room.set(alice, "scores", "k", "2", Seq{0}, room.nth(3)).current == at);
    room.set(bob, "scores", "k", "3");
    const auto again = room.set(alice, "scores", "k", "2", Seq{0}, room.nth(3));
    CHECK(again.code == ErrorCode::conflict);
    CHECK(again.current == at);
}

TEST_CASE("the results of the last 32 numbers are kept; to ask for an older one is an error") {
    Room room;
    std::vector<Cursor> at{{}, {}};
    for (OpNumber n = 2; n <= 40; ++n) {
        at.push_back(room.send(alice, "chat", "1", room.nth(n)).at);
    }
    for (OpNumber n = 9; n <= 40; ++n) {
        const auto verdict = room.send(alice, "chat", "1", room.nth(n));
        CHECK(verdict.kind == Kind::ok);
        CHECK(verdict.at == at[n]);
    }
    CHECK(room.send(alice, "chat", "1", room.nth(8)).kind == Kind::protocol_error);
    CHECK(room.send(alice, "chat", "1", room.nth(8)).code == ErrorCode::protocol);
    CHECK(room.send(alice, "chat", "1", room.nth(1)).kind == Kind::protocol_error);
}

TEST_CASE("a stored result is given to a fenced client, too: the number is asked first") {
    Room room;
    const auto first = room.send(alice, "chat", "1", room.nth(2));
    room.fence(alice.user, {Inc{5}, 2});
    CHECK(room.send(alice, "chat", "1", room.nth(2)).at == first.at);
    CHECK(room.send(alice, "chat", "1", room.nth(3)).kind == Kind::fenced);
}

TEST_CASE("a fenced op is not recorded: its number is decided by who comes next with it") {
    Room room;
    room.fence(alice.user, {Inc{5}, 2});
    CHECK(room.send(alice, "chat", "1", room.nth(2)).kind == Kind::fenced);
    // FENCED is said before HOLE.
    CHECK(room.send(alice, "chat", "1", room.nth(5)).kind == Kind::fenced);
    TestClient newer = alice;
    newer.cep = {Inc{5}, 2};
    CHECK(room.send(newer, "chat", "1", room.nth(2)).kind == Kind::ok);
}

TEST_CASE("a number that leaves one out is a HOLE, and is not recorded") {
    Room room;
    const auto verdict = room.send(alice, "chat", "1", room.nth(3));
    CHECK(verdict.kind == Kind::hole);
    CHECK(verdict.code == ErrorCode::hole);
    CHECK(room.published().empty());
    CHECK(room.send(alice, "chat", "1", room.nth(2)).kind == Kind::ok);
    CHECK(room.send(alice, "chat", "1", room.nth(3)).kind == Kind::ok);
}

TEST_CASE("BUSY is not recorded: the same number comes again and is carried out") {
    Room room;
    for (OpNumber n = 2; n <= 5; ++n) {
        CHECK(room.send(alice, "slow", "1", room.nth(n)).kind == Kind::ok);
    }
    CHECK(room.send(alice, "slow", "1", room.nth(6)).kind == Kind::busy);
    CHECK(room.send(alice, "chat", "1", room.nth(7)).kind == Kind::hole);
    room.pass(1s);
    CHECK(room.send(alice, "slow", "1", room.nth(6)).kind == Kind::ok);
    CHECK(room.send(alice, "chat", "1", room.nth(7)).kind == Kind::ok);
}

TEST_CASE("a rejection uses its number up, a refusal on the way does as well") {
    Room room;
    CHECK(room.send(alice, "news", "1", room.nth(2)).code == ErrorCode::forbidden);
    Op op = QueueBench::op_of(alice, SendOp{MountName("chat"), Payload("1")}, room.nth(3));
    op.reject_with = ErrorCode::limit;
    CHECK(room.feed_op(op).verdict.code == ErrorCode::limit);
    CHECK(room.published().empty());
    op.reject_with.reset();
    CHECK(room.feed_op(op).verdict.code == ErrorCode::limit);
    CHECK(room.send(alice, "chat", "1", room.nth(4)).kind == Kind::ok);
}

TEST_CASE("an op that was refused on the way does not create a queue") {
    QueueBench bench;
    Op op = QueueBench::op_of(alice, JoinOp{alice.user, {}, {}}, {.number = 1});
    op.reject_with = ErrorCode::limit;
    CHECK(bench.feed_op(op).verdict.code == ErrorCode::limit);
    CHECK(bench.actor->is_absent());
}

TEST_CASE("an op without a number is never recorded and never a repetition") {
    Room room;
    const auto first = room.send(alice, "chat", "1", {.number = 0, .inc = room.inc()});
    const auto second = room.send(alice, "chat", "1");
    CHECK(first.kind == Kind::ok);
    CHECK(second.at.seq == first.at.seq + 1);
    CHECK(room.send(alice, "chat", "1", room.nth(2)).kind == Kind::ok);
}

TEST_CASE("an op that names inc 0 means the present history, and its number counts in it") {
    Room room;
    const auto first = room.send(alice, "chat", "1", {.number = 2});
    CHECK(first.kind == Kind::ok);
    CHECK(room.send(alice, "chat", "1", {.number = 2}).at == first.at);
    CHECK(room.send(alice, "chat", "1", room.nth(2)).at == first.at);
    CHECK(room.send(alice, "chat", "1", room.nth(3)).kind == Kind::ok);
}

TEST_CASE(
    "a join that was rejected is followed by the next number, also while the inc is unknown") {
    Template rules = open_room();
    rules.join = WhoMay::server;
    QueueBench bench(settings_of({rules}));
    bench.ask_as_server(CreateOp{});
    CHECK(bench.join(alice, {.number = 1}).code == ErrorCode::forbidden);
    bench.join_by_server("alice");
    CHECK(bench.join(alice, {.number = 2}).kind == Kind::ok);
    CHECK(bench.send(alice, "chat", "1", {.number = 3, .inc = bench.inc()}).kind == Kind::ok);
}

TEST_CASE("clients of one user are counted apart") {
    Room room;
    TestClient phone = alice;
    phone.cid = {1, 0};
    CHECK(room.send(phone, "chat", "1", room.nth(1)).kind == Kind::ok);
    CHECK(room.send(alice, "chat", "1", room.nth(2)).kind == Kind::ok);
    CHECK(room.send(phone, "chat", "1", room.nth(2)).kind == Kind::ok);
}

TEST_CASE("a client keeps its numbers when it leaves and joins again") {
    Room room;
    CHECK(room.leave(alice, room.nth(2)).kind == Kind::ok);
    CHECK(room.send(alice, "chat", "1", room.nth(3)).code == ErrorCode::not_member);
    CHECK(room.join(alice, room.nth(4)).kind == Kind::ok);
    CHECK(room.join(alice, room.nth(1)).kind == Kind::ok);  // A late copy: decided long ago.
    CHECK(room.send(alice, "chat", "1", room.nth(5)).kind == Kind::ok);
}

TEST_CASE("of clients that are gone, the one that was not heard of for longest expires first") {
    Limits limits;
    limits.left_clients_max = 2;
    Room room(limits);
    room.leave(alice, room.nth(2));
    const TestClient carol = client_of("carol");
    const TestClient dave = client_of("dave");
    room.send(carol, "wall", "1", room.nth(1));  // A stranger may write here.
    CHECK(room.send(alice, "chat", "1", room.nth(3)).code == ErrorCode::not_member);
    room.send(dave, "wall", "1", room.nth(1));
    CHECK(room.send(carol, "wall", "1", room.nth(2)).kind == Kind::expired);
    CHECK(room.send(alice, "chat", "1", room.nth(4)).code == ErrorCode::not_member);
    CHECK(room.send(dave, "wall", "1", room.nth(2)).kind == Kind::ok);
}

TEST_CASE("of a client that left, verdicts are known for 600 s, outcomes for a day, then nothing") {
    Room room;
    room.join(bob);  // So that the queue lives on.
    const auto sent = room.send(alice, "chat", "1", room.nth(2));
    CHECK(room.set(alice, "chat", "a", "1", {}, room.nth(3)).code == ErrorCode::wrong_kind);
    room.leave(alice, room.nth(4));
    const auto check_saved_too = [&](auto check) {
        check();
        room.restart();
        check();
    };
    room.pass(std::chrono::seconds{599});
    check_saved_too([&] {
        CHECK(room.send(alice, "chat", "1", room.nth(2)).at == sent.at);
        CHECK(room.send(alice, "chat", "1", room.nth(3)).code == ErrorCode::wrong_kind);
    });
    room.pass(std::chrono::seconds{1});
    check_saved_too([&] {
        const auto ok = room.send(alice, "chat", "1", room.nth(2));
        CHECK(ok.kind == Kind::ok);
        CHECK(ok.at == Cursor{room.inc(), 0});  // Where it was is not known any more.
        CHECK(room.send(alice, "chat", "1", room.nth(3)).kind == Kind::rejected);
        CHECK(room.send(alice, "chat", "1", room.nth(6)).kind == Kind::hole);
    });
    room.pass(std::chrono::hours{24});
    check_saved_too([&] {
        CHECK(room.send(alice, "chat", "1", room.nth(2)).kind == Kind::expired);
        CHECK(room.send(alice, "chat", "1", room.nth(5)).kind == Kind::expired);
    });
    CHECK_FALSE(room.wake_at.has_value());  // Nothing is left to age.
}

TEST_CASE("a client that has lost and withdraws does not take the winner's place") {
    Limits limits;
    limits.left_clients_max = 1;
    Room room(limits);
    TestClient winner = alice;
    winner.cid = Cid{0, 2};
    winner.cep.counter = alice.cep.counter + 1;
    CHECK(room.send(winner, "chat", "1", room.nth(1)).kind == Kind::ok);
    TestClient loser = alice;
    loser.cep = Cep{};  // A connection that only resolves has none.
    CHECK(room.withdraw(loser, room.nth(2)).code == ErrorCode::withdrawn);
    room.send(client_of("carol"), "wall", "1", room.nth(1));  // A stranger: the one that is kept.
    CHECK(room.send(winner, "chat", "1", room.nth(2)).kind == Kind::ok);
    CHECK(room.withdraw(loser, room.nth(3)).kind == Kind::expired);
}

// ---- Withdrawing -----------------------------------------------------------------------------

TEST_CASE("a withdrawal that comes first decides: the op is never applied") {
    Room room;
    const auto verdict = room.withdraw(alice, room.nth(2));
    CHECK(verdict.kind == Kind::rejected);
    CHECK(verdict.code == ErrorCode::withdrawn);
    CHECK(room.send(alice, "chat", "1", room.nth(2)).code == ErrorCode::withdrawn);
    CHECK(room.published().empty());
}

TEST_CASE("a withdrawal that comes second gets the op's own verdict") {
    Room room;
    const auto first = room.send(alice, "chat", "1", room.nth(2));
    const auto late = room.withdraw(alice, room.nth(2));
    CHECK(late.kind == Kind::ok);
    CHECK(late.at == first.at);
}

TEST_CASE("a withdrawal passes the fence, fills holes in order and makes no exception of them") {
    Room room;
    room.fence(alice.user, {Inc{5}, 2});
    CHECK(room.withdraw(alice, room.nth(3)).kind == Kind::hole);
    CHECK(room.withdraw(alice, room.nth(2)).code == ErrorCode::withdrawn);
    CHECK(room.withdraw(alice, room.nth(3)).code == ErrorCode::withdrawn);
}

TEST_CASE("a join that is withdrawn before its copy comes is not carried out, inc known or not") {
    QueueBench bench;
    bench.join(bob);
    CHECK(bench.withdraw(alice, {.number = 1}).code == ErrorCode::withdrawn);
    CHECK(bench.join(alice, {.number = 1}).code == ErrorCode::withdrawn);
    CHECK_FALSE(bench.content().members.contains(alice.user));
}

// ---- Idempotency keys ------------------------------------------------------------------------

Op keyed(std::string_view key, std::string_view json, std::string_view mount = "chat") {
    Op op = QueueBench::server_op(SendOp{MountName(mount), Payload(json)});
    op.idempotency_key = SharedText(key);
    return op;
}

TEST_CASE("a send with the Idempotency-Key of another gets its verdict and takes effect once") {
    Room room;
    const auto first = room.feed_op(keyed("k", "1")).verdict;
    CHECK(first.is_new);
    const auto again = room.feed_op(keyed("k", "1")).verdict;
    CHECK(again.kind == Kind::ok);
    CHECK(again.at == first.at);
    CHECK_FALSE(again.is_new);
    CHECK(room.published().empty());
    CHECK(room.feed_op(keyed("l", "1")).verdict.at.seq == first.at.seq + 1);
}

TEST_CASE("row 62: the same Idempotency-Key with another body is refused: key_reused") {
    Room room;
    room.feed_op(keyed("k", "1"));
    for (const auto& other : {keyed("k", "2"), keyed("k", "1", "wall")}) {
        const auto verdict = room.feed_op(other).verdict;
        CHECK(verdict.kind == Kind::rejected);
        CHECK(verdict.code == ErrorCode::key_reused);
    }
    Op bytes = keyed("k", "1");
    std::get<SendOp>(bytes.body).data = Payload("1", Format::bytes);
    CHECK(room.feed_op(bytes).verdict.code == ErrorCode::key_reused);
    Op from_alice = keyed("k", "1");
    from_alice.sender.user = alice.user;
    CHECK(room.feed_op(from_alice).verdict.code == ErrorCode::key_reused);
    CHECK(room.published().empty());
}

TEST_CASE("a rejection is kept under its key as well, and BUSY is not") {
    Room room;
    CHECK(room.feed_op(keyed("k", "1", "later")).verdict.code == ErrorCode::no_mount);
    room.ask_as_server(PutMountOp{MountName("later"), {}});
    CHECK(room.feed_op(keyed("k", "1", "later")).verdict.code == ErrorCode::no_mount);

    Op op = QueueBench::op_of(alice, SendOp{MountName("slow"), Payload("1")});
    for (int i = 0; i < 4; ++i) {
        room.feed_op(op);
    }
    op.idempotency_key = SharedText("mine");
    CHECK(room.feed_op(op).verdict.kind == Kind::busy);
    room.pass(1s);
    CHECK(room.feed_op(op).verdict.is_new);
    CHECK_FALSE(room.feed_op(op).verdict.is_new);
}

TEST_CASE("users cannot meet each other's keys, nor the server's") {
    Room room;
    room.feed_op(keyed("k", "1"));
    for (const auto& client : {alice, bob}) {
        Op op = QueueBench::op_of(client, SendOp{MountName("chat"), Payload("2")});
        op.idempotency_key = SharedText("k");
        CHECK(room.feed_op(op).verdict.kind == Kind::ok);
        CHECK(room.published().size() == 1);
    }
}

TEST_CASE("a key is kept for 600 s") {
    Room room;
    room.feed_op(keyed("k", "1"));
    room.pass(600s - 1us);
    CHECK_FALSE(room.feed_op(keyed("k", "1")).verdict.is_new);
    room.pass(1us);
    CHECK(room.feed_op(keyed("k", "1")).verdict.is_new);
}

TEST_CASE("keys count for sends only: a set says the same when it is repeated") {
    Room room;
    for (int i = 0; i < 2; ++i) {
        Op op = QueueBench::server_op(SetOp{MountName("scores"), {{Key("k"), Payload("1")}}, {}});
        op.idempotency_key = SharedText("k");
        CHECK(room.feed_op(op).verdict.kind == Kind::ok);
    }
    CHECK(room.feed_op(keyed("k", "1")).verdict.kind == Kind::ok);
}

// ---- Answers ---------------------------------------------------------------------------------

TEST_CASE("an answer goes back to the sender and carries what was sent along") {
    Room room;
    Op op = QueueBench::op_of(alice, SendOp{MountName("chat"), Payload("1")}, room.nth(2));
    op.reply_to = {ConnectionRef{ShardId{6}, ConnectionId{66}}, 17};
    const auto reply = room.feed_op(op);
    CHECK(room.gateways_sent<OpReply>() == std::vector{ShardId{6}});
    CHECK(std::get<ConnectionRef>(reply.reply_to.who) ==
          ConnectionRef{ShardId{6}, ConnectionId{66}});
    CHECK(reply.reply_to.request == 17);
    CHECK(reply.queue == room.self);
    CHECK(reply.number == 2);
    CHECK(reply.what == OpReply::What::other);
    CHECK(reply.user == alice.user);

    room.step(actor::ActorAddress{QueueName("/user/alice")}, op);
    CHECK(room.actors_sent<OpReply>() == std::vector{QueueName("/user/alice")});
}

TEST_CASE("what is meant for other actors is passed over") {
    Room room;
    const std::string before = room.saved();
    room.step(actor::ServiceAddress{}, user::ReadUser{RequestId{1}});
    room.step(actor::ServiceAddress{}, OpReply{});
    CHECK(room.outbox.empty());
    CHECK(room.saved() == before);
}

}  // namespace
}  // namespace muster::queue
