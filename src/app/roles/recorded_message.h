#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "base/result.h"
#include "core/actor/messages.h"
#include "core/gateway/messages.h"

/// All that enters the machines of a shard, as bytes (proto/muster/recording.proto): for
/// recordings, replays and links.
///
/// What was encoded is decoded to the same value, bit by bit: times, ids, formats, what is there
/// and what is not. Only sharing is not kept: each decoded Published has an event of its own. Times
/// are absolute, so they mean something beside the recorded times of the turns alone.
namespace muster::roles {

struct GeneratedParts;  // In recorded_message.cc.

/// Writes messages and events as bytes.
///
/// Owns:  a buffer, used again each time; so in the long run nothing is allocated.
/// Cost:  one pass, 0.3 µs for a small op; a content (Subscribed, ReadReply) as its size.
/// Limit: 2 GiB a message, as everywhere in protobuf; queue::Limits keep far below.
class MessageEncoder {
public:
    MessageEncoder();
    MessageEncoder(MessageEncoder&&) noexcept;
    MessageEncoder& operator=(MessageEncoder&&) noexcept;
    ~MessageEncoder();

    /// Returns the bytes of `message`. They live until the next call.
    [[nodiscard]] std::string_view encode(const actor::Message& message);

    /// Returns the bytes of `event`, likewise. Before the gateway takes it: it unmasks the bytes of
    /// a Received where they lie.
    [[nodiscard]] std::string_view encode(const gateway::Event& event);

private:
    std::string bytes_;
    std::unique_ptr<GeneratedParts> scratch_;
};

/// An event for a gateway, with the bytes that a gateway::Received only spans.
class RecordedEvent {
public:
    explicit RecordedEvent(gateway::Event event) : event_(std::move(event)) {}
    RecordedEvent(ConnectionId connection, std::string received)
        : event_(gateway::Received{connection, {}}), received_(std::move(received)) {}

    /// Returns the event, for one step of the gateway, which may change the bytes it spans; they
    /// live as long as this object stays where it is.
    [[nodiscard]] gateway::Event event();

private:
    gateway::Event event_;
    std::string received_;
};

/// Returns the message that was encoded. Errors: bad_request, with what is wrong with the bytes:
/// damaged, an unknown body, a missing field, an enumerator or a name that cannot be. Mounts and
/// keys in ops may be anything: so clients ask, and the queue says no.
[[nodiscard]] Result<actor::Message> decode_message(std::string_view bytes);

/// Returns the event that was encoded. Errors: as above.
[[nodiscard]] Result<RecordedEvent> decode_event(std::string_view bytes);

}  // namespace muster::roles
