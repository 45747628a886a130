#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/ids.h"
#include "core/gateway/messages.h"
#include "core/wire/websocket.h"

/// The other end of connections, for tests of the gateway and of whole shards.
namespace muster::gateway {

/// A client's end of one connection: keeps what has come, taken apart.
///
/// Invariants: (checked) after the end nothing comes, and while blocked nothing but the end.
class TestPeer {
public:
    explicit TestPeer(ConnectionId connection) : id(connection) {}

    const ConnectionId id;

    std::string http;               ///< all answers before the upgrade, and that to it
    std::deque<std::string> texts;  ///< JSON frames that no test has looked at yet
    std::size_t pongs = 0;
    int close_code = 0;  ///< 0: no close frame came
    std::string close_reason;
    bool is_ended = false;  ///< the server closes the socket
    bool is_blocked = false;
    std::size_t bytes = 0;             ///< all that came
    const char* last_bytes = nullptr;  ///< where the last output's bytes lay; only to compare

    void take(const Output& output) {
        MUSTER_CHECK(!is_ended);
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
            came = http.substr(end + 4);
            http.resize(end + 4);
        }
        take_frames(came);
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
                case Kind::text: texts.emplace_back(step->payload); break;
                case Kind::pong: ++pongs; break;
                case Kind::close:
                    close_code = static_cast<int>(step->close_code);
                    close_reason = step->payload;
                    break;
                case Kind::binary:
                case Kind::ping: MUSTER_CHECK(false);
            }
        }
    }

    bool is_upgraded_ = false;
    wire::WebSocketDecoder decoder_{wire::WebSocketDecoder::Side::client, frame_bytes_max};
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

/// A client's text frame.
[[nodiscard]] inline std::string text_frame(std::string_view text) {
    std::string frame;
    wire::append_client_frame(frame, wire::WebSocketOpcode::text, text, 0x3a5c9e71);
    return frame;
}

/// The clients' ends of all connections of a shard.
class TestPeers {
public:
    /// `step` hands an event to the machines and gives back, by take(), what they put out.
    explicit TestPeers(std::function<void(const Event&)> step) : step_(std::move(step)) {}

    /// A client connects.
    TestPeer& open() {
        const ConnectionId id{(std::uint64_t{1} << slot_bits) | all_.size()};
        all_.emplace_back(id);
        step_(Opened{id, "192.0.2.1"});
        return all_.back();
    }

    /// A client connects and gets as far as the WebSocket.
    TestPeer& connect() {
        TestPeer& peer = open();
        send(peer, upgrade_request());
        MUSTER_CHECK(peer.status() == 101);
        return peer;
    }

    void send(const TestPeer& from, std::string bytes) {
        step_(Received{from.id, std::span<char>(bytes)});
    }
    void say(const TestPeer& from, std::string_view json) { send(from, text_frame(json)); }
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
        step_(Opened{next, "192.0.2.1"});
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
