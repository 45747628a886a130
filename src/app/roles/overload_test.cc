#include "app/roles/overload.h"

#include <variant>

#include <doctest/doctest.h>

namespace muster::roles {
namespace {

const actor::ActorAddress room{QueueName("/room/1")};
const actor::ActorAddress alice{QueueName("/user/alice")};
const actor::GatewayAddress gateway{ShardId{1}};

queue::Op numbered_send() {
    queue::Op op;
    op.sender.user = UserId("alice");
    op.reply_to = {ConnectionRef{ShardId{1}, ConnectionId{7}}, 3};
    op.number = 5;
    op.body = queue::SendOp{MountName("chat"), {}};
    return op;
}

TEST_CASE("an operation of a client is answered BUSY, with its number and when to try again") {
    const auto answer = busy_answer({gateway, room, numbered_send()});
    REQUIRE(answer);
    CHECK(std::get<actor::GatewayAddress>(answer->to).shard == ShardId{1});
    const auto& reply = std::get<queue::OpReply>(answer->body);
    CHECK(reply.queue == "/room/1");
    CHECK(reply.number == 5);
    CHECK(reply.reply_to.request == 3);
    CHECK(reply.verdict.kind == queue::Verdict::Kind::busy);
    CHECK(reply.verdict.code == ErrorCode::busy);
    CHECK(reply.verdict.retry_ms == 500);
}

TEST_CASE("a join is refused before the user queue has noted it") {
    queue::Op join = numbered_send();
    join.body = queue::JoinOp{UserId("alice"), {}, {}};
    const auto answer = busy_answer({gateway, alice, user::Pass{QueueName("/room/1"), join}});
    REQUIRE(answer);
    const auto& reply = std::get<queue::OpReply>(answer->body);
    CHECK(reply.queue == "/room/1");
    CHECK(reply.what == queue::OpReply::What::join);
}

TEST_CASE("the backend's message to a user is refused, too") {
    const queue::ReplyTo asker{RequestId{9}, {}};
    const auto answer =
        busy_answer({actor::ServiceAddress{}, alice, user::Tell{asker, UserId("bob"), {}}});
    REQUIRE(answer);
    CHECK(std::holds_alternative<actor::ServiceAddress>(answer->to));
    CHECK(std::get<RequestId>(std::get<queue::OpReply>(answer->body).reply_to.who) == RequestId{9});
}

TEST_CASE("what somebody has noted, and what is no operation, is taken however busy we are") {
    CHECK_FALSE(busy_answer({alice, room, numbered_send()}));  // Passed on: noted as under way.
    CHECK_FALSE(busy_answer({gateway, room, queue::Subscribe{}}));
    CHECK_FALSE(busy_answer({gateway, room, queue::Fence{}}));
    CHECK_FALSE(busy_answer({gateway, alice, user::Attach{}}));
    CHECK_FALSE(busy_answer({gateway, alice, user::Detach{}}));
    CHECK_FALSE(busy_answer({actor::ServiceAddress{}, alice, user::Disconnect{}}));
    CHECK_FALSE(busy_answer({room, gateway, queue::OpReply{}}));
    CHECK_FALSE(busy_answer({room, gateway, queue::Published{}}));
}

}  // namespace
}  // namespace muster::roles
