// How messages and events are written; recorded_message_read.cc reads them.
#include "app/roles/recorded_message.h"

#include <cstdint>
#include <utility>
#include <variant>

#include "core/queue/content_saved.h"
#include "core/wire/proto_writer.h"
#include "muster/recording.pb.h"

namespace muster::roles {

using Recorded = proto::RecordedMessage;
using SavedEvent = proto::RecordedEvent;
using QueueState = proto::QueueState;

/// What is written by generated code, kept so that its memory is used again.
struct GeneratedParts {
    QueueState content;
    QueueState::Member member;
    QueueState::MountRules rules;
    QueueState::Definition definition;
};

namespace {

class Writer {
public:
    Writer(std::string& bytes, GeneratedParts& scratch)
        : bytes_(bytes), out_(bytes), scratch_(scratch) {}

    void write(const actor::Message& message) {
        write_address(Recorded::kFromFieldNumber, message.from);
        write_address(Recorded::kToFieldNumber, message.to);
        std::visit([&](const auto& body) { part(field_of(body), body); }, message.body);
    }

    void write(const gateway::Event& event) {
        std::visit([&](const auto& which) { write_event(which); }, event);
    }

private:
    template <typename Part>
    void part(int field, const Part& value) {
        out_.message(field, [&] { fields(value); });
    }

    template <typename Saved, typename Value, typename... Since>
    void generated(int field, Saved& scratch, const Value& value, Since... since) {
        out_.message(field, [&] {
            scratch.Clear();
            queue::write(value, since..., scratch);
            scratch.AppendToString(&bytes_);
        });
    }

    // ---- Parts ----

    void write_address(int field, const actor::Address& address) {
        using Address = Recorded::Address;
        out_.message(field, [&] {
            if (const auto* actor = std::get_if<actor::ActorAddress>(&address)) {
                out_.present_bytes(Address::kActorFieldNumber, actor->name.text());
            } else if (const auto* gateway = std::get_if<actor::GatewayAddress>(&address)) {
                out_.present_number(Address::kGatewayFieldNumber, gateway->shard.value);
            } else {
                out_.message(Address::kServiceFieldNumber, [] {});
            }
        });
    }

    void fields(const ConnectionRef& connection) {
        out_.number(Recorded::Connection::kGatewayFieldNumber, connection.gateway.value);
        out_.number(Recorded::Connection::kConnectionFieldNumber, connection.connection.value);
    }
    void fields(const Cursor& cursor) {
        out_.number(Recorded::Cursor::kIncFieldNumber, cursor.inc.value);
        out_.number(Recorded::Cursor::kSeqFieldNumber, cursor.seq);
    }
    void fields(const Cep& cep) {
        out_.number(Recorded::Cep::kIncFieldNumber, cep.inc.value);
        out_.number(Recorded::Cep::kCounterFieldNumber, cep.counter);
    }
    void fields(const Cid& cid) {
        out_.fixed64(Recorded::Cid::kHighFieldNumber, cid.high);
        out_.fixed64(Recorded::Cid::kLowFieldNumber, cid.low);
    }
    void fields(const Payload& payload) {
        out_.bytes(Recorded::Payload::kBytesFieldNumber, payload.bytes());
        out_.number(Recorded::Payload::kFormatFieldNumber, queue::number_of(payload.format()));
    }
    void fields(const queue::KeyChange& change) {
        out_.bytes(Recorded::KeyChange::kKeyFieldNumber, change.key.text());
        part(Recorded::KeyChange::kValueFieldNumber, change.value);
    }
    void fields(const queue::ReplyTo& reply_to) {
        if (const auto* connection = std::get_if<ConnectionRef>(&reply_to.who)) {
            part(Recorded::ReplyTo::kConnectionFieldNumber, *connection);
        } else if (const auto* request = std::get_if<RequestId>(&reply_to.who)) {
            out_.present_number(Recorded::ReplyTo::kRequestIdFieldNumber, request->value);
        }
        out_.number(Recorded::ReplyTo::kRequestFieldNumber, reply_to.request);
    }
    void fields(const user::Joined& joined) {
        out_.bytes(Recorded::Joined::kQueueFieldNumber, joined.queue.text());
        out_.number(Recorded::Joined::kIncFieldNumber, joined.inc.value);
    }

    // ---- To queues ----

