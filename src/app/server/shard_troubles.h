#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "app/server/switchboard.h"
#include "base/ids.h"
#include "base/time.h"

namespace muster::server {

/// Decides what a shard tells the log of how it fares itself.
///
/// Thread:     its shard.
/// Invariants: each kind is told once per `interval` at most. Accepting pauses and is resumed by
///             turns; it counts as resumed after an `interval` without a pause, as one that finds
///             no descriptor tries again ten times a second.
class ShardTroubles {
public:
    static constexpr Duration interval = std::chrono::seconds{1};
    /// What is less is a busy machine.
    static constexpr Duration late_min = std::chrono::seconds{1};

    /// How things stand.
    struct Seen {
        std::uint64_t accept_pauses = 0;     ///< so far
        std::string_view pause_reason = {};  ///< of the last one
        std::uint64_t ops_refused = 0;       ///< so far, because a channel was full
        Duration late_by{};                  ///< the most since the last look
    };

    explicit ShardTroubles(ShardId shard) noexcept : shard_(shard) {}

    /// Returns what is to be told now.
    [[nodiscard]] std::vector<ShardTrouble> look(const Seen& seen, Instant now);

    /// Returns when look() is to be called at the latest.
    [[nodiscard]] std::optional<Instant> next_wake() const noexcept;

private:
    ShardId shard_;
    std::uint64_t accept_pauses_ = 0;
    std::optional<Instant> resumed_at_;  ///< while accepting is paused: unless it pauses again
    std::uint64_t ops_told_ = 0;
    std::optional<Instant> ops_told_at_;
};

}  // namespace muster::server
