// How messages and events are read that recorded_message.cc has written.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "app/roles/recorded_message.h"
#include "base/error_code.h"
#include "core/queue/content_saved.h"
#include "core/wire/names.h"
#include "muster/recording.pb.h"

namespace muster::roles {
namespace {

using Recorded = proto::RecordedMessage;
using SavedEvent = proto::RecordedEvent;
using QueueState = proto::QueueState;

// A new kind of body or event needs a message in recording.proto, a writer and a reader here, and a
// sample in the test.
static_assert(std::variant_size_v<actor::Body> == 28);
static_assert(std::variant_size_v<gateway::Event> == 6);

// Reads on past what is wrong, with a stand-in, and keeps the first thing that was: so that the
// code below says only what stands where.
class Reader {
public:
    [[nodiscard]] bool is_wrong() const noexcept { return wrong_ != nullptr; }
    [[nodiscard]] tl::unexpected<Error> error() const {
        return failure(ErrorCode::bad_request, wrong_);
    }

    actor::Message message(const Recorded& saved) {
        actor::Message message;
        message.from = address(saved.from());
        message.to = address(saved.to());
        message.body = body(saved);
        return message;
    }

    std::optional<RecordedEvent> event(SavedEvent& saved) {
        switch (saved.event_case()) {
            case SavedEvent::kOpened:
                return RecordedEvent(gateway::Opened{
                    ConnectionId{saved.opened().connection()}, saved.opened().peer(),
                    saved.opened().unknown(), saved.opened().unknown_of_address()});
            case SavedEvent::kReceived:
                return RecordedEvent(ConnectionId{saved.received().connection()},
                                     std::move(*saved.mutable_received()->mutable_bytes()));
            case SavedEvent::kSocketClosed:
                return RecordedEvent(gateway::SocketClosed{ConnectionId{saved.socket_closed()}});
            case SavedEvent::kBlocked:
                return RecordedEvent(gateway::Blocked{ConnectionId{saved.blocked()}});
            case SavedEvent::kDrained:
                return RecordedEvent(gateway::Drained{ConnectionId{saved.drained()}});
            case SavedEvent::kStopping: return RecordedEvent(gateway::Stopping{});
            case SavedEvent::EVENT_NOT_SET: break;
        }
        need(false, "an event of no known kind");
        return std::nullopt;
    }

private:
    void need(bool is_right, const char* otherwise) {
        if (!is_right && wrong_ == nullptr) {
            wrong_ = otherwise;
        }
    }

    template <typename T>
    T need(std::optional<T> value, const char* otherwise) {
        need(value.has_value(), otherwise);
        return value ? *std::move(value) : T{};
    }

    // ---- Parts ----

