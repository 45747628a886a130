#include "core/wire/proto_frames.h"

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "core/wire/proto_messages.h"
#include "core/wire/proto_writer.h"
#include "core/wire/utf8.h"

namespace muster::wire::proto {

namespace {

/// Text for people, which might have been cut anywhere.
void write_detail(ProtoWriter& out, int number, std::string_view detail) {
    if (is_valid_utf8(detail)) {
        out.bytes(number, detail);
    }
}

void write_code(ProtoWriter& out, int number, ErrorCode code) {
    out.present_number(number, std::uint64_t{static_cast<std::uint16_t>(code)});
}

void write_value(ProtoWriter& out, int number, const Data& value) {
    const bool is_empty = value.format == Format::json && value.bytes.empty();
    write_data(out, number, is_empty ? Data{"null", Format::json} : value);
}

void write_values(ProtoWriter& out, int number, const std::vector<KeyValue>& values) {
    for (const auto& [key, value] : values) {
        out.message(number, [&] {
            out.bytes(1, key);
            if (value) {
                write_value(out, 2, *value);
            }
        });
    }
}

void write_members(ProtoWriter& out, int number, const std::vector<MemberFrame>& members) {
    for (const auto& [user, info] : members) {
        out.message(number, [&] {
            out.bytes(1, user);
            out.bytes(2, info.empty() ? "{}" : info);
        });
    }
}

void write_resume(ProtoWriter& out, int number, const Resume& resume) {
    out.message(number, [&] {
        out.number(1, static_cast<std::uint64_t>(resume.kind));
        out.number(2, resume.count);
        out.number(3, resume.from);
        out.number(4, resume.to);
    });
}

void write_mounts(ProtoWriter& out, int number, const std::vector<MountFrame>& mounts) {
    for (const MountFrame& mount : mounts) {
        out.message(number, [&] {
            out.bytes(1, mount.name);
            out.present_number(2, mount.is_state ? std::uint64_t{2} : 1);
            write_values(out, 3, mount.values);
            if (mount.resume) {
                write_resume(out, 4, *mount.resume);
            }
        });
    }
}

/// Writes what is the same in a frame and in an item of a history.
void write_content(ProtoWriter& out, const MsgFrame& frame) {
    out.bytes(5, frame.from);
    out.number(6, static_cast<std::uint64_t>(frame.time_ms));
}

void write_content_data(ProtoWriter& out, const Data& data) {
    if (data.format == Format::bytes || !data.bytes.empty()) {
        write_data(out, 8, data);
    }
}

/// Appends a frame with the body that `write` writes.
template <typename Write>
void append(std::string& out, Body body, Write write) {
    ProtoWriter writer{out};
    writer.message(field_of(body), [&] { write(writer); });
}

/// The same for one that answers a request.
template <typename Write>
void append_answer(std::string& out, const std::optional<std::uint64_t>& request, Body body,
                   Write write) {
    ProtoWriter{out}.number(1, request);
    append(out, body, write);
}

}  // namespace

void append_frame(std::string& out, const HelloFrame& frame) {
    append(out, Body::hello, [&](ProtoWriter& body) {
        body.number(1, frame.version);
        body.bytes(2, frame.user);
        body.number(3, frame.session.value);
        body.bytes(4, frame.resume);
        body.bytes(5, frame.cid);
        body.number(6, frame.ping_s);
    });
}

void append_frame(std::string& out, const JoinedFrame& frame) {
    append_answer(out, frame.request, Body::joined, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        body.number(2, frame.member ? 1 : 0);
        write_cursor(body, 3, frame.at);
        write_mounts(body, 4, frame.mounts);
        body.number(5, frame.member_count);
        write_members(body, 6, frame.who);
    });
}

void append_frame(std::string& out, const ResetFrame& frame) {
    append(out, Body::reset, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        write_cursor(body, 2, frame.at);
        body.bytes(3, frame.why);
        write_mounts(body, 4, frame.mounts);
        body.number(5, frame.member_count);
        write_members(body, 6, frame.who);
    });
}

