#include "sim/run.h"

#include <utility>

#include "sim/cluster.h"
#include "sim/workload.h"
#include "sim/world.h"

namespace muster::sim {

using namespace std::chrono_literals;

namespace {

// A black hole is noticed after 35 s, the next attempt may wait for up to 60 s and take 10 s; and
// again for whom that tells that another client has taken over, and who then comes back.
constexpr Duration healing_time = 240s;

// Chance of its own: the runs of one seed in three are what they were before there was any.
Variety variety_of(const World& world) {
    Rng rng = world.chance(8);
    Variety variety;
    if (one_in(rng, 3)) {
        return variety;
    }
    variety.speaks_all = one_in(rng, 2);
    variety.has_tokens = one_in(rng, 3);
    variety.is_strict = one_in(rng, 4);
    variety.refuses = one_in(rng, 4);
    variety.has_storms = one_in(rng, 3);
    variety.loses_kicks = one_in(rng, 4);
    variety.loses_events = one_in(rng, 4);
    if (one_in(rng, 2)) {
        variety.logins = static_cast<user::Logins>(rng.below(3));
        variety.devices_max = variety.logins == user::Logins::devices ? 2 : 1;
    }
    return variety;
}

Shape shape_of(const World& world) {
    Rng rng = world.chance(6);
    Shape shape;
    shape.gateways = 1 + rng.below(3);
    shape.owners = 1 + rng.below(2);
    shape.users = 1 + rng.below(4);
    shape.players = shape.users + rng.below(4);
    shape.rooms = 1 + rng.below(3);
    shape.variety = variety_of(world);
    return shape;
}

}  // namespace

Report run(std::uint64_t seed, Tracing tracing) {
    World world(seed);
    if (tracing == Tracing::on) {
        world.trace.turn_on();
    }
    Cluster cluster(world, shape_of(world));
    Workload workload(world, cluster);
    Faults faults(world, cluster);

    Rng rng = world.chance(7);
    const Instant end = Schedule::start + between(rng, 10s, 60s);
    workload.begin(end);
    faults.begin(end);
    world.schedule.run_until(end);
    world.trace.line("", "---- all faults are healed ----");
    faults.heal();
    // Twice: who is told only now that it has lost is settled as well.
    for (int i = 0; i < 2; ++i) {
        workload.settle();
        world.schedule.run_until(world.schedule.now() + healing_time / 2);
    }
    cluster.note_ending();

    Report report;
    report.breaches = check_all(world.history);
    report.simulated = world.schedule.now() - Schedule::start;
    report.requests = world.history.asked.size();
    report.reads = world.history.reads.size();
    report.faults = faults.counts();
    report.trace = world.trace.text();
    return report;
}

}  // namespace muster::sim
