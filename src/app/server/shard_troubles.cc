#include "app/server/shard_troubles.h"

#include <utility>

namespace muster::server {

using Kind = ShardTrouble::Kind;

std::vector<ShardTrouble> ShardTroubles::look(const Seen& seen, Instant now) {
    std::vector<ShardTrouble> told;
    if (std::exchange(accept_pauses_, seen.accept_pauses) != seen.accept_pauses) {
        if (!resumed_at_) {
            told.push_back(
                {.shard = shard_, .kind = Kind::accept_paused, .why = seen.pause_reason});
        }
        resumed_at_ = now + interval;
    } else if (resumed_at_ && *resumed_at_ <= now) {
        resumed_at_.reset();
        told.push_back({.shard = shard_, .kind = Kind::accept_resumed});
    }
    if (seen.ops_refused != ops_told_ && (!ops_told_at_ || *ops_told_at_ + interval <= now)) {
        told.push_back(
            {.shard = shard_, .kind = Kind::channel_full, .count = seen.ops_refused - ops_told_});
        ops_told_ = seen.ops_refused;
        ops_told_at_ = now;
    }
    if (seen.late_by >= late_min) {
        told.push_back({.shard = shard_, .kind = Kind::late, .late_by = seen.late_by});
    }
    return told;
}

std::optional<Instant> ShardTroubles::next_wake() const noexcept { return resumed_at_; }

}  // namespace muster::server
