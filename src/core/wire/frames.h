#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/payload.h"

/// The client protocol as values, whatever its encoding: what a client says (ClientFrame) and what
/// the server says (ServerFrame). SURFACES.md section 1 is the source; docs/reference/protocol.md
/// explains it. All text is a view: into the received bytes (or the parser's scratch) when parsed,
/// into the caller's data when encoded; a frame must not outlive what it points into. Every member
/// has an initialiser, so that a designated one may leave it out without a warning.
namespace muster::wire {

/// How many queues a hello may resume (row 37) and versions it may offer.
inline constexpr std::size_t since_count_max = 64;
inline constexpr std::size_t version_count_max = 16;

/// A payload as it stands on the wire: raw JSON text, or bytes (base64 under `b` in JSON).
struct Data {
    std::string_view bytes{};
    Format format = Format::json;
    friend bool operator==(const Data&, const Data&) = default;
};

/// One `since` entry: what the client has seen of a queue.
struct Since {
    std::string_view queue{};
    Cursor cursor{};
    friend bool operator==(const Since&, const Since&) = default;
};

enum class ClientOp : std::uint8_t {
    hello,
    auth,
    join,
    listen,
    leave,
    unlisten,
    send,
    set,
    withdraw,
    history,
    ack,
    ping,
    pong,
    server_only,  ///< a frame that only a server, a node or an admin may send (row 51)
    unknown,      ///< well-formed, but no op of this version (row 40)
};

/// One message from a client. Which fields mean something depends on `op`; absent ones are empty.
struct ClientFrame {
    ClientOp op = ClientOp::unknown;
    std::optional<std::uint64_t> request;  ///< `i`: comes back in the answer

    // join, listen, leave, unlisten, send, set, withdraw, history
    std::string_view queue;                   ///< `q`
    std::string_view mount;                   ///< `m`
    std::string_view key;                     ///< `k`
    std::optional<Data> data;                 ///< `d` or `b`
    std::optional<OpNumber> number;           ///< `n`
    std::optional<Inc> inc;                   ///< `inc`
    std::optional<std::uint32_t> attempt;     ///< `try`, from 1
    std::optional<Seq> if_seq;                ///< `if`
    std::optional<Cursor> cursor;             ///< `since` of join and listen
    std::optional<Seq> before;                ///< history: items older than this
    std::optional<std::uint64_t> acked_mail;  ///< ack: `n`

    // hello, auth
    std::vector<std::uint32_t> versions;  ///< `v`
    std::string_view token;
    std::string_view user;  ///< dev only
    std::string_view nonce;
    std::string_view resume;
    std::string_view cid;
    std::uint64_t attempt_number = 0;  ///< `cn`
    bool resolve = false;
    std::vector<Since> since;

    /// Back to the state of a new frame, keeping the vectors' memory.
    void clear();

