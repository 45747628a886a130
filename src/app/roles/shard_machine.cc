#include "app/roles/shard_machine.h"

#include <algorithm>
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
}

gateway::Gateway::Step ShardMachine::at() {
    return gateway::Gateway::Step{now_, wall_, turn_, sent_, outputs};
}

void ShardMachine::step(const gateway::Event& event) {
    gateway_.step(event, at());
    deliver();
}

void ShardMachine::step(actor::Message message) {
    sent_.push_back(std::move(message));
    deliver();
}

void ShardMachine::step() {
    gateway_.step(at());
    buckets_.wake_due(now_, wall_, sent_);
    deliver();
}

// Delivers all that was sent, and what is sent because of it, until nothing for this shard is left.
void ShardMachine::deliver() {
    while (!sent_.empty()) {
        std::swap(sent_, in_hand_);
        for (auto& message : in_hand_) {
            if (const auto* actor = std::get_if<actor::ActorAddress>(&message.to)) {
                const BucketId bucket = site_->placement.bucket_of(actor->name.text());
                const ShardId owner = site_->placement.shard_of(bucket);
                if (owner == shard_) {
                    const QueueName name = actor->name;
                    buckets_.deliver(bucket, name, std::move(message), now_, wall_, sent_);
                } else {
                    departures.push_back({owner, std::move(message)});
                }
            } else if (const auto* gateway = std::get_if<actor::GatewayAddress>(&message.to)) {
                if (gateway->shard == shard_) {
                    gateway_.step(message, at());
                } else {
                    const ShardId to = gateway->shard;
                    departures.push_back({to, std::move(message)});
                }
            } else {
                departures.push_back({std::nullopt, std::move(message)});
            }
        }
        in_hand_.clear();
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
