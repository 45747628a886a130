#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/actor/messages.h"

/// For tests and benchmarks only: messages of every kind, with something of everything in them.
namespace muster::roles {

inline constexpr std::uint64_t sample_inc = (std::uint64_t{7} << 32U) + 3;
inline constexpr ConnectionRef sample_connection{ShardId{65'535},
                                                 ConnectionId{(std::uint64_t{9} << 24U) + 5}};
inline constexpr Cep sample_cep{Inc{sample_inc}, 12};

[[nodiscard]] inline queue::Op sample_op(queue::OpBody body) {
    queue::Op op;
    op.sender = {UserId("alice"), false, Cid{0xfedc'ba98'7654'3210U, 17}, sample_cep,
                 SessionId{sample_inc + 4}};
    op.reply_to = {sample_connection, 21};
    op.number = 17;
    op.inc = Inc{sample_inc};
    op.body = std::move(body);
    return op;
}

/// A line of a chat, as most ops are.
[[nodiscard]] inline queue::SendOp sample_send() {
    return {MountName("chat"), Payload(R"({"text":"hi there, this is a line of a chat"})")};
}

[[nodiscard]] inline actor::Message to_queue(actor::Body body) {
    return {actor::GatewayAddress{ShardId{3}}, actor::ActorAddress{QueueName("/room/123")},
            std::move(body)};
}
[[nodiscard]] inline actor::Message to_gateway(actor::Body body) {
    return {actor::ActorAddress{QueueName("/room/123")}, actor::GatewayAddress{ShardId{0}},
            std::move(body)};
}
[[nodiscard]] inline actor::Message to_service(actor::Body body) {
    return {actor::ActorAddress{QueueName("/user/alice")}, actor::ServiceAddress{},
            std::move(body)};
}

[[nodiscard]] inline actor::Message sample_published(
    decltype(queue::Event::body) body = queue::MessagePosted{sample_send().mount,
                                                             sample_send().data}) {
    return to_gateway(queue::Published{
        QueueName("/room/123"), SubId{0x8000'0000'0000'0001U}, Inc{sample_inc},
        std::make_shared<const queue::Event>(
            queue::Event{12'020, WallTime{1'790'000'000'123}, UserId("bob"), std::move(body)})});
}

[[nodiscard]] inline actor::Message sample_reply() {
    queue::OpReply reply = queue::reply_to(sample_op(sample_send()), QueueName("/room/123"));
    reply.verdict.at = Cursor{Inc{sample_inc}, 12'020};
    return to_gateway(std::move(reply));
}

/// A queue's content with state, history, members, and times that only add up when kept exactly.
[[nodiscard]] inline queue::Content sample_content() {
    using namespace std::chrono_literals;
    queue::Template rules;
    rules.match = "/room/*";
    rules.listen = queue::WhoListens::anyone;
    queue::MountRules state;
    state.kind = queue::MountKind::state;
    rules.mounts.emplace(MountName("chat"), queue::MountRules{});
    rules.mounts.emplace(MountName("scores"), state);

    queue::Content content;
    content.at = Cursor{Inc{sample_inc}, 0};
    content.rules = std::make_shared<const queue::Template>(std::move(rules));
    const auto apply = [&](decltype(queue::Event::body) body) {
        const Seq seq = content.at.seq + 1;
        content.apply(std::make_shared<const queue::Event>(
                          queue::Event{seq, WallTime{1'790'000'000'000 - std::int64_t(seq)},
                                       UserId(seq % 2 == 0 ? "" : "alice"), std::move(body)}),
                      Instant{1h + 1us * seq}, queue::Limits{});
    };
    const queue::Member alice{Payload(R"({"name":"Alice"})"), SharedText("judge"), SessionId{5},
                              true, false};
    queue::MountRules short_memory;
    short_memory.history_count_max = 2;
    apply(queue::MountChanged{MountName("chat"), short_memory});
    apply(queue::MountChanged{MountName("scores"), state});
    apply(queue::MemberChanged{UserId("alice"), alice, {}, 1});
    apply(queue::MemberChanged{UserId("bob"), queue::Member{{}, {}, {}, false, true}, {}, 2});
    apply(queue::StateChanged{
        MountName("scores"),
        {{Key("alice"), Payload("7")}, {Key("\xc3\xa9"), Payload("\x01", Format::bytes)}}});
    for (const char* text : {"1", "2", "3"}) {
        apply(queue::MessagePosted{MountName("chat"), Payload(text, Format::bytes)});
    }
    return content;
}

/// At least one of every kind of body, of op and of a queue's change.
[[nodiscard]] inline std::vector<actor::Message> sample_messages() {
    using namespace std::chrono_literals;
    const QueueName room("/room/123");
    const SubId sub{0xffff'ffff'0000'0001U};
    const Inc inc{sample_inc};
    const Payload binary(std::string_view("\0\xff", 2), Format::bytes);
    const auto content = std::make_shared<const queue::Content>(sample_content());
    queue::MountRules rules;
    rules.kind = queue::MountKind::state;
    rules.write = queue::WhoWrites::owner;
    rules.history_ttl = 1'234'567us;
    rules.rate = {3, 7};
    rules.slow = queue::SlowPolicy::drop;
    rules.rolls_dice = true;

    std::vector<actor::Message> all;
    const auto op = [&](queue::OpBody body) {
        all.push_back(to_queue(sample_op(std::move(body))));
    };
    op(sample_send());
    op(queue::SendOp{MountName("not a mount's name"), binary});
    op(queue::JoinOp{UserId("bob"),
                     SharedText("judge"),
                     Payload("{}"),
                     {sample_cep, Cep::of_slot(Inc{sample_inc}, 15, 13)}});
    op(queue::JoinOp{});
    op(queue::LeaveOp{UserId("bob"), queue::LeaveReason::kicked});
    op(queue::SetOp{MountName("scores"), {{Key("a"), Payload("1")}, {Key("b"), Payload()}}, {}});
    op(queue::SetOp{MountName("scores"), {{Key(), Payload("", Format::bytes)}}, Seq{0}});
    op(queue::WithdrawOp{});
    op(queue::CreateOp{"/room/*", {{MountName("map"), rules}}, 0us});
    op(queue::CreateOp{});
    op(queue::DeleteOp{});
    op(queue::PutMountOp{MountName("map"), rules});
    op(queue::DeleteMountOp{MountName("map")});
    queue::Op by_server;
    by_server.sender.is_server = true;
    by_server.reply_to.who = RequestId{0};
    by_server.idempotency_key = SharedText("k");
    by_server.reject_with = ErrorCode::bad_name;
    all.push_back({actor::ServiceAddress{}, actor::ActorAddress{room}, by_server});
    all.push_back(to_queue(queue::Op{}));
    all.push_back(to_queue(queue::Subscribe{sub, ShardId{3}, Cursor{inc, 9}}));
    all.push_back(to_queue(queue::Unsubscribe{sub, ShardId{0}}));
    all.push_back(to_queue(queue::Fence{UserId("alice"), sample_cep, inc, sample_connection}));
    all.push_back(to_queue(queue::Presence{UserId("alice"), SessionId{5}, true, sample_cep}));
    all.push_back(to_queue(queue::Read{RequestId{77}}));
    all.push_back(to_queue(
        user::Attach{sample_connection, UserId("alice"), Cid{1, 2}, 3, SharedText("192.0.2.1")}));
    all.push_back(to_queue(user::Detach{UserId(), sample_cep}));
    all.push_back(to_queue(user::Check{sample_connection, sample_cep}));
    all.push_back(to_queue(user::Pass{room, sample_op(queue::JoinOp{UserId("alice"), {}, {}})}));
    all.push_back(to_queue(user::QueueEnded{room, inc}));
    all.push_back(to_queue(user::Tell{{RequestId{1}, {}}, UserId("bob"), binary}));
    all.push_back(to_queue(user::Disconnect{{RequestId{2}, {}}}));
    all.push_back(to_queue(user::ReadUser{RequestId{3}}));
    all.push_back(sample_reply());
    queue::OpReply refused;
    refused.queue = room;
    refused.what = queue::OpReply::What::join;
    refused.leave_reason = queue::LeaveReason::timeout;
    refused.verdict = {
        queue::Verdict::Kind::busy, ErrorCode::busy, "later", {}, Seq{0}, 500, false};
    refused.standing = queue::Standing{inc, true};
    all.push_back(to_gateway(refused));
    all.push_back(to_gateway(queue::Subscribed{room, sub, content}));
    all.push_back(to_gateway(queue::SubscribeRefused{room, sub, ErrorCode::forbidden}));
    all.push_back(sample_published());
    all.push_back(sample_published(queue::StateChanged{
        MountName("scores"), {{Key("a"), Payload("1")}, {Key("b"), Payload()}}}));
    all.push_back(sample_published(queue::MemberChanged{
        UserId("bob"), queue::Member{binary, SharedText("judge"), SessionId{8}, true, true},
        queue::LeaveReason::left, 2}));
    all.push_back(
        sample_published(queue::MemberChanged{UserId("bob"), {}, queue::LeaveReason::timeout, 0}));
    all.push_back(sample_published(queue::MountChanged{MountName("map"), rules}));
    all.push_back(sample_published(queue::MountChanged{MountName("map"), {}}));
    all.push_back(to_gateway(queue::Ended{room, sub, inc}));
    all.push_back(
        to_gateway(queue::FenceReply{sample_connection, room, inc, queue::FenceReply::Kind::gone}));
    all.push_back(to_service(queue::ReadReply{RequestId{4}, content}));
    all.push_back(to_service(queue::ReadReply{RequestId{5}, nullptr}));
    all.push_back(to_gateway(user::Attached{
        sample_connection, sample_cep, SessionId{6}, {{room, inc}, {QueueName("/b"), Inc{}}}}));
    all.push_back(to_gateway(user::Stale{sample_connection, true}));
    all.push_back(to_gateway(
        user::Checked{sample_connection, user::Checked::Standing::no_session, sample_cep}));
    all.push_back(
        to_gateway(user::Kick{sample_connection, sample_cep, true, SharedText("192.0.2.2")}));
    all.push_back(to_gateway(
        user::MembershipChanged{sample_connection, room, true, queue::LeaveReason::kicked, inc}));
    all.push_back(to_gateway(user::Told{sample_connection, QueueName("/user/alice"), 4,
                                        WallTime{-1}, UserId("bob"), binary}));
    all.push_back(
        to_service(user::UserReport{RequestId{6}, true, true, SessionId{7}, {{room, inc}}, 2}));
    return all;
}

}  // namespace muster::roles
