#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "core/actor/bucket.h"

namespace muster::actor {

/// What all buckets of a site have in common.
struct BucketSetSettings {
    std::uint32_t bucket_count = 4'096;
    Epoch epoch{};
    std::uint64_t seed = 0;
    HashKey table_key{};
};

/// The buckets that one shard owns, made when they are first needed.
///
/// Thread:     its shard.
/// Invariants: each bucket stands once among those that are due, with its next wake, if it has one.
/// Cost:       an unused bucket is one pointer; a wake costs O(log buckets). While there are actors
///             that may be overdue, a look at a sixteenth of the actors each second.
class BucketSet {
public:
    BucketSet(const BucketSetSettings& settings, const ActorFactory& factory);

    /// Hands `message` to the actor `name` of bucket `id`; see Bucket::deliver.
    void deliver(BucketId id, const QueueName& name, Message message, Instant now, WallTime wall,
                 Outbox& outbox);

    /// Wakes every actor whose time has come, and at their times the overdue ones.
    void wake_due(Instant now, WallTime wall, Outbox& outbox);

    /// Returns when wake_due has something to do.
    [[nodiscard]] std::optional<Instant> next_wake() const noexcept;

    /// Returns the names that start with `prefix` and come after `after`: the first `count_max`, in
    /// order. Cost: one look at each actor.
    [[nodiscard]] std::vector<QueueName> names(std::string_view prefix, std::string_view after,
                                               std::size_t count_max) const;

    [[nodiscard]] std::size_t actor_count() const noexcept;

    /// Returns the bucket, made if need be: for its log and snapshot, not for messages.
    [[nodiscard]] Bucket& bucket(BucketId id);

    /// Returns the bucket; nullptr where nothing has ever been in it.
    [[nodiscard]] const Bucket* find(BucketId id) const noexcept;

private:
    struct Slot {
        Bucket bucket;
        std::optional<Instant> due_at;  // As it stands in due_.
    };
    struct Due {
        Instant at;
        BucketId bucket;
        friend auto operator<=>(const Due&, const Due&) = default;
    };

    [[nodiscard]] Slot& slot(BucketId id);
    void note_wake(Slot& slot);
    void look_after(Instant now, WallTime wall, Outbox& outbox);

    BucketSetSettings settings_;
    const ActorFactory* factory_;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::set<Due> due_;
    LookTimes look_times_;
    bool wants_looks_ = false;  ///< any of the buckets may
};

}  // namespace muster::actor
