#include "app/roles/recorded_message.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "app/roles/recorded_samples.h"
#include "core/queue/content.h"
#include "muster/recording.pb.h"

namespace muster::roles {
namespace {

using namespace std::chrono_literals;
using Recorded = proto::RecordedMessage;

template <typename Input>
std::string encoded(const Input& input) {
    return std::string(MessageEncoder().encode(input));
}

/// What comes back after `message` was written and read.
actor::Message again(const actor::Message& message) {
    auto decoded = decode_message(encoded(message));
    REQUIRE(decoded.has_value());
    REQUIRE(decoded->body.index() == message.body.index());
    return *std::move(decoded);
}
template <typename Body>
Body again(const Body& body) {
    return std::get<Body>(again(to_queue(body)).body);
}
queue::Op op_again(queue::OpBody body) { return again(sample_op(std::move(body))); }
template <typename Change>
Change change_again(Change change) {
    const auto message = again(sample_published(std::move(change)));
    return std::get<Change>(std::get<queue::Published>(message.body).event->body);
}

std::vector<gateway::Event> sample_events(std::string& bytes) {
    const ConnectionId id{(std::uint64_t{1} << 63U) + 5};
    return {gateway::Opened{id, "127.0.0.1:5"},
            gateway::Received{id, bytes},
            gateway::Received{id, {}},
            gateway::SocketClosed{id},
            gateway::SocketClosed{},
            gateway::Blocked{id},
            gateway::Drained{id},
            gateway::Stopping{}};
}

// ---- Everything comes back -------------------------------------------------------------------

TEST_CASE("there is a sample of every kind of message, of op, of change and of event") {
    std::set<std::size_t> bodies;
    std::set<std::size_t> ops;
    std::set<std::size_t> changes;
    for (const auto& message : sample_messages()) {
        bodies.insert(message.body.index());
        if (const auto* op = std::get_if<queue::Op>(&message.body)) {
            ops.insert(op->body.index());
        }
        if (const auto* published = std::get_if<queue::Published>(&message.body)) {
            changes.insert(published->event->body.index());
        }
    }
    CHECK(bodies.size() == std::variant_size_v<actor::Body>);
    CHECK(ops.size() == std::variant_size_v<queue::OpBody>);
    CHECK(changes.size() == std::variant_size_v<decltype(queue::Event::body)>);
    std::set<std::size_t> events;
    std::string bytes;
    for (const auto& event : sample_events(bytes)) {
        events.insert(event.index());
    }
    CHECK(events.size() == std::variant_size_v<gateway::Event>);
}

TEST_CASE("every message that was read is written as the same bytes again") {
    MessageEncoder encoder;
    for (const auto& message : sample_messages()) {
        CAPTURE(message.body.index());
        const std::string bytes(encoder.encode(message));
        const auto decoded = decode_message(bytes);
        REQUIRE(decoded.has_value());
        CHECK(decoded->body.index() == message.body.index());
        CHECK(decoded->from.index() == message.from.index());
        CHECK(decoded->to.index() == message.to.index());
        CHECK(encoder.encode(*decoded) == bytes);
    }
}

TEST_CASE("what is written is what generated code would write") {
    for (const auto& message : sample_messages()) {
        CAPTURE(message.body.index());
        const std::string bytes = encoded(message);
        Recorded saved;
        REQUIRE(saved.ParseFromString(bytes));
        CHECK(saved.SerializeAsString() == bytes);
    }
    std::string bytes = "GET /";
    for (const auto& event : sample_events(bytes)) {
        CAPTURE(event.index());
        const std::string written = encoded(event);
        proto::RecordedEvent saved;
        REQUIRE(saved.ParseFromString(written));
        CHECK(saved.SerializeAsString() == written);
    }
}

TEST_CASE("two samples are never the same bytes") {
    std::set<std::string> all;
    for (const auto& message : sample_messages()) {
        CHECK(all.insert(encoded(message)).second);
    }
}

TEST_CASE("an encoder uses its buffer again") {
    MessageEncoder encoder;
    for (const auto& message : sample_messages()) {
        static_cast<void>(encoder.encode(message));
    }
    const auto* const before = encoder.encode(sample_published()).data();
    for (const auto& message : sample_messages()) {
        CHECK(encoder.encode(message).data() == before);
    }
}

TEST_CASE("addresses come back") {
    const actor::Message there = again(to_queue(queue::Read{}));
    CHECK(std::get<actor::GatewayAddress>(there.from).shard == ShardId{3});
    CHECK(std::get<actor::ActorAddress>(there.to).name == QueueName("/room/123"));
    const actor::Message back = again(to_service(queue::Read{}));
    CHECK(std::holds_alternative<actor::ServiceAddress>(back.to));
    CHECK(std::get<actor::GatewayAddress>(again(to_gateway(queue::Read{})).to).shard == ShardId{0});
}

TEST_CASE("an op comes back with all that it says") {
    const queue::Op op = op_again(sample_send());
    CHECK(op.sender.user == UserId("alice"));
    CHECK_FALSE(op.sender.is_server);
    CHECK(op.sender.cid == Cid{0xfedc'ba98'7654'3210U, 17});
    CHECK(op.sender.cep == sample_cep);
    CHECK(op.sender.session == SessionId{sample_inc + 4});
    CHECK(std::get<ConnectionRef>(op.reply_to.who) == sample_connection);
    CHECK(op.reply_to.request == 21);
    CHECK(op.number == 17);
    CHECK(op.inc == Inc{sample_inc});
    CHECK(op.idempotency_key.empty());
    CHECK_FALSE(op.reject_with);
    CHECK(std::get<queue::SendOp>(op.body).mount == MountName("chat"));
    CHECK(std::get<queue::SendOp>(op.body).data == sample_send().data);
}

TEST_CASE("what is absent stays absent, and what is 0 stays there") {
    queue::Op op;
    CHECK(std::holds_alternative<std::monostate>(again(op).reply_to.who));
    CHECK_FALSE(again(op).reply_to.request);
    op.reply_to = {RequestId{0}, 0};
    CHECK(std::get<RequestId>(again(op).reply_to.who) == RequestId{0});
    CHECK(again(op).reply_to.request == 0);
    op.reply_to.who = ConnectionRef{};
    CHECK(std::get<ConnectionRef>(again(op).reply_to.who) == ConnectionRef{});

    CHECK_FALSE(std::get<queue::SetOp>(op_again(queue::SetOp{}).body).if_seq);
    CHECK(std::get<queue::SetOp>(op_again(queue::SetOp{{}, {}, 0}).body).if_seq == 0);
    CHECK_FALSE(std::get<queue::CreateOp>(op_again(queue::CreateOp{}).body).idle_ttl);
    CHECK(std::get<queue::CreateOp>(op_again(queue::CreateOp{{}, {}, 0us}).body).idle_ttl == 0us);

    queue::OpReply reply;
    reply.queue = QueueName("/room/1");
    CHECK_FALSE(again(reply).standing);
    CHECK_FALSE(again(reply).verdict.current);
    CHECK(again(reply).verdict.is_new);
    reply.standing.emplace();
    reply.verdict.current = 0;
    reply.verdict.is_new = false;
    CHECK(again(reply).standing.has_value());
    CHECK(again(reply).verdict.current == 0);
    CHECK_FALSE(again(reply).verdict.is_new);

    CHECK(again(queue::ReadReply{RequestId{1}, nullptr}).content == nullptr);
    CHECK_FALSE(change_again(queue::MemberChanged{UserId("bob"), {}, {}, 0}).member);
    CHECK(change_again(queue::MemberChanged{UserId("bob"), queue::Member{}, {}, 0}).member ==
          queue::Member{});
    CHECK_FALSE(change_again(queue::MountChanged{MountName("m"), {}}).rules);
    CHECK(change_again(queue::MountChanged{MountName("m"), queue::MountRules{}}).rules ==
          queue::MountRules{});
}

TEST_CASE("a payload keeps its bytes and its format, also when it is empty") {
    for (const Format format : {Format::json, Format::bytes}) {
        for (const std::string_view bytes :
             {std::string_view(), std::string_view("\0", 1), std::string_view("{}")}) {
            const Payload payload(bytes, format);
            CHECK(std::get<queue::SendOp>(op_again(queue::SendOp{{}, payload}).body).data ==
                  payload);
        }
    }
}

TEST_CASE("what a client asked for with names that cannot be is kept: the queue says no to it") {
    const queue::SetOp wrong{
        MountName("../x"), {{Key(std::string(1'000, 'k')), Payload("1")}, {Key(), Payload()}}, {}};
    const auto op = op_again(wrong);
    CHECK(std::get<queue::SetOp>(op.body).mount == wrong.mount);
    CHECK(std::get<queue::SetOp>(op.body).changes == wrong.changes);
}

TEST_CASE("a verdict comes back with all that it says") {
    queue::OpReply reply;
    reply.queue = QueueName("/room/1");
    reply.user = UserId("alice");
    reply.number = 9;
    reply.what = queue::OpReply::What::leave;
    reply.leave_reason = queue::LeaveReason::timeout;
    reply.verdict = {queue::Verdict::Kind::rejected,
                     ErrorCode::conflict,
                     "no \xff",
                     {Inc{1}, 2},
                     Seq{3},
                     4,
                     false};
    reply.standing = queue::Standing{Inc{5}, true};
    const auto back = again(reply);
    CHECK(back.queue == reply.queue);
    CHECK(back.user == reply.user);
    CHECK(back.number == 9);
    CHECK(back.what == reply.what);
    CHECK(back.leave_reason == reply.leave_reason);
    CHECK(back.verdict.kind == reply.verdict.kind);
    CHECK(back.verdict.code == reply.verdict.code);
    CHECK(back.verdict.detail == reply.verdict.detail);
    CHECK(back.verdict.at == reply.verdict.at);
    CHECK(back.verdict.current == reply.verdict.current);
    CHECK(back.verdict.retry_ms == 4);
    CHECK(back.standing->inc == Inc{5});
    CHECK(back.standing->by_server);
}

TEST_CASE("every registered error code comes back") {
    for (const ErrorInfo& info : error_registry()) {
        CHECK(again(queue::SubscribeRefused{QueueName("/a"), {}, info.code}).code == info.code);
    }
}

TEST_CASE("a published event comes back with all that it says") {
    const auto message = again(sample_published());
    const auto& published = std::get<queue::Published>(message.body);
    CHECK(published.queue == QueueName("/room/123"));
    CHECK(published.sub == SubId{0x8000'0000'0000'0001U});
    CHECK(published.inc == Inc{sample_inc});
    CHECK(published.event->seq == 12'020);
    CHECK(published.event->time == WallTime{1'790'000'000'123});
    CHECK(published.event->from == UserId("bob"));
    const auto& posted = std::get<queue::MessagePosted>(published.event->body);
    CHECK(posted.mount == MountName("chat"));
    CHECK(posted.data == sample_send().data);

    const queue::Member member{Payload("{}"), SharedText("judge"), SessionId{8}, true, true};
    const auto changed =
        change_again(queue::MemberChanged{UserId("bob"), member, queue::LeaveReason::kicked, 3});
    CHECK(changed.user == UserId("bob"));
    CHECK(changed.member == member);
    CHECK(changed.reason == queue::LeaveReason::kicked);
    CHECK(changed.count == 3);
}

TEST_CASE("a content comes back whole, with its rules and to the microsecond") {
    const queue::Content content = sample_content();
    const auto message = again(to_gateway(queue::Subscribed{
        QueueName("/room/123"), SubId{1}, std::make_shared<const queue::Content>(content)}));
    const auto& back = *std::get<queue::Subscribed>(message.body).content;
    CHECK(shows_same(back, content));
    CHECK(*back.rules == *content.rules);
    CHECK(back.state_bytes() == content.state_bytes());
    const auto& chat = content.mounts.find("chat")->second;
    const auto& chat_back = back.mounts.find("chat")->second;
    REQUIRE(chat.history.size() == 2);
    CHECK(chat_back.added_at == chat.added_at);
    CHECK(chat_back.history_bytes == chat.history_bytes);
    CHECK(chat_back.forgotten_through == chat.forgotten_through);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(chat_back.history[i].at == chat.history[i].at);
        CHECK(chat_back.history[i].event->time == chat.history[i].event->time);
        CHECK(chat_back.history[i].event->from == chat.history[i].event->from);
    }
    CHECK(chat.history[0].at == Instant{1h + 7us});
}

TEST_CASE("random ids, texts and payloads of an op come back") {
    rc::check([](std::uint64_t a, std::uint64_t b, std::uint16_t shard, const std::string& text,
                 const std::string& bytes) {
        queue::Op op = sample_op(queue::SendOp{MountName(text), Payload(bytes, Format::bytes)});
        op.sender.cid = {a, b};
        op.sender.cep = {Inc{b}, a};
        op.reply_to = {ConnectionRef{ShardId{shard}, ConnectionId{a}}, b};
        op.number = a;
        op.inc = Inc{b};
        op.idempotency_key = SharedText(text);
        const auto decoded = decode_message(encoded(to_queue(op)));
        RC_ASSERT(decoded.has_value());
        const auto& back = std::get<queue::Op>(decoded->body);
        RC_ASSERT(back.sender.cid == op.sender.cid);
        RC_ASSERT(back.sender.cep == op.sender.cep);
        RC_ASSERT(back.reply_to.who == op.reply_to.who);
        RC_ASSERT(back.reply_to.request == op.reply_to.request);
        RC_ASSERT(back.number == op.number);
        RC_ASSERT(back.inc == op.inc);
        RC_ASSERT(back.idempotency_key == op.idempotency_key);
        const auto& send = std::get<queue::SendOp>(back.body);
        RC_ASSERT(send.mount == MountName(text));
        RC_ASSERT(send.data == Payload(bytes, Format::bytes));
    });
}

// ---- Events ----------------------------------------------------------------------------------

TEST_CASE("every event that was read is written as the same bytes again") {
    std::string bytes = "GET / HTTP/1.1\r\n";
    MessageEncoder encoder;
    for (const auto& event : sample_events(bytes)) {
        CAPTURE(event.index());
        const std::string written(encoder.encode(event));
        auto decoded = decode_event(written);
        REQUIRE(decoded.has_value());
        CHECK(decoded->event().index() == event.index());
        CHECK(encoder.encode(decoded->event()) == written);
    }
}

TEST_CASE("a gateway may change the bytes of a recorded event, which nobody else sees") {
    std::string bytes = "hello";
    const ConnectionId id{7};
    auto decoded = decode_event(encoded(gateway::Event(gateway::Received{id, bytes})));
    REQUIRE(decoded.has_value());
    RecordedEvent copy = *decoded;
    const auto received = std::get<gateway::Received>(decoded->event());
    CHECK(received.connection == id);
    CHECK(std::string_view(received.bytes.data(), received.bytes.size()) == "hello");
    received.bytes[0] = 'j';
    const auto other = std::get<gateway::Received>(copy.event());
    CHECK(std::string_view(other.bytes.data(), other.bytes.size()) == "hello");
    CHECK(bytes == "hello");
    // Short bytes lie in the object itself, so it must say where they are after a move.
    RecordedEvent moved = std::move(copy);
    const auto after = std::get<gateway::Received>(moved.event());
    CHECK(std::string_view(after.bytes.data(), after.bytes.size()) == "hello");
}

TEST_CASE("an accepted socket's peer comes back") {
    auto decoded =
        decode_event(encoded(gateway::Event(gateway::Opened{ConnectionId{1}, "[::1]:9", 7, 3})));
    REQUIRE(decoded.has_value());
    const auto opened = std::get<gateway::Opened>(decoded->event());
    CHECK(opened.peer == "[::1]:9");
    CHECK(opened.unknown == 7);
    CHECK(opened.unknown_of_address == 3);
}

// ---- Damage ----------------------------------------------------------------------------------

void take_as_anything(std::string_view bytes) {
    if (const auto message = decode_message(bytes)) {
        const std::string once = encoded(*message);
        const auto second = decode_message(once);
        REQUIRE(second.has_value());
        CHECK(encoded(*second) == once);
    } else {
        CHECK(message.error().code == ErrorCode::bad_request);
        CHECK_FALSE(message.error().detail.empty());
    }
    if (auto event = decode_event(bytes)) {
        CHECK(decode_event(encoded(event->event())).has_value());
    } else {
        CHECK(event.error().code == ErrorCode::bad_request);
    }
}

TEST_CASE("cut and damaged bytes are read as something or refused, and do no harm") {
    for (const auto& message : sample_messages()) {
        const std::string bytes = encoded(message);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            take_as_anything(std::string_view(bytes).substr(0, size));
        }
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            for (const unsigned flip : {0x01U, 0x02U, 0x08U, 0x80U, 0xffU}) {
                std::string damaged = bytes;
                damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ flip);
                take_as_anything(damaged);
            }
        }
    }
}

std::string refusal(const Recorded& saved) {
    const auto decoded = decode_message(saved.SerializeAsString());
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().code == ErrorCode::bad_request);
    return decoded.error().detail;
}

Recorded saved_as(const actor::Message& message) {
    Recorded saved;
    REQUIRE(saved.ParseFromString(encoded(message)));
    return saved;
}

TEST_CASE("an op that no sender can have sent is refused, with the reason") {
    Recorded saved = saved_as(to_queue(sample_op(sample_send())));
    std::string reason;
    SUBCASE("no sender's address") {
        saved.clear_from();
        reason = "an address is missing";
    }
    SUBCASE("no body") {
        saved.clear_body();
        reason = "a body of no known kind";
    }
    SUBCASE("no sender") {
        saved.mutable_op()->clear_sender();
        reason = "an op's sender is missing";
    }
    SUBCASE("nobody to reply to") {
        saved.mutable_op()->clear_reply_to();
        reason = "whom to reply to is missing";
    }
    SUBCASE("no op in the op") {
        saved.mutable_op()->clear_body();
        reason = "an op of no known kind";
    }
    SUBCASE("no payload") {
        saved.mutable_op()->mutable_send()->clear_data();
        reason = "a payload is missing";
    }
    SUBCASE("a format that is none") {
        saved.mutable_op()->mutable_send()->mutable_data()->set_format(2);
        reason = "a format that is none";
    }
    SUBCASE("a shard beyond all") {
        saved.mutable_op()->mutable_reply_to()->mutable_connection()->set_gateway(65'536);
        reason = "a shard that cannot be";
    }
    SUBCASE("an error code that is none") {
        saved.mutable_op()->set_reject_with(2099);
        reason = "an error code that is none";
    }
    SUBCASE("a queue's name that cannot be") {
        saved.mutable_to()->set_actor("room");
        reason = "a queue's name that cannot be";
    }
    SUBCASE("a user's id that cannot be") {
        saved.mutable_op()->mutable_sender()->set_user("al ice");
        reason = "a user's id that cannot be";
    }
    SUBCASE("a reason that is none") {
        saved.mutable_op()->mutable_leave()->set_reason(3);
        reason = "an enumerator that is none";
    }
    SUBCASE("a negative time") {
        saved.mutable_op()->mutable_create()->set_idle_ttl_us(-1);
        reason = "a damaged definition of a queue";
    }
    SUBCASE("a mount without rules") {
        saved.mutable_op()->mutable_put_mount();
        reason = "a mount's rules are missing";
    }
    CHECK(refusal(saved) == reason);
}

TEST_CASE("an answer that no queue can have given is refused, with the reason") {
    Recorded saved = saved_as(sample_published());
    auto& event = *saved.mutable_published()->mutable_event();
    std::string reason;
    SUBCASE("no event") {
        saved.mutable_published()->clear_event();
        reason = "an event is missing";
    }
    SUBCASE("no change") {
        event.clear_body();
        reason = "a change of no known kind";
    }
    SUBCASE("a change of no key") {
        event.mutable_state_changed()->set_mount("scores");
        reason = "a change of no key";
    }
    SUBCASE("a mount that cannot be") {
        event.mutable_message_posted()->set_mount("");
        reason = "a mount's name that cannot be";
    }
    SUBCASE("a damaged member") {
        event.mutable_member_changed()->mutable_member()->set_info_format(2);
        reason = "a damaged member";
    }
    SUBCASE("damaged rules") {
        event.mutable_mount_changed()->set_mount("map");
        event.mutable_mount_changed()->mutable_rules()->set_kind(2);
        reason = "a mount's damaged rules";
    }
    SUBCASE("no content") {
        saved.mutable_subscribed()->set_queue("/a");
        reason = "a content is missing";
    }
    SUBCASE("a damaged content") {
        saved.mutable_read_reply()->mutable_content()->set_seq(1);
        reason = "a damaged content";
    }
    SUBCASE("no verdict") {
        saved.mutable_op_reply()->set_queue("/a");
        saved.mutable_op_reply()->mutable_reply_to();
        reason = "a verdict is missing";
    }
    SUBCASE("no connection") {
        saved.mutable_stale();
        reason = "a connection is missing";
    }
    SUBCASE("no winner") {
        saved.mutable_kick()->mutable_connection();
        reason = "a cep is missing";
    }
    CHECK(refusal(saved) == reason);
}

TEST_CASE("bytes of no message are refused") {
    CHECK(decode_message("").error().detail == "an address is missing");
    CHECK(decode_message("\xff").error().detail == "this is no protobuf message of the kind");
    CHECK(decode_event("").error().detail == "an event of no known kind");
    CHECK(decode_event("\xff").error().detail == "this is no protobuf message of the kind");
    CHECK(decode_event("\x78\x01").error().detail == "an event of no known kind");
}

}  // namespace
}  // namespace muster::roles