    template <typename Enum>
    Enum one_of(std::uint32_t number, Enum last) {
        return need(queue::enumerator(number, last), "an enumerator that is none");
    }
    ErrorCode code(std::uint32_t number) {
        return need(error_code_of(number), "an error code that is none");
    }
    ShardId shard(std::uint32_t number) {
        need(number <= std::numeric_limits<std::uint16_t>::max(), "a shard that cannot be");
        return ShardId{static_cast<std::uint16_t>(number)};
    }
    QueueName queue_name(const std::string& name) {
        need(wire::check_queue_name(name).has_value(), "a queue's name that cannot be");
        return QueueName(name);
    }
    // Nobody is somebody, too: the server.
    UserId user_id(const std::string& id) {
        need(id.empty() || wire::check_user_id(id).has_value(), "a user's id that cannot be");
        return UserId(id);
    }
    MountName mount_name(const std::string& name) {
        need(wire::check_mount_name(name).has_value(), "a mount's name that cannot be");
        return MountName(name);
    }
    actor::Address address(const Recorded::Address& saved) {
        switch (saved.who_case()) {
            case Recorded::Address::kActor: return actor::ActorAddress{queue_name(saved.actor())};
            case Recorded::Address::kGateway: return actor::GatewayAddress{shard(saved.gateway())};
            case Recorded::Address::kService: return actor::ServiceAddress{};
            case Recorded::Address::WHO_NOT_SET: break;
        }
        need(false, "an address is missing");
        return {};
    }
    Payload payload(const Recorded::Payload& saved) {
        return need(queue::payload_of(saved.bytes(), saved.format()), "a format that is none");
    }
    ConnectionRef connection_ref(const Recorded::Connection& saved) {
        return {shard(saved.gateway()), ConnectionId{saved.connection()}};
    }
    template <typename Saved>
    ConnectionRef connection(const Saved& saved) {
        need(saved.has_connection(), "a connection is missing");
        return connection_ref(saved.connection());
    }
    Cursor cursor(const Recorded::Cursor& saved) { return {Inc{saved.inc()}, saved.seq()}; }
    Cep cep_pair(const Recorded::Cep& saved) { return {Inc{saved.inc()}, saved.counter()}; }
    template <typename Saved>
    Cep cep(const Saved& saved) {
        need(saved.has_cep(), "a cep is missing");
        return cep_pair(saved.cep());
    }
    template <typename Saved>
    Cid cid(const Saved& saved) {
        need(saved.has_cid(), "a cid is missing");
        return {saved.cid().high(), saved.cid().low()};
    }
    template <typename Saved>
    Payload data(const Saved& saved) {
        need(saved.has_data(), "a payload is missing");
        return payload(saved.data());
    }
    template <typename Saved>
    std::vector<queue::KeyChange> changes(const Saved& saved) {
        std::vector<queue::KeyChange> changes;
        changes.reserve(static_cast<std::size_t>(saved.changes_size()));
        for (const auto& change : saved.changes()) {
            need(change.has_value(), "a key's value is missing");
            changes.push_back({Key(change.key()), payload(change.value())});
        }
        return changes;
    }
    template <typename Saved>
    std::vector<user::Joined> joined(const Saved& saved) {
        std::vector<user::Joined> joined;
        joined.reserve(static_cast<std::size_t>(saved.joined_size()));
        for (const auto& each : saved.joined()) {
            joined.push_back({queue_name(each.queue()), Inc{each.inc()}});
        }
        return joined;
    }
    template <typename Saved>
    queue::ReplyTo reply_to(const Saved& saved) {
        need(saved.has_reply_to(), "whom to reply to is missing");
        const Recorded::ReplyTo& from = saved.reply_to();
        queue::ReplyTo reply_to;
        switch (from.who_case()) {
            case Recorded::ReplyTo::kConnection:
                reply_to.who = connection_ref(from.connection());
                break;
            case Recorded::ReplyTo::kRequestId: reply_to.who = RequestId{from.request_id()}; break;
            case Recorded::ReplyTo::WHO_NOT_SET: break;
        }
        if (from.has_request()) {
            reply_to.request = from.request();
        }
        return reply_to;
    }
    std::shared_ptr<const queue::Content> content(const QueueState& saved) {
        auto content = std::make_shared<queue::Content>();
        need(queue::read(saved, Instant{}, *content), "a damaged content");
        return content;
    }

    // ---- Bodies ----