    friend bool operator==(const ClientFrame&, const ClientFrame&) = default;
};

// ---- What the server says ------------------------------------------------------------------

struct HelloFrame {
    std::uint32_t version = 1;
    std::string_view user{};
    SessionId session{};
    std::string_view resume{};
    std::string_view cid{};
    std::uint32_t ping_s = 15;
    friend bool operator==(const HelloFrame&, const HelloFrame&) = default;
};

/// What a reader missed of one mount, and how it is made good.
struct Resume {
    enum class Kind : std::uint8_t { fresh, replayed, snapshot, gap };
    Kind kind = Kind::fresh;
    std::uint64_t count = 0;  ///< replayed: how many
    Seq from = 0;             ///< gap: first lost seq
    Seq to = 0;               ///< gap: last lost seq
    friend bool operator==(const Resume&, const Resume&) = default;
};

/// One key of a state mount. In a change without data, the key was deleted.
struct KeyValue {
    std::string_view key{};
    std::optional<Data> value{};
    friend bool operator==(const KeyValue&, const KeyValue&) = default;
};

struct MountFrame {
    std::string_view name{};
    bool is_state = false;
    std::vector<KeyValue> values{};  ///< state: the whole present value
    std::optional<Resume> resume{};  ///< in `joined` only
    friend bool operator==(const MountFrame&, const MountFrame&) = default;
};

/// One member, as others see it: `info` is a JSON object (`{}` or `{"online":false,…}`).
struct MemberFrame {
    std::string_view user{};
    std::string_view info{};
    friend bool operator==(const MemberFrame&, const MemberFrame&) = default;
};

struct JoinedFrame {
    std::optional<std::uint64_t> request{};
    std::string_view queue{};
    bool member = false;
    Cursor at{};
    std::vector<MountFrame> mounts{};
    std::uint64_t member_count = 0;
    std::vector<MemberFrame> who{};
    friend bool operator==(const JoinedFrame&, const JoinedFrame&) = default;
};

struct ResetFrame {
    std::string_view queue{};
    Cursor at{};
    std::string_view why{};  ///< gone | deleted | behind | unknown
    std::vector<MountFrame> mounts{};
    std::uint64_t member_count = 0;
    std::vector<MemberFrame> who{};
    friend bool operator==(const ResetFrame&, const ResetFrame&) = default;
};

struct MsgFrame {
    std::string_view queue{};
    std::string_view mount{};
    Seq seq = 0;
    std::optional<Seq> prev{};  ///< only where it is not seq - 1
    std::string_view from{};    ///< empty: the server
    std::int64_t time_ms = 0;
    std::optional<std::uint64_t> mail{};  ///< `n` of a reliable message
    Data data{};
    friend bool operator==(const MsgFrame&, const MsgFrame&) = default;
};

struct StateFrame {
    std::string_view queue{};
    std::string_view mount{};
    Seq seq = 0;
    std::optional<Seq> prev{};
    std::vector<KeyValue> changes{};  ///< `set` and `del`
    friend bool operator==(const StateFrame&, const StateFrame&) = default;
};

/// Who came and who went, and why (`left`, `timeout`, `kicked`).
struct MembersFrame {
    struct Gone {
        std::string_view user{};
        std::string_view why{};
        friend bool operator==(const Gone&, const Gone&) = default;
    };
    std::string_view queue{};
    Seq seq = 0;
    std::optional<Seq> prev{};
    std::vector<MemberFrame> set{};
    std::vector<Gone> gone{};
    std::uint64_t count = 0;
    friend bool operator==(const MembersFrame&, const MembersFrame&) = default;
};

/// A mount came (`type` message or state) or went (`type` empty): `{"op":"mount",…}`.
struct MountChangeFrame {
    std::string_view queue{};
    std::string_view mount{};
    Seq seq = 0;
    std::optional<Seq> prev{};
    std::string_view type{};
    friend bool operator==(const MountChangeFrame&, const MountChangeFrame&) = default;
};

struct OkFrame {
    std::optional<std::uint64_t> request{};
    std::optional<Seq> seq{};
    std::optional<Inc> inc{};
    friend bool operator==(const OkFrame&, const OkFrame&) = default;
};

/// Final: rejected, or (gone, expired) unknown. `code` decides the `outcome`.
struct ErrFrame {
    std::optional<std::uint64_t> request{};
    ErrorCode code = ErrorCode::protocol;
    std::string_view detail{};     ///< for people, as `message`
    std::optional<Seq> current{};  ///< conflict: the seq at which the key last changed
    friend bool operator==(const ErrFrame&, const ErrFrame&) = default;
};

/// Returns whether an `err` of this code leaves open what became of its op.
[[nodiscard]] constexpr bool is_outcome_unknown(ErrorCode code) noexcept {
    return code == ErrorCode::gone || code == ErrorCode::expired;
}

/// Not final: HOLE, RETRY, BUSY.
struct RetryFrame {
    std::optional<std::uint64_t> request{};
    ErrorCode code = ErrorCode::retry;
    std::uint32_t after_ms = 0;
    friend bool operator==(const RetryFrame&, const RetryFrame&) = default;
};

struct RefusedFrame {
    std::optional<std::uint64_t> request{};
    std::uint32_t attempt = 1;
    ErrorCode code = ErrorCode::refused;
    friend bool operator==(const RefusedFrame&, const RefusedFrame&) = default;
};

/// `lost=n`: these messages of a mount will not come. Moves no cursor.
struct GapFrame {
    std::string_view queue{};
    std::string_view mount{};
    Seq from = 0;
    Seq to = 0;
    friend bool operator==(const GapFrame&, const GapFrame&) = default;
};

struct StalledFrame {
    std::string_view queue{};
    bool on = false;
    friend bool operator==(const StalledFrame&, const StalledFrame&) = default;
};

struct LeftFrame {
    std::string_view queue{};
    std::string_view why{};
    friend bool operator==(const LeftFrame&, const LeftFrame&) = default;
};

/// Says why the connection will end (a close follows), or with `spread_ms` asks to go elsewhere.
struct ByeFrame {
    ErrorCode code = ErrorCode::drain;
    std::optional<std::uint32_t> spread_ms{};
    std::optional<std::uint32_t> retry_ms{};
    std::string_view detail{};
    friend bool operator==(const ByeFrame&, const ByeFrame&) = default;
};

struct HistoryFrame {
    std::optional<std::uint64_t> request{};
    std::string_view queue{};
    std::string_view mount{};
    std::vector<MsgFrame> items{};  ///< oldest first; only seq, from, time and data count
    bool more = false;              ///< older ones are still there
    friend bool operator==(const HistoryFrame&, const HistoryFrame&) = default;
};

struct PingFrame {
    friend bool operator==(const PingFrame&, const PingFrame&) = default;
};
struct PongFrame {
    friend bool operator==(const PongFrame&, const PongFrame&) = default;
};

using ServerFrame =
    std::variant<HelloFrame, JoinedFrame, ResetFrame, MsgFrame, StateFrame, MembersFrame,
                 MountChangeFrame, OkFrame, ErrFrame, RetryFrame, RefusedFrame, GapFrame,
                 StalledFrame, LeftFrame, ByeFrame, HistoryFrame, PingFrame, PongFrame>;

}  // namespace muster::wire
