#include "app/server/shard_post.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace muster::server {

ShardPost::ShardPost(Switchboard& switchboard, ShardId own)
    : switchboard_(switchboard), own_(own), for_shards_(switchboard.shard_count()) {}

void ShardPost::send(roles::Departure departure) {
    if (departure.to) {
        send_to_shard(*departure.to, std::move(departure.message));
    } else {
        send(FromShard{std::move(departure.message)});
    }
}

void ShardPost::send(FromShard item) {
    if (for_service_.empty() && switchboard_.to_service(own_).push(item)) {
        rings_service_ = true;
    } else {
        for_service_.push(std::move(item));
    }
}

void ShardPost::send_to_shard(ShardId to, actor::Message message) {
    Waiting& waiting = for_shards_[to.value];
    if (const auto* event = std::get_if<queue::Published>(&message.body)) {
        const auto newest = waiting.newest_events.find(event->queue);
        if (newest != waiting.newest_events.end()) {
            newest->second = std::move(message);
            ++events_conflated_;
            return;
        }
        if (waiting.kept.size() >= kept_max) {
            const QueueName queue = event->queue;
            waiting.newest_events.emplace(queue, std::move(message));
            return;
        }
    }
    ToShard item{std::move(message)};
    if (waiting.kept.empty() && switchboard_.to_shard(own_.value, to).push(item)) {
        waiting.rings = true;
    } else {
        waiting.kept.push(std::move(item));
    }
}

void ShardPost::hand_on_to(ShardId to) {
    Waiting& waiting = for_shards_[to.value];
    auto& channel = switchboard_.to_shard(own_.value, to);
    while (!waiting.kept.empty() && channel.push(waiting.kept[0])) {
        waiting.kept.pop();
        waiting.rings = true;
    }
    while (waiting.kept.empty() && !waiting.newest_events.empty()) {
        const auto first = waiting.newest_events.begin();
        ToShard item{std::move(first->second)};
        if (!channel.push(item)) {
            first->second = std::get<actor::Message>(std::move(item));
            break;
        }
        waiting.newest_events.erase(first);
        waiting.rings = true;
    }
    if (std::exchange(waiting.rings, false)) {
        switchboard_.bell_of(to).ring();
    }
}

void ShardPost::hand_on() {
    for (std::uint16_t i = 0; i < switchboard_.shard_count(); ++i) {
        hand_on_to(ShardId{i});
    }
    while (!for_service_.empty() && switchboard_.to_service(own_).push(for_service_[0])) {
        for_service_.pop();
        rings_service_ = true;
    }
    if (std::exchange(rings_service_, false)) {
        switchboard_.bell_of_service().ring();
    }
}

bool ShardPost::is_blocked() const noexcept {
    return std::any_of(for_shards_.begin(), for_shards_.end(), [](const Waiting& waiting) {
        return !waiting.kept.empty() || !waiting.newest_events.empty();
    });
}

bool ShardPost::is_strained() const noexcept {
    return std::any_of(for_shards_.begin(), for_shards_.end(), [](const Waiting& waiting) {
        return waiting.kept.size() >= busy_from || !waiting.newest_events.empty();
    });
}

std::size_t ShardPost::kept_count(ShardId to) const noexcept {
    const Waiting& waiting = for_shards_[to.value];
    return waiting.kept.size() + waiting.newest_events.size();
}

}  // namespace muster::server