    actor::Body body(const Recorded& saved) {
        switch (saved.body_case()) {
            case Recorded::kOp: return op(saved.op());
            case Recorded::kSubscribe: return subscribe(saved.subscribe());
            case Recorded::kUnsubscribe:
                return queue::Unsubscribe{SubId{saved.unsubscribe().sub()},
                                          shard(saved.unsubscribe().gateway())};
            case Recorded::kFence: return fence(saved.fence());
            case Recorded::kPresence: return presence(saved.presence());
            case Recorded::kRead: return queue::Read{RequestId{saved.read().request()}};
            case Recorded::kAttach: return attach(saved.attach());
            case Recorded::kDetach:
                return user::Detach{user_id(saved.detach().user()), cep(saved.detach())};
            case Recorded::kCheck:
                return user::Check{connection(saved.check()), cep(saved.check())};
            case Recorded::kPass:
                need(saved.pass().has_op(), "an op is missing");
                return user::Pass{queue_name(saved.pass().queue()), op(saved.pass().op())};
            case Recorded::kQueueEnded:
                return user::QueueEnded{queue_name(saved.queue_ended().queue()),
                                        Inc{saved.queue_ended().inc()}};
            case Recorded::kTell:
                return user::Tell{reply_to(saved.tell()), user_id(saved.tell().from()),
                                  data(saved.tell())};
            case Recorded::kDisconnect: return user::Disconnect{reply_to(saved.disconnect())};
            case Recorded::kReadUser: return user::ReadUser{RequestId{saved.read_user().request()}};
            case Recorded::kOpReply: return op_reply(saved.op_reply());
            case Recorded::kSubscribed: return subscribed(saved.subscribed());
            case Recorded::kSubscribeRefused: return subscribe_refused(saved.subscribe_refused());
            case Recorded::kPublished: return published(saved.published());
            case Recorded::kEnded:
                return queue::Ended{queue_name(saved.ended().queue()), SubId{saved.ended().sub()},
                                    Inc{saved.ended().inc()}};
            case Recorded::kFenceReply: return fence_reply(saved.fence_reply());
            case Recorded::kReadReply: return read_reply(saved.read_reply());
            case Recorded::kAttached: return attached(saved.attached());
            case Recorded::kStale:
                return user::Stale{connection(saved.stale()), saved.stale().is_busy()};
            case Recorded::kChecked: return checked(saved.checked());
            case Recorded::kKick: return kick(saved.kick());
            case Recorded::kMembershipChanged:
                return membership_changed(saved.membership_changed());
            case Recorded::kTold: return told(saved.told());
            case Recorded::kUserReport: return user_report(saved.user_report());
            case Recorded::BODY_NOT_SET: break;
        }
        need(false, "a body of no known kind");
        return {};
    }

    queue::Op op(const Recorded::Op& saved) {
        need(saved.has_sender(), "an op's sender is missing");
        queue::Op op;
        op.sender.user = user_id(saved.sender().user());
        op.sender.is_server = saved.sender().is_server();
        op.sender.cid = cid(saved.sender());
        op.sender.cep = cep(saved.sender());
        op.sender.session = SessionId{saved.sender().session()};
        op.reply_to = reply_to(saved);
        op.number = saved.number();
        op.inc = Inc{saved.inc()};
        op.idempotency_key = SharedText(saved.idempotency_key());
        if (saved.has_reject_with()) {
            op.reject_with = code(saved.reject_with());
        }
        op.body = op_body(saved);
        return op;
    }

    queue::JoinOp join_op(const Recorded::Op::Join& saved) {
        queue::JoinOp join{user_id(saved.user()), SharedText(saved.role()), payload(saved.info())};
        for (const auto& fence : saved.fences()) {
            join.fences.push_back(cep_pair(fence));
        }
        return join;
    }
    queue::OpBody op_body(const Recorded::Op& saved) {
        using Op = Recorded::Op;
        switch (saved.body_case()) {
            case Op::kJoin:
                need(saved.join().has_info(), "a member's info is missing");
                return join_op(saved.join());
            case Op::kLeave:
                return queue::LeaveOp{user_id(saved.leave().user()),
                                      reason(saved.leave().reason())};
            case Op::kSend:
                return queue::SendOp{MountName(saved.send().mount()), data(saved.send())};
            case Op::kSet: {
                queue::SetOp set{MountName(saved.set().mount()), changes(saved.set()), {}};
                if (saved.set().has_if_seq()) {
                    set.if_seq = saved.set().if_seq();
                }
                return set;
            }
            case Op::kWithdraw: return queue::WithdrawOp{};
            case Op::kCreate:
                return need(queue::read(saved.create()), "a damaged definition of a queue");
            case Op::kDelete: return queue::DeleteOp{};
            case Op::kPutMount:
                need(saved.put_mount().has_rules(), "a mount's rules are missing");
                return queue::PutMountOp{MountName(saved.put_mount().name()),
                                         rules(saved.put_mount().rules())};
            case Op::kDeleteMount:
                return queue::DeleteMountOp{MountName(saved.delete_mount().mount())};
            case Op::BODY_NOT_SET: break;
        }
        need(false, "an op of no known kind");
        return {};
    }

