#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/name.h"
#include "base/time.h"

namespace muster::gateway {

/// What a client has not got, because it reads slowly, of one mount.
struct SlowReader {
    UserId user;
    QueueName queue;              ///< empty: what waited was of no queue
    MountName mount;              ///< empty: members, snapshots
    std::uint64_t conflated = 0;  ///< changes that a newer one replaced
    std::uint64_t dropped = 0;    ///< messages, each covered by a gap
    std::uint64_t closed = 0;     ///< connections, because of it

    [[nodiscard]] std::uint64_t total() const noexcept { return conflated + dropped + closed; }
};

/// Who reads slowly, and what: the heaviest of them by user and mount, for metrics.
///
/// Bounds: count_max entries. A new one takes the place of the lightest, which is forgotten. All
///         are halved every half_life, so that who was slow last week makes room for who is now.
/// Cost:   a look through all of them, and only where something was conflated, dropped or closed.
class SlowReaders {
public:
    static constexpr std::size_t count_max = 64;
    static constexpr Duration half_life = std::chrono::minutes{10};

    /// Returns the entry to count in.
    [[nodiscard]] SlowReader& of(const UserId& user, const QueueName& queue, const MountName& mount,
                                 Instant now);

    [[nodiscard]] const std::vector<SlowReader>& all() const noexcept { return all_; }

private:
    void age(Instant now);

    std::vector<SlowReader> all_;
    Instant halved_at_{};
};

}  // namespace muster::gateway
