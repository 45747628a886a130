#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/shared_text.h"
#include "core/gateway/context.h"
#include "core/gateway/encoding.h"
#include "core/queue/messages.h"

namespace muster::gateway {

/// How a frame counts against what may wait for one connection.
enum class Weight : std::uint8_t {
    normal,    ///< by count and bytes
    snapshot,  ///< at most Limits::out_snapshots_max of these
    replay,    ///< drawn from a history, which has its own bound
};

/// What goes out to one connection: at once while it keeps up; otherwise it waits here, bounded.
///
/// State and members that wait are conflated: the newest value of a key takes the place of the
/// older one, at the newest's place in seq. Messages that wait are counted; past the bound the
/// mount's policy drops the oldest (and says so with a gap) or the connection is too slow. Only who
/// is blocked is slow: what a turn holds back for the others leaves early where it would not fit.
///
/// Owns:       the frames and events that wait, and for each queue the seq last put out while it is
///             not in step with its replica.
/// Invariants: what leaves of one queue has growing seqs; a frame names `prev` where it does not
///             follow seq - 1. Nothing is put out while the socket is blocked. A turn puts out
///             out_bytes_max (or one frame); more only where the bounds would be broken otherwise.
///             Idle it owns no memory beyond itself.
class Outgoing {
public:
    explicit Outgoing(ConnectionId connection) : connection_(connection) {}

    [[nodiscard]] ConnectionId connection() const noexcept { return connection_; }

    enum class Outcome : std::uint8_t { taken, too_slow };

    /// Says how frames stand on the wire; before the first of them.
    void speak(Encoding encoding) noexcept { encoding_ = encoding; }
    [[nodiscard]] Encoding encoding() const noexcept { return encoding_; }

    /// Puts out ready bytes, or keeps them until there is room.
    [[nodiscard]] Outcome put(SharedText frame, Weight weight, Context& ctx);

    /// A `joined` or `reset`: after it the client's cursor of `queue` is at `seq`.
    struct Snapshot {
        SharedText frame;
        const QueueName& queue;
        Seq seq = 0;
        std::optional<std::uint64_t> request;  ///< that it answers
    };
    [[nodiscard]] Outcome put(const Snapshot& snapshot, Context& ctx);

    /// An event of a followed queue, with the frame that all of one encoding share.
    struct Delivery {
        const QueueName& queue;
        const queue::EventPtr& event;
        const SharedText& frame;
        queue::SlowPolicy slow = queue::SlowPolicy::close;
    };
    [[nodiscard]] Outcome put(const Delivery& delivery, Context& ctx);

    /// A message of a history, for a client that missed it; `prev` is the cursor that it follows.
    void put_replay(const QueueName& queue, const queue::EventPtr& event, Seq prev, Context& ctx);

    [[nodiscard]] bool is_blocked() const noexcept { return is_blocked_; }
    void blocked() noexcept { is_blocked_ = true; }
    void drained(Context& ctx) {
        is_blocked_ = false;
        tell_missed(ctx);
    }

    /// Puts out what waits, as far as there is room. To be called after drained(), and in the next
    /// turn while wants_turn().
    void resume(Context& ctx);

    /// Returns whether something waits that only this turn's bound keeps back.
    [[nodiscard]] bool wants_turn() const noexcept { return waiting_ != nullptr && !is_blocked_; }

    /// Returns whether a snapshot waits: then no further one should be made.
    [[nodiscard]] bool has_snapshot_waiting() const noexcept {
        return waiting_ != nullptr && waiting_->snapshots > 0;
    }

    /// Drops all that waits of `queue`, which is followed no more. Returns the requests whose
    /// answers were among that.
    [[nodiscard]] std::vector<std::uint64_t> forget(const QueueName& queue, Context& ctx);

    [[nodiscard]] std::size_t waiting_count() const noexcept;

    /// Tells what was conflated and dropped since it was last told. To be called at the end, too.
    void tell_missed(Context& ctx);

