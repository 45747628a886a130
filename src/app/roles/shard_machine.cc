#include "app/roles/shard_machine.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <variant>

namespace muster::roles {

ShardMachine::ShardMachine(ShardId shard, std::shared_ptr<const Site> site, std::uint64_t seed)
    : shard_(shard),
      site_(std::move(site)),
      gateway_(shard, site_->gateway, seed),
      buckets_(site_->buckets, *site_->actors) {}

void ShardMachine::begin_turn(Instant now, WallTime wall) {
    now_ = now;
    wall_ = wall;
    ++turn_;
    if (recorder_ != nullptr) {
        recorder_->turn(now, wall, outputs_hash_.take());
    }
}

gateway::Gateway::Step ShardMachine::at() {
    return gateway::Gateway::Step{now_, wall_, turn_, sent_, outputs};
}

void ShardMachine::step(const gateway::Event& event) {
    if (recorder_ != nullptr) {
        recorder_->event(event);
    }
    const std::size_t outputs_before = outputs.size();
    gateway_.step(event, at());
    deliver(outputs_before);
}

void ShardMachine::step(actor::Message message) {
    if (recorder_ != nullptr) {
        recorder_->arrived(message);
    }
    const std::size_t outputs_before = outputs.size();
    carry(std::move(message));
    deliver(outputs_before);
}

void ShardMachine::step() {
    if (recorder_ != nullptr) {
        recorder_->time_passed();
    }
    const std::size_t outputs_before = outputs.size();
    gateway_.step(at());
    buckets_.wake_due(now_, wall_, sent_);
    deliver(outputs_before);
    if (recorder_ != nullptr) {
        weave_snapshot();
    }
}

// Delivers all that was sent, and what is sent because of it, until nothing for this shard is left:
// the end of every step.
void ShardMachine::deliver(std::size_t outputs_before) {
    while (!sent_.empty()) {
        std::swap(sent_, in_hand_);
        for (auto& message : in_hand_) {
            if (recorder_ != nullptr) {
                recorder_->sent(message);
            }
            carry(std::move(message));
        }
        in_hand_.clear();
    }
    if (recorder_ != nullptr) {
        outputs_hash_.add(outputs, outputs_before);
    }
}

// Takes one message to the machine that it is for, or to the shard's edge.
void ShardMachine::carry(actor::Message message) {
    if (const auto* actor = std::get_if<actor::ActorAddress>(&message.to)) {
        const QueueName name = actor->name;
        const BucketId bucket = site_->placement.bucket_of(name.text());
        const ShardId owner = site_->placement.shard_of(bucket);
        if (owner == shard_) {
            buckets_.deliver(bucket, name, std::move(message), now_, wall_, sent_);
        } else {
            departures.push_back({owner, std::move(message)});
        }
    } else if (const auto* gateway = std::get_if<actor::GatewayAddress>(&message.to)) {
        const ShardId to = gateway->shard;
        if (to == shard_) {
            gateway_.step(message, at());
        } else {
            departures.push_back({to, std::move(message)});
        }
    } else {
        departures.push_back({std::nullopt, std::move(message)});
    }
}

// One a turn, and between two steps, when no message is on its way: so a bucket's state and what
// comes behind it in the recording are all that a replay needs.
void ShardMachine::weave_snapshot() {
    const std::uint32_t bucket_count = site_->placement.bucket_count();
    if (recorder_->wants_snapshots()) {
        // From the next turn on: what tells its time must stand before it in the same segment. The
        // round goes on where it is, so that none is left out however short segments are.
        snapshots_owed_ = bucket_count;
        return;
    }
    while (snapshots_owed_ > 0) {
        --snapshots_owed_;
        const BucketId bucket{next_snapshot_};
        next_snapshot_ = (next_snapshot_ + 1) % bucket_count;
        if (const actor::Bucket* held = buckets_.find(bucket)) {
            recorder_->snapshot(bucket, held->save(now_));
            return;
        }
    }
}

std::optional<Instant> ShardMachine::next_wake() const noexcept {
    const auto gateway = gateway_.next_wake();
    const auto buckets = buckets_.next_wake();
    if (gateway && buckets) {
        return std::min(*gateway, *buckets);
    }
    return gateway ? gateway : buckets;
}

}  // namespace muster::roles