void append_frame(std::string& out, const MsgFrame& frame) {
    append(out, Body::msg, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        body.bytes(2, frame.mount);
        body.number(3, frame.seq);
        body.number(4, frame.prev);
        write_content(body, frame);
        body.number(7, frame.mail);
        write_content_data(body, frame.data);
    });
}

void append_frame(std::string& out, const StateFrame& frame) {
    append(out, Body::state, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        body.bytes(2, frame.mount);
        body.number(3, frame.seq);
        body.number(4, frame.prev);
        write_values(body, 5, frame.changes);
    });
}

void append_frame(std::string& out, const MembersFrame& frame) {
    append(out, Body::members, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        body.number(2, frame.seq);
        body.number(3, frame.prev);
        write_members(body, 4, frame.set);
        for (const auto& [user, why] : frame.gone) {
            body.message(5, [&] {
                body.bytes(1, user);
                body.bytes(2, why);
            });
        }
        body.number(6, frame.count);
    });
}

void append_frame(std::string& out, const MountChangeFrame& frame) {
    append(out, Body::mount, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        body.bytes(2, frame.mount);
        body.number(3, frame.seq);
        body.number(4, frame.prev);
        body.number(5, frame.type == "state" ? 2 : (frame.type == "message" ? 1 : 0));
    });
}

void append_frame(std::string& out, const OkFrame& frame) {
    append_answer(out, frame.request, Body::ok, [&](ProtoWriter& body) {
        body.number(1, frame.seq);
        if (frame.inc) {
            body.present_number(2, frame.inc->value);
        }
    });
}

void append_frame(std::string& out, const ErrFrame& frame) {
    append_answer(out, frame.request, Body::err, [&](ProtoWriter& body) {
        write_code(body, 1, frame.code);
        write_detail(body, 2, frame.detail);
        body.number(3, frame.current);
        body.number(4, is_outcome_unknown(frame.code) ? outcome_unknown : outcome_rejected);
    });
}

void append_frame(std::string& out, const RetryFrame& frame) {
    append_answer(out, frame.request, Body::retry, [&](ProtoWriter& body) {
        write_code(body, 1, frame.code);
        body.number(2, frame.after_ms);
    });
}

void append_frame(std::string& out, const RefusedFrame& frame) {
    append_answer(out, frame.request, Body::refused, [&](ProtoWriter& body) {
        body.number(1, frame.attempt);
        write_code(body, 2, frame.code);
    });
}

void append_frame(std::string& out, const GapFrame& frame) {
    append(out, Body::gap, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        body.bytes(2, frame.mount);
        body.number(3, frame.from);
        body.number(4, frame.to);
    });
}

void append_frame(std::string& out, const StalledFrame& frame) {
    append(out, Body::stalled, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        body.number(2, frame.on ? 1 : 0);
    });
}

void append_frame(std::string& out, const LeftFrame& frame) {
    append(out, Body::left, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        body.bytes(2, frame.why);
    });
}

void append_frame(std::string& out, const ByeFrame& frame) {
    append(out, Body::bye, [&](ProtoWriter& body) {
        write_code(body, 1, frame.code);
        if (frame.spread_ms) {
            body.present_number(2, std::uint64_t{*frame.spread_ms});
        }
        if (frame.retry_ms) {
            body.present_number(3, std::uint64_t{*frame.retry_ms});
        }
        write_detail(body, 4, frame.detail);
    });
}

void append_frame(std::string& out, const HistoryFrame& frame) {
    append_answer(out, frame.request, Body::history, [&](ProtoWriter& body) {
        body.bytes(1, frame.queue);
        body.bytes(2, frame.mount);
        for (const MsgFrame& item : frame.items) {
            body.message(3, [&] {
                body.number(3, item.seq);
                write_content(body, item);
                write_content_data(body, item.data);
            });
        }
        body.number(4, frame.more ? 1 : 0);
    });
}

void append_frame(std::string& out, const PingFrame&) {
    append(out, Body::ping, [](ProtoWriter&) {});
}

void append_frame(std::string& out, const PongFrame&) {
    append(out, Body::pong, [](ProtoWriter&) {});
}

void append_server_frame(std::string& out, const ServerFrame& frame) {
    std::visit([&out](const auto& one) { append_frame(out, one); }, frame);
}

}  // namespace muster::wire::proto
