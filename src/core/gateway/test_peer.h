#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error_code.h"
#include "base/ids.h"
#include "core/gateway/encoding.h"
#include "core/gateway/messages.h"
#include "core/wire/deflate.h"
#include "core/wire/json_frames.h"
#include "core/wire/length_frames.h"
#include "core/wire/proto_frames.h"
#include "core/wire/proto_writer.h"
#include "core/wire/websocket.h"

/// The other end of connections, for tests of the gateway and of whole shards.
namespace muster::gateway {

/// Returns a client's message in its encoding, without framing. An op that nobody knows, or that is
/// only for servers, becomes a body that is so.
[[nodiscard]] inline std::string message_of(Encoding encoding, std::string_view json) {
    if (is_json(encoding)) {
        return std::string(json);
    }
    constexpr int unknown_body = 500;
    constexpr int ok_body = 11;
    std::string scratch;
    wire::ClientFrame frame;
    MUSTER_CHECK(wire::parse_client_frame(json, scratch, frame).has_value());
    std::string bytes;
    if (frame.op == wire::ClientOp::unknown || frame.op == wire::ClientOp::server_only) {
        wire::ProtoWriter writer{bytes};
        writer.number(1, frame.request);
        writer.present_bytes(frame.op == wire::ClientOp::unknown ? unknown_body : ok_body, "");
    } else {
        wire::proto::append_client_frame(bytes, frame);
    }
    return bytes;
}

/// Returns a server's message as JSON, whatever it came in.
[[nodiscard]] inline std::string json_of(Encoding encoding, std::string_view message) {
    if (is_json(encoding)) {
        return std::string(message);
    }
    const auto frame = wire::proto::parse_server_frame(message);
    MUSTER_CHECK(frame.has_value());
    std::string json;
    wire::append_server_frame(json, *frame);
    return json;
}

/// A client's end of one connection: keeps what has come, taken apart. Frames are shown as JSON,
/// whatever their encoding; over plain TCP, the last bye as the close that it stands for.
///
/// Invariants: (checked) after the end nothing comes, and while blocked nothing but the end.
class TestPeer {
public:
    explicit TestPeer(ConnectionId connection, Encoding speaks = Encoding::json)
        : id(connection), encoding(speaks), is_upgraded_(speaks == Encoding::proto_tcp) {}

    const ConnectionId id;
    const Encoding encoding;

    std::string http;               ///< all answers before the upgrade, and that to it
    std::deque<std::string> texts;  ///< JSON frames that no test has looked at yet
    std::size_t pongs = 0;
    std::size_t deflated_count = 0;  ///< of the messages that came
    int close_code = 0;              ///< 0: no close frame came
    std::string close_reason;
    bool is_ended = false;  ///< the server closes the socket
    bool is_known = false;  ///< the server has found its hello's token good
    bool is_blocked = false;
    std::size_t bytes = 0;             ///< all that came
    const char* last_bytes = nullptr;  ///< where the last output's bytes lay; only to compare

    void take(const Output& output) {
        MUSTER_CHECK(!is_ended);
        if (output.is_known) {
            MUSTER_CHECK(!std::exchange(is_known, true));
            MUSTER_CHECK(output.bytes.empty() && !output.then_close);
            return;
        }
        MUSTER_CHECK(!is_blocked || output.then_close);
        is_ended = output.then_close;
        bytes += output.bytes.size();
        last_bytes = output.bytes.view().data();
        std::string came(output.bytes.view());
        if (!is_upgraded_) {
            http += came;
            const auto answer = http.find("HTTP/1.1 101 ");
            const auto end = answer == std::string::npos ? answer : http.find("\r\n\r\n", answer);
            if (end == std::string::npos) {
                return;
            }
            is_upgraded_ = true;
            if (has_agreed_on_deflate()) {
                decoder_.take_deflated();
            }
            came = http.substr(end + 4);
            http.resize(end + 4);
        }
        if (encoding == Encoding::proto_tcp) {
            take_length_frames(came);
        } else {
            take_frames(came);
        }
    }

    /// Returns the next frame that nobody has looked at; "" if there is none.
    std::string next() {
        if (texts.empty()) {
            return {};
        }
        std::string first = std::move(texts.front());
        texts.pop_front();
        return first;
    }

