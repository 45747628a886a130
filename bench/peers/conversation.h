#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

/// How a client speaks with each of the servers that are measured: bytes in, bytes out, no socket.
namespace muster::bench {

enum class Peer : std::uint8_t {
    muster,        ///< in JSON over WebSocket; and bench/limit, which speaks as Muster does
    muster_proto,  ///< in protobuf over plain TCP
    redis,
    nats,
};

[[nodiscard]] std::string_view name_of(Peer peer) noexcept;

/// Whether the server is Muster, which alone keeps state and lets clients resume.
[[nodiscard]] constexpr bool is_muster(Peer peer) noexcept {
    return peer == Peer::muster || peer == Peer::muster_proto;
}

/// Who a client is, and what it does as soon as it is connected.
struct Person {
    std::string user;
    std::string queue;         ///< joined with the sign-in; empty: none
    bool sets_state = false;   ///< `send` sets the user's own key of a state mount; Muster only
    bool numbers_ops = false;  ///< each `send` carries its number in the history; Muster only
};

/// What a client has heard.
struct Heard {
    enum class Kind : std::uint8_t {
        nothing,  ///< all input is taken
        joined,   ///< signed in, and in the queue that was asked for (if any)
        message,  ///< `text` begins with the payload
        left,
        refused,  ///< what was sent was not taken; `text` says why
    };
    Kind kind = Kind::nothing;
    std::string_view text;  ///< valid until the next call
    std::uint64_t seq = 0;  ///< of a message, where the server numbers them
};

/// One client's side of a server's protocol.
///
/// Owns:   what has come in part, and what the client must remember to come back.
/// Thread: none of its own.
class Conversation {
public:
    Conversation() = default;
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;
    virtual ~Conversation() = default;

    /// Appends what is said first on a new connection. After another one was cut, that is what
    /// brings the client back to where it was.
    virtual void begin(std::string& out) = 0;

    /// Takes bytes off the front of `input` up to the next thing worth telling, and appends what
    /// must be answered. Call until it tells `nothing`. Errors: the server broke its protocol, or
    /// ended the connection (its words).
    [[nodiscard]] virtual Result<Heard> next(std::span<char>& input, std::string& out) = 0;

    virtual void join(std::string& out, std::string_view queue) = 0;
    virtual void leave(std::string& out, std::string_view queue) = 0;
    virtual void send(std::string& out, std::string_view queue, std::string_view payload) = 0;
};

[[nodiscard]] std::unique_ptr<Conversation> make_conversation(Peer peer, Person person);

/// Whether a client of this server needs a second connection to send. Redis: RESP2 allows a
/// connection that has subscribed nothing but to subscribe.
[[nodiscard]] constexpr bool sends_apart(Peer peer) noexcept { return peer == Peer::redis; }

}  // namespace muster::bench