    static int field_of(const queue::Op&) { return Recorded::kOpFieldNumber; }
    void fields(const queue::Op& op) {
        using Op = Recorded::Op;
        part(Op::kSenderFieldNumber, op.sender);
        part(Op::kReplyToFieldNumber, op.reply_to);
        out_.number(Op::kNumberFieldNumber, op.number);
        out_.number(Op::kIncFieldNumber, op.inc.value);
        out_.bytes(Op::kIdempotencyKeyFieldNumber, op.idempotency_key.view());
        if (op.reject_with) {
            out_.present_number(Op::kRejectWithFieldNumber, queue::number_of(*op.reject_with));
        }
        std::visit([&](const auto& body) { write_op(body); }, op.body);
    }
    void fields(const queue::Sender& sender) {
        using Sender = Recorded::Sender;
        out_.bytes(Sender::kUserFieldNumber, sender.user.text());
        out_.number(Sender::kIsServerFieldNumber, sender.is_server);
        part(Sender::kCidFieldNumber, sender.cid);
        part(Sender::kCepFieldNumber, sender.cep);
        out_.number(Sender::kSessionFieldNumber, sender.session.value);
    }
    void write_op(const queue::JoinOp& join) {
        out_.message(Recorded::Op::kJoinFieldNumber, [&] {
            out_.bytes(Recorded::Op::Join::kUserFieldNumber, join.user.text());
            out_.bytes(Recorded::Op::Join::kRoleFieldNumber, join.role.view());
            part(Recorded::Op::Join::kInfoFieldNumber, join.info);
            for (const Cep& cep : join.fences) {
                part(Recorded::Op::Join::kFencesFieldNumber, cep);
            }
        });
    }
    void write_op(const queue::LeaveOp& leave) {
        out_.message(Recorded::Op::kLeaveFieldNumber, [&] {
            out_.bytes(Recorded::Op::Leave::kUserFieldNumber, leave.user.text());
            out_.number(Recorded::Op::Leave::kReasonFieldNumber, queue::number_of(leave.reason));
        });
    }
    void write_op(const queue::SendOp& send) {
        out_.message(Recorded::Op::kSendFieldNumber, [&] {
            out_.bytes(Recorded::Op::Send::kMountFieldNumber, send.mount.text());
            part(Recorded::Op::Send::kDataFieldNumber, send.data);
        });
    }
    void write_op(const queue::SetOp& set) {
        out_.message(Recorded::Op::kSetFieldNumber, [&] {
            out_.bytes(Recorded::Op::Set::kMountFieldNumber, set.mount.text());
            for (const auto& change : set.changes) {
                part(Recorded::Op::Set::kChangesFieldNumber, change);
            }
            out_.number(Recorded::Op::Set::kIfSeqFieldNumber, set.if_seq);
        });
    }
    void write_op(const queue::WithdrawOp&) {
        out_.message(Recorded::Op::kWithdrawFieldNumber, [] {});
    }
    void write_op(const queue::CreateOp& create) {
        generated(Recorded::Op::kCreateFieldNumber, scratch_.definition, create);
    }
    void write_op(const queue::DeleteOp&) {
        out_.message(Recorded::Op::kDeleteFieldNumber, [] {});
    }
    void write_op(const queue::PutMountOp& put) {
        out_.message(Recorded::Op::kPutMountFieldNumber, [&] {
            out_.bytes(QueueState::NamedRules::kNameFieldNumber, put.mount.text());
            generated(QueueState::NamedRules::kRulesFieldNumber, scratch_.rules, put.rules);
        });
    }
    void write_op(const queue::DeleteMountOp& unmount) {
        out_.message(Recorded::Op::kDeleteMountFieldNumber, [&] {
            out_.bytes(Recorded::Op::DeleteMount::kMountFieldNumber, unmount.mount.text());
        });
    }

    static int field_of(const queue::Subscribe&) { return Recorded::kSubscribeFieldNumber; }
    void fields(const queue::Subscribe& subscribe) {
        out_.fixed64(Recorded::Subscribe::kSubFieldNumber, subscribe.sub.value);
        out_.number(Recorded::Subscribe::kGatewayFieldNumber, subscribe.gateway.value);
        part(Recorded::Subscribe::kCursorFieldNumber, subscribe.cursor);
    }

