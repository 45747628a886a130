#include "sim/client_socket.h"

#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "core/wire/base64.h"
#include "core/wire/json_frames.h"
#include "core/wire/proto_frames.h"
#include "core/wire/websocket_handshake.h"

namespace muster::sim {
namespace {

constexpr std::uint32_t frame_bytes_max = 16 * 1024 * 1024;
constexpr std::array<std::string_view, 1> json_protocol{"muster.v1.json"};
constexpr std::array<std::string_view, 1> proto_protocol{"muster.v1.proto"};

wire::UpgradeRequest request_for(Speech speech, std::string_view key) {
    return {.host = "muster.example",
            .target = "/connect",
            .key = key,
            .protocols = speech == Speech::json ? json_protocol : proto_protocol,
            .further_headers = {}};
}

}  // namespace

ClientSocket::ClientSocket(Speech speech, Rng& rng)
    : speech_(speech),
      rng_(rng),
      lengths_(frame_bytes_max),
      web_socket_(wire::WebSocketDecoder::Side::client, frame_bytes_max),
      is_open_(speech == Speech::proto_tcp) {}

std::string ClientSocket::begin() {
    std::string bytes;
    if (is_open_) {
        return bytes;
    }
    std::string chance;
    for (std::size_t i = 0; i < 16; ++i) {
        chance.push_back(static_cast<char>(rng_.below(256)));
    }
    wire::append_base64(key_, chance, wire::Base64::standard);
    wire::append_upgrade_request(bytes, request_for(speech_, key_));
    return bytes;
}

std::string ClientSocket::encode(const wire::ClientFrame& frame) {
    std::string message;
    if (speech_ == Speech::json) {
        wire::append_client_frame(message, frame);
    } else {
        wire::proto::append_client_frame(message, frame);
    }
    std::string bytes;
    if (speech_ == Speech::proto_tcp) {
        wire::append_length_frame(bytes, message);
    } else {
        const auto opcode =
            speech_ == Speech::json ? wire::WebSocketOpcode::text : wire::WebSocketOpcode::binary;
        wire::append_client_frame(bytes, opcode, message, static_cast<std::uint32_t>(rng_.next()));
    }
    return bytes;
}

std::string ClientSocket::close(std::uint16_t code) {
    std::string bytes;
    if (is_open_ && speech_ != Speech::proto_tcp) {
        wire::append_client_close(bytes, static_cast<wire::CloseCode>(code), {},
                                  static_cast<std::uint32_t>(rng_.next()));
    }
    return bytes;
}

ClientSocket::Step ClientSocket::next(std::span<char>& input) {
    if (!is_open_) {
        return shake_hands(input);
    }
    if (speech_ == Speech::proto_tcp) {
        using Kind = wire::LengthDecoder::Step::Kind;
        const auto step = lengths_.next(input);
        switch (step.kind) {
            case Kind::need_more: return {};
            case Kind::message: return take(step.message);
            case Kind::too_big: break;
        }
        return {.kind = Step::Kind::garbage, .detail = "too big"};
    }
    for (;;) {
        const auto step = web_socket_.next(input);
        if (!step) {
            return {.kind = Step::Kind::garbage, .detail = std::string(step.error().why)};
        }
        using Kind = wire::WebSocketDecoder::Step::Kind;
        switch (step->kind) {
            case Kind::need_more: return {};
            case Kind::text:
            case Kind::binary:
                if ((step->kind == Kind::text) != (speech_ == Speech::json)) {
                    return {.kind = Step::Kind::garbage, .detail = "the other kind of message"};
                }
                return take(step->payload);
            case Kind::ping:
            case Kind::pong: break;
            case Kind::close:
                return {.kind = Step::Kind::closed,
                        .close_code = step->close_code == wire::CloseCode::none
                                          ? std::uint16_t{0}
                                          : static_cast<std::uint16_t>(step->close_code),
                        .detail = std::string(step->payload)};
        }
    }
}

ClientSocket::Step ClientSocket::shake_hands(std::span<char>& input) {
    head_.append(input.data(), input.size());
    input = {};
    wire::ResponseHead head;
    const auto size = wire::parse_response_head(head_, scan_, head);
    if (!size) {
        return {.kind = Step::Kind::garbage, .detail = std::string(size.error().why)};
    }
    if (*size == 0) {
        return {};
    }
    const auto chosen = wire::check_upgrade_response(head, request_for(speech_, key_));
    if (!chosen) {
        Step refused{.kind = Step::Kind::closed,
                     .reason = chosen.error().code,
                     .detail = chosen.error().detail};
        if (const auto wait = head.headers.find("retry-after")) {
            refused.retry_after = std::chrono::seconds{
                static_cast<std::int64_t>(wire::parse_decimal(*wait).value_or(0))};
        }
        return refused;
    }
    is_open_ = true;
    behind_head_ = head_.substr(*size);
    input = std::span<char>(behind_head_);
    return {.kind = Step::Kind::opened};
}

ClientSocket::Step ClientSocket::take(std::string_view message) {
    auto frame = speech_ == Speech::json ? wire::parse_server_frame(message, scratch_)
                                         : wire::proto::parse_server_frame(message);
    if (!frame) {
        return {.kind = Step::Kind::garbage, .detail = frame.error().detail};
    }
    frame_ = *std::move(frame);
    return {.kind = Step::Kind::frame};
}

}  // namespace muster::sim
