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
};
inline constexpr std::size_t fault_count = 11;

/// What goes wrong besides, by a plan and a chance of its own, where the seed's variety has it.
enum class VariousFault : std::uint8_t {
    cut_gateway,  ///< all connections of a gateway break off at once
    storm,        ///< all connections break off, three times within seconds
    lose_kicks,   ///< for a while no kick arrives
    lose_event,   ///< the next event for a gateway does not arrive
};
inline constexpr std::size_t various_fault_count = 4;

[[nodiscard]] std::string_view name_of(Fault fault) noexcept;
[[nodiscard]] std::string_view name_of(VariousFault fault) noexcept;

/// How often each kind has happened.
struct FaultCounts {
    std::array<std::uint64_t, fault_count> plain{};
    std::array<std::uint64_t, various_fault_count> various{};

    FaultCounts& operator+=(const FaultCounts& more) noexcept;
};

/// Makes things go wrong until it is told to stop.
class Faults {
public:
    Faults(World& world, Cluster& cluster);

    void begin(Instant end);
    /// From now on nothing new goes wrong, and what was slow or shut is not any more.
    void heal();

    [[nodiscard]] const FaultCounts& counts() const noexcept { return counts_; }

private:
    void plan();
    void plan_various();
    void happen(Fault fault);
    void happen(VariousFault fault);
    void cut_all();
    [[nodiscard]] bool loses(const actor::Message& message);

    World& world_;
    Cluster& cluster_;
    Rng rng_;
    Rng various_rng_;
    std::vector<VariousFault> various_;
    Instant kicks_lost_until_{};
    bool is_event_to_lose_ = false;
    Instant end_{};
    Duration pause_max_{};
    std::array<bool, fault_count> is_picked_{};
    FaultCounts counts_;
};

}  // namespace muster::sim