    static int field_of(const queue::Unsubscribe&) { return Recorded::kUnsubscribeFieldNumber; }
    void fields(const queue::Unsubscribe& unsubscribe) {
        out_.fixed64(Recorded::Unsubscribe::kSubFieldNumber, unsubscribe.sub.value);
        out_.number(Recorded::Unsubscribe::kGatewayFieldNumber, unsubscribe.gateway.value);
    }

    static int field_of(const queue::Fence&) { return Recorded::kFenceFieldNumber; }
    void fields(const queue::Fence& fence) {
        out_.bytes(Recorded::Fence::kUserFieldNumber, fence.user.text());
        part(Recorded::Fence::kCepFieldNumber, fence.cep);
        out_.number(Recorded::Fence::kIncFieldNumber, fence.inc.value);
        part(Recorded::Fence::kConnectionFieldNumber, fence.connection);
    }

    static int field_of(const queue::Presence&) { return Recorded::kPresenceFieldNumber; }
    void fields(const queue::Presence& presence) {
        out_.bytes(Recorded::Presence::kUserFieldNumber, presence.user.text());
        out_.number(Recorded::Presence::kSessionFieldNumber, presence.session.value);
        out_.number(Recorded::Presence::kIsOnlineFieldNumber, presence.is_online);
        part(Recorded::Presence::kCepFieldNumber, presence.cep);
    }

    static int field_of(const queue::Read&) { return Recorded::kReadFieldNumber; }
    void fields(const queue::Read& read) {
        out_.number(Recorded::Read::kRequestFieldNumber, read.request.value);
    }

    // ---- To user queues ----

    static int field_of(const user::Attach&) { return Recorded::kAttachFieldNumber; }
    void fields(const user::Attach& attach) {
        part(Recorded::Attach::kConnectionFieldNumber, attach.connection);
        out_.bytes(Recorded::Attach::kUserFieldNumber, attach.user.text());
        part(Recorded::Attach::kCidFieldNumber, attach.cid);
        out_.number(Recorded::Attach::kAttemptNumberFieldNumber, attach.attempt_number);
        out_.bytes(Recorded::Attach::kAddressFieldNumber, attach.address.view());
    }

    static int field_of(const user::Detach&) { return Recorded::kDetachFieldNumber; }
    void fields(const user::Detach& detach) {
        out_.bytes(Recorded::Detach::kUserFieldNumber, detach.user.text());
        part(Recorded::Detach::kCepFieldNumber, detach.cep);
    }

    static int field_of(const user::Check&) { return Recorded::kCheckFieldNumber; }
    void fields(const user::Check& check) {
        part(Recorded::Check::kConnectionFieldNumber, check.connection);
        part(Recorded::Check::kCepFieldNumber, check.cep);
    }

    static int field_of(const user::Pass&) { return Recorded::kPassFieldNumber; }
    void fields(const user::Pass& pass) {
        out_.bytes(Recorded::Pass::kQueueFieldNumber, pass.queue.text());
        part(Recorded::Pass::kOpFieldNumber, pass.op);
    }

    static int field_of(const user::QueueEnded&) { return Recorded::kQueueEndedFieldNumber; }
    void fields(const user::QueueEnded& ended) {
        out_.bytes(Recorded::QueueEnded::kQueueFieldNumber, ended.queue.text());
        out_.number(Recorded::QueueEnded::kIncFieldNumber, ended.inc.value);
    }

    static int field_of(const user::Tell&) { return Recorded::kTellFieldNumber; }
    void fields(const user::Tell& tell) {
        part(Recorded::Tell::kReplyToFieldNumber, tell.reply_to);
        out_.bytes(Recorded::Tell::kFromFieldNumber, tell.from.text());
        part(Recorded::Tell::kDataFieldNumber, tell.data);
    }

    static int field_of(const user::Disconnect&) { return Recorded::kDisconnectFieldNumber; }
    void fields(const user::Disconnect& disconnect) {
        part(Recorded::Disconnect::kReplyToFieldNumber, disconnect.reply_to);
    }

    static int field_of(const user::ReadUser&) { return Recorded::kReadUserFieldNumber; }
    void fields(const user::ReadUser& read) {
        out_.number(Recorded::ReadUser::kRequestFieldNumber, read.request.value);
    }

    // ---- To gateways, user queues and the service thread ----

