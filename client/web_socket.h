#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error_code.h"
#include "base/rng.h"
#include "base/time.h"
#include "client/resolver.h"
#include "client/server_address.h"
#include "core/wire/http_head.h"
#include "core/wire/websocket.h"
#include "muster/client.h"
#include "shell/runtime/descriptor.h"

namespace muster::detail {

/// A client's WebSocket over plain TCP that never waits: poll its descriptor, then take its steps.
///
///     closed -> resolving -> connecting -> shaking_hands -> open -> closed
///
/// Owns:   one descriptor and its buffers.
/// Thread: its owner's.
/// Bounds: output_bytes_max not yet taken by the kernel; message_bytes_max a message.
/// Source: RFC 6455, through core/wire.
class WebSocket {
public:
    /// Above the biggest snapshot that a server within its limits sends.
    static constexpr std::uint32_t message_bytes_max = 16 * 1024 * 1024;
    static constexpr std::size_t output_bytes_max = std::size_t{64} * 1024 * 1024;

    enum class State : std::uint8_t { closed, resolving, connecting, shaking_hands, open };

    struct Step {
        enum class Kind : std::uint8_t {
            opened,
            message,  ///< `payload`, in the encoding agreed
            heard,    ///< the peer lives
            garbage,  ///< the peer broke the protocol: `detail`; close it
            closed,   ///< nothing follows
        };
        Kind kind = Kind::heard;
        std::string_view payload{};  ///< valid until the next call
        std::uint16_t close_code = 0;
        std::optional<ErrorCode> reason{};
        Duration retry_after{0};
        std::string detail{};
    };

    /// `rng` masks frames and picks addresses: seeded by the operating system. Asks for `wanted`;
    /// a server that has no protobuf may choose JSON instead.
    WebSocket(Rng rng, Encoding wanted) : rng_(rng), wanted_(wanted), decoder_(make_decoder()) {}

    /// Begins to open a socket to one of the server's addresses, after the others if need be.
    void open(const ServerAddress& server);

    /// Says goodbye with `code`, as far as the kernel takes it at once, and closes.
    void close(std::uint16_t code);

    /// Appends a message to the output. Only while open.
    void send(std::string_view message);

    /// Returns what was agreed on. Only while open.
    [[nodiscard]] Encoding encoding() const noexcept { return encoding_; }

    /// Hands the output to the kernel, as much as it takes.
    void flush();

    /// Returns what has happened, one step at a time; nothing: wait for the descriptor.
    [[nodiscard]] std::optional<Step> next();

    [[nodiscard]] State state() const noexcept { return state_; }

    /// Returns what to poll for: -1 where there is no descriptor (yet), then POLLIN and POLLOUT.
    [[nodiscard]] int descriptor() const noexcept { return socket_.fd(); }
    [[nodiscard]] short wanted_events() const noexcept;

private:
    [[nodiscard]] static wire::WebSocketDecoder make_decoder();
    [[nodiscard]] std::optional<Step> next_resolving();
    [[nodiscard]] std::optional<Step> next_connecting();
    [[nodiscard]] std::optional<Step> next_shaking_hands();
    [[nodiscard]] std::optional<Step> next_open();
    [[nodiscard]] std::optional<Step> take(const wire::WebSocketDecoder::Step& step);
    [[nodiscard]] std::optional<Step> connect_next();
    void begin_handshake();
    [[nodiscard]] std::optional<Step> check_answer(const wire::ResponseHead& head);
    void forget();
    [[nodiscard]] Step end(Step step);
    [[nodiscard]] Step end(std::string detail, std::optional<ErrorCode> reason = std::nullopt);
    /// Reads into `input_`. Returns false where nothing was there; `failure_` says if it ended.
    [[nodiscard]] bool receive();

    Rng rng_;
    Encoding wanted_;
    Encoding encoding_ = Encoding::json;
    State state_ = State::closed;
    ServerAddress server_;
    Resolver resolver_;
    std::vector<SocketAddress> candidates_;
    std::string last_problem_;
    runtime::Descriptor socket_;
    std::string key_;
    std::vector<char> buffer_;  // What was read, while a handshake or message is in it.
    std::span<char> input_;     // What of it has not been looked at.
    std::string head_;          // The answer to the handshake, so far.
    wire::HeadScan scan_;
    wire::WebSocketDecoder decoder_;
    std::string output_;
    std::size_t written_ = 0;             // Of output_.
    std::optional<std::string> failure_;  // Why the descriptor is of no use any more.
    bool was_heard_ = false;              // Bytes came that made no step yet.
};

}  // namespace muster::detail
