#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "core/wire/frames.h"
#include "core/wire/http_head.h"
#include "core/wire/json_frames.h"
#include "core/wire/proto_frames.h"
#include "core/wire/proto_writer.h"
#include "core/wire/websocket.h"
#include "core/wire/websocket_handshake.h"
#include "shell/runtime/descriptor.h"

/// For tests only.
namespace muster::detail {

/// A server on a free port of this machine that says what the test wants it to say. It never waits:
/// call pump() in turn with the client's poll().
class LoopbackServer {
public:
    LoopbackServer() {
        listener_ = runtime::Descriptor{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* raw = reinterpret_cast<sockaddr*>(&address);
        MUSTER_CHECK(::bind(listener_.fd(), raw, size) == 0);
        MUSTER_CHECK(::listen(listener_.fd(), 16) == 0);
        MUSTER_CHECK(::getsockname(listener_.fd(), raw, &size) == 0);
        port_ = ntohs(address.sin_port);
    }

    [[nodiscard]] std::string url() const { return "ws://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// What is answered to the next upgrade instead of 101, if anything.
    std::string refusal;

    /// Whether clients that ask for protobuf get it.
    bool has_proto = true;

    /// Frames of the client, oldest first, as JSON whatever their encoding.
    std::deque<std::string> received;
    int connection_count = 0;

    /// Takes what has come.
    void pump() {
        if (const int fd = ::accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK); fd >= 0) {
            connection_ = runtime::Descriptor{fd};
            ++connection_count;
            head_.clear();
            is_open_ = false;
            decoder_ = make_decoder();
        }
        std::array<char, 65536> bytes{};
        while (connection_.is_open()) {
            const ssize_t count = ::recv(connection_.fd(), bytes.data(), bytes.size(), 0);
            if (count == 0) {
                connection_.close();
            }
            if (count <= 0) {
                return;
            }
            take(std::span{bytes}.first(static_cast<std::size_t>(count)));
        }
    }

    /// Returns the client's next frame, or an empty text.
    [[nodiscard]] std::string next() {
        if (received.empty()) {
            return {};
        }
        std::string text = std::move(received.front());
        received.pop_front();
        return text;
    }

    void say(const wire::ServerFrame& frame) {
        std::string text;
        wire::append_server_frame(text, frame);
        say_text(text);
    }

    /// Says what stands there as JSON, in the encoding agreed.
    void say_text(std::string_view text) {
        std::string bytes;
        wire::append_server_frame(
            bytes, speaks_proto_ ? wire::WebSocketOpcode::binary : wire::WebSocketOpcode::text,
            encoded(text));
        write(bytes);
    }

    /// Returns a message in the encoding agreed. What is no frame of ours stays what it is; an op
    /// that nobody knows becomes a body that nobody knows.
    [[nodiscard]] std::string encoded(std::string_view text) const {
        constexpr std::uint32_t unknown_body = 500;
        std::string scratch;
        const auto frame = wire::parse_server_frame(text, scratch);
        std::string bytes;
        if (!speaks_proto_ || (!frame && frame.error().code != ErrorCode::unsupported)) {
            bytes = text;
        } else if (frame) {
            wire::proto::append_server_frame(bytes, *frame);
        } else {
            wire::ProtoWriter{bytes}.present_bytes(unknown_body, "");
        }
        return bytes;
    }

    [[nodiscard]] bool speaks_proto() const { return speaks_proto_; }

    void say_bytes(std::string_view bytes) { write(bytes); }

    void close_with(std::uint16_t code) {
        std::string bytes;
        wire::append_close(bytes, static_cast<wire::CloseCode>(code), "bye");
        write(bytes);
        connection_.close();
    }

    void cut() { connection_.close(); }

    [[nodiscard]] bool is_connected() const { return connection_.is_open(); }

private:
    static wire::WebSocketDecoder make_decoder() {
        return wire::WebSocketDecoder{wire::WebSocketDecoder::Side::server, 1024 * 1024};
    }

    void take(std::span<char> bytes) {
        if (is_open_) {
            return take_frames(bytes);
        }
        head_.append(bytes.data(), bytes.size());
        wire::HeadScan scan;
        wire::RequestHead head;
        const auto size = wire::parse_request_head(head_, scan, head);
        MUSTER_CHECK(size.has_value());
        if (*size == 0) {
            return;
        }
        if (!refusal.empty()) {
            write(std::exchange(refusal, {}));
            connection_.close();
            return;
        }
        const std::array<std::string_view, 2> protocols{"muster.v1.json", "muster.v1.proto"};
        const auto upgrade =
            wire::check_upgrade(head, {.allowed_origins = {},
                                       .allows_same_host = false,
                                       .protocols = std::span(protocols).first(has_proto ? 2 : 1)});
        MUSTER_CHECK(upgrade.has_value());
        speaks_proto_ = upgrade->protocol == "muster.v1.proto";
        std::string answer;
        wire::append_upgrade_response(answer, *upgrade);
        write(answer);
        is_open_ = true;
    }

    void take_frames(std::span<char> bytes) {
        using Kind = wire::WebSocketDecoder::Step::Kind;
        for (;;) {
            const auto step = decoder_.next(bytes);
            MUSTER_CHECK(step.has_value());
            if (step->kind == Kind::need_more) {
                return;
            }
            if (step->kind == Kind::text) {
                MUSTER_CHECK(!speaks_proto_);
                received.emplace_back(step->payload);
            } else if (step->kind == Kind::binary) {
                MUSTER_CHECK(speaks_proto_);
                wire::ClientFrame frame;
                MUSTER_CHECK(wire::proto::parse_client_frame(step->payload, frame).has_value());
                wire::append_client_frame(received.emplace_back(), frame);
            }
        }
    }

    void write(std::string_view bytes) {
        while (!bytes.empty() && connection_.is_open()) {
            const ssize_t sent = ::send(connection_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    runtime::Descriptor listener_;
    runtime::Descriptor connection_;
    std::uint16_t port_ = 0;
    std::string head_;
    bool is_open_ = false;
    bool speaks_proto_ = false;
    wire::WebSocketDecoder decoder_ = make_decoder();
};

}  // namespace muster::detail