    static int field_of(const queue::OpReply&) { return Recorded::kOpReplyFieldNumber; }
    void fields(const queue::OpReply& reply) {
        using OpReply = Recorded::OpReply;
        part(OpReply::kReplyToFieldNumber, reply.reply_to);
        out_.bytes(OpReply::kQueueFieldNumber, reply.queue.text());
        out_.bytes(OpReply::kUserFieldNumber, reply.user.text());
        out_.number(OpReply::kNumberFieldNumber, reply.number);
        out_.number(OpReply::kWhatFieldNumber, queue::number_of(reply.what));
        out_.number(OpReply::kLeaveReasonFieldNumber, queue::number_of(reply.leave_reason));
        part(OpReply::kVerdictFieldNumber, reply.verdict);
        if (reply.standing) {
            part(OpReply::kStandingFieldNumber, *reply.standing);
        }
    }
    void fields(const queue::Verdict& verdict) {
        using Verdict = Recorded::Verdict;
        out_.number(Verdict::kKindFieldNumber, queue::number_of(verdict.kind));
        out_.number(Verdict::kCodeFieldNumber, queue::number_of(verdict.code));
        out_.bytes(Verdict::kDetailFieldNumber, verdict.detail);
        part(Verdict::kAtFieldNumber, verdict.at);
        out_.number(Verdict::kCurrentFieldNumber, verdict.current);
        out_.number(Verdict::kRetryMsFieldNumber, verdict.retry_ms);
        out_.number(Verdict::kIsNewFieldNumber, verdict.is_new);
    }
    void fields(const queue::Standing& standing) {
        out_.number(Recorded::Standing::kIncFieldNumber, standing.inc.value);
        out_.number(Recorded::Standing::kByServerFieldNumber, standing.by_server);
    }

    static int field_of(const queue::Subscribed&) { return Recorded::kSubscribedFieldNumber; }
    void fields(const queue::Subscribed& subscribed) {
        out_.bytes(Recorded::Subscribed::kQueueFieldNumber, subscribed.queue.text());
        out_.fixed64(Recorded::Subscribed::kSubFieldNumber, subscribed.sub.value);
        write_content(Recorded::Subscribed::kContentFieldNumber, *subscribed.content);
    }
    void write_content(int field, const queue::Content& content) {
        generated(field, scratch_.content, content, Instant{});
    }

    static int field_of(const queue::SubscribeRefused&) {
        return Recorded::kSubscribeRefusedFieldNumber;
    }
    void fields(const queue::SubscribeRefused& refused) {
        out_.bytes(Recorded::SubscribeRefused::kQueueFieldNumber, refused.queue.text());
        out_.fixed64(Recorded::SubscribeRefused::kSubFieldNumber, refused.sub.value);
        out_.number(Recorded::SubscribeRefused::kCodeFieldNumber, queue::number_of(refused.code));
    }

    static int field_of(const queue::Published&) { return Recorded::kPublishedFieldNumber; }
    void fields(const queue::Published& published) {
        out_.bytes(Recorded::Published::kQueueFieldNumber, published.queue.text());
        out_.fixed64(Recorded::Published::kSubFieldNumber, published.sub.value);
        out_.number(Recorded::Published::kIncFieldNumber, published.inc.value);
        part(Recorded::Published::kEventFieldNumber, *published.event);
    }
    void fields(const queue::Event& event) {
        out_.number(Recorded::Event::kSeqFieldNumber, event.seq);
        out_.number(Recorded::Event::kTimeMsFieldNumber, static_cast<std::uint64_t>(event.time.ms));
        out_.bytes(Recorded::Event::kFromFieldNumber, event.from.text());
        std::visit([&](const auto& body) { write_change(body); }, event.body);
    }
    void write_change(const queue::MessagePosted& posted) {
        out_.message(Recorded::Event::kMessagePostedFieldNumber, [&] {
            out_.bytes(Recorded::Event::MessagePosted::kMountFieldNumber, posted.mount.text());
            part(Recorded::Event::MessagePosted::kDataFieldNumber, posted.data);
        });
    }
    void write_change(const queue::StateChanged& changed) {
        out_.message(Recorded::Event::kStateChangedFieldNumber, [&] {
            out_.bytes(Recorded::Event::StateChanged::kMountFieldNumber, changed.mount.text());
            for (const auto& change : changed.changes) {
                part(Recorded::Event::StateChanged::kChangesFieldNumber, change);
            }
        });
    }
    void write_change(const queue::MemberChanged& changed) {
        using MemberChanged = Recorded::Event::MemberChanged;
        out_.message(Recorded::Event::kMemberChangedFieldNumber, [&] {
            out_.bytes(MemberChanged::kUserFieldNumber, changed.user.text());
            if (changed.member) {
                generated(MemberChanged::kMemberFieldNumber, scratch_.member, *changed.member);
            }
            out_.number(MemberChanged::kReasonFieldNumber, queue::number_of(changed.reason));
            out_.number(MemberChanged::kCountFieldNumber, changed.count);
        });
    }
    void write_change(const queue::MountChanged& changed) {
        using MountChanged = Recorded::Event::MountChanged;
        out_.message(Recorded::Event::kMountChangedFieldNumber, [&] {
            out_.bytes(MountChanged::kMountFieldNumber, changed.mount.text());
            if (changed.rules) {
                generated(MountChanged::kRulesFieldNumber, scratch_.rules, *changed.rules);
            }
        });
    }

