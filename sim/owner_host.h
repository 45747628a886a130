#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/actor/actor.h"
#include "core/actor/bucket_set.h"
#include "core/queue/content.h"
#include "core/ring/placement.h"
#include "sim/schedule.h"
#include "sim/state_hash.h"
#include "sim/world.h"

namespace muster::sim {

/// One shard's buckets, and what its owners decide, written down for the checkers as it leaves
/// them.
class OwnerHost {
public:
    using Send = std::function<void(actor::Message)>;

    OwnerHost(World& world, ShardId shard, const ring::Placement& placement,
              const actor::BucketSetSettings& settings, const actor::ActorFactory& factory,
              DriftingClock clock, Send send);

    /// Takes a message for one of its actors.
    void take(actor::Message message);

private:
    // The sum of a queue's events, next to the owner's own.
    struct Fold {
        Cursor at;
        StateHash state;
    };

    void deliver(const actor::Message& message);
    void carry_off(const actor::Message* input);
    void plan_wake();

    void note(const actor::Message* input, const actor::Message& output);
    void note_emitted(QueueIndex queue, Cursor at);
    void note_reply(const actor::Message* input, const queue::OpReply& reply);
    void note_published(const queue::Published& published);
    void note_subscribed(const queue::Subscribed& subscribed);

    World& world_;
    ShardId shard_;
    const ring::Placement& placement_;
    actor::BucketSet buckets_;
    DriftingClock clock_;
    Send send_;
    std::string name_;
    std::optional<Instant> wake_planned_;
    actor::Outbox outbox_;
    std::vector<actor::Message> for_itself_;
    std::map<QueueIndex, Fold> folds_;
};

}  // namespace muster::sim
