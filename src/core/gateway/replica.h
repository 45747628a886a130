#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/shared_text.h"
#include "core/gateway/context.h"
#include "core/gateway/encoding.h"
#include "core/queue/messages.h"

namespace muster::gateway {

/// One connection that wants a queue's stream, and what it has seen of it.
struct Follower {
    ConnectionId connection;
    std::optional<std::uint64_t> request{};
    std::optional<Cursor> cursor{};
    bool is_member = false;
    Inc joined{};            ///< the history that the request has made it a member of; 0: none
    bool was_ahead = false;  ///< its cursor was beyond the copy, so a newer snapshot was asked for
    bool is_live = false;    ///< it was served before, and moves its cursor with each event
};

/// What a new follower is sent before the live events: first what it missed, then `joined`.
struct Welcome {
    std::optional<SharedText> reset;  ///< its history has ended, or it knows more than there is
    struct Replay {
        queue::EventPtr event;
        Seq prev = 0;
    };
    std::vector<SharedText> gaps;  ///< before the replays, or what is live, lead past them
    std::vector<Replay> replays;   ///< in the order of seq
    SharedText joined;
};

/// A gateway shard's in-sync copy of one queue, from which its local listeners are served.
/// GUARANTEES.md 5.5 is its table.
///
/// Owns:       the copy, the list of listeners, and those who wait for the first snapshot.
/// Invariants: `content_` is set while live, and while a newer snapshot is awaited after that; it
///             is the fold of all events up to its cursor. Each event is encoded once for each
///             encoding that a listener reads, whatever their number.
class Replica {
public:
    enum class State : std::uint8_t { cold, syncing, live };

    explicit Replica(QueueName name) : name_(std::move(name)) {}

    /// Asks the queue for a snapshot and all events after it. Until that comes, events of the last
    /// subscription are taken on.
    void subscribe(Context& ctx);
    void unsubscribe(Context& ctx);

    /// Takes the snapshot. Returns false if it answers an older subscription.
    bool synchronise(const queue::Subscribed& subscribed);

    enum class Applied : std::uint8_t { applied, old, gap };
    /// Takes the next event; on a gap the caller subscribes anew.
    Applied apply(const queue::Published& published, Context& ctx);

    /// What `follower` gets first. Only with content. Cost: O(content) to encode.
    [[nodiscard]] Welcome welcome(const Follower& follower, Encoding encoding, Context& ctx);

    /// The answer to a history request, only with content: the newest messages before `before`,
    /// within a frame's size.
    [[nodiscard]] SharedText history(const Wish& wish, Encoding encoding, Context& ctx);

    /// Returns whether `user` is a member, as far as this replica knows. Only with content.
    [[nodiscard]] bool has_member(const UserId& user) const;

    /// Returns whether a user, a member or not, may listen. Only with content.
    [[nodiscard]] bool may_listen(bool is_member) const noexcept;

    [[nodiscard]] queue::SlowPolicy slow_policy(const queue::Event& event) const noexcept;

    [[nodiscard]] const QueueName& name() const noexcept { return name_; }
    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] SubId sub() const noexcept { return sub_; }
    [[nodiscard]] Cursor at() const noexcept { return content_ ? content_->at : Cursor{}; }
    [[nodiscard]] bool has_content() const noexcept { return content_.has_value(); }

    // ---- Who is served ----

    /// Connections that are served; any order.
    [[nodiscard]] const std::vector<ConnectionId>& listeners() const noexcept { return listeners_; }
    /// Returns the new listener's place.
    [[nodiscard]] std::uint32_t add_listener(ConnectionId connection);
    /// Returns the listener whose place is now `index`, where one had to move there.
    [[nodiscard]] std::optional<ConnectionId> remove_listener(std::uint32_t index);
    [[nodiscard]] std::vector<ConnectionId> take_listeners() {
        return std::exchange(listeners_, {});
    }

    /// How many welcomes one connection may await of one queue; the oldest gives way to a further
    /// one.
    static constexpr std::size_t welcomes_awaited_max = 4;

    /// Keeps a follower until the snapshot has come. Returns the one that had to give way.
    std::optional<Follower> await_snapshot(const Follower& follower);
    [[nodiscard]] std::vector<Follower> take_waiting() { return std::exchange(waiting_, {}); }
    /// Returns what `connection` waited for; it waits no longer.
    std::vector<Follower> stop_waiting(ConnectionId connection);

    [[nodiscard]] bool is_followed() const noexcept {
        return !listeners_.empty() || !waiting_.empty();
    }
    /// Since when nobody has followed it; meaningful only then.
    [[nodiscard]] Instant idle_since() const noexcept { return idle_since_; }
    void note_idle(Instant now) noexcept { idle_since_ = now; }

private:
    QueueName name_;
    State state_ = State::cold;
    SubId sub_;          // The latest that was asked for.
    SubId content_sub_;  // Whose snapshot and events content_ is.
    std::optional<queue::Content> content_;
    std::vector<ConnectionId> listeners_;
    std::vector<Follower> waiting_;  // Their welcome waits for the snapshot.
    Instant idle_since_{};
};

}  // namespace muster::gateway