    static int field_of(const queue::Ended&) { return Recorded::kEndedFieldNumber; }
    void fields(const queue::Ended& ended) {
        out_.bytes(Recorded::Ended::kQueueFieldNumber, ended.queue.text());
        out_.fixed64(Recorded::Ended::kSubFieldNumber, ended.sub.value);
        out_.number(Recorded::Ended::kIncFieldNumber, ended.inc.value);
    }

    static int field_of(const queue::FenceReply&) { return Recorded::kFenceReplyFieldNumber; }
    void fields(const queue::FenceReply& reply) {
        part(Recorded::FenceReply::kConnectionFieldNumber, reply.connection);
        out_.bytes(Recorded::FenceReply::kQueueFieldNumber, reply.queue.text());
        out_.number(Recorded::FenceReply::kKindFieldNumber, queue::number_of(reply.kind));
        out_.number(Recorded::FenceReply::kIncFieldNumber, reply.inc.value);
    }

    static int field_of(const queue::ReadReply&) { return Recorded::kReadReplyFieldNumber; }
    void fields(const queue::ReadReply& reply) {
        out_.number(Recorded::ReadReply::kRequestFieldNumber, reply.request.value);
        if (reply.content != nullptr) {
            write_content(Recorded::ReadReply::kContentFieldNumber, *reply.content);
        }
    }

    static int field_of(const user::Attached&) { return Recorded::kAttachedFieldNumber; }
    void fields(const user::Attached& attached) {
        part(Recorded::Attached::kConnectionFieldNumber, attached.connection);
        part(Recorded::Attached::kCepFieldNumber, attached.cep);
        out_.number(Recorded::Attached::kSessionFieldNumber, attached.session.value);
        for (const auto& joined : attached.joined) {
            part(Recorded::Attached::kJoinedFieldNumber, joined);
        }
    }

    static int field_of(const user::Stale&) { return Recorded::kStaleFieldNumber; }
    void fields(const user::Stale& stale) {
        part(Recorded::Stale::kConnectionFieldNumber, stale.connection);
        out_.number(Recorded::Stale::kIsBusyFieldNumber, stale.is_busy);
    }

    static int field_of(const user::Checked&) { return Recorded::kCheckedFieldNumber; }
    void fields(const user::Checked& checked) {
        part(Recorded::Checked::kConnectionFieldNumber, checked.connection);
        out_.number(Recorded::Checked::kStandingFieldNumber, queue::number_of(checked.standing));
        part(Recorded::Checked::kCepFieldNumber, checked.cep);
    }

    static int field_of(const user::Kick&) { return Recorded::kKickFieldNumber; }
    void fields(const user::Kick& kick) {
        part(Recorded::Kick::kConnectionFieldNumber, kick.connection);
        part(Recorded::Kick::kWinnerFieldNumber, kick.winner);
        out_.number(Recorded::Kick::kDisconnectedFieldNumber, kick.disconnected);
        out_.bytes(Recorded::Kick::kSameClientAtFieldNumber, kick.same_client_at.view());
    }

