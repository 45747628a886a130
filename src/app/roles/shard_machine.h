#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "app/roles/outputs_hash.h"
#include "app/roles/recorder.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/actor/actor.h"
#include "core/actor/bucket_set.h"
#include "core/gateway/gateway.h"
#include "core/ring/placement.h"

namespace muster::roles {

/// What all shards of a site have in common.
struct Site {
    ring::Placement placement;
    std::shared_ptr<const actor::ActorFactory> actors;
    std::shared_ptr<const gateway::Settings> gateway;
    actor::BucketSetSettings buckets;
};

/// A message that leaves the shard: for another shard, or (no shard) for the service thread.
struct Departure {
    std::optional<ShardId> to;
    actor::Message message;
};

/// All machines of one shard, gateway and buckets, and the post between them. What drives it (the
/// shard's thread, a replay, the simulator) feeds it events and carries off what it puts out.
///
/// Thread:     one.
/// Invariants: after each step no message for this shard's own machines is left over. Messages from
///             one machine to another arrive in the order in which they were sent.
class ShardMachine {
public:
    /// `seed`: of all chance on this shard; from the operating system in production.
    ShardMachine(ShardId shard, std::shared_ptr<const Site> site, std::uint64_t seed);

    /// From now on `recorder` is told all; nullptr: nobody is. From the first step on, if a replay
    /// is to begin at the beginning.
    void record_to(std::unique_ptr<Recorder> recorder) { recorder_ = std::move(recorder); }

    /// Begins a turn: the time that all its steps are told.
    void begin_turn(Instant now, WallTime wall);

    void step(const gateway::Event& event);
    void step(actor::Message message);

    /// Does what is due by time. Once a turn.
    void step();

    /// Returns when step() has something to do.
    [[nodiscard]] std::optional<Instant> next_wake() const noexcept;

    /// What the turn has put out so far; the driver takes it and leaves them empty.
    gateway::Outputs outputs;
    std::vector<Departure> departures;

    [[nodiscard]] const gateway::Counters& counters() const noexcept { return gateway_.counters(); }
    [[nodiscard]] std::vector<gateway::Note> take_notes() noexcept { return gateway_.take_notes(); }
    [[nodiscard]] const std::vector<gateway::SlowReader>& slow_readers() const noexcept {
        return gateway_.slow_readers().all();
    }
    [[nodiscard]] const actor::BucketSet& buckets() const noexcept { return buckets_; }
    [[nodiscard]] actor::BucketSet& buckets() noexcept { return buckets_; }

private:
    void deliver(std::size_t outputs_before);
    void carry(actor::Message message);
    void weave_snapshot();
    [[nodiscard]] gateway::Gateway::Step at();

    ShardId shard_;
    std::shared_ptr<const Site> site_;
    gateway::Gateway gateway_;
    actor::BucketSet buckets_;
    Instant now_{};
    WallTime wall_{};
    std::uint64_t turn_ = 0;
    actor::Outbox sent_;     // by the step that runs
    actor::Outbox in_hand_;  // being delivered

    // ---- For the recorder ----

    std::unique_ptr<Recorder> recorder_;
    OutputsHash outputs_hash_;
    std::uint32_t next_snapshot_ = 0;   // The bucket whose turn it is, …
    std::uint32_t snapshots_owed_ = 0;  // … if any more are wanted.
};

}  // namespace muster::roles