    /// Returns the time before which nothing has waited for too long. Behind more than
    /// out_bytes_max in the socket (a snapshot), it may wait so many times longer; behind replays
    /// and snapshots that wait, until these have left.
    [[nodiscard]] Instant too_old_at(const Limits& limits) const noexcept {
        return waiting_ == nullptr || waiting_->oldest == Instant::max()
                   ? Instant::max()
                   : std::max(waiting_->oldest, waiting_->big_left_at) +
                         limits.out_time_max * std::max(1U, turn_bytes_ / limits.out_bytes_max);
    }

    /// What a connection is closed for as too slow: where it is from, and the limit, in words.
    struct Excess {
        QueueName queue;
        MountName mount;
        std::string limit;  ///< "more than 256 messages wait"
    };

    /// Returns which limit was passed, after Outcome::too_slow; the queue and mount are those of
    /// what came last, which the caller knows.
    [[nodiscard]] std::string limit_passed(const Limits& limits) const;

    /// Returns what has waited for the longest, after is_too_old(). Looks at all that waits.
    [[nodiscard]] Excess oldest(const Limits& limits) const;

    /// Returns whether something has waited for longer than out_time_max. A missed message that is
    /// replayed does not count: that began to wait when the client was away.
    [[nodiscard]] bool is_too_old(const Context& ctx) noexcept;

private:
    /// One thing that waits: ready bytes, an event (or one key of it), or a gap of lost messages.
    struct Item {
        SharedText frame;
        Weight weight = Weight::normal;
        QueueName queue;                       ///< not of ready bytes that move no cursor
        std::optional<Seq> moves_to;           ///< ready bytes: the client's cursor after them
        std::optional<std::uint64_t> request;  ///< ready bytes: that they answer
        queue::EventPtr event;
        std::uint32_t change_index = 0;
        MountName gap_mount;  ///< set: messages from … to of it were dropped
        Seq gap_from = 0;
        Seq gap_to = 0;
        bool is_conflated = false;
        std::uint32_t bytes = 0;
        Instant since = Instant::max();  ///< when it, or the oldest that it replaced, was put here
    };
    using Place = std::uint64_t;
    using Items = std::map<Place, Item>;
    /// (queue, mount, key); members conflate under the empty mount.
    using ConflationKey = std::tuple<QueueName, std::string, std::string>;

    struct Waiting {
        Items items;
        Place next_place = 0;
        std::map<ConflationKey, Place> conflated;
        std::map<std::pair<QueueName, MountName>, Place> gaps;
        std::map<QueueName, Seq> last_put_out;  ///< of queues that are not in step
        std::size_t messages = 0;               ///< of Weight::normal, not conflated
        std::size_t bytes = 0;                  ///< of these
        std::size_t snapshots = 0;
        std::vector<Missed> missed;       ///< not told yet; one for each mount
        Instant big_left_at{};            ///< the last replay or snapshot among these
        Instant oldest = Instant::max();  ///< no item is older; looked up only when that is due
    };

    [[nodiscard]] bool has_room(std::size_t bytes, Context& ctx) noexcept;
    void put_out(SharedText frame, Context& ctx);
    void put_out_first(Context& ctx);
    void put_out_event(Items::iterator first, Context& ctx);
    [[nodiscard]] Outcome put_ready(Item item, Context& ctx);
    [[nodiscard]] Outcome keep_within_bounds(Context& ctx);
    [[nodiscard]] bool fits(const Limits& limits) const noexcept;
    Waiting& waiting();
    Missed& missed(const QueueName& queue, const MountName& mount);
    void end_waiting(Context& ctx);
    void push(Item item);
    void push_event(const Delivery& delivery, Context& ctx);
    void push_conflated(Item item, ConflationKey key, Context& ctx);
    void erase(Items::iterator item);
    [[nodiscard]] bool drop_oldest(const QueueName& queue, const MountName& mount, Context& ctx);

    ConnectionId connection_;
    std::unique_ptr<Waiting> waiting_;
    std::uint64_t turn_ = 0;
    std::uint32_t turn_bytes_ = 0;  // Put out in that turn: while blocked, the last one.
    bool is_blocked_ = false;
    Encoding encoding_ = Encoding::json;
};

}  // namespace muster::gateway