    static int field_of(const user::MembershipChanged&) {
        return Recorded::kMembershipChangedFieldNumber;
    }
    void fields(const user::MembershipChanged& changed) {
        using MembershipChanged = Recorded::MembershipChanged;
        part(MembershipChanged::kConnectionFieldNumber, changed.connection);
        out_.bytes(MembershipChanged::kQueueFieldNumber, changed.queue.text());
        out_.number(MembershipChanged::kIsMemberFieldNumber, changed.is_member);
        out_.number(MembershipChanged::kReasonFieldNumber, queue::number_of(changed.reason));
        out_.number(MembershipChanged::kIncFieldNumber, changed.inc.value);
    }

    static int field_of(const user::Told&) { return Recorded::kToldFieldNumber; }
    void fields(const user::Told& told) {
        part(Recorded::Told::kConnectionFieldNumber, told.connection);
        out_.bytes(Recorded::Told::kQueueFieldNumber, told.queue.text());
        out_.number(Recorded::Told::kSeqFieldNumber, told.seq);
        out_.number(Recorded::Told::kTimeMsFieldNumber, static_cast<std::uint64_t>(told.time.ms));
        out_.bytes(Recorded::Told::kFromFieldNumber, told.from.text());
        part(Recorded::Told::kDataFieldNumber, told.data);
    }

    static int field_of(const user::UserReport&) { return Recorded::kUserReportFieldNumber; }
    void fields(const user::UserReport& report) {
        out_.number(Recorded::UserReport::kRequestFieldNumber, report.request.value);
        out_.number(Recorded::UserReport::kIsKnownFieldNumber, report.is_known);
        out_.number(Recorded::UserReport::kIsOnlineFieldNumber, report.is_online);
        out_.number(Recorded::UserReport::kSessionFieldNumber, report.session.value);
        for (const auto& joined : report.joined) {
            part(Recorded::UserReport::kJoinedFieldNumber, joined);
        }
        out_.number(Recorded::UserReport::kConnectionsFieldNumber, report.connections);
    }

    // ---- Events ----

    void write_event(const gateway::Opened& opened) {
        out_.message(SavedEvent::kOpenedFieldNumber, [&] {
            out_.number(SavedEvent::Opened::kConnectionFieldNumber, opened.connection.value);
            out_.bytes(SavedEvent::Opened::kPeerFieldNumber, opened.peer);
            out_.number(SavedEvent::Opened::kUnknownFieldNumber, opened.unknown);
            out_.number(SavedEvent::Opened::kUnknownOfAddressFieldNumber,
                        opened.unknown_of_address);
        });
    }
    void write_event(const gateway::Received& received) {
        out_.message(SavedEvent::kReceivedFieldNumber, [&] {
            out_.number(SavedEvent::Received::kConnectionFieldNumber, received.connection.value);
            out_.bytes(SavedEvent::Received::kBytesFieldNumber,
                       std::string_view(received.bytes.data(), received.bytes.size()));
        });
    }
    void write_event(const gateway::SocketClosed& closed) {
        out_.present_number(SavedEvent::kSocketClosedFieldNumber, closed.connection.value);
    }
    void write_event(const gateway::Blocked& blocked) {
        out_.present_number(SavedEvent::kBlockedFieldNumber, blocked.connection.value);
    }
    void write_event(const gateway::Drained& drained) {
        out_.present_number(SavedEvent::kDrainedFieldNumber, drained.connection.value);
    }
    void write_event(const gateway::Stopping&) {
        out_.message(SavedEvent::kStoppingFieldNumber, [] {});
    }

    std::string& bytes_;
    wire::ProtoWriter out_;
    GeneratedParts& scratch_;
};

}  // namespace

MessageEncoder::MessageEncoder() : scratch_(std::make_unique<GeneratedParts>()) {}
MessageEncoder::MessageEncoder(MessageEncoder&&) noexcept = default;
MessageEncoder& MessageEncoder::operator=(MessageEncoder&&) noexcept = default;
MessageEncoder::~MessageEncoder() = default;

std::string_view MessageEncoder::encode(const actor::Message& message) {
    bytes_.clear();
    Writer(bytes_, *scratch_).write(message);
    return bytes_;
}

std::string_view MessageEncoder::encode(const gateway::Event& event) {
    bytes_.clear();
    Writer(bytes_, *scratch_).write(event);
    return bytes_;
}

}  // namespace muster::roles
