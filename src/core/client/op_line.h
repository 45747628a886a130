#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/client/messages.h"

namespace muster::client {

/// Whether a request takes a number: it changes the queue, so it must count once.
[[nodiscard]] bool is_op(const Request& request) noexcept;

/// The requests of one client to one queue, on their way: numbers the ops densely per queue inc,
/// keeps each until it is decided, and says when what must be sent (again). Knows no wire.
///
/// A request is *held* until it may be sent for the first time, then *open* until it is decided.
///
/// Invariants: numbers of one inc are given out once, 1, 2, 3 … without a hole, and span at most
///             `window` from the lowest open one on. A join to an inc of which no number was given
///             out names none: it means the present one, whichever that is. Nothing is numbered
///             while such a join, or number 1 of the present inc, is open.
/// Order:      requests leave in the order in which they came; a History waits for the joins and
///             listens before it, a Join or Listen for the Unlistens and the other way round, an
///             op for the join before it, and until the inc is known.
/// Bounds:     at most held_max held requests, and asks_max open ones without a number.
/// Source:     GUARANTEES.md sections 2, 5.1 and 5.2; rules R2-R6.
class OpLine {
public:
    static constexpr std::uint64_t window = 32;
    static constexpr std::size_t held_max = 64;
    static constexpr std::size_t asks_max = 16;

    /// How long an answer may take before all is sent again; doubles up to the maximum.
    static constexpr Duration retry_first = std::chrono::seconds{3};
    static constexpr Duration retry_max = std::chrono::seconds{15};
    /// The shortest wait after a HOLE, RETRY or BUSY; doubles as well.
    static constexpr Duration push_back_min = std::chrono::milliseconds{100};

    /// What is wanted of an open op.
    enum class Intent : std::uint8_t {
        apply,
        withdraw,  ///< given up: sent as a no-op, its result is the verdict
        fill,      ///< its verdict has been told: its number must still be used up by a no-op
    };

    struct Op {
        OpId id;                    ///< 0: our own, nobody waits for a verdict
        std::uint64_t request = 0;  ///< `i` on the wire
        Request body;
        std::optional<Instant> deadline;  ///< for the first sending

        OpNumber number = 0;  ///< 0: none (yet)
        Inc inc;              ///< 0, with a number: a join that names the present one
        std::uint32_t attempts = 0;
        std::uint8_t rebinds = 0;  ///< how often it got a new number
        std::uint8_t holes = 0;    ///< how often it got HOLE while the lowest
        Intent intent = Intent::apply;
        bool is_due = true;            ///< to be sent, now
        bool was_turned_away = false;  ///< the last time: by a RETRY or BUSY
    };

    // ---- New requests ----

    /// Takes a request. Returns false, taking nothing, where the bound is reached.
    [[nodiscard]] bool add(Op op);

    /// Opens the next held op if it may be sent now and returns it, due; otherwise nullptr.
    /// `is_resuming`: an Unlisten must wait, and an op that is no Join, as the inc may have ended.
    [[nodiscard]] Op* open_next(bool is_resuming = false);

    /// Whether a new op that is no join can hope for an inc: one is known, or was asked for before.
    [[nodiscard]] bool can_hope_for_inc() const noexcept;

    /// Whether the next held op waits for an inc that nothing open will bring.
    [[nodiscard]] bool is_next_hopeless() const noexcept;

    /// Whether a join is held or open, and not given up.
    [[nodiscard]] bool has_join() const noexcept;
    [[nodiscard]] bool has_listen() const noexcept;

    /// Whether of the joins and leaves (listens and unlistens) that are held or open and not given
    /// up the last one is a join (listen); `otherwise` where there is none.
    [[nodiscard]] bool ends_joined(bool otherwise) const noexcept;
    [[nodiscard]] bool ends_listening(bool otherwise) const noexcept;

    /// Whether an unlisten waits to be sent.
    [[nodiscard]] bool holds_unlisten() const noexcept;
    /// Whether one is held or open.
    [[nodiscard]] bool has_unlisten() const noexcept;

    /// Whether a join or listen has been sent and not answered: a stream may begin any moment.
    /// One that was given up counts as well, unless a no-op goes in its place.
    [[nodiscard]] bool awaits_stream() const noexcept;

    // ---- Sending ----

    /// The open requests in the order in which they must be sent.
    [[nodiscard]] std::deque<Op>& open() noexcept { return open_; }
    [[nodiscard]] const std::deque<Op>& open() const noexcept { return open_; }
    [[nodiscard]] std::deque<Op>& held() noexcept { return held_; }
    [[nodiscard]] const std::deque<Op>& held() const noexcept { return held_; }

    /// Notes that `op` is being sent.
    void sent(Op& op, Instant now);

