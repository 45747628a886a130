#include "core/actor/bucket_set.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace muster::actor {

BucketSet::BucketSet(const BucketSetSettings& settings, const ActorFactory& factory)
    : settings_(settings), factory_(&factory), slots_(settings.bucket_count) {}

BucketSet::Slot& BucketSet::slot(BucketId id) {
    MUSTER_CHECK(id.value < slots_.size());
    auto& place = slots_[id.value];
    if (place == nullptr) {
        const BucketSettings settings{.id = id,
                                      .epoch = settings_.epoch,
                                      .seed = settings_.seed + id.value,
                                      .table_key = settings_.table_key};
        place = std::make_unique<Slot>(Slot{Bucket(settings, *factory_), std::nullopt});
    }
    return *place;
}

Bucket& BucketSet::bucket(BucketId id) { return slot(id).bucket; }

const Bucket* BucketSet::find(BucketId id) const noexcept {
    const auto& place = slots_[id.value];
    return place == nullptr ? nullptr : &place->bucket;
}

void BucketSet::note_wake(Slot& slot) {
    const auto at = slot.bucket.next_wake();
    if (at == slot.due_at) {
        return;
    }
    if (slot.due_at) {
        due_.erase(Due{*slot.due_at, slot.bucket.id()});
    }
    if (at) {
        due_.insert(Due{*at, slot.bucket.id()});
    }
    slot.due_at = at;
}

void BucketSet::deliver(BucketId id, const QueueName& name, Message message, Instant now,
                        WallTime wall, Outbox& outbox) {
    Slot& target = slot(id);
    target.bucket.deliver(name, std::move(message), now, wall, outbox);
    wants_looks_ = wants_looks_ || target.bucket.wants_looks();
    note_wake(target);
}

void BucketSet::wake_due(Instant now, WallTime wall, Outbox& outbox) {
    // It ends: after Bucket::wake_due the bucket's next wake is later than `now`.
    while (!due_.empty() && due_.begin()->at <= now) {
        Slot& target = slot(due_.begin()->bucket);
        target.bucket.wake_due(now, wall, outbox);
        wants_looks_ = wants_looks_ || target.bucket.wants_looks();
        note_wake(target);
    }
    if (look_times_.pass_to(now) && wants_looks_) {
        look_after(now, wall, outbox);
    }
}

void BucketSet::look_after(Instant now, WallTime wall, Outbox& outbox) {
    wants_looks_ = false;
    for (const auto& place : slots_) {
        if (place == nullptr || !place->bucket.wants_looks()) {
            continue;
        }
        if (look_times_.includes(place->bucket.id())) {
            place->bucket.look_after(now, wall, outbox);
            note_wake(*place);
        }
        wants_looks_ = wants_looks_ || place->bucket.wants_looks();
    }
}

std::optional<Instant> BucketSet::next_wake() const noexcept {
    std::optional<Instant> next;
    if (!due_.empty()) {
        next = due_.begin()->at;
    }
    if (wants_looks_ && (!next || look_times_.next() < *next)) {
        next = look_times_.next();
    }
    return next;
}

std::vector<QueueName> BucketSet::names(std::string_view prefix, std::string_view after,
                                        std::size_t count_max) const {
    std::vector<QueueName> first;
    for (const auto& slot : slots_) {
        if (slot != nullptr) {
            slot->bucket.collect_names(prefix, after, count_max, first);
        }
    }
    std::sort_heap(first.begin(), first.end());
    return first;
}

std::size_t BucketSet::actor_count() const noexcept {
    std::size_t count = 0;
    for (const auto& slot : slots_) {
        count += slot == nullptr ? 0 : slot->bucket.actor_count();
    }
    return count;
}

}  // namespace muster::actor
