#include "core/wire/proto_frames.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/wire/json_reader.h"
#include "core/wire/proto_messages.h"
#include "core/wire/proto_reader.h"

namespace muster::wire::proto {

namespace {

// What an admin posts may be as deep as this by itself.
constexpr std::size_t payload_depth_max = json_depth_max;

/// Reads a registered code, or nothing where a later version has added one.
std::optional<ErrorCode> read_code(ProtoReader& fields) {
    const std::uint32_t number = fields.small_integer("code");
    const auto known = error_registry();
    const auto found = std::ranges::lower_bound(known, number, {}, [](const ErrorInfo& info) {
        return static_cast<std::uint32_t>(info.code);
    });
    return found != known.end() && static_cast<std::uint32_t>(found->code) == number
               ? std::optional{found->code}
               : std::nullopt;
}

KeyValue read_value(std::string_view bytes, Problem& problem) {
    ProtoReader fields{bytes, problem};
    KeyValue read;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: read.key = fields.text("key"); break;
            case 2:
                read.value = read_data(fields.bytes("value"), problem, payload_depth_max);
                break;
            default: break;
        }
    }
    return read;
}

MemberFrame read_member(std::string_view bytes, Problem& problem) {
    ProtoReader fields{bytes, problem};
    MemberFrame read{.user = {}, .info = "{}"};
    while (fields.next()) {
        switch (fields.number()) {
            case 1: read.user = fields.text("user"); break;
            case 2: read.info = fields.json("info", payload_depth_max, true); break;
            default: break;
        }
    }
    return read;
}

MembersFrame::Gone read_gone(std::string_view bytes, Problem& problem) {
    ProtoReader fields{bytes, problem};
    MembersFrame::Gone read;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: read.user = fields.text("user"); break;
            case 2: read.why = fields.text("why"); break;
            default: break;
        }
    }
    return read;
}

Resume read_resume(std::string_view bytes, Problem& problem) {
    ProtoReader fields{bytes, problem};
    Resume read;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: read.kind = static_cast<Resume::Kind>(fields.integer("kind", 0, 3)); break;
            case 2: read.count = fields.integer("count"); break;
            case 3: read.from = fields.integer("from"); break;
            case 4: read.to = fields.integer("to"); break;
            default: break;
        }
    }
    return read;
}

MountFrame read_mount(std::string_view bytes, Problem& problem) {
    ProtoReader fields{bytes, problem};
    MountFrame read;
    std::uint64_t type = 0;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: read.name = fields.text("name"); break;
            case 2: type = fields.integer("type", 1, 2); break;
            case 3:
                read.values.push_back(read_value(fields.repeated_bytes("values"), problem));
                break;
            case 4: read.resume = read_resume(fields.bytes("resume"), problem); break;
            default: break;
        }
    }
    if (type == 0) {
        fields.refuse("type", "must be message or state");
    }
    read.is_state = type == 2;
    return read;
}

ServerFrame read_hello(ProtoReader& fields) {
    HelloFrame frame{.version = 0, .user = {}, .session = {}, .resume = {}, .cid = {}, .ping_s = 0};
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.version = fields.small_integer("v"); break;
            case 2: frame.user = fields.text("user"); break;
            case 3: frame.session = SessionId{fields.integer("session")}; break;
            case 4: frame.resume = fields.text("resume"); break;
            case 5: frame.cid = fields.text("cid"); break;
            case 6: frame.ping_s = fields.small_integer("ping"); break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_joined(ProtoReader& fields) {
    JoinedFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.member = fields.boolean("member"); break;
            case 3: frame.at = read_cursor(fields.bytes("at"), fields.problem()); break;
            case 4:
                frame.mounts.push_back(
                    read_mount(fields.repeated_bytes("mounts"), fields.problem()));
                break;
            case 5: frame.member_count = fields.integer("members"); break;
            case 6:
                frame.who.push_back(read_member(fields.repeated_bytes("who"), fields.problem()));
                break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_reset(ProtoReader& fields) {
    ResetFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.at = read_cursor(fields.bytes("at"), fields.problem()); break;
            case 3: frame.why = fields.text("why"); break;
            case 4:
                frame.mounts.push_back(
                    read_mount(fields.repeated_bytes("mounts"), fields.problem()));
                break;
            case 5: frame.member_count = fields.integer("members"); break;
            case 6:
                frame.who.push_back(read_member(fields.repeated_bytes("who"), fields.problem()));
                break;
            default: break;
        }
    }
    return frame;
}

