#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"
#include "core/actor/messages.h"
#include "core/gateway/messages.h"

namespace muster::roles {

/// Is told, in order, all that enters a shard's machines and all that they say: to write it down
/// (EntryRecorder), or to hold it against what was written down (WholeReplay).
///
/// What a machine sends to another one of its shard is that one's input: it is told once, when it
/// is handed on, before it is taken.
class Recorder {
public:
    Recorder() = default;
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    virtual ~Recorder() = default;

    /// A turn begins. `outputs`: hash of all that the one before put out to sockets.
    virtual void turn(Instant now, WallTime wall, std::uint64_t outputs) = 0;
    virtual void event(const gateway::Event& event) = 0;
    /// A message from another shard or the service thread.
    virtual void arrived(const actor::Message& message) = 0;
    virtual void time_passed() = 0;
    /// A message from one of this shard's machines, to whomever.
    virtual void sent(const actor::Message& message) = 0;

    /// Returns whether snapshots of all buckets are wanted from now on, one a turn; once for each
    /// time that they are.
    [[nodiscard]] virtual bool wants_snapshots() = 0;
    virtual void snapshot(BucketId bucket, std::string_view state) = 0;
};

}  // namespace muster::roles
