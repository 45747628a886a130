#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/rare_list.h"
#include "base/rate.h"
#include "base/result.h"
#include "base/time.h"
#include "core/gateway/admission.h"
#include "core/gateway/context.h"
#include "core/gateway/encode.h"
#include "core/gateway/encoding.h"
#include "core/gateway/outgoing.h"
#include "core/queue/messages.h"
#include "core/user/messages.h"
#include "core/wire/http_head.h"
#include "core/wire/length_frames.h"
#include "core/wire/websocket.h"

namespace muster::gateway {

/// A queue whose stream a connection gets or is about to get. (Of these there are more than of
/// anything else, so they are packed.)
struct Following {
    QueueName queue;
    bool is_member : 1 = false;
    bool is_wanted : 1 = true;         ///< false from the client's unfollow to its granting
    bool is_live : 1 = false;          ///< its `joined` has been put out
    bool is_sure : 1 = false;          ///< a member of the very history that is streamed
    std::uint32_t open_ops : 10 = 0;   ///< forwarded and not answered, at most op_window
    std::uint32_t busy_ops : 10 = 0;   ///< refused since these are so many
    std::uint32_t listener_index = 0;  ///< place in the replica's list, while live
};
static_assert(sizeof(Following) == 16);

/// Decides what happens to one client connection, from its first byte to its last. (The states are
/// those of GUARANTEES.md 5.3; ACCEPTED is parted into HTTP and the wait for the hello.)
///
/// Owns:       the protocol state, the queues it follows, what waits to go out. Not the socket.
/// Thread:     the shard that accepted the connection.
/// Invariants: `cep_` is set from the ATTACHED on. Close is put out once, and nothing after it. At
///             most two snapshots wait: further queues are welcomed when these have left.
/// In:         bytes, SocketClosed, Blocked, Drained, time; Attached, Stale, FenceReply, Checked,
///             Kick, MembershipChanged, Told, OpReply.
/// Out:        Output; Attach, Detach, Check, Fence, Pass, Op; wishes for replicas.
class Connection {
public:
    enum class State : std::uint8_t {
        awaiting_request,  ///< HTTP, or the first frame of plain TCP
        awaiting_hello,    ///< WebSocket or plain TCP, nobody signed in
        attaching,         ///< the user queue is asked
        fencing,           ///< the joined queues are told of the new cep
        up,
        resolving,  ///< takes withdrawals only
        closed,
    };

    Connection(const Opened& opened, Context& ctx);

    void receive(std::span<char> bytes, Context& ctx);
    void socket_closed(Context& ctx);
    void blocked() noexcept { outgoing_.blocked(); }
    [[nodiscard]] bool is_blocked() const noexcept { return outgoing_.is_blocked(); }
    void drained(Context& ctx);
    void resume_output(Context& ctx) { outgoing_.resume(ctx); }
    /// Does what is due; while up, also asks the user queue whether this connection still counts.
    void time_passed(Context& ctx);
    /// Asks a client that is up to go within `spread`; who is not up yet is closed.
    void server_stopping(Duration spread, Context& ctx);
    void server_stopped(Context& ctx);

    void take(const user::Attached& attached, Context& ctx);
    void take(const user::Stale& stale, Context& ctx);
    void take(const user::Checked& checked, Context& ctx);
    void take(const user::Kick& kick, Context& ctx);
    void take(const user::MembershipChanged& changed, Context& ctx);
    void take(const user::Told& told, Context& ctx);
    void take(const queue::FenceReply& reply, Context& ctx);
    void take(const queue::OpReply& reply, Context& ctx);

    // ---- From the gateway, about followed queues ----

    /// Puts out a frame that is ready: an answer.
    void put(SharedText frame, Weight weight, Context& ctx);
    void put(const Outgoing::Delivery& delivery, Context& ctx);
    void put_replay(const QueueName& queue, const queue::EventPtr& event, Seq prev, Context& ctx);
    void put(const Outgoing::Snapshot& snapshot, Context& ctx);

    /// Returns whether a welcome had better wait until the last ones have left.
    [[nodiscard]] bool postpones_welcomes() const noexcept {
        return outgoing_.has_snapshot_waiting();
    }
    /// Keeps `wish` (to follow) until then: for one queue no more than may wait at its replica.
    void postpone(Wish wish, Context& ctx);
    /// Wishes anew for what was postponed, if it need not wait any more. Returns whether it did.
    bool wish_postponed(Context& ctx);