MsgFrame read_message(ProtoReader& fields) {
    MsgFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.mount = fields.text("m"); break;
            case 3: frame.seq = fields.integer("seq"); break;
            case 4: frame.prev = fields.integer("prev"); break;
            case 5: frame.from = fields.text("from"); break;
            case 6: frame.time_ms = fields.signed_integer("t"); break;
            case 7: frame.mail = fields.integer("n", 1); break;
            case 8:
                frame.data = read_data(fields.bytes("data"), fields.problem(), payload_depth_max);
                break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_state(ProtoReader& fields) {
    StateFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.mount = fields.text("m"); break;
            case 3: frame.seq = fields.integer("seq"); break;
            case 4: frame.prev = fields.integer("prev"); break;
            case 5:
                frame.changes.push_back(
                    read_value(fields.repeated_bytes("changes"), fields.problem()));
                break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_members(ProtoReader& fields) {
    MembersFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.seq = fields.integer("seq"); break;
            case 3: frame.prev = fields.integer("prev"); break;
            case 4:
                frame.set.push_back(read_member(fields.repeated_bytes("set"), fields.problem()));
                break;
            case 5:
                frame.gone.push_back(read_gone(fields.repeated_bytes("del"), fields.problem()));
                break;
            case 6: frame.count = fields.integer("count"); break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_mount_change(ProtoReader& fields) {
    static constexpr std::string_view types[] = {"", "message", "state"};
    MountChangeFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.mount = fields.text("m"); break;
            case 3: frame.seq = fields.integer("seq"); break;
            case 4: frame.prev = fields.integer("prev"); break;
            case 5: frame.type = types[fields.integer("type", 0, 2)]; break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_ok(ProtoReader& fields) {
    OkFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.seq = fields.integer("seq"); break;
            case 2: frame.inc = Inc{fields.integer("inc")}; break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_err(ProtoReader& fields) {
    ErrFrame frame;
    std::optional<ErrorCode> code;
    std::uint64_t outcome = outcome_rejected;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: code = read_code(fields); break;
            case 2: frame.detail = fields.text("message"); break;
            case 3: frame.current = fields.integer("current"); break;
            case 4: outcome = fields.integer("outcome"); break;
            default: break;
        }
    }
    // What later versions may add to the outcomes is not known here.
    frame.code = code.value_or(outcome == outcome_rejected ? frame.code : ErrorCode::expired);
    return frame;
}

ServerFrame read_retry(ProtoReader& fields) {
    RetryFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.code = read_code(fields).value_or(frame.code); break;
            case 2: frame.after_ms = fields.small_integer("after_ms"); break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_refused(ProtoReader& fields) {
    RefusedFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.attempt = fields.small_integer("try", 1); break;
            case 2: frame.code = read_code(fields).value_or(frame.code); break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_gap(ProtoReader& fields) {
    GapFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.mount = fields.text("m"); break;
            case 3: frame.from = fields.integer("from"); break;
            case 4: frame.to = fields.integer("to"); break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_stalled(ProtoReader& fields) {
    StalledFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.on = fields.boolean("on"); break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_left(ProtoReader& fields) {
    LeftFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.why = fields.text("why"); break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_bye(ProtoReader& fields) {
    ByeFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.code = read_code(fields).value_or(frame.code); break;
            case 2: frame.spread_ms = fields.small_integer("spread_ms"); break;
            case 3: frame.retry_ms = fields.small_integer("retry_ms"); break;
            case 4: frame.detail = fields.text("message"); break;
            default: break;
        }
    }
    return frame;
}

ServerFrame read_history(ProtoReader& fields) {
    HistoryFrame frame;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: frame.queue = fields.text("q"); break;
            case 2: frame.mount = fields.text("m"); break;
            case 3: {
                ProtoReader item{fields.repeated_bytes("items"), fields.problem()};
                frame.items.push_back(read_message(item));
                break;
            }
            case 4: frame.more = fields.boolean("more"); break;
            default: break;
        }
    }
    return frame;
}

/// Reads a body that has no fields yet.
template <typename Frame>
ServerFrame read_nothing(ProtoReader& fields) {
    while (fields.next()) {
    }
    return Frame{};
}

/// Reads the body of this number, which is_server_body().
ServerFrame read_body(std::uint32_t number, ProtoReader& fields) {
    switch (static_cast<Body>(number)) {
        case Body::ping: return read_nothing<PingFrame>(fields);
        case Body::pong: return read_nothing<PongFrame>(fields);
        case Body::msg: return read_message(fields);
        case Body::state: return read_state(fields);
        case Body::ok: return read_ok(fields);
        case Body::members: return read_members(fields);
        case Body::err: return read_err(fields);
        case Body::hello: return read_hello(fields);
        case Body::joined: return read_joined(fields);
        case Body::reset: return read_reset(fields);
        case Body::mount: return read_mount_change(fields);
        case Body::retry: return read_retry(fields);
        case Body::refused: return read_refused(fields);
        case Body::gap: return read_gap(fields);
        case Body::stalled: return read_stalled(fields);
        case Body::left: return read_left(fields);
        case Body::bye: return read_bye(fields);
        case Body::history: return read_history(fields);
        default: return read_nothing<PongFrame>(fields);
    }
}

/// Keeps `request` in a frame that can hold one.
void set_request(ServerFrame& frame, std::optional<std::uint64_t> request) {
    std::visit(
        [&](auto& one) {
            if constexpr (requires { one.request; }) {
                one.request = request;
            }
        },
        frame);
}

}  // namespace

Result<ServerFrame> parse_server_frame(std::string_view bytes) {
    Problem problem;
    ProtoReader fields{bytes, problem};
    std::optional<std::uint64_t> request;
    std::optional<ServerFrame> frame;
    while (fields.next()) {
        if (fields.number() == 1) {
            request = fields.integer("i");
        } else if (is_server_body(fields.number())) {
            if (frame) {
                fields.refuse("body", "stands twice");
            }
            ProtoReader within{fields.bytes("body"), problem};
            frame = read_body(fields.number(), within);
        }
    }
    if (problem.is_there()) {
        return tl::unexpected<Error>(problem.error());
    }
    if (!frame) {
        return failure(ErrorCode::unsupported, "body: not known to this version");
    }
    set_request(*frame, request);
    return *std::move(frame);
}

}  // namespace muster::wire::proto