    /// The connection is up again: everything open is due, in order.
    void restart();

    /// The connection is gone: no retry until restart().
    void pause() noexcept;

    /// Takes out the unlistens that nobody waits for: the streams that they were to end are gone.
    void forget_vain_unlistens();

    /// If no answer came for too long, or a pushed back op's time has come: all ops are due, and
    /// the asks that were turned away. The others are in the gateway's hands, and get lost only
    /// with the connection; were an unlisten carried out twice, it would end the stream that came
    /// after.
    void time_passed(Instant now);

    [[nodiscard]] std::optional<Instant> retry_at() const noexcept { return retry_at_; }

    // ---- Answers ----

    /// Returns the open request with this `i`, or nullptr.
    [[nodiscard]] Op* find(std::uint64_t request) noexcept;

    /// `joined` or `reset` named the queue's inc: new ops bind to it. 0 says nothing.
    void bind(Inc inc);

    /// Takes `op` out as accepted; `inc`: where it was applied, if that was told. With it go the
    /// fillers before it: the queue has seen their numbers.
    Op settle_ok(Op& op, std::optional<Inc> inc, Instant now);

    /// Takes `op` out as rejected with `code`.
    Op settle_rejected(Op& op, ErrorCode code, Instant now);

    /// Takes `op` out as gone: its inc has ended.
    Op settle_gone(Op& op, Instant now);

    /// Takes a join back to be numbered anew, since its inc has ended. False after some times.
    [[nodiscard]] bool rebind_join(Op& op, Instant now);

    /// EXPIRED: takes `op` back to be numbered from 1, if its number was only guessed. False: it is
    /// the server that has forgotten us.
    [[nodiscard]] bool renumber_guess(Op& op, Instant now);
    /// The same for one that was given up: true if the queue has never counted it. Numbers begin at
    /// 1 again.
    [[nodiscard]] bool forget_guess(const Op& op) noexcept;

    /// Takes `op` out, whatever became of it (expired, or an ask that was answered).
    Op settle(Op& op, Instant now);

    /// HOLE, RETRY or BUSY: everything of this queue is sent again after a while.
    void push_back(Op& op, ErrorCode code, Duration after, Instant now);

    /// REFUSED: returns whether that is final, since nothing else of `op` is under way. If so its
    /// number goes out as a no-op (an ask is simply taken out by the caller).
    [[nodiscard]] static bool refuse(Op& op, std::uint32_t attempt) noexcept;

    /// Turns an open op into a no-op of the same number.
    static void withdraw(Op& op, Intent intent) noexcept;

    // ---- The client's identity ----

    /// A new `cid` begins: takes out all open ops (asks stay); numbers begin at 1.
    [[nodiscard]] std::vector<Op> forget_numbers();

    [[nodiscard]] bool has_open_ops() const noexcept;
    [[nodiscard]] bool is_idle() const noexcept { return open_.empty() && held_.empty(); }
    [[nodiscard]] Inc inc() const noexcept { return inc_; }
    [[nodiscard]] OpNumber next_number() const noexcept { return next_; }

private:
    [[nodiscard]] bool must_wait(const Op& next) const noexcept;
    [[nodiscard]] bool may_number(const Op& op) const noexcept;
    [[nodiscard]] bool has_unbound() const noexcept;
    [[nodiscard]] bool has_open_join() const noexcept;
    [[nodiscard]] bool is_first_open() const noexcept;
    [[nodiscard]] const Op* lowest(Inc inc) const noexcept;
    void fill_before(OpNumber number, Inc inc);
    Op& open_filler(OpNumber number, Inc inc, std::deque<Op>::iterator before);
    Op take_with_fillers(Op& op, Instant now);
    Op take(Op& op, Instant now);
    void requeue(Op& op, Instant now);
    void forget_inc(Inc ended);

    // How far an inc was counted from which we went on to another one: RESET(unknown) leads back.
    struct Counted {
        Inc inc;
        OpNumber next = 1;
    };
    static constexpr std::size_t counted_max = 4;

    Inc inc_;  // What new ops bind to; 0: unknown.
    OpNumber next_ = 1;
    // next_ comes from an op of which nobody said by which inc it was counted, if at all.
    bool is_guess_ = false;
    // The highest number under which a join that names no inc was sent more than once. A late copy
    // may use it up in an inc that begins later, so there only no-ops get the numbers up to it.
    OpNumber stray_max_ = 0;
    std::deque<Counted> earlier_;
    std::deque<Op> held_;
    std::deque<Op> open_;

    std::optional<Instant> retry_at_;
    Duration retry_delay_ = retry_first;
    std::uint32_t push_backs_ = 0;
    bool is_pushed_back_ = false;  // retry_at_ was named by a HOLE, RETRY or BUSY.
};

}  // namespace muster::client
