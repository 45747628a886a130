#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "base/error_code.h"
#include "core/wire/utf8.h"

/// WebSocket frames, both ways and for both sides. The handshake is in websocket_handshake.h, what
/// stands in a deflated message in deflate.h.
/// Source: RFC 6455, RFC 7692; GUARANTEES.md section 7, rows 14-22.
namespace muster::wire {

enum class WebSocketOpcode : std::uint8_t {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10,
};

/// Close codes that we send. Our own, 4000 to 4999, come from close_code_of().
enum class CloseCode : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    none = 1005,  ///< stands for a close frame without a code; never sent
    bad_text = 1007,
    policy = 1008,
    too_big = 1009,
    try_again_later = 1013,
};

/// Returns the code under which a connection is closed because of `code`; 4000 for one that closes
/// no connection. Source: GUARANTEES.md section 5.11.
[[nodiscard]] CloseCode close_code_of(ErrorCode code) noexcept;

/// What the peer did wrong, and how to close because of it.
struct WebSocketError {
    CloseCode close_code = CloseCode::protocol_error;
    ErrorCode code = ErrorCode::framing;  ///< framing, bad_utf8 or frame_too_big
    std::string_view why;                 ///< for people; static text, fits a close frame

    friend bool operator==(const WebSocketError&, const WebSocketError&) = default;
};

/// Makes messages of the bytes that a peer sends.
///
/// Owns:       56 bytes; more only while a message or control frame has come in part, at most
///             message_bytes_max and 125 and never more than twice what came (1 KiB at least): a
///             declared length alone takes nothing. Given back with the step after its message.
/// Cost:       no allocation and no copy for a frame that lies whole in the input.
/// Invariants: the steps do not depend on how the input was cut. Once a close frame came or an
/// error
///             was returned, nothing else follows: further input is dropped, or the error repeated.
class WebSocketDecoder {
public:
    /// Which side we are. A server takes only masked frames, a client only unmasked ones.
    enum class Side : std::uint8_t { server, client };

    struct Step {
        enum class Kind : std::uint8_t { need_more, text, binary, ping, pong, close };
        Kind kind = Kind::need_more;
        bool is_deflated = false;                ///< of `text` and `binary`
        CloseCode close_code = CloseCode::none;  ///< of `close`
        /// The message, valid until the next call: a part of the input, or of the decoder's own
        /// memory. Valid UTF-8 for `text` (not looked at where it is deflated), and for the reason
        /// in `close`.
        std::string_view payload;
    };

    WebSocketDecoder(Side side, std::uint32_t message_bytes_max) noexcept
        : message_bytes_max_(message_bytes_max), side_(side) {}

    /// From now on the peer may deflate its messages: both sides have agreed on it.
    void take_deflated() noexcept { takes_deflated_ = true; }

    /// Takes bytes off the front of `input`, unmasking them where they lie. Call until it returns
    /// need_more: then all input is taken and its memory may be used for something else.
    [[nodiscard]] tl::expected<Step, WebSocketError> next(std::span<char>& input);

    /// Returns how much memory is held at the moment; 0 between messages.
    [[nodiscard]] std::size_t buffered_bytes() const noexcept { return capacity_; }

private:
    enum class State : std::uint8_t { header, payload, closed, failed };
    enum class Violation : std::uint8_t {
        none,
        unmasked,
        masked,
        reserved_bits,
        reserved_opcode,
        long_control,
        fragmented_control,
        length_not_minimal,
        length_too_long,
        nothing_to_continue,
        message_not_finished,
        too_big,
        bad_text,
        bad_close
    };
    struct Header {
        Violation violation = Violation::none;
        std::uint8_t size = 0;  ///< 0: more bytes are needed
        bool is_final = false;
        bool is_deflated = false;  ///< of a message's first frame
        WebSocketOpcode opcode = WebSocketOpcode::continuation;
        std::uint64_t payload_bytes = 0;
        std::uint32_t mask = 0;
    };

