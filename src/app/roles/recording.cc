#include "app/roles/recording.h"

#include <array>
#include <chrono>
#include <limits>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "app/roles/recorded_message.h"
#include "muster/entry.pb.h"

namespace muster::roles {
namespace {

using proto::RecordingEntry;

// In the order of actor::Body.
constexpr std::array body_names{"Op",
                                "Subscribe",
                                "Unsubscribe",
                                "Fence",
                                "Presence",
                                "Read",
                                "Attach",
                                "Detach",
                                "Check",
                                "Pass",
                                "QueueEnded",
                                "Tell",
                                "Disconnect",
                                "ReadUser",
                                "OpReply",
                                "Subscribed",
                                "SubscribeRefused",
                                "Published",
                                "Ended",
                                "FenceReply",
                                "ReadReply",
                                "Attached",
                                "Stale",
                                "Checked",
                                "Kick",
                                "MembershipChanged",
                                "Told",
                                "UserReport"};
static_assert(body_names.size() == std::variant_size_v<actor::Body>);

std::string place_in_words(const actor::Address& address) {
    if (const auto* actor = std::get_if<actor::ActorAddress>(&address)) {
        return std::string(actor->name.text());
    }
    if (const auto* gateway = std::get_if<actor::GatewayAddress>(&address)) {
        return fmt::format("the gateway of shard {}", gateway->shard.value);
    }
    return "the service thread";
}

// The sender may be anybody's; what cannot be read is only named.
std::string message_in_words(std::string_view bytes) {
    const auto message = decode_message(bytes);
    return message ? roles::in_words(*message) : "a message that cannot be read";
}

}  // namespace

Result<Entry> parse_entry(std::string_view bytes) {
    RecordingEntry entry;
    if (bytes.size() > std::size_t{std::numeric_limits<int>::max()} ||
        !entry.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return failure(ErrorCode::bad_request, "the entry is damaged");
    }
    switch (entry.kind_case()) {
        case RecordingEntry::kTurn:
            return TurnEntry{Instant{std::chrono::microseconds{entry.turn().now_us()}},
                             WallTime{entry.turn().wall_ms()}, entry.turn().outputs()};
        case RecordingEntry::kEvent: return EventEntry{std::move(*entry.mutable_event())};
        case RecordingEntry::kArrived: return ArrivedEntry{std::move(*entry.mutable_arrived())};
        case RecordingEntry::kSent: return SentEntry{std::move(*entry.mutable_sent())};
        case RecordingEntry::kTimePassed: return TimePassedEntry{};
        case RecordingEntry::kSnapshot:
            return SnapshotEntry{BucketId{entry.snapshot().bucket()},
                                 std::move(*entry.mutable_snapshot()->mutable_state())};
        case RecordingEntry::KIND_NOT_SET: break;
    }
    return failure(ErrorCode::bad_request,
                   "the entry is of a kind that this version does not know");
}

std::string in_words(const actor::Message& message) {
    return fmt::format("{}, {} to {}", body_names[message.body.index()],
                       place_in_words(message.from), place_in_words(message.to));
}

std::string in_words(const Entry& entry) {
    if (const auto* turn = std::get_if<TurnEntry>(&entry)) {
        return fmt::format("a turn begins at {} us", turn->now.time_since_epoch().count());
    }
    if (const auto* event = std::get_if<EventEntry>(&entry)) {
        return fmt::format("an event of a socket, {} bytes", event->bytes.size());
    }
    if (const auto* arrived = std::get_if<ArrivedEntry>(&entry)) {
        return "from outside: " + message_in_words(arrived->bytes);
    }
    if (const auto* sent = std::get_if<SentEntry>(&entry)) {
        return message_in_words(sent->bytes);
    }
    if (const auto* snapshot = std::get_if<SnapshotEntry>(&entry)) {
        return fmt::format("the state of bucket {}, {} bytes", snapshot->bucket.value,
                           snapshot->state.size());
    }
    return "time passes";
}

bool has_come_to(const ReplayLimits& limits, const actor::Message& message) {
    if (limits.queue.empty()) {
        return false;
    }
    if (const auto* published = std::get_if<queue::Published>(&message.body)) {
        return published->queue == limits.queue && published->event->seq >= limits.seq;
    }
    const auto* reply = std::get_if<queue::OpReply>(&message.body);
    return reply != nullptr && reply->queue == limits.queue &&
           reply->verdict.kind == queue::Verdict::Kind::ok && reply->verdict.at.seq >= limits.seq;
}

}  // namespace muster::roles
