#pragma once

#include <cstddef>

#include "base/rng.h"
#include "sim/cluster.h"
#include "sim/world.h"

namespace muster::sim {

/// What users and the backend do: joins, leaves, talk, state with and without `if`, listening,
/// giving up, a second client of the same user, programs killed and begun again.
class Workload {
public:
    Workload(World& world, Cluster& cluster);

    /// From now until `end` they do things.
    void begin(Instant end);

    /// Those who have lost to another client of the same user, or are not there, leave it at that.
    /// One client of each user goes on.
    void settle();

private:
    void plan_player(std::size_t index);
    void plan_backend();
    void play(Player& player);
    void play_backend();
    void begin_in_rooms(Player& player);

    World& world_;
    Cluster& cluster_;
    Rng rng_;
    Instant end_{};
    Duration pause_max_;
    std::size_t padding_max_;
};

}  // namespace muster::sim
