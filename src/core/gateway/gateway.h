#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/fifo.h"
#include "base/ids.h"
#include "base/name.h"
#include "base/rng.h"
#include "base/sip_hash.h"
#include "base/time.h"
#include "core/actor/messages.h"
#include "core/gateway/admission.h"
#include "core/gateway/connection.h"
#include "core/gateway/messages.h"
#include "core/gateway/replica.h"
#include "core/gateway/settings.h"
#include "core/gateway/slow_readers.h"

namespace muster::gateway {

/// The gateway machine of one shard: ends client connections, keeps one replica for each queue that
/// they follow, and fans each event out to them as one shared frame.
///
/// Owns:       the connections' machines and the replicas. No original state: whatever is lost with
///             a gateway can be had again from queues and clients.
/// Thread:     its shard.
/// Invariants: a listener of a replica is a live connection that follows its queue. A replica
///             without listeners is unsubscribed after Limits::replica_idle_time.
/// Cost:       an event is encoded once for each encoding that its listeners read, and costs each
///             listener one Output.
class Gateway {
public:
    Gateway(ShardId shard, std::shared_ptr<const Settings> settings, std::uint64_t seed);

    /// What a step is told of the world and where it puts what it asks for.
    struct Step {
        Instant now;
        WallTime wall;
        std::uint64_t turn = 0;
        actor::Outbox& messages;
        Outputs& outputs;
    };

    /// Takes what the sockets say.
    void step(const Event& event, const Step& at);

    /// Takes what queues and user queues say.
    void step(const actor::Message& message, const Step& at);

    /// Does what is due by time, and goes on with connections that the last turn's bound kept back.
    void step(const Step& at);

    /// Returns when step(at) has something to do; Instant::min() where it has already.
    [[nodiscard]] std::optional<Instant> next_wake() const noexcept;

    /// Returns what has happened since the last call that is worth a line in the log.
    [[nodiscard]] std::vector<Note> take_notes() noexcept { return std::exchange(notes_, {}); }

    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

    /// Returns whose clients read slowly, and what they have missed.
    [[nodiscard]] const SlowReaders& slow_readers() const noexcept { return slow_readers_; }

private:
    /// A connection, and how the gateway looks after it.
    struct Held {
        std::unique_ptr<Connection> connection;
        Instant timer_at = Instant::max();  ///< for which a timer is set
        bool is_kept_back = false;          ///< stands in kept_back_
        bool is_up = false;                 ///< its timer is no longer that of the sign-in
    };
    struct Timer {
        Instant at;
        ConnectionId connection;
        friend auto operator<=>(const Timer&, const Timer&) = default;
    };
    struct IdleReplica {
        Instant since;
        QueueName queue;
    };

    [[nodiscard]] Context context(const Step& at);
    void begin_to_stop(Context& ctx);
    void close_rest(Context& ctx);
    void take_socket_event(const Event& event, Context& ctx);
    void open(const Opened& opened, Context& ctx);
    void take_message(const actor::Message& message, Context& ctx);
    void finish(ConnectionId id, Context& ctx);
    void count_missed(Instant now);
    void grant_wishes(Context& ctx);
    void grant(const Wish& wish, Context& ctx);
    void follow(const Wish& wish, Context& ctx);
    void unfollow(Connection& connection, const QueueName& queue, Context& ctx);
    void answer_history(const Wish& wish, Connection& connection, Context& ctx);
    void serve(Replica& replica, Follower follower, Context& ctx);
    void await_snapshot(Replica& replica, const Follower& follower, Context& ctx);
    void refuse(Replica& replica, const Follower& follower, ErrorCode code, Context& ctx);
    void hand_welcome(Replica& replica, const Follower& follower, const Welcome& welcome,
                      Context& ctx);
    void stop_serving(Replica& replica, Connection& connection);
    void publish(const queue::Published& published, Context& ctx);
    void synchronise(const queue::Subscribed& subscribed, Context& ctx);
    void serve_again(Replica& replica, Cursor before, Context& ctx);
    void refuse_waiting(const queue::SubscribeRefused& refused, Context& ctx);
    void end(const queue::Ended& ended, Context& ctx);
    void end(Replica& replica, Cursor at, std::string_view why, ErrorCode code, Context& ctx);
    void note_idle(Replica& replica, Context& ctx);
    void drop_idle_replicas(Context& ctx);

    template <typename Answer>
    void hand_to(const ConnectionRef& to, const Answer& answer, Context& ctx);
    [[nodiscard]] Held* held(ConnectionId id) noexcept;
    [[nodiscard]] Connection* find(ConnectionId id) noexcept;
    [[nodiscard]] Replica* find(const QueueName& queue) noexcept;

    ShardId shard_;
    std::shared_ptr<const Settings> settings_;
    Rng rng_;
    Counters counters_;
    Workspace work_;
    Admission admission_;
    std::vector<Wish> wishes_;
    std::vector<Missed> missed_;  ///< in this step
    std::vector<Note> notes_;
    SlowReaders slow_readers_;
    std::vector<Held> connections_;  ///< by slot_of() their ids
    std::unordered_map<QueueName, std::unique_ptr<Replica>, KeyedHash, std::equal_to<>> replicas_;
    std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
    std::vector<ConnectionId> kept_back_;    ///< by the bound of the turn, each once
    std::vector<ConnectionId> in_need_;      ///< of care, while an event is being fanned out
    Fifo<IdleReplica> idle_replicas_;        ///< in the order of time; some are in use again
    std::optional<Instant> closes_rest_at_;  ///< once the server stops
};

}  // namespace muster::gateway
