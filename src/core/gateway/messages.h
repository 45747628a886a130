#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/shared_text.h"
#include "base/time.h"

/// What a gateway shard's machine takes from the shell's sockets and what it asks of them. What it
/// exchanges with queues and user queues stands in core/actor/messages.h.
namespace muster::gateway {

/// The shell numbers connections so that the low bits are a place in a table, used again once it is
/// free, and the high bits count up: an id never comes back.
inline constexpr unsigned slot_bits = 24;

[[nodiscard]] inline std::size_t slot_of(ConnectionId id) noexcept {
    return id.value & ((std::uint64_t{1} << slot_bits) - 1);
}

// ---- Taken ---------------------------------------------------------------------------------

/// A client's socket was accepted. `peer` is its address, for log lines.
struct Opened {
    ConnectionId connection;
    std::string peer;
    std::uint32_t unknown = 1;  ///< sockets of the process that have not signed in, with this
    std::uint32_t unknown_of_address = 1;  ///< of these: from the same address
};

/// Bytes have come. They may be changed where they lie (unmasked), and are gone after the step.
struct Received {
    ConnectionId connection;
    std::span<char> bytes;
};

/// The socket is closed, by whomever.
struct SocketClosed {
    ConnectionId connection;
};

/// The kernel did not take all that was put out: the shell holds the rest. Until `Drained` comes,
/// nothing more is put out for this connection.
struct Blocked {
    ConnectionId connection;
};
struct Drained {
    ConnectionId connection;
};

/// The server is about to stop: clients are asked to go elsewhere, and who has not gone once the
/// time for that is over is closed.
struct Stopping {};

using Event = std::variant<Opened, Received, SocketClosed, Blocked, Drained, Stopping>;

// ---- Given ---------------------------------------------------------------------------------

/// Bytes for a connection. All of a turn leave in one write at its end.
struct Output {
    ConnectionId connection;
    SharedText bytes;
    bool then_close = false;  ///< close the socket once these have left
    bool is_known = false;    ///< its client is who it says it is: counts as unknown no more
};

using Outputs = std::vector<Output>;

/// Something that whoever runs the server may want to read in the log.
struct Note {
    enum class Kind : std::uint8_t {
        login_refused,    ///< for its token, or its resume token
        put_off,          ///< told to come back later: too many sign in
        upgrade_put_off,  ///< before its upgrade: too many sign in and resume
        crowded_out,      ///< before a byte of it was read: too many have not signed in
        abuse,            ///< closed, because its client broke the rules on purpose
        slow,             ///< closed, because its client read too slowly
        origin_refused,   ///< a web page of a foreign origin
        second_address,   ///< closed, because its client program came from another address, too
    };
    Kind kind = Kind::abuse;
    ConnectionId connection;
    UserId user;              ///< empty before the sign-in
    std::string detail;       ///< for people; never a secret
    QueueName queue;          ///< of slow: what was one too many, or too old, is of it; or empty
    MountName mount;          ///< likewise
    std::uint64_t count = 1;  ///< of put_off and its like: so many in this turn, this one the first
};

/// Returns whether one of the notes of this kind is as good as all: there may be very many.
[[nodiscard]] constexpr bool is_counted(Note::Kind kind) noexcept {
    using enum Note::Kind;
    return kind == put_off || kind == upgrade_put_off || kind == crowded_out;
}

/// Of one turn, so many are told; the counters have all.
inline constexpr std::size_t notes_max = 64;

/// A file of the built-in pages, ready to be served.
struct Page {
    std::string path;  ///< `/`, `/assets/index-abc.js`
    std::string content_type;
    std::string etag;           ///< with quotes; weak (W/"…"), as it is that of both bodies
    SharedText gzip;            ///< the body, gzip-encoded: for whoever accepts that
    bool is_immutable = false;  ///< its name changes with its content
    SharedText plain;           ///< the body as it is: for everybody else
};

/// Limits of one gateway shard and its connections (GUARANTEES.md section 4).
struct Limits {
    Duration handshake_time = std::chrono::seconds{5};   ///< from accept to the request's end
    Duration hello_time = std::chrono::seconds{5};       ///< from the handshake to the hello
    Duration attach_time = std::chrono::seconds{8};      ///< from the hello to our answer
    Duration ask_again_after = std::chrono::seconds{1};  ///< while attaching and fencing
    Duration resolve_time = std::chrono::seconds{30};    ///< life of a resolve-only connection
    Duration ping_interval = std::chrono::seconds{15};
    /// A connection that is up asks its user queue whether it still counts whenever its timer
    /// rings: with its pings, and at the latest after so long. It costs no timer and no memory of
    /// its own.
    Duration check_interval = std::chrono::seconds{15};
    Duration dead_after = std::chrono::seconds{35};   ///< without a byte
    Duration token_grace = std::chrono::seconds{60};  ///< after a token's expiry
    /// Of resume tokens, from the last hello on: no shorter than queues remember their clients.
    Duration resume_age_max = std::chrono::hours{48};
    Duration replica_idle_time = std::chrono::seconds{30};
    std::uint32_t frame_bytes_max = 64 * 1024;  ///< of a client's message
    std::uint32_t out_bytes_max = 64 * 1024;    ///< waiting for one connection
    std::uint32_t out_messages_max = 256;
    Duration out_time_max = std::chrono::seconds{10};  ///< that anything may wait there
    std::uint32_t out_keys_max = 4'096;                ///< conflated changes that wait
    std::uint32_t out_snapshots_max = 2;
    std::uint32_t queues_max = 64;      ///< joined and listened to, a connection
    std::uint32_t ops_per_second = 40;  ///< 0: no limit
    std::uint32_t ops_burst = 80;
    std::uint32_t op_window = 32;  ///< under way at once, of a connection in one queue
    std::uint32_t pings_per_second = 10;
    std::uint32_t pings_burst = 100;
    std::uint32_t listed_members_max = 1'024;
    std::uint32_t unknown_max = 1'000;          ///< connections that have not signed in, in all
    std::uint32_t unknown_of_address_max = 20;  ///< and of one address
    std::uint32_t logins_per_second = 200;      ///< of the shard; 0: no limit
    std::uint32_t logins_burst = 200;
    std::uint32_t resumes_per_second = 2'000;  ///< of the shard; 0: no limit
    std::uint32_t resumes_burst = 2'000;
    std::uint32_t history_answer_bytes_max = 48 * 1024;
    // When we stop, clients go at a random time within a spread that grows with their number, so
    // that who takes them in gets 200 a second from one shard; then the rest is closed.
    Duration stop_spread_each = std::chrono::milliseconds{5};
    Duration stop_spread_max = std::chrono::seconds{5};
    Duration stop_grace = std::chrono::seconds{1};  ///< after the spread, for the last ones' way

