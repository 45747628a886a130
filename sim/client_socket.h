#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/error_code.h"
#include "base/rng.h"
#include "base/time.h"
#include "core/wire/frames.h"
#include "core/wire/http_head.h"
#include "core/wire/length_frames.h"
#include "core/wire/websocket.h"

namespace muster::sim {

/// How a client speaks with its gateway.
enum class Speech : std::uint8_t {
    proto_tcp,  ///< protobuf over plain TCP
    json,       ///< JSON over WebSocket
    proto,      ///< protobuf over WebSocket
};

/// A client's side of one connection: makes frames of bytes and bytes of frames, the WebSocket
/// handshake included.
class ClientSocket {
public:
    ClientSocket(Speech speech, Rng& rng);

    /// Returns what to send once the stream is open; empty: frames may go at once.
    [[nodiscard]] std::string begin();

    [[nodiscard]] std::string encode(const wire::ClientFrame& frame);
    /// Returns the last words of who closes with `code`.
    [[nodiscard]] std::string close(std::uint16_t code);

    struct Step {
        enum class Kind : std::uint8_t { need_more, opened, frame, garbage, closed };
        Kind kind = Kind::need_more;
        std::uint16_t close_code = 0;
        std::optional<ErrorCode> reason{};
        Duration retry_after{0};
        std::string detail{};
    };
    /// Takes bytes off the front of `input`. Call until it returns need_more.
    [[nodiscard]] Step next(std::span<char>& input);

    /// The frame of the last step; valid until the next call.
    [[nodiscard]] const wire::ServerFrame& frame() const { return *frame_; }

private:
    [[nodiscard]] Step shake_hands(std::span<char>& input);
    [[nodiscard]] Step take(std::string_view message);

    Speech speech_;
    Rng& rng_;
    wire::LengthDecoder lengths_;
    wire::WebSocketDecoder web_socket_;
    bool is_open_;
    std::string key_;
    std::string head_;
    wire::HeadScan scan_;
    std::string behind_head_;
    std::string scratch_;
    std::optional<wire::ServerFrame> frame_;
};

}  // namespace muster::sim
