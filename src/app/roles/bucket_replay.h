#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/roles/recorded_message.h"
#include "app/roles/recording.h"
#include "app/roles/shard_machine.h"
#include "base/fifo.h"

namespace muster::roles {

/// Runs the buckets of a shard again from anywhere: each from its first snapshot in the recording
/// on. Of what came before the recording's beginning nothing is needed; what is for machines that
/// are not known (a bucket before its snapshot, connections) is skipped.
///
/// Invariants: a known bucket is as it was then, up to the first difference.
class BucketReplay {
public:
    explicit BucketReplay(std::shared_ptr<const Site> site) : site_(std::move(site)) {}

    /// Feeds the buckets until the recording's end, the limits, or the first difference.
    /// Errors: those of `next`; bad_request where an entry cannot be read.
    [[nodiscard]] Result<ReplayReport> run(const EntrySource& next, const ReplayLimits& limits);

    /// The time of the last turn.
    [[nodiscard]] Instant now() const noexcept { return report_.now; }

    /// The buckets that are known.
    [[nodiscard]] std::map<BucketId, actor::Bucket>& buckets() noexcept { return buckets_; }

private:
    [[nodiscard]] Result<void> take(const Entry& entry);
    [[nodiscard]] Result<void> take_message(std::string_view bytes, bool is_from_outside);
    [[nodiscard]] Result<void> take_snapshot(const SnapshotEntry& snapshot);
    void begin_turn(const TurnEntry& turn);
    void pass_time();
    void expect(BucketId bucket);
    void reach_limit();
    void differ(std::string recorded, std::string replayed);

    std::shared_ptr<const Site> site_;
    std::map<BucketId, actor::Bucket> buckets_;
    /// What each known bucket has said in the replay and the recording not yet, encoded.
    std::map<BucketId, Fifo<std::string>> said_;
    MessageEncoder encoder_;
    actor::Outbox outbox_;
    actor::LookTimes look_times_;
    WallTime wall_{};
    ReplayLimits limits_;
    ReplayReport report_;
};

}  // namespace muster::roles