    /// Returns what a wish that is being granted is about, anew where the refusal of another one
    /// has ended it; nullptr: the client has changed its mind.
    [[nodiscard]] Following* still_following(const QueueName& queue);
    /// The stream that was asked for will not come; if it was live, it has ended.
    void follow_refused(const QueueName& queue, std::optional<std::uint64_t> request,
                        ErrorCode code, bool was_live, Context& ctx);
    /// The queue's history has ended: tells the client, and follows it no more.
    void followed_ended(const QueueName& queue, Cursor at, std::string_view why, Context& ctx);
    /// An unfollow wish was granted. (The client may want the queue again already.)
    void unfollowed(const QueueName& queue);
    void say_ok(std::optional<std::uint64_t> request, Context& ctx);
    void say_error(std::optional<std::uint64_t> request, ErrorCode code, std::string_view detail,
                   Context& ctx);
    void say_retry(std::optional<std::uint64_t> request, ErrorCode code, Duration after,
                   Context& ctx);

    /// Returns what the client wants of `queue`: nothing from its unfollow on.
    [[nodiscard]] Following* following(std::string_view queue) noexcept;
    /// Returns what it is served of `queue`: until the unfollow was granted.
    [[nodiscard]] Following* served(std::string_view queue) noexcept;

    /// Returns when time_passed must be called at the latest, but for check_interval.
    [[nodiscard]] Instant deadline(const Limits& limits) const noexcept;
    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] ConnectionId id() const noexcept { return outgoing_.connection(); }
    [[nodiscard]] const UserId& user() const noexcept { return user_; }  ///< empty before the hello
    [[nodiscard]] Encoding encoding() const noexcept { return outgoing_.encoding(); }
    [[nodiscard]] bool wants_turn() const noexcept { return outgoing_.wants_turn(); }
    [[nodiscard]] bool has_postponed() const noexcept { return !postponed_.empty(); }

private:
    /// A join that has not been answered yet.
    struct Joining {
        QueueName queue;
        std::optional<std::uint64_t> request;
        std::optional<Cursor> cursor;
    };
    /// The leaves of a queue, by their numbers.
    struct Left {
        QueueName queue;
        OpNumber asked = 0;     ///< the last one, …
        Inc asked_inc;          ///< … to this history
        Inc inc;                ///< of the answered one …
        OpNumber answered = 0;  ///< … with the highest number
    };
    static constexpr std::size_t left_max = 16;
    /// What only the time before WELCOME needs.
    struct SigningIn {
        SharedText address;      ///< of the client
        bool has_begun = false;  ///< a byte has come: it speaks HTTP, not plain TCP
        std::string head;        ///< of an HTTP request that came in part
        wire::HeadScan scan;
        std::uint64_t attempt_number = 0;  ///< of the client: `cn`
        std::string query_token;           ///< a token in the query string, where that is allowed
        std::vector<std::pair<QueueName, Cursor>> since;
        std::vector<user::Joined> joined;
        std::vector<QueueName> gone;            ///< of these: their history has ended
        std::vector<user::Joined> fences_open;  ///< asked and not answered yet
        Instant asked_at;                       ///< the user queue or those queues, the last time
        std::vector<user::Told> told;           ///< before our WELCOME
        std::size_t told_bytes = 0;
        std::vector<std::string> early_frames;  ///< came before our WELCOME
        std::size_t early_bytes = 0;
    };

    /// The one place that assigns state_: checks that the change is one of GUARANTEES.md 5.3.
    void become(State next);

