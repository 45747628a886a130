#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/roles/recording.h"
#include "app/roles/shard_machine.h"

/// A recording's inputs, run through this build's machines whatever the recording says that these
/// said then. So two builds can be held against each other: what they make of each input is the
/// same, or it is not. (A replay ends where its build leaves the recording, and so tells nothing of
/// two builds that have both left it.)
namespace muster::roles {

/// What a build made of one input.
struct ShadowStep {
    std::uint64_t entry = 0;  ///< the input's number in the recording, from 1
    /// Hash of the messages that it caused, in order; of a turn's beginning: of the bytes that the
    /// turn before put out to clients.
    std::uint64_t said = 0;

    friend bool operator==(const ShadowStep&, const ShadowStep&) = default;
};

/// One thing that was said.
struct ShadowWords {
    std::uint64_t hash = 0;
    std::string text;
};

/// What is wanted of a run.
struct ShadowWish {
    ReplayLimits limits;          ///< `reached` is not called
    std::uint64_t explained = 0;  ///< an input that is to be told in words, the last; 0: none
    /// Is called after each input, before the next one.
    std::function<void(const ShadowStep&)> tell;
    /// Asked at the source's end: does it hold all that the last input caused? None: it may be cut
    /// short, so only what it holds is compared.
    std::function<bool()> is_whole{};
};

struct ShadowReport {
    std::uint64_t entries = 0;
    std::uint64_t inputs = 0;
    std::uint64_t differs_at = 0;  ///< the first entry that this build has otherwise; 0: none
    bool is_stopped = false;       ///< by its limits

    // Of the explained input; what was recorded, as far as it can be told whose it is.
    std::string input;
    std::vector<ShadowWords> said;
    std::vector<ShadowWords> recorded;
};

/// Runs a whole shard, from its first event on. Inputs are all entries but what machines said and
/// snapshots. Where a limit stops it behind an input, what that caused is still compared. Errors:
/// those of `next`; bad_request where an entry cannot be read.
[[nodiscard]] Result<ShadowReport> run_shadow_of_shard(const EntrySource& next,
                                                       const ShadowWish& wish,
                                                       std::unique_ptr<ShardMachine> machine);

/// Runs the buckets of a shard, each from its first snapshot on. Inputs are the messages that were
/// recorded as for a known bucket, and the passing of time. What a limit leaves unread of what they
/// caused is not compared. Errors: as above.
[[nodiscard]] Result<ShadowReport> run_shadow_of_buckets(const EntrySource& next,
                                                         const ShadowWish& wish,
                                                         const std::shared_ptr<const Site>& site);

}  // namespace muster::roles
