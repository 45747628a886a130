#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "app/roles/recorded_message.h"
#include "app/roles/recorder.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/actor/messages.h"
#include "core/gateway/messages.h"

namespace muster::roles {

/// Where the entries of a recording go.
struct EntrySink {
    std::function<void(std::string_view entry)> append;
    /// Returns the number of the segment that took the last entry: each wants snapshots of its own,
    /// so that a replay may begin with it.
    std::function<std::uint64_t()> segment;
    /// A snapshot that is bigger is left out.
    std::uint64_t entry_bytes_max = std::numeric_limits<std::uint64_t>::max();
};

/// Writes down what a shard's machines take and say, as entries (proto/muster/entry.proto). An
/// entry is there before the machine takes what it holds, so the input that kills is the last of
/// it.
///
/// Cost: about 0.3 us an entry; events, messages and the passing of time allocate nothing in the
/// long
///       run.
class EntryRecorder final : public Recorder {
public:
    explicit EntryRecorder(EntrySink sink) : sink_(std::move(sink)) {}

    void turn(Instant now, WallTime wall, std::uint64_t outputs) override;
    void event(const gateway::Event& event) override;
    void arrived(const actor::Message& message) override;
    void time_passed() override;
    void sent(const actor::Message& message) override;
    [[nodiscard]] bool wants_snapshots() override;
    void snapshot(BucketId bucket, std::string_view state) override;

private:
    void append(int field, std::string_view bytes);

    EntrySink sink_;
    MessageEncoder encoder_;
    std::string entry_;
    std::uint64_t segment_with_snapshots_ = 0;  // The first begins with nothing, and needs none.
};

}  // namespace muster::roles