    /// Returns the last frame, and forgets all.
    std::string last() {
        std::string text = texts.empty() ? std::string() : std::move(texts.back());
        texts.clear();
        return text;
    }

    /// Returns the status of the last HTTP answer; 0 if none came.
    [[nodiscard]] int status() const {
        int last = 0;
        for (auto at = http.find("HTTP/1.1 "); at != std::string::npos;
             at = http.find("HTTP/1.1 ", at + 1)) {
            const std::string digits = http.substr(at + 9, 3);
            const bool is_answer = digits.find_first_not_of("0123456789") == std::string::npos;
            last = is_answer ? std::stoi(digits) : last;  // Some texts speak of it.
        }
        return last;
    }

    /// Returns what the close said of when to come back; 0 if nothing.
    [[nodiscard]] int retry_ms() const {
        constexpr std::string_view name = "retry_ms=";
        const auto at = close_reason.find(name);
        return at == std::string::npos ? 0 : std::stoi(close_reason.substr(at + name.size()));
    }

    /// Returns whether the upgrade's answer takes up permessage-deflate.
    [[nodiscard]] bool has_agreed_on_deflate() const {
        return http.find("Sec-WebSocket-Extensions: permessage-deflate") != std::string::npos;
    }

private:
    static constexpr std::uint32_t frame_bytes_max = 64 * 1024 * 1024;

    void take_frames(std::string& came) {
        std::span<char> input(came);
        for (;;) {
            const auto step = decoder_.next(input);
            MUSTER_CHECK(step.has_value());
            using Kind = wire::WebSocketDecoder::Step::Kind;
            switch (step->kind) {
                case Kind::need_more: return;
                case Kind::text:
                case Kind::binary:
                    MUSTER_CHECK((step->kind == Kind::text) == is_json(encoding));
                    texts.push_back(json_of(encoding, message_in(*step)));
                    break;
                case Kind::pong: ++pongs; break;
                case Kind::close:
                    close_code = static_cast<int>(step->close_code);
                    close_reason = step->payload;
                    break;
                case Kind::ping: MUSTER_CHECK(false);
            }
        }
    }

    std::string_view message_in(const wire::WebSocketDecoder::Step& step) {
        if (!step.is_deflated) {
            return step.payload;
        }
        ++deflated_count;
        const auto inflated = inflater_.inflate(step.payload, frame_bytes_max);
        MUSTER_CHECK(inflated.has_value());
        return *inflated;
    }

    void take_length_frames(std::string& came) {
        using Kind = wire::LengthDecoder::Step::Kind;
        std::span<char> input(came);
        for (auto step = length_decoder_.next(input); step.kind == Kind::message;
             step = length_decoder_.next(input)) {
            const auto frame = wire::proto::parse_server_frame(step.message);
            MUSTER_CHECK(frame.has_value());
            const auto* bye = std::get_if<wire::ByeFrame>(&*frame);
            if (bye != nullptr && is_ended && input.empty()) {
                close_code = static_cast<int>(wire::close_code_of(bye->code));
                close_reason = std::string(label(bye->code)) + ' ' +
                               std::string(describe(bye->code).name) +
                               (bye->detail.empty() ? "" : ": ") + std::string(bye->detail) +
                               (bye->retry_ms ? " retry_ms=" + std::to_string(*bye->retry_ms) : "");
            } else {
                texts.push_back(json_of(encoding, step.message));
            }
        }
    }

