#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "core/actor/messages.h"

/// What a recording holds, as a replay reads it (proto/muster/entry.proto).
namespace muster::roles {

/// A turn begins; `outputs`: hash of what the one before put out.
struct TurnEntry {
    Instant now;
    WallTime wall;
    std::uint64_t outputs = 0;
};
/// A gateway::Event, encoded.
struct EventEntry {
    std::string bytes;
};
/// An actor::Message, encoded, from another shard or the service thread.
struct ArrivedEntry {
    std::string bytes;
};
/// An actor::Message, encoded, from a machine of this shard.
struct SentEntry {
    std::string bytes;
};
struct TimePassedEntry {};
/// The whole state of a bucket.
struct SnapshotEntry {
    BucketId bucket;
    std::string state;
};

using Entry =
    std::variant<TurnEntry, EventEntry, ArrivedEntry, SentEntry, TimePassedEntry, SnapshotEntry>;

/// Returns what an entry says. Errors: bad_request where it is damaged, or newer than this program.
[[nodiscard]] Result<Entry> parse_entry(std::string_view bytes);

/// Returns an entry or a message in a few words: "Published, /room/1 to the gateway of shard 0".
[[nodiscard]] std::string in_words(const Entry& entry);
[[nodiscard]] std::string in_words(const actor::Message& message);

/// Gives the next entry of a recording, valid until the next call; nothing at its end.
using EntrySource = std::function<Result<std::optional<std::string_view>>()>;

// ---- What the two kinds of replay have in common ----------------------------------------------

/// Where a replay first said something else than the recording.
struct Difference {
    std::uint64_t entry = 0;  ///< its number, from 1
    std::string recorded;     ///< in words
    std::string replayed;
};

/// Where a replay stops before the recording's end.
struct ReplayLimits {
    std::optional<std::uint64_t>
        entry;          ///< before the first input from outside at or after this one
    std::string queue;  ///< or once this queue was seen at `seq`; empty: none
    Seq seq = 0;
    /// Called there, once; returns whether to go on all the same. None: stop.
    std::function<bool()> reached{};
};

/// Returns whether `message` shows that the limits' queue is as far.
[[nodiscard]] bool has_come_to(const ReplayLimits& limits, const actor::Message& message);

/// How a replay went.
struct ReplayReport {
    std::uint64_t entries = 0;
    std::uint64_t turns = 0;
    std::uint64_t compared = 0;  ///< messages, snapshots, and outputs of turns
    std::uint64_t skipped = 0;   ///< inputs of machines whose state was not known yet
    Instant now{};               ///< of the last turn
    std::optional<Difference> difference;
    bool is_stopped = false;  ///< by its limits
};

}  // namespace muster::roles