    queue::LeaveReason reason(std::uint32_t number) {
        return one_of(number, queue::LeaveReason::kicked);
    }
    queue::MountRules rules(const QueueState::MountRules& saved) {
        return need(queue::read(saved), "a mount's damaged rules");
    }

    queue::Subscribe subscribe(const Recorded::Subscribe& saved) {
        need(saved.has_cursor(), "a cursor is missing");
        return {SubId{saved.sub()}, shard(saved.gateway()), cursor(saved.cursor())};
    }
    queue::Fence fence(const Recorded::Fence& saved) {
        return {user_id(saved.user()), cep(saved), Inc{saved.inc()}, connection(saved)};
    }
    queue::Presence presence(const Recorded::Presence& saved) {
        return {user_id(saved.user()), SessionId{saved.session()}, saved.is_online(), cep(saved)};
    }
    user::Attach attach(const Recorded::Attach& saved) {
        return {connection(saved), user_id(saved.user()), cid(saved), saved.attempt_number(),
                SharedText(saved.address())};
    }

    queue::OpReply op_reply(const Recorded::OpReply& saved) {
        need(saved.has_verdict(), "a verdict is missing");
        queue::OpReply reply;
        reply.reply_to = reply_to(saved);
        reply.queue = queue_name(saved.queue());
        reply.user = user_id(saved.user());
        reply.number = saved.number();
        reply.what = one_of(saved.what(), queue::OpReply::What::other);
        reply.leave_reason = reason(saved.leave_reason());
        reply.verdict = verdict(saved.verdict());
        if (saved.has_standing()) {
            reply.standing =
                queue::Standing{Inc{saved.standing().inc()}, saved.standing().by_server()};
        }
        return reply;
    }
    queue::Verdict verdict(const Recorded::Verdict& saved) {
        need(saved.has_at(), "a verdict's place is missing");
        queue::Verdict verdict;
        verdict.kind = one_of(saved.kind(), queue::Verdict::Kind::protocol_error);
        verdict.code = code(saved.code());
        verdict.detail = saved.detail();
        verdict.at = cursor(saved.at());
        if (saved.has_current()) {
            verdict.current = saved.current();
        }
        verdict.retry_ms = saved.retry_ms();
        verdict.is_new = saved.is_new();
        return verdict;
    }

    queue::Subscribed subscribed(const Recorded::Subscribed& saved) {
        need(saved.has_content(), "a content is missing");
        return {queue_name(saved.queue()), SubId{saved.sub()}, content(saved.content())};
    }
    queue::SubscribeRefused subscribe_refused(const Recorded::SubscribeRefused& saved) {
        return {queue_name(saved.queue()), SubId{saved.sub()}, code(saved.code())};
    }
    queue::ReadReply read_reply(const Recorded::ReadReply& saved) {
        return {RequestId{saved.request()},
                saved.has_content() ? content(saved.content()) : nullptr};
    }