    bool is_upgraded_ = false;
    wire::LengthDecoder length_decoder_{frame_bytes_max};
    wire::WebSocketDecoder decoder_{wire::WebSocketDecoder::Side::client, frame_bytes_max};
    wire::Inflater inflater_;
};

/// A request that is upgraded, with further header lines (each with its end) and query.
[[nodiscard]] inline std::string upgrade_request(std::string_view more = {},
                                                 std::string_view target = "/connect") {
    std::string request = "GET ";
    request += target;
    request +=
        " HTTP/1.1\r\nHost: muster.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    request += more;
    request += "\r\n";
    return request;
}

/// The header lines with which a client asks for an encoding.
[[nodiscard]] inline std::string headers_for(Encoding encoding) {
    std::string lines;
    if (!is_json(encoding)) {
        lines += "Sec-WebSocket-Protocol: muster.v1.proto\r\n";
    }
    if (is_deflated(encoding)) {
        lines += "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    }
    return lines;
}

/// A client's text frame over WebSocket.
[[nodiscard]] inline std::string text_frame(std::string_view text) {
    std::string frame;
    wire::append_client_frame(frame, wire::WebSocketOpcode::text, text, 0x3a5c9e71);
    return frame;
}

/// A client's message with its framing; deflated where that is agreed on and makes it smaller.
[[nodiscard]] inline std::string framed(Encoding encoding, std::string_view message) {
    std::string frame;
    if (encoding == Encoding::proto_tcp) {
        wire::append_length_frame(frame, message);
        return frame;
    }
    std::string deflated;
    const bool is_smaller = is_deflated(encoding) && wire::Deflater().append(deflated, message);
    wire::append_client_frame(
        frame, is_json(encoding) ? wire::WebSocketOpcode::text : wire::WebSocketOpcode::binary,
        is_smaller ? deflated : message, 0x3a5c9e71);
    if (is_smaller) {
        wire::mark_deflated(frame.data());
    }
    return frame;
}

/// The clients' ends of all connections of a shard.
class TestPeers {
public:
    /// `step` hands an event to the machines and gives back, by take(), what they put out.
    explicit TestPeers(std::function<void(const Event&)> step) : step_(std::move(step)) {}

    Encoding encoding = Encoding::json;  ///< of those that connect() from now on
    std::string address = "192.0.2.1";   ///< of those that connect() or open() from now on

    /// A client connects.
    TestPeer& open(Encoding speaks = Encoding::json) { return open(1, 1, speaks); }
    /// … as one of so many of the process, and of its address, that have not signed in.
    TestPeer& open(std::uint32_t unknown, std::uint32_t unknown_of_address,
                   Encoding speaks = Encoding::json) {
        const ConnectionId id{(std::uint64_t{1} << slot_bits) | all_.size()};
        all_.emplace_back(id, speaks);
        step_(Opened{id, address, unknown, unknown_of_address});
        return all_.back();
    }

    /// A client connects and gets as far as the WebSocket; over plain TCP there is none.
    TestPeer& connect() { return connect(encoding); }
    TestPeer& connect(Encoding speaks) {
        TestPeer& peer = open(speaks);
        if (speaks == Encoding::proto_tcp) {
            return peer;
        }
        send(peer, upgrade_request(headers_for(speaks)));
        MUSTER_CHECK(peer.status() == 101);
        MUSTER_CHECK(peer.has_agreed_on_deflate() == is_deflated(speaks));
        return peer;
    }

    void send(const TestPeer& from, std::string bytes) {
        step_(Received{from.id, std::span<char>(bytes)});
    }
    void say(const TestPeer& from, std::string_view json) {
        send_message(from, message_of(from.encoding, json));
    }
    /// Sends any bytes as one message.
    void send_message(const TestPeer& from, std::string_view message) {
        send(from, framed(from.encoding, message));
    }
    void hang_up(const TestPeer& peer) { step_(SocketClosed{peer.id}); }
    void block(TestPeer& peer) {
        peer.is_blocked = true;
        step_(Blocked{peer.id});
    }
    void drain(TestPeer& peer) {
        peer.is_blocked = false;
        step_(Drained{peer.id});
    }

    /// Uses the connection's slot for a new one, which proves that its machine is gone, and gives
    /// it back.
    void check_gone(const TestPeer& peer) {
        const ConnectionId next{peer.id.value + (std::uint64_t{1} << slot_bits)};
        step_(Opened{next, address});
        step_(SocketClosed{next});
    }

    /// Hands out what the machines have put out.
    void take(Outputs& outputs) {
        for (const Output& output : outputs) {
            find(output.connection).take(output);
        }
        outputs.clear();
    }

    [[nodiscard]] std::deque<TestPeer>& all() noexcept { return all_; }

private:
    TestPeer& find(ConnectionId id) {
        const std::size_t slot = slot_of(id);
        MUSTER_CHECK(slot < all_.size());
        MUSTER_CHECK(all_[slot].id == id);
        return all_[slot];
    }

    std::function<void(const Event&)> step_;
    std::deque<TestPeer> all_;
};

}  // namespace muster::gateway
