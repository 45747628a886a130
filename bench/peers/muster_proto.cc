#include "bench/peers/muster_proto.h"

#include <utility>
#include <variant>

#include "core/wire/proto_frames.h"

namespace muster::bench {
namespace {

constexpr std::uint32_t message_bytes_max = 16 * 1024 * 1024;

// What an answer is to.
constexpr std::uint64_t join_request = 1;
constexpr std::uint64_t send_request = 2;
constexpr std::uint64_t leave_request = 3;

wire::ClientFrame request(wire::ClientOp op, std::uint64_t number, std::string_view queue) {
    wire::ClientFrame frame;
    frame.op = op;
    frame.request = number;
    frame.queue = queue;
    return frame;
}

}  // namespace

MusterProtoConversation::MusterProtoConversation(Person person)
    : person_(std::move(person)), decoder_(message_bytes_max) {}

void MusterProtoConversation::begin(std::string& out) {
    decoder_ = wire::LengthDecoder(message_bytes_max);
    is_up_ = false;
    ++attempts_;
    wire::ClientFrame hello;
    hello.op = wire::ClientOp::hello;
    hello.versions = {1};
    hello.user = person_.user;
    const bool comes_back = seen_.inc.value != 0 && !person_.queue.empty();
    if (!resume_.empty()) {
        hello.resume = resume_;
        hello.cid = cid_;
        hello.attempt_number = attempts_;
    }
    if (comes_back) {
        hello.since.push_back({person_.queue, seen_});
    }
    say(out, hello);
    if (!person_.queue.empty() && !comes_back) {
        join(out, person_.queue);
    }
}

Result<Heard> MusterProtoConversation::next(std::span<char>& input, std::string& out) {
    for (;;) {
        const auto step = decoder_.next(input);
        switch (step.kind) {
            case wire::LengthDecoder::Step::Kind::need_more: return Heard{};
            case wire::LengthDecoder::Step::Kind::too_big:
                return failure(ErrorCode::framing, "not what Muster says over TCP");
            case wire::LengthDecoder::Step::Kind::message: break;
        }
        const auto frame = wire::proto::parse_server_frame(step.message);
        if (!frame) {
            return tl::unexpected(frame.error());
        }
        if (auto heard = take(*frame, out); !heard || heard->kind != Heard::Kind::nothing) {
            return heard;
        }
    }
}

Result<Heard> MusterProtoConversation::take(const wire::ServerFrame& frame, std::string& out) {
    if (const auto* message = std::get_if<wire::MsgFrame>(&frame)) {
        seen_.seq = message->seq;
        return Heard{Heard::Kind::message, message->data.bytes, message->seq};
    }
    if (const auto* state = std::get_if<wire::StateFrame>(&frame)) {
        seen_.seq = state->seq;
        const bool has_value = !state->changes.empty() && state->changes.front().value;
        return Heard{Heard::Kind::message,
                     has_value ? state->changes.front().value->bytes : std::string_view{},
                     state->seq};
    }
    if (const auto* members = std::get_if<wire::MembersFrame>(&frame)) {
        seen_.seq = members->seq;
    } else if (const auto* joined = std::get_if<wire::JoinedFrame>(&frame)) {
        seen_ = joined->at;
        is_up_ = true;
        return Heard{Heard::Kind::joined, {}, 0};
    } else if (const auto* hello = std::get_if<wire::HelloFrame>(&frame)) {
        resume_ = hello->resume;
        cid_ = hello->cid;
        if (person_.queue.empty()) {
            is_up_ = true;
            return Heard{Heard::Kind::joined, {}, 0};
        }
    } else if (const auto* ok = std::get_if<wire::OkFrame>(&frame)) {
        return Heard{
            ok->request == leave_request ? Heard::Kind::left : Heard::Kind::nothing, {}, 0};
    } else if (std::holds_alternative<wire::PingFrame>(frame)) {
        wire::ClientFrame pong;
        pong.op = wire::ClientOp::pong;
        say(out, pong);
    } else if (const auto* err = std::get_if<wire::ErrFrame>(&frame)) {
        if (!is_up_) {
            return failure(err->code, std::string(err->detail));
        }
        return Heard{Heard::Kind::refused, err->detail, 0};
    } else if (std::holds_alternative<wire::RetryFrame>(frame)) {
        if (!is_up_) {
            return failure(ErrorCode::refused, "the server was too busy for the sign-in");
        }
        return Heard{Heard::Kind::refused, "busy", 0};
    } else if (const auto* bye = std::get_if<wire::ByeFrame>(&frame)) {
        return failure(bye->code, std::string(bye->detail));
    } else if (std::holds_alternative<wire::ResetFrame>(frame)) {
        return failure(ErrorCode::refused, "the queue's history has ended");
    }
    return Heard{};
}

void MusterProtoConversation::join(std::string& out, std::string_view queue) {
    say(out, request(wire::ClientOp::join, join_request, queue));
}

void MusterProtoConversation::leave(std::string& out, std::string_view queue) {
    say(out, request(wire::ClientOp::leave, leave_request, queue));
}

void MusterProtoConversation::send(std::string& out, std::string_view queue,
                                   std::string_view payload) {
    auto frame = request(person_.sets_state ? wire::ClientOp::set : wire::ClientOp::send,
                         send_request, queue);
    frame.mount = person_.sets_state ? "positions" : "chat";
    if (person_.sets_state) {
        frame.key = person_.user;
    }
    if (person_.numbers_ops) {
        frame.number = ++number_;
        frame.inc = seen_.inc;
    }
    frame.data = wire::Data{payload};
    say(out, frame);
}

void MusterProtoConversation::say(std::string& out, const wire::ClientFrame& frame) {
    message_.clear();
    wire::proto::append_client_frame(message_, frame);
    wire::append_length_frame(out, message_);
}

}  // namespace muster::bench
