#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "core/wire/frames.h"
#include "muster/client.pb.h"

/// Frames as protoc's classes hold them, for tests that hold our codec against those.
namespace muster::wire::proto {

inline std::string_view view(std::string_view text) { return text; }

inline std::optional<Data> from_generated(const v1::Data& data) {
    switch (data.content_case()) {
        case v1::Data::kJson: return Data{view(data.json()), Format::json};
        case v1::Data::kBytes: return Data{view(data.bytes()), Format::bytes};
        default: return std::nullopt;
    }
}

inline Cursor from_generated(const v1::Cursor& cursor) {
    return {.inc = Inc{cursor.inc()}, .seq = cursor.seq()};
}

template <typename Body>
void take_op(const Body& body, ClientFrame& frame) {
    const v1::Op& op = body.op();
    if (op.has_number()) {
        frame.number = op.number();
    }
    if (op.has_inc()) {
        frame.inc = Inc{op.inc()};
    }
    if (op.has_attempt()) {
        frame.attempt = op.attempt();
    }
}

inline void take_hello(const v1::Hello& hello, ClientFrame& frame) {
    frame.versions.assign(hello.versions().begin(), hello.versions().end());
    frame.token = hello.token();
    frame.user = hello.user();
    frame.nonce = hello.nonce();
    frame.resume = hello.resume();
    frame.cid = hello.cid();
    frame.attempt_number = hello.attempt_number();
    frame.resolve = hello.resolve();
    for (const auto& since : hello.since()) {
        frame.since.push_back({since.queue(), from_generated(since.cursor())});
    }
}

/// Returns views into `from`. A body that the classes do not know gives unknown.
inline ClientFrame from_generated(const v1::ClientFrame& from) {
    ClientFrame frame;
    if (from.has_request()) {
        frame.request = from.request();
    }
    switch (from.body_case()) {
        case v1::ClientFrame::kSend:
            frame.op = ClientOp::send;
            frame.queue = from.send().queue();
            frame.mount = from.send().mount();
            take_op(from.send(), frame);
            frame.data = from_generated(from.send().data());
            break;
        case v1::ClientFrame::kSet:
            frame.op = ClientOp::set;
            frame.queue = from.set().queue();
            frame.mount = from.set().mount();
            frame.key = from.set().key();
            take_op(from.set(), frame);
            frame.data = from_generated(from.set().data());
            if (from.set().has_if_seq()) {
                frame.if_seq = from.set().if_seq();
            }
            break;
        case v1::ClientFrame::kAck:
            frame.op = ClientOp::ack;
            if (from.ack().mail() != 0) {
                frame.acked_mail = from.ack().mail();
            }
            break;
        case v1::ClientFrame::kPing: frame.op = ClientOp::ping; break;
        case v1::ClientFrame::kPong: frame.op = ClientOp::pong; break;
        case v1::ClientFrame::kHello:
            frame.op = ClientOp::hello;
            take_hello(from.hello(), frame);
            break;
        case v1::ClientFrame::kAuth:
            frame.op = ClientOp::auth;
            frame.token = from.auth().token();
            break;
        case v1::ClientFrame::kJoin:
            frame.op = ClientOp::join;
            frame.queue = from.join().queue();
            take_op(from.join(), frame);
            if (from.join().has_since()) {
                frame.cursor = from_generated(from.join().since());
            }
            break;
        case v1::ClientFrame::kListen:
            frame.op = ClientOp::listen;
            frame.queue = from.listen().queue();
            if (from.listen().has_since()) {
                frame.cursor = from_generated(from.listen().since());
            }
            break;
        case v1::ClientFrame::kLeave:
            frame.op = ClientOp::leave;
            frame.queue = from.leave().queue();
            take_op(from.leave(), frame);
            break;
        case v1::ClientFrame::kUnlisten:
            frame.op = ClientOp::unlisten;
            frame.queue = from.unlisten().queue();
            break;
        case v1::ClientFrame::kWithdraw:
            frame.op = ClientOp::withdraw;
            frame.queue = from.withdraw().queue();
            take_op(from.withdraw(), frame);
            break;
        case v1::ClientFrame::kHistory:
            frame.op = ClientOp::history;
            frame.queue = from.history().queue();
            frame.mount = from.history().mount();
            if (from.history().has_before()) {
                frame.before = from.history().before();
            }
            break;
        case v1::ClientFrame::BODY_NOT_SET: break;
    }
    return frame;
}

inline KeyValue from_generated(const v1::KeyValue& from) {
    return {from.key(), from.has_value() ? from_generated(from.value()) : std::nullopt};
}

inline MemberFrame from_generated(const v1::Member& from) {
    return {from.user(), from.info().empty() ? std::string_view{"{}"} : view(from.info())};
}

inline Resume from_generated(const v1::Resume& from) {
    return {.kind = static_cast<Resume::Kind>(from.kind()),
            .count = from.count(),
            .from = from.from(),
            .to = from.to()};
}

inline MountFrame from_generated(const v1::Mount& from) {
    MountFrame mount;
    mount.name = from.name();
    mount.is_state = from.type() == v1::MOUNT_TYPE_STATE;
    for (const auto& value : from.values()) {
        mount.values.push_back(from_generated(value));
    }
    if (from.has_resume()) {
        mount.resume = from_generated(from.resume());
    }
    return mount;
}

inline MsgFrame from_generated(const v1::Message& from) {
    MsgFrame frame;
    frame.queue = from.queue();
    frame.mount = from.mount();
    frame.seq = from.seq();
    if (from.has_prev()) {
        frame.prev = from.prev();
    }
    frame.from = from.from();
    frame.time_ms = from.time_ms();
    if (from.has_mail()) {
        frame.mail = from.mail();
    }
    frame.data = from_generated(from.data()).value_or(Data{});
    return frame;
}

/// Reads mounts and members of `joined` or `reset`.
template <typename From, typename Frame>
void take_content(const From& from, Frame& frame) {
    frame.queue = from.queue();
    frame.at = from_generated(from.at());
    for (const auto& mount : from.mounts()) {
        frame.mounts.push_back(from_generated(mount));
    }
    frame.member_count = from.member_count();
    for (const auto& member : from.who()) {
        frame.who.push_back(from_generated(member));
    }
}

/// Reads where in its queue a change has its place.
template <typename From, typename Frame>
void take_place(const From& from, Frame& frame) {
    frame.queue = from.queue();
    frame.seq = from.seq();
    if (from.has_prev()) {
        frame.prev = from.prev();
    }
}

inline ServerFrame from_generated_body(const v1::ServerFrame& from);

/// Returns views into `from`. A body that the classes do not know gives nothing.
inline std::optional<ServerFrame> from_generated(const v1::ServerFrame& from) {
    if (from.body_case() == v1::ServerFrame::BODY_NOT_SET) {
        return std::nullopt;
    }
    ServerFrame frame = from_generated_body(from);
    std::visit(
        [&](auto& one) {
            if constexpr (requires { one.request; }) {
                if (from.has_request()) {
                    one.request = from.request();
                }
            }
        },
        frame);
    return frame;
}

inline ServerFrame from_generated_body(const v1::ServerFrame& from) {
    using From = v1::ServerFrame;
    switch (from.body_case()) {
        case From::kHello:
            return HelloFrame{.version = from.hello().version(),
                              .user = from.hello().user(),
                              .session = SessionId{from.hello().session()},
                              .resume = from.hello().resume(),
                              .cid = from.hello().cid(),
                              .ping_s = from.hello().ping_s()};
        case From::kJoined: {
            JoinedFrame frame;
            take_content(from.joined(), frame);
            frame.member = from.joined().member();
            return frame;
        }
        case From::kReset: {
            ResetFrame frame;
            take_content(from.reset(), frame);
            frame.why = from.reset().why();
            return frame;
        }
        case From::kMsg: return from_generated(from.msg());
        case From::kState: {
            StateFrame frame;
            take_place(from.state(), frame);
            frame.mount = from.state().mount();
            for (const auto& change : from.state().changes()) {
                frame.changes.push_back(from_generated(change));
            }
            return frame;
        }
        case From::kMembers: {
            MembersFrame frame;
            take_place(from.members(), frame);
            for (const auto& member : from.members().set()) {
                frame.set.push_back(from_generated(member));
            }
            for (const auto& gone : from.members().gone()) {
                frame.gone.push_back({gone.user(), gone.why()});
            }
            frame.count = from.members().count();
            return frame;
        }
        case From::kMount: {
            static constexpr std::string_view types[] = {"", "message", "state"};
            MountChangeFrame frame;
            take_place(from.mount(), frame);
            frame.mount = from.mount().mount();
            frame.type = types[from.mount().type()];
            return frame;
        }
        case From::kOk: {
            OkFrame frame;
            if (from.ok().has_seq()) {
                frame.seq = from.ok().seq();
            }
            if (from.ok().has_inc()) {
                frame.inc = Inc{from.ok().inc()};
            }
            return frame;
        }
        case From::kErr: {
            ErrFrame frame;
            frame.code = static_cast<ErrorCode>(from.err().code());
            frame.detail = from.err().detail();
            if (from.err().has_current()) {
                frame.current = from.err().current();
            }
            return frame;
        }
        case From::kRetry:
            return RetryFrame{.request = {},
                              .code = static_cast<ErrorCode>(from.retry().code()),
                              .after_ms = from.retry().after_ms()};
        case From::kRefused:
            return RefusedFrame{.request = {},
                                .attempt = from.refused().attempt(),
                                .code = static_cast<ErrorCode>(from.refused().code())};
        case From::kGap:
            return GapFrame{.queue = from.gap().queue(),
                            .mount = from.gap().mount(),
                            .from = from.gap().from(),
                            .to = from.gap().to()};
        case From::kStalled:
            return StalledFrame{.queue = from.stalled().queue(), .on = from.stalled().on()};
        case From::kLeft: return LeftFrame{.queue = from.left().queue(), .why = from.left().why()};
        case From::kBye: {
            ByeFrame frame;
            frame.code = static_cast<ErrorCode>(from.bye().code());
            if (from.bye().has_spread_ms()) {
                frame.spread_ms = from.bye().spread_ms();
            }
            if (from.bye().has_retry_ms()) {
                frame.retry_ms = from.bye().retry_ms();
            }
            frame.detail = from.bye().detail();
            return frame;
        }
        case From::kHistory: {
            HistoryFrame frame;
            frame.queue = from.history().queue();
            frame.mount = from.history().mount();
            for (const auto& item : from.history().items()) {
                frame.items.push_back(from_generated(item));
            }
            frame.more = from.history().more();
            return frame;
        }
        case From::kPing: return PingFrame{};
        case From::kPong: return PongFrame{};
        case From::BODY_NOT_SET: break;
    }
    return PingFrame{};
}

}  // namespace muster::wire::proto
