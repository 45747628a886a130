#include "app/server/switchboard.h"

#include <cstddef>
#include <memory>

namespace muster::server {
namespace {

// A sender whose channel is full keeps its messages (ShardPost, ServiceSite): so these bound what a
// burst may hold, not what may be sent.
constexpr std::size_t messages_between_shards_max = 2048;
constexpr std::size_t messages_of_service_max = 512;

}  // namespace

Switchboard::Switchboard(std::uint16_t shard_count)
    : shard_count_(shard_count), bells_(shard_count + std::size_t{1}) {
    for (std::size_t from = 0; from <= shard_count; ++from) {
        for (std::size_t to = 0; to < shard_count; ++to) {
            // Nobody sends to itself; a place in the table is all that costs.
            const std::size_t capacity = from == shard_count ? messages_of_service_max
                                         : from == to        ? 1
                                                             : messages_between_shards_max;
            to_shards_.push_back(std::make_unique<runtime::Channel<ToShard>>(capacity));
        }
    }
    for (std::size_t from = 0; from < shard_count; ++from) {
        to_service_.push_back(
            std::make_unique<runtime::Channel<FromShard>>(messages_of_service_max));
    }
}

}  // namespace muster::server