    queue::Published published(const Recorded::Published& saved) {
        need(saved.has_event(), "an event is missing");
        return {queue_name(saved.queue()), SubId{saved.sub()}, Inc{saved.inc()},
                std::make_shared<const queue::Event>(change(saved.event()))};
    }
    queue::Event change(const Recorded::Event& saved) {
        queue::Event event;
        event.seq = saved.seq();
        event.time = WallTime{saved.time_ms()};
        event.from = user_id(saved.from());
        switch (saved.body_case()) {
            case Recorded::Event::kMessagePosted:
                event.body = queue::MessagePosted{mount_name(saved.message_posted().mount()),
                                                  data(saved.message_posted())};
                break;
            case Recorded::Event::kStateChanged:
                need(saved.state_changed().changes_size() > 0, "a change of no key");
                event.body = queue::StateChanged{mount_name(saved.state_changed().mount()),
                                                 changes(saved.state_changed())};
                break;
            case Recorded::Event::kMemberChanged:
                event.body = member_changed(saved.member_changed());
                break;
            case Recorded::Event::kMountChanged:
                event.body = mount_changed(saved.mount_changed());
                break;
            case Recorded::Event::BODY_NOT_SET: need(false, "a change of no known kind"); break;
        }
        return event;
    }
    queue::MemberChanged member_changed(const Recorded::Event::MemberChanged& saved) {
        queue::MemberChanged changed;
        changed.user = user_id(saved.user());
        if (saved.has_member()) {
            changed.member = need(queue::read(saved.member()), "a damaged member");
        }
        changed.reason = reason(saved.reason());
        changed.count = saved.count();
        return changed;
    }
    queue::MountChanged mount_changed(const Recorded::Event::MountChanged& saved) {
        queue::MountChanged changed;
        changed.mount = mount_name(saved.mount());
        if (saved.has_rules()) {
            changed.rules = rules(saved.rules());
        }
        return changed;
    }

    queue::FenceReply fence_reply(const Recorded::FenceReply& saved) {
        return {connection(saved), queue_name(saved.queue()), Inc{saved.inc()},
                one_of(saved.kind(), queue::FenceReply::Kind::gone)};
    }
    user::Attached attached(const Recorded::Attached& saved) {
        return {connection(saved), cep(saved), SessionId{saved.session()}, joined(saved)};
    }
    user::Checked checked(const Recorded::Checked& saved) {
        return {connection(saved), one_of(saved.standing(), user::Checked::Standing::no_session),
                cep(saved)};
    }
    user::Kick kick(const Recorded::Kick& saved) {
        need(saved.has_winner(), "a cep is missing");
        return {connection(saved), cep_pair(saved.winner()), saved.disconnected(),
                SharedText(saved.same_client_at())};
    }
    user::MembershipChanged membership_changed(const Recorded::MembershipChanged& saved) {
        return {connection(saved), queue_name(saved.queue()), saved.is_member(),
                reason(saved.reason()), Inc{saved.inc()}};
    }
    user::Told told(const Recorded::Told& saved) {
        return {connection(saved),         queue_name(saved.queue()), saved.seq(),
                WallTime{saved.time_ms()}, user_id(saved.from()),     data(saved)};
    }
    user::UserReport user_report(const Recorded::UserReport& saved) {
        return {RequestId{saved.request()}, saved.is_known(), saved.is_online(),
                SessionId{saved.session()}, joined(saved),    saved.connections()};
    }

    const char* wrong_ = nullptr;
};

template <typename Saved>
bool parse(std::string_view bytes, Saved& saved) {
    return bytes.size() <= std::size_t{std::numeric_limits<int>::max()} &&
           saved.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

tl::unexpected<Error> not_parsed() {
    return failure(ErrorCode::bad_request, "this is no protobuf message of the kind");
}

}  // namespace

gateway::Event RecordedEvent::event() {
    if (auto* received = std::get_if<gateway::Received>(&event_)) {
        received->bytes = std::span<char>(received_);
    }
    return event_;
}

Result<actor::Message> decode_message(std::string_view bytes) {
    Recorded saved;
    if (!parse(bytes, saved)) {
        return not_parsed();
    }
    Reader reader;
    actor::Message message = reader.message(saved);
    if (reader.is_wrong()) {
        return reader.error();
    }
    return message;
}

Result<RecordedEvent> decode_event(std::string_view bytes) {
    SavedEvent saved;
    if (!parse(bytes, saved)) {
        return not_parsed();
    }
    Reader reader;
    auto event = reader.event(saved);
    if (!event) {
        return reader.error();
    }
    return *std::move(event);
}

}  // namespace muster::roles
