#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "app/roles/shard_machine.h"
#include "app/server/switchboard.h"
#include "base/fifo.h"
#include "base/ids.h"
#include "base/name.h"
#include "core/actor/messages.h"

namespace muster::server {

/// What one shard sends to the other threads: it goes into the receiver's channel, and waits here
/// while that is full.
///
/// Thread:     its shard.
/// Invariants: what goes to one receiver arrives in the order in which it was sent, but for
///             conflated events (below), which come later.
/// Bounds:     a shard takes from its channels always, or two that wait for each other would wait
///             forever. So what it sends because of that must be bounded otherwise:
///             - While anything waits for another shard, its owner reads no sockets (is_blocked).
///             - From busy_from on its owner answers operations BUSY (is_strained); other shards'
///               clients are behind those.
///             - From kept_max on, of each queue's events only the newest waits. Its receiver finds
///               the gap and asks for a snapshot. At most one for each queue that it follows.
///             - All else is one answer to one question, or follows from one sign-in or sign-out. A
///               receiver's own questions stop when its channels are full; those of others concern
///               their own connections, of which there are so many at most.
///             - Notes for the log are sent only while nothing waits for the service thread.
///             - The service thread never has more than ServiceSite::questions_max open questions.
class ShardPost {
public:
    static constexpr std::size_t busy_from = 4'096;
    static constexpr std::size_t kept_max = 8'192;

    ShardPost(Switchboard& switchboard, ShardId own);

    /// Sends a machine's message, or what the service thread has asked for. Receivers are told by
    /// hand_on().
    void send(roles::Departure departure);
    void send(FromShard item);

    /// Hands on what waits, as far as there is room, and rings each receiver that got something
    /// since the last call.
    void hand_on();

    /// Something waits for another shard.
    [[nodiscard]] bool is_blocked() const noexcept;

    /// So much waits for another shard that operations are to be refused.
    [[nodiscard]] bool is_strained() const noexcept;

    /// Nothing waits: hand_on() needs no repeating.
    [[nodiscard]] bool empty() const noexcept { return !is_blocked() && service_has_all(); }
    [[nodiscard]] bool service_has_all() const noexcept { return for_service_.empty(); }

    /// How many messages wait for `to`.
    [[nodiscard]] std::size_t kept_count(ShardId to) const noexcept;

    /// How many events have been replaced by newer ones of their queue while they waited.
    [[nodiscard]] std::uint64_t events_conflated() const noexcept { return events_conflated_; }

private:
    struct Waiting {
        Fifo<ToShard> kept;
        std::map<QueueName, actor::Message> newest_events;  ///< after all of `kept`
        bool rings = false;
    };

    void send_to_shard(ShardId to, actor::Message message);
    void hand_on_to(ShardId to);

    Switchboard& switchboard_;
    ShardId own_;
    std::vector<Waiting> for_shards_;
    Fifo<FromShard> for_service_;
    bool rings_service_ = false;
    std::uint64_t events_conflated_ = 0;
};

}  // namespace muster::server
