#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/name.h"
#include "base/time.h"
#include "core/client/followed.h"
#include "core/client/messages.h"
#include "core/client/mirror.h"
#include "core/client/op_line.h"
#include "core/wire/frames.h"

namespace muster::client {

struct Settings {
    std::size_t server_count = 1;  ///< at least 1; each attempt picks one of them at random
    std::string user{};            ///< instead of a token, for servers in --dev
};

/// Keeps one user on line: connects, resumes, carries requests until they are decided, mirrors the
/// queues that are followed. All that a client of Muster decides, without a socket and a clock.
///
/// Owns:       requests, cursors and mirrors of its queues; the client's identity (cid, numbers).
/// Thread:     its shell's. No locks, no sharing.
/// States:     IDLE, CONNECTING and UP of the source; in LOSER the role is `superseded`, and the
///             connections of the same three states serve only to withdraw what is open.
/// Invariants: every Submit gets exactly one Verdict: at the latest after Stop, otherwise once a
///             server decides it. A queue's cursor only grows, except by RESET(unknown). At most
///             one socket. `socket_` is set exactly while connecting or up.
/// Bounds:     queues_max queues; per queue those of OpLine and Mirror.
/// Source:     GUARANTEES.md 5.2; SURFACES.md section 1.
class Client {
public:
    enum class State : std::uint8_t { closed, fetching_token, idle, connecting, up };
    enum class Role : std::uint8_t { current, superseded };
    using Follow = Followed::Follow;

    static constexpr Duration connect_timeout = std::chrono::seconds{10};
    static constexpr Duration token_timeout = std::chrono::seconds{30};
    static constexpr Duration silence_max = std::chrono::seconds{35};
    static constexpr Duration back_off_first = std::chrono::seconds{1};
    static constexpr Duration back_off_max = std::chrono::seconds{60};
    /// A connection that lasted so long was a success: the next back-off is short again.
    static constexpr Duration steady_after = std::chrono::seconds{10};
    /// How long before its end a token is replaced.
    static constexpr Duration token_margin = std::chrono::seconds{60};
    static constexpr std::size_t queues_max = 1024;
    static constexpr std::size_t since_max = 64;

    explicit Client(Settings settings);

    /// Takes one event, moves to the next state, appends what must be done to ctx.outbox.
    void step(const Event& event, Context& ctx);

    /// Returns when TimePassed should come at the latest; nothing: not needed. O(requests).
    [[nodiscard]] std::optional<Instant> wake_at() const;

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] Role role() const noexcept { return role_; }

    /// Returns who the server says that we are; empty before the first `hello`.
    [[nodiscard]] const std::string& user() const noexcept { return user_; }

    /// Returns what is known of a queue; nullptr where it was never named here.
    [[nodiscard]] const Mirror* find(std::string_view queue) const;
    [[nodiscard]] bool is_member(std::string_view queue) const;
    [[nodiscard]] Follow follow(std::string_view queue) const;

    /// Returns how many requests wait for their verdict.
    [[nodiscard]] std::size_t waiting_count() const;

private:
    using Queue = Followed;
    using Place = Followed::Place;
    using Queues = std::map<QueueName, Queue, NameOrder>;
    using Op = OpLine::Op;

    // One for each state: what it does with an event, and the next state.
    State in_closed(const Event& event, Context& ctx);
    State in_fetching_token(const Event& event, Context& ctx);
    State in_idle(const Event& event, Context& ctx);
    State in_connecting(const Event& event, Context& ctx);
    State in_up(const Event& event, Context& ctx);

    // The connection.
    State connect(Context& ctx);
    State open_socket(Context& ctx);
    State up_time_passed(Context& ctx);
    State wait(Context& ctx, std::optional<ErrorCode> reason, std::string detail);
    State reconnect_now(Context& ctx);
    State socket_closed(const SocketClosed& closed, Context& ctx);
    State give_socket_up(Context& ctx, std::uint16_t close_code, std::optional<ErrorCode> reason,
                         std::string detail);
    State breach(Context& ctx, ErrorCode reason, std::string detail);
    State be_superseded(Context& ctx);
    void be_current();
    State stop(Context& ctx);
    State refused_for_good(Context& ctx, ErrorCode reason, std::string detail);
    void connection_ended();
    [[nodiscard]] static bool sends_elsewhere(ErrorCode reason) noexcept;
    void send_hello(Context& ctx);
    void name_cursors(wire::ClientFrame& hello);
    void send(wire::ClientFrame frame, Context& ctx);
    [[nodiscard]] static wire::ClientFrame frame_of(wire::ClientOp op);
    void acknowledge_mail(Context& ctx);
    void take_token(const std::string& token, Context& ctx);
    void plan_next_token(Context& ctx);
    void make_nonce();
    [[nodiscard]] bool needs_token(const Context& ctx) const;