    [[nodiscard]] static WebSocketError describe(Violation violation) noexcept;
    [[nodiscard]] static Violation check_close(std::string_view payload) noexcept;

    [[nodiscard]] Header read_header(std::span<const char> bytes) const noexcept;
    [[nodiscard]] Header take_header(std::span<char>& input) noexcept;
    void begin_frame(const Header& header) noexcept;
    [[nodiscard]] Violation take_payload(std::span<char>& input);
    void make_room(std::uint32_t bytes);
    [[nodiscard]] tl::expected<Step, WebSocketError> end_frame() noexcept;
    [[nodiscard]] tl::expected<Step, WebSocketError> deliver(WebSocketOpcode opcode,
                                                             std::string_view payload,
                                                             bool is_deflated = false) noexcept;
    [[nodiscard]] tl::unexpected<WebSocketError> fail(Violation violation) noexcept;
    void give_back() noexcept;

    [[nodiscard]] bool is_in_message() const noexcept {
        return message_opcode_ != WebSocketOpcode::continuation;
    }

    std::unique_ptr<char[]> buffer_;  // The message so far, then the control frame so far.
    std::uint32_t capacity_ = 0;
    std::uint32_t message_bytes_max_;
    std::uint32_t message_bytes_ = 0;  // In buffer_.
    std::uint32_t message_cost_ = 0;   // Declared lengths; an empty fragment counts as one byte.
    std::uint32_t payload_left_ = 0;   // Of the present frame.
    std::uint32_t mask_ = 0;           // Turned so that it fits the next payload byte.
    std::array<char, 14> header_{};
    std::uint8_t header_bytes_ = 0;
    std::uint8_t control_bytes_ = 0;                          // In buffer_, after the message.
    WebSocketOpcode opcode_ = WebSocketOpcode::continuation;  // Of the present frame.
    WebSocketOpcode message_opcode_ = WebSocketOpcode::continuation;  // Of the unfinished message.
    bool is_final_ : 1 = false;                                       // The present frame.
    bool is_deflated_ : 1 = false;                                    // The unfinished message.
    bool takes_deflated_ : 1 = false;  // Else RSV1 is a reserved bit like the others.
    Side side_;
    State state_ = State::header;
    Violation violation_ = Violation::none;  // Exactly while `failed`.
    Utf8Validator utf8_;                     // Of the unfinished message, if it is text.
};

/// Returns the size of an unmasked frame's header: 2, 4 or 10.
[[nodiscard]] constexpr std::size_t server_frame_header_size(std::size_t payload_bytes) noexcept {
    return payload_bytes < 126 ? 2 : (payload_bytes <= 0xffff ? 4 : 10);
}

/// Writes an unmasked frame's header to `out`, which has room for server_frame_header_size() bytes,
/// and returns that size. For who leaves room in front of a payload and encodes into one buffer.
std::size_t write_server_frame_header(char* out, WebSocketOpcode opcode,
                                      std::size_t payload_bytes) noexcept;

/// Says in a message's first frame, which begins at `frame`, that the message is deflated.
inline void mark_deflated(char* frame) noexcept {
    *frame = static_cast<char>(*frame | 0x40);  // RSV1; RFC 7692 section 6.
}

/// Appends a whole message as one frame, from server to client.
void append_server_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload);

/// Appends a whole message as one frame, from client to server. `mask_key` should be drawn anew for
/// each frame, from a source that web pages cannot guess.
void append_client_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload,
                         std::uint32_t mask_key);

/// Appends a close frame, from server to client. Without a code for CloseCode::none. Of `reason`
/// goes what fits (123 bytes), cut between code points.
void append_close(std::string& out, CloseCode code, std::string_view reason);

/// The same from client to server.
void append_client_close(std::string& out, CloseCode code, std::string_view reason,
                         std::uint32_t mask_key);

}  // namespace muster::wire
