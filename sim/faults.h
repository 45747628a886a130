#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "sim/cluster.h"
#include "sim/world.h"

namespace muster::sim {

/// What goes wrong. A seed picks some kinds, so that every mixture is tried.
enum class Fault : std::uint8_t {
    cut,            ///< a connection breaks off
    half_open,      ///< a connection swallows all, and nobody is told
    stall,          ///< a connection carries nothing for a while
    slow_reader,    ///< a client reads a few bytes a second
    refuse,         ///< a gateway takes no new connections for a while
    pause,          ///< a gateway stands still for seconds
    kill,           ///< a gateway's process is gone, and comes again
    kill_silently,  ///< the same with its machine: clients are not told
    drain,          ///< a gateway asks its clients to go elsewhere
    cut_all,        ///< every client has to connect again, at once
    slow_channel,   ///< a channel between two shards carries nothing for a while
    // Those of a seed's variety, which have a plan of their own:
    cut_gateway,  ///< all connections of a gateway break off at once
    storm,        ///< all connections break off, three times within seconds
    lose_kicks,   ///< for a while no kick arrives
    lose_event,   ///< the next event for a gateway does not arrive
};
inline constexpr std::size_t fault_count = 15;
inline constexpr std::size_t plain_fault_count = 11;

[[nodiscard]] std::string_view name_of(Fault fault) noexcept;

/// Makes things go wrong until it is told to stop.
class Faults {
public:
    Faults(World& world, Cluster& cluster);

    void begin(Instant end);
    /// From now on nothing new goes wrong, and what was slow or shut is not any more.
    void heal();

    /// How often each kind has happened.
    [[nodiscard]] const std::array<std::uint64_t, fault_count>& counts() const noexcept {
        return counts_;
    }

private:
    void plan();
    void plan_various();
    void happen(Fault fault);
    void happen_various(Fault fault);
    [[nodiscard]] bool loses(const actor::Message& message);

    World& world_;
    Cluster& cluster_;
    Rng rng_;
    Rng various_rng_;
    std::vector<Fault> various_;
    Instant kicks_lost_until_{};
    bool is_event_to_lose_ = false;
    Instant end_{};
    Duration pause_max_{};
    std::array<bool, plain_fault_count> is_picked_{};
    std::array<std::uint64_t, fault_count> counts_{};
};

}  // namespace muster::sim
