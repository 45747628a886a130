#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fifo.h"
#include "base/ids.h"
#include "base/name.h"
#include "base/result.h"
#include "base/sip_hash.h"
#include "base/time.h"
#include "core/actor/actor.h"

namespace muster::actor {

/// One input of a bucket, as its log keeps it.
struct LogEntry {
    Lsn lsn = 0;
    Instant now;
    WallTime wall;
    QueueName actor;  ///< which takes it
    Event event;
};

/// How often a bucket looks after its actors (Bucket::look_after).
inline constexpr Duration look_interval = std::chrono::seconds{15};

/// Tells when buckets are to be looked after: each once in look_interval, not all at one moment,
/// and not right after a pause of the process. A function of this time and the one before, so that
/// a replay looks when the recorded run did.
class LookTimes {
public:
    static constexpr std::uint32_t groups = 16;
    static constexpr unsigned group_shift = 28;  // 32 bits less those of the groups.
    static constexpr Duration step = look_interval / groups;
    static constexpr std::int64_t steps_missed_max = 2;  ///< more: the process has paused

    /// Time has come to `now`. Returns whether the time of any group has passed since the last
    /// call.
    bool pass_to(Instant now) noexcept;

    /// Returns whether that is so of the group of `bucket`.
    [[nodiscard]] bool includes(BucketId bucket) const noexcept;

    /// Returns the next time at which pass_to returns true.
    [[nodiscard]] Instant next() const noexcept { return Instant{(last_ + 1) * step}; }

private:
    std::optional<std::int64_t> seen_;
    std::int64_t first_ = 0;  // of the times that passed with the last call, …
    std::int64_t last_ = -1;  // … and the last of them.
};

/// What does not change during a bucket's life.
struct BucketSettings {
    BucketId id{};
    Epoch epoch{};           ///< at which this lineage began: high half of every inc
    std::uint64_t seed = 0;  ///< of all chance that its actors draw
    HashKey table_key{};     ///< of the table of actors, keyed from outside
    std::size_t log_entries_max = 65'536;
};

/// All actors whose name hash starts with one prefix: the unit of ownership, log and snapshot.
///
/// Owns:       its actors, the wakes they asked for, the counter of incs, the log.
/// Thread:     the shard that owns it.
/// Invariants: every input takes the next lsn. State and outputs are a function of (snapshot,
///             inputs after it). An actor has at most one wake planned, and none once it is absent.
///             The log is kept only while somebody reads it, and is bounded.
class Bucket {
public:
    Bucket(const BucketSettings& settings, const ActorFactory& factory);

    /// Takes a message to the actor `name`, which is made if it is not there and forgotten again if
    /// nothing is left to keep. Appends what it asks for to `outbox`.
    void deliver(const QueueName& name, Message message, Instant now, WallTime wall,
                 Outbox& outbox);

    /// Wakes each actor whose time has come, once, in the order of their times (then of names).
    void wake_due(Instant now, WallTime wall, Outbox& outbox);

    /// Returns when wake_due has something to do.
    [[nodiscard]] std::optional<Instant> next_wake() const noexcept;

    /// Wakes each actor that is overdue, in the order of names. Cost: one look at each actor.
    void look_after(Instant now, WallTime wall, Outbox& outbox);

    /// Returns whether look_after may ever find something in the present state.
    [[nodiscard]] bool wants_looks() const noexcept { return wants_looks_; }

    [[nodiscard]] Lsn last_lsn() const noexcept { return lsn_; }
    [[nodiscard]] std::size_t actor_count() const noexcept { return actors_.size(); }
    [[nodiscard]] BucketId id() const noexcept { return settings_.id; }

    /// Adds the names that start with `prefix` and come after `after` to `first`, a max-heap of the
    /// `count_max` smallest ones found so far. Cost: one look at each actor.
    void collect_names(std::string_view prefix, std::string_view after, std::size_t count_max,
                       std::vector<QueueName>& first) const;

    // ---- Log and snapshot ----

    /// From now on inputs are kept until close_log() was called as often as this.
    void open_log() noexcept { ++log_readers_; }
    void close_log() noexcept;

    /// Returns the kept entries with an lsn above `after`; a failure (limit) when they were
    /// forgotten because the reader fell behind by more than log_entries_max: take a snapshot.
    [[nodiscard]] Result<std::vector<LogEntry>> read_log(Lsn after) const;

    /// Applies an entry of another bucket's log; it must carry the next lsn.
    void replay(LogEntry entry, Outbox& outbox);

    /// Returns the whole state at last_lsn(), as bytes (proto/muster/log.proto, BucketSnapshot).
    /// The same state gives the same bytes.
    [[nodiscard]] std::string save(Instant now) const;

    /// Returns the bucket that save() wrote; it goes on with that one's seed, not with
    /// `settings.seed`. Errors: bad_request, where the bytes are damaged or of another lineage.
    [[nodiscard]] static Result<Bucket> restore(const BucketSettings& settings,
                                                const ActorFactory& factory, Instant now,
                                                std::string_view snapshot);

private:
    static constexpr Instant never = Instant::max();

    struct Slot {
        std::unique_ptr<Actor> actor;
        Instant wake_at = never;  // While planned, it stands in wakes_ as well.
    };
    struct PlannedWake {
        Instant at;
        QueueName actor;
        friend auto operator<=>(const PlannedWake&, const PlannedWake&) = default;
    };
    using Actors = std::unordered_map<QueueName, Slot, KeyedHash, std::equal_to<>>;

    void step(const QueueName& name, const Event& event, Instant now, WallTime wall,
              Outbox& outbox);
    void keep(const QueueName& name, const Event& event, Instant now, WallTime wall);
    void plan_wake(Actors::value_type& actor, Instant at);

    BucketSettings settings_;
    const ActorFactory* factory_;
    Actors actors_;
    std::set<PlannedWake> wakes_;
    Lsn lsn_ = 0;
    Inc latest_inc_;
    bool wants_looks_ = false;
    int log_readers_ = 0;
    Fifo<LogEntry> log_;
};

}  // namespace muster::actor