    // Frames.
    State connecting_frame(const wire::ServerFrame& frame, Context& ctx);
    State up_frame(const wire::ServerFrame& frame, Context& ctx);
    void welcome(const wire::HelloFrame& frame, Context& ctx);
    void take_identity(const wire::HelloFrame& frame, Context& ctx);
    State take(const wire::ServerFrame& whole, const wire::JoinedFrame& frame, Context& ctx);
    State take(const wire::ServerFrame& whole, const wire::ResetFrame& frame, Context& ctx);
    State take(const wire::ServerFrame& whole, const wire::MsgFrame& frame, Context& ctx);
    State take(const wire::ServerFrame& whole, const wire::LeftFrame& frame, Context& ctx);
    template <typename Frame>
    State take_change(const wire::ServerFrame& whole, const Frame& frame, Context& ctx);
    template <typename Frame>
    State pass_on(const wire::ServerFrame& whole, const Frame& frame, Context& ctx);
    State take(const wire::HistoryFrame& frame, Context& ctx);
    State take(const wire::OkFrame& frame, Context& ctx);
    State take(const wire::ErrFrame& frame, Context& ctx);
    State take(const wire::RetryFrame& frame, Context& ctx);
    State take(const wire::RefusedFrame& frame, Context& ctx);
    State take(const wire::ByeFrame& frame, Context& ctx);

    // Requests.
    void take(const Submit& submit, Context& ctx);
    void take(const GiveUp& give_up, Context& ctx);
    void accepted(const QueueName& name, Queue& queue, Op& op, std::optional<Cursor> at,
                  Context& ctx);
    void rejected(const QueueName& name, Queue& queue, Op& op, const wire::ErrFrame& frame,
                  Context& ctx);
    void left(Queue& queue, const Op& leave, std::optional<Cursor> at);
    void not_wanted_any_more(const QueueName& name, Queue& queue, const Op& op, ErrorCode code,
                             std::string_view detail, Context& ctx);
    void follow_no_more(const QueueName& name, Queue& queue, Context& ctx);
    void stop_stream(const QueueName& name, Queue& queue, Context& ctx);
    enum class Lost : std::uint8_t { membership, stream };
    static void tell_dropped(const QueueName& name, Queue& queue, Lost lost, ErrorCode code,
                             std::string_view detail, Context& ctx);
    void give_up_ask(const QueueName& name, Queue& queue, Op& op, Context& ctx);
    void drop_hopeless(Queue& queue, ErrorCode code, Context& ctx);
    void expire_held(Context& ctx);
    void drop_unsent(ErrorCode code, Context& ctx);
    void forget_cid(Context& ctx);
    void forget_idle_queues();
    void send_due(Context& ctx);
    void send_op(const QueueName& name, Queue& queue, Op& op, Context& ctx);
    void tell(const Op& op, Outcome outcome, ErrorCode code, std::string detail, Context& ctx);
    void tell_status(Status status, Context& ctx, std::optional<ErrorCode> reason = std::nullopt,
                     std::string detail = {}, Duration retry_in = Duration::zero());

    struct Found {
        const QueueName* name = nullptr;
        Queue* queue = nullptr;
        Op* op = nullptr;
    };
    [[nodiscard]] Found find_open(std::optional<std::uint64_t> request);
    [[nodiscard]] Queue* find_queue(std::string_view name);
    [[nodiscard]] bool has_open_ops() const;
    [[nodiscard]] bool is_own_queue(std::string_view name) const;

    const Settings settings_;
    State state_ = State::closed;
    Role role_ = Role::current;
    std::optional<ErrorCode> closed_because_;  // What a Submit to a closed client is told.
    Queues queues_;
    std::uint64_t last_request_ = 0;  // `i`: never twice.

    // Identity.
    HashKey chance_;
    std::uint64_t nonce_count_ = 0;
    std::string nonce_;
    std::string cid_;
    std::string resume_;
    std::string user_;
    SessionId session_;
    std::uint64_t attempt_number_ = 0;  // `cn`
    bool is_cid_worn_ = false;          // To be replaced once nothing is open under it.

    // Token.
    std::string token_;
    std::optional<Instant> token_expires_;
    std::optional<Instant> next_token_at_;  // While up.
    bool is_token_bad_ = true;              // None yet, or refused.
    std::uint32_t bad_token_count_ = 0;     // In a row.
    struct TokenRefusal {
        ErrorCode code = ErrorCode::bad_token;
        std::string detail;
    };
    std::optional<TokenRefusal> token_refusal_;  // Of the last one; nothing once a hello came.

    // Connection.
    std::optional<SocketId> socket_;
    SocketId last_socket_;
    std::size_t server_ = 0;  // Of the present or the last attempt.
    // Not to be picked while there is another one: it did not let us in, or it sent us away.
    std::optional<std::size_t> avoided_server_;
    Instant deadline_;  // idle: of the next attempt; fetching_token, connecting: of this one.
    std::uint32_t failure_count_ = 0;
    std::optional<ErrorCode> bye_;  // Why the server is about to close.
    std::string bye_detail_;
    Duration retry_after_{0};
    Instant up_since_;
    Instant last_heard_;
    Instant last_said_;
    Duration ping_interval_ = std::chrono::seconds{15};
    std::optional<Instant> move_at_;  // Our moment in the spread of a server that drains.

    std::uint64_t mail_shown_ = 0;
    std::uint64_t mail_taken_ = 0;
};

}  // namespace muster::client