    friend bool operator==(const Limits&, const Limits&) = default;
};

/// What a gateway shard has counted since its start. Each shard has its own; they are added up.
struct Counters {
    std::uint64_t connections_opened = 0;
    std::uint64_t connections_open = 0;
    std::uint64_t users_online = 0;  ///< connections past their hello
    std::uint64_t frames_in = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t ops_in = 0;
    std::uint64_t deliveries = 0;  ///< events put out, counted per receiver
    std::uint64_t events_in = 0;   ///< events of queues that came to replicas
    std::uint64_t encodes = 0;     ///< frames built for events
    std::uint64_t bytes_out = 0;
    std::uint64_t conflated = 0;  ///< changes replaced by newer ones before they left
    std::uint64_t dropped = 0;    ///< messages dropped for slow listeners, each covered by a gap
    std::uint64_t replayed = 0;
    std::uint64_t resets = 0;
    std::uint64_t logins_refused = 0;
    std::uint64_t crowded_out = 0;     ///< too many before them had not signed in
    std::uint64_t logins_put_off = 0;  ///< told to come back later
    std::uint64_t resumes_put_off = 0;
    std::uint64_t closed_slow = 0;
    std::uint64_t closed_silent = 0;
    std::uint64_t closed_protocol = 0;  ///< framing, bad frames, abuse, handshake
    std::uint64_t closed_superseded = 0;
    std::uint64_t http_requests = 0;
    std::uint64_t replicas = 0;
    std::uint64_t http_refused = 0;

    /// Adds another shard's.
    Counters& operator+=(const Counters& other) noexcept;
};

}  // namespace muster::gateway
