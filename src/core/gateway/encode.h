#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "base/ids.h"
#include "base/name.h"
#include "base/shared_text.h"
#include "core/gateway/encoding.h"
#include "core/queue/messages.h"
#include "core/wire/deflate.h"
#include "core/wire/frames.h"
#include "core/wire/json_frames.h"
#include "core/wire/proto_frames.h"

/// From what a queue says to the bytes that clients get.
namespace muster::gateway {

/// Room that is left in front of a payload for its WebSocket header or its length.
inline constexpr std::size_t header_room = 10;

/// Where frames are made; one is enough for all connections of a shard.
struct EncodeSpace {
    std::string plain;
    std::string deflated;
    wire::Deflater deflater;
};

/// Returns the payload in `space.plain`, which begins at header_room, as the bytes that leave.
[[nodiscard]] SharedText finish_frame(Encoding encoding, EncodeSpace& space);

/// Returns one server frame as the bytes that leave. `space` is overwritten.
template <typename Frame>
[[nodiscard]] SharedText encode(const Frame& frame, Encoding encoding, EncodeSpace& space) {
    space.plain.assign(header_room, '\0');
    if (is_json(encoding)) {
        wire::append_frame(space.plain, frame);
    } else {
        wire::proto::append_frame(space.plain, frame);
    }
    return finish_frame(encoding, space);
}

/// Of one event, what its receiver gets: `prev` is given where it has not just seen seq - 1,
/// `changes` picks some of a StateChanged's keys (all of them where it is empty).
struct EventPart {
    std::optional<Seq> prev{};
    std::span<const std::uint32_t> changes{};
};

/// Returns the frame for one event.
[[nodiscard]] SharedText encode_event(const QueueName& queue, const queue::Event& event,
                                      const EventPart& part, Encoding encoding, EncodeSpace& space);

/// The mounts of a queue with the present value of state. Views into `content`.
[[nodiscard]] std::vector<wire::MountFrame> mount_frames(const queue::Content& content);

/// The first `count_max` members. `infos` keeps the texts that the views point into.
[[nodiscard]] std::vector<wire::MemberFrame> member_frames(const queue::Content& content,
                                                           std::size_t count_max,
                                                           std::vector<std::string>& infos);

/// Returns what others see of a member, as a JSON object: the backend's info, the role, and
/// `"online":false` while it is away.
[[nodiscard]] std::string member_info(const queue::Member& member);

[[nodiscard]] std::string_view text_of(queue::LeaveReason reason) noexcept;

}  // namespace muster::gateway