    [[nodiscard]] bool is_ping_near(const Context& ctx) const noexcept;
    void look_after_silence(Context& ctx);
    void receive_request(std::span<char> bytes, Context& ctx);
    [[nodiscard]] bool answer_request(Context& ctx);
    void upgrade(std::string_view query, Context& ctx);
    void serve_page(std::string_view path, Context& ctx);
    void refuse_request(const wire::HttpRefusal& refusal, Context& ctx);
    void receive_frames(std::span<char> bytes, Context& ctx);
    void receive_from(wire::WebSocketDecoder& decoder, std::span<char> bytes, Context& ctx);
    void receive_from(wire::LengthDecoder& decoder, std::span<char> bytes, Context& ctx);
    [[nodiscard]] bool take_inflated(std::size_t bytes, Context& ctx);
    void take_deflated(std::string_view bytes, Context& ctx);
    void take_message(std::string_view bytes, Context& ctx);
    [[nodiscard]] Result<void> parse(std::string_view bytes, Context& ctx) const;
    void keep_early(std::string_view bytes, Context& ctx);
    void take_frame(const wire::ClientFrame& frame, Context& ctx);
    void take_hello(const wire::ClientFrame& frame, Context& ctx);
    void take_auth(const wire::ClientFrame& frame, Context& ctx);
    void take_request(const wire::ClientFrame& frame, Context& ctx);
    void take_history(const wire::ClientFrame& frame, const QueueName& queue, Context& ctx);
    void listen(const wire::ClientFrame& frame, const QueueName& queue, Context& ctx);
    void send_op(const wire::ClientFrame& frame, const QueueName& queue, Context& ctx);
    [[nodiscard]] bool open_op(const wire::ClientFrame& frame, const QueueName& queue,
                               Context& ctx);
    void op_answered(const QueueName& queue);
    void send_join(const wire::ClientFrame& frame, const QueueName& queue, queue::Op op,
                   Context& ctx);
    [[nodiscard]] Result<QueueName> target_of(const wire::ClientFrame& frame);

    [[nodiscard]] bool admit(Admission::Kind kind, Context& ctx);
    void put_off(Duration wait, Context& ctx);
    /// Returns who says hello, by token or, in dev, by name; remembers until when that is good.
    [[nodiscard]] Result<UserId> identify(const wire::ClientFrame& frame, Context& ctx);
    [[nodiscard]] Result<void> identify_client(const wire::ClientFrame& frame, Context& ctx);
    [[nodiscard]] Result<void> keep_since(const wire::ClientFrame& frame);
    void attach(Context& ctx);
    void ask(Context& ctx);
    void fence(const user::Joined& joined, Context& ctx);
    void send_fence(const user::Joined& joined, Context& ctx) const;
    void welcome(Context& ctx);
    void say_hello(Context& ctx);
    void follow(const QueueName& queue, std::optional<std::uint64_t> request,
                std::optional<Cursor> cursor, bool is_member, Context& ctx, Inc joined = {});
    void unfollow(const QueueName& queue, Context& ctx);
    Left& left(const QueueName& queue);
    [[nodiscard]] bool is_left(const queue::OpReply& reply);
    [[nodiscard]] bool ends_stream(const queue::OpReply& reply);
    void answer_overtaken(const QueueName& queue, Context& ctx);
    [[nodiscard]] std::size_t wanted_count() const noexcept;
    /// Whether `queue` may be followed besides what is, once all joins under way are granted.
    [[nodiscard]] bool has_room(const QueueName& queue, const Context& ctx);

    template <typename Frame>
    void say(const Frame& frame, Context& ctx) {
        put(encode(frame, encoding(), ctx.work.encoded), Weight::normal, ctx);
    }
    void close(ErrorCode code, std::string_view detail, Context& ctx);
    void end(SharedText last_bytes, Context& ctx);
    void part(Context& ctx);
    void do_what_is_due(Context& ctx);
    [[nodiscard]] bool take_idle_frame(Context& ctx);
    void check(Outgoing::Outcome outcome, const QueueName& queue, const MountName& mount,
               Context& ctx);
    void close_slow(const Outgoing::Excess& excess, Context& ctx);
    void tell(const user::Told& told, Context& ctx);
    void say_gone(const QueueName& queue, Context& ctx);
    SigningIn& signing_in();

    State state_ = State::awaiting_request;
    bool is_ping_open_ = false;       ///< our ping has not been answered by any byte yet
    bool owes_ping_ = false;          ///< it was due while the socket was full
    std::uint32_t address_hash_ = 0;  ///< of the client: the text goes with signing_in_
    Instant since_;  ///< when the state began (before up), or the last byte came; later if the ping
                     ///< that had to follow came late
    std::variant<wire::WebSocketDecoder, wire::LengthDecoder> decoder_;
    Outgoing outgoing_;
    UserId user_;
    Cid cid_;
    Cep cep_;
    SessionId session_;
    Instant token_ends_ = Instant::max();  ///< with its grace; never in dev without one
    RateMeter ops_;
    RateMeter pings_;
    RateMeter inflated_;
    std::unique_ptr<SigningIn> signing_in_;
    std::vector<Following> following_;
    RareList<Following> strays_;  ///< queues that it does not follow, with ops under way
    RareList<Joining> joining_;
    RareList<Left> left_;
    RareList<Wish> postponed_;
};

}  // namespace muster::gateway
