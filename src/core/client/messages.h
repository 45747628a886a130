#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error_code.h"
#include "base/id.h"
#include "base/ids.h"
#include "base/name.h"
#include "base/payload.h"
#include "base/rng.h"
#include "base/sip_hash.h"
#include "base/time.h"
#include "core/wire/frames.h"

/// What the client's own machine takes and what it asks for. Its shell (client/, or the simulator)
/// owns sockets, clock and callbacks.
namespace muster::client {

/// The application's name for one of its requests. Chosen by the shell, never twice, never 0.
using OpId = Id<struct OpTag, std::uint64_t>;

/// One socket that the machine asked for; never used again within its life.
using SocketId = Id<struct SocketTag, std::uint64_t>;

// ---- What an application may ask for -------------------------------------------------------

/// Become a member, and stay one over reconnects and lost sessions until Leave or a kick.
struct Join {
    std::optional<Cursor> since{};  ///< what an earlier life of this client has seen
};
struct Leave {};
/// Follow the queue's stream without being a member, until Unlisten.
struct Listen {
    std::optional<Cursor> since{};
};
struct Unlisten {};
struct Send {
    MountName mount;
    Payload data;
};
/// Sets a key of a state mount; an empty value deletes it.
struct Set {
    MountName mount;
    Key key;
    Payload value;
    std::optional<Seq> if_seq{};  ///< only if the key last changed there; 0 = only if it is absent
};
/// Reads remembered messages, the youngest ones before `before`.
struct History {
    MountName mount;
    std::optional<Seq> before{};
};

/// Join, Leave, Send and Set are ops: numbered, and once only. The others may be repeated freely.
using Request = std::variant<Join, Leave, Listen, Unlisten, Send, Set, History>;

// ---- Taken ---------------------------------------------------------------------------------

/// The application wants to be on line. While a retry is being waited for: try now.
struct Start {
    HashKey chance;  ///< 128 bits from the operating system, from which nonces are made
};

/// The application is done. Every open request gets its verdict in this step.
struct Stop {};

/// One request of the application. It gets exactly one Verdict under `id`.
struct Submit {
    OpId id;
    QueueName queue;
    Request request;
    std::optional<Duration> ttl{};  ///< not_sent, if nothing was sent within this time
};

/// The application gave a request up: it still gets its verdict, as soon as it is known.
struct GiveUp {
    OpId id;
};

/// The application has taken a reliable message, so the server may forget it.
struct MailTaken {
    std::uint64_t mail = 0;
};

/// Answers to FetchToken.
struct TokenFetched {
    std::string token;  ///< may be empty where the server lets users in by name (--dev)
};
struct TokenFailed {
    bool is_final = false;  ///< there is no other token: do not ask again
    std::string detail{};
};

/// The socket is open, the WebSocket handshake included.
struct SocketOpened {
    SocketId socket;
};

/// The socket is gone, or could not be opened.
struct SocketClosed {
    SocketId socket;
    std::uint16_t close_code = 0;       ///< of WebSocket; 0: none came
    std::optional<ErrorCode> reason{};  ///< where something else than a close code says why
    Duration retry_after{0};            ///< the server's wish
    std::string detail{};               ///< for people
};

/// A frame came. `frame` and what it points into must live until the outbox has been read.
struct FrameReceived {
    SocketId socket;
    const wire::ServerFrame* frame = nullptr;
};

/// Bytes came that are no frame of the protocol.
struct GarbageReceived {
    SocketId socket;
    std::string detail;
};

/// Bytes came that did not make a whole frame (yet), or only kept the connection alive.
struct Heard {
    SocketId socket;
};

/// Time went on: at or after Client::wake_at(), or at any other moment.
struct TimePassed {};

using Event =
    std::variant<Start, Stop, Submit, GiveUp, MailTaken, TokenFetched, TokenFailed, SocketOpened,
                 SocketClosed, FrameReceived, GarbageReceived, Heard, TimePassed>;

// ---- Given ---------------------------------------------------------------------------------

/// Open a socket to one of Settings::server_count servers. Answered by SocketOpened or
/// SocketClosed.
struct OpenSocket {
    SocketId socket;
    std::size_t server_index = 0;
};

/// Close it, with this WebSocket close code; nothing more is expected from it.
struct CloseSocket {
    SocketId socket;
    std::uint16_t close_code = 1000;
};

/// Its views point into the machine and are valid until its next step.
struct SendFrame {
    SocketId socket;
    wire::ClientFrame frame;
};

/// Get a token from the application. Answered by TokenFetched or TokenFailed, in a later step.
struct FetchToken {};

enum class Status : std::uint8_t {
    connecting,  ///< for the first time
    online,
    resuming,  ///< connecting again
    offline,   ///< waiting for the next attempt
    closed,    ///< nothing will happen until Start
};

struct StatusChanged {
    Status status = Status::closed;
    std::optional<ErrorCode> reason{};
    std::string detail{};  ///< for people
    Duration retry_in{0};  ///< offline only
};

enum class Outcome : std::uint8_t {
    ok,
    rejected,  ///< the server said no: never applied, in no history, also not later
    not_sent,  ///< it has no effect, and never will: it was not sent, or was taken back
    unknown,   ///< its history has ended (gone), or nobody remembers (expired)
};

/// What became of one request. Final.
struct Verdict {
    OpId id;
    Outcome outcome = Outcome::ok;
    ErrorCode code = ErrorCode::protocol;  ///< not for ok
    std::string detail{};                  ///< for people; empty where the code says it all
    Cursor at{};                           ///< ok: where it took effect, as far as it was told
    std::optional<Seq> current{};          ///< conflict: the seq at which the key last changed
};

/// The frame passed all checks and the mirror holds it: show it to the application.
/// One of joined, reset, msg, state, members, mount, gap, stalled, left.
struct Deliver {
    const wire::ServerFrame* frame = nullptr;
};

/// The answer to a History; its Verdict follows.
struct DeliverHistory {
    OpId id;
    const wire::HistoryFrame* frame = nullptr;
};

/// The application follows this queue no more, and has neither left nor unlistened: it was removed,
/// or a membership ended with its session and the server did not take us back.
struct Dropped {
    QueueName queue;
    ErrorCode code = ErrorCode::forbidden;
    std::string detail;
};

using Action = std::variant<OpenSocket, CloseSocket, SendFrame, FetchToken, StatusChanged, Verdict,
                            Deliver, DeliverHistory, Dropped>;
using Outbox = std::vector<Action>;

/// Everything that a step may know of the world. Lives for one step.
struct Context {
    Instant now;
    WallTime wall;  ///< for the expiry of tokens only
    Rng& rng;       ///< seeded with chance of the operating system, never with the clock
    Outbox& outbox;
};

}  // namespace muster::client
