#include "app/roles/entry_recorder.h"

#include <utility>

#include "muster/entry.pb.h"

namespace muster::roles {
namespace {

using proto::RecordingEntry;

// How protobuf marks a field that has a length (here always with a number below 16).
constexpr int with_length = 2;
constexpr int field_shift = 3;

// What surrounds a bucket's state in its entry, at most.
constexpr std::uint64_t snapshot_overhead_max = 32;

void append_varint(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<char>(value | 0x80U));
        value >>= 7U;
    }
    out.push_back(static_cast<char>(value));
}

}  // namespace

// Written by hand, because the bytes are there already: a RecordingEntry with that one field.
void EntryRecorder::append(int field, std::string_view bytes) {
    entry_.clear();
    entry_.push_back(static_cast<char>(field << field_shift | with_length));
    append_varint(entry_, bytes.size());
    entry_.append(bytes);
    sink_.append(entry_);
}

void EntryRecorder::turn(Instant now, WallTime wall, std::uint64_t outputs) {
    RecordingEntry::Turn turn;
    turn.set_now_us(now.time_since_epoch().count());
    turn.set_wall_ms(wall.ms);
    turn.set_outputs(outputs);
    append(RecordingEntry::kTurn, turn.SerializeAsString());
}

void EntryRecorder::event(const gateway::Event& event) {
    append(RecordingEntry::kEvent, encoder_.encode(event));
}

void EntryRecorder::arrived(const actor::Message& message) {
    append(RecordingEntry::kArrived, encoder_.encode(message));
}

void EntryRecorder::sent(const actor::Message& message) {
    append(RecordingEntry::kSent, encoder_.encode(message));
}

void EntryRecorder::time_passed() { append(RecordingEntry::kTimePassed, {}); }

bool EntryRecorder::wants_snapshots() {
    const std::uint64_t segment = sink_.segment();
    return std::exchange(segment_with_snapshots_, segment) != segment;
}

void EntryRecorder::snapshot(BucketId bucket, std::string_view state) {
    if (state.size() + snapshot_overhead_max > sink_.entry_bytes_max) {
        return;
    }
    RecordingEntry::Snapshot snapshot;
    snapshot.set_bucket(bucket.value);
    snapshot.set_state(state.data(), state.size());
    append(RecordingEntry::kSnapshot, snapshot.SerializeAsString());
}

}  // namespace muster::roles
