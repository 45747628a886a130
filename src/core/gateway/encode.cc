#include "core/gateway/encode.h"

#include "base/check.h"
#include "core/wire/json_writer.h"
#include "core/wire/length_frames.h"
#include "core/wire/websocket.h"

namespace muster::gateway {
namespace {

wire::Data data_of(const Payload& payload) { return {payload.bytes(), payload.format()}; }

wire::StateFrame state_frame(const QueueName& queue, const queue::StateChanged& changed,
                             std::span<const std::uint32_t> picked) {
    wire::StateFrame frame;
    frame.queue = queue.text();
    frame.mount = changed.mount.text();
    const auto add = [&](const queue::KeyChange& change) {
        frame.changes.push_back({change.key.text(), change.value.empty()
                                                        ? std::nullopt
                                                        : std::optional(data_of(change.value))});
    };
    if (picked.empty()) {
        for (const auto& change : changed.changes) {
            add(change);
        }
    }
    for (const std::uint32_t index : picked) {
        add(changed.changes[index]);
    }
    return frame;
}

// Writes a WebSocket header in front of the payload at header_room, and returns where it begins.
std::size_t write_header(Encoding encoding, std::string& bytes) {
    const std::size_t payload_bytes = bytes.size() - header_room;
    const std::size_t start = header_room - wire::server_frame_header_size(payload_bytes);
    const auto opcode =
        is_json(encoding) ? wire::WebSocketOpcode::text : wire::WebSocketOpcode::binary;
    wire::write_server_frame_header(bytes.data() + start, opcode, payload_bytes);
    return start;
}

}  // namespace

SharedText finish_frame(Encoding encoding, EncodeSpace& space) {
    const std::size_t payload_bytes = space.plain.size() - header_room;
    if (encoding == Encoding::proto_tcp) {
        const std::size_t start = header_room - wire::length_bytes;
        wire::write_length(space.plain.data() + start, payload_bytes);
        return SharedText(std::string_view(space.plain).substr(start));
    }
    if (is_deflated(encoding) && payload_bytes >= wire::Deflater::message_bytes_min) {
        space.deflated.assign(header_room, '\0');
        const auto payload = std::string_view(space.plain).substr(header_room);
        if (space.deflater.append(space.deflated, payload)) {
            const std::size_t start = write_header(encoding, space.deflated);
            wire::mark_deflated(space.deflated.data() + start);
            return SharedText(std::string_view(space.deflated).substr(start));
        }
    }
    const std::size_t start = write_header(encoding, space.plain);
    return SharedText(std::string_view(space.plain).substr(start));
}

SharedText encode_event(const QueueName& queue, const queue::Event& event, const EventPart& part,
                        Encoding encoding, EncodeSpace& space) {
    if (const auto* posted = std::get_if<queue::MessagePosted>(&event.body)) {
        wire::MsgFrame frame;
        frame.queue = queue.text();
        frame.mount = posted->mount.text();
        frame.seq = event.seq;
        frame.prev = part.prev;
        frame.from = event.from.text();
        frame.time_ms = event.time.ms;
        frame.data = data_of(posted->data);
        return encode(frame, encoding, space);
    }
    if (const auto* changed = std::get_if<queue::StateChanged>(&event.body)) {
        wire::StateFrame frame = state_frame(queue, *changed, part.changes);
        frame.seq = event.seq;
        frame.prev = part.prev;
        return encode(frame, encoding, space);
    }
    if (const auto* member = std::get_if<queue::MemberChanged>(&event.body)) {
        wire::MembersFrame frame;
        frame.queue = queue.text();
        frame.seq = event.seq;
        frame.prev = part.prev;
        frame.count = member->count;
        std::string info;
        if (member->member) {
            info = member_info(*member->member);
            frame.set.push_back({member->user.text(), info});
        } else {
            frame.gone.push_back({member->user.text(), text_of(member->reason)});
        }
        return encode(frame, encoding, space);
    }
    const auto& mount = std::get<queue::MountChanged>(event.body);
    wire::MountChangeFrame frame;
    frame.queue = queue.text();
    frame.mount = mount.mount.text();
    frame.seq = event.seq;
    frame.prev = part.prev;
    if (mount.rules) {
        frame.type = mount.rules->kind == queue::MountKind::state ? "state" : "message";
    }
    return encode(frame, encoding, space);
}

std::vector<wire::MountFrame> mount_frames(const queue::Content& content) {
    std::vector<wire::MountFrame> frames;
    frames.reserve(content.mounts.size());
    for (const auto& [name, mount] : content.mounts) {
        wire::MountFrame frame;
        frame.name = name.text();
        frame.is_state = mount.rules.kind == queue::MountKind::state;
        for (const auto& [key, entry] : mount.keys) {
            frame.values.push_back({key.text(), data_of(entry.value)});
        }
        frames.push_back(std::move(frame));
    }
    return frames;
}

std::vector<wire::MemberFrame> member_frames(const queue::Content& content, std::size_t count_max,
                                             std::vector<std::string>& infos) {
    std::vector<wire::MemberFrame> frames;
    const std::size_t count = std::min(count_max, content.members.size());
    frames.reserve(count);
    infos.clear();
    infos.reserve(count);  // The views below must not move.
    for (const auto& [user, member] : content.members) {
        if (frames.size() == count) {
            break;
        }
        infos.push_back(member_info(member));
        frames.push_back({user.text(), infos.back()});
    }
    return frames;
}

std::string member_info(const queue::Member& member) {
    const std::size_t end = member.info.bytes().rfind('}');  // White space may follow.
    std::string info(end == std::string_view::npos ? "{}" : member.info.bytes().substr(0, end + 1));
    const auto add = [&info](std::string_view name, std::string_view json) {
        info.pop_back();
        const bool is_first = info.find_last_not_of(" \t\r\n") == info.find('{');
        info += is_first ? "\"" : ",\"";
        info += name;
        info += "\":";
        info += json;
        info += '}';
    };
    if (!member.role.empty()) {
        std::string quoted;
        wire::append_quoted(quoted, member.role.view());
        add("role", quoted);
    }
    if (!member.is_online) {
        add("online", "false");
    }
    return info;
}

std::string_view text_of(queue::LeaveReason reason) noexcept {
    switch (reason) {
        case queue::LeaveReason::left: return "left";
        case queue::LeaveReason::timeout: return "timeout";
        case queue::LeaveReason::kicked: return "kicked";
    }
    return "left";
}

}  // namespace muster::gateway
