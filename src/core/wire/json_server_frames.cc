#include "core/wire/json_frames.h"

#include <optional>
#include <variant>

#include "core/wire/json_writer.h"

namespace muster::wire {

namespace {

// Each appends `name` (comma, name in quotes, colon) and then the value.

void append_text(std::string& out, std::string_view name, std::string_view text) {
    out += name;
    append_quoted(out, text);
}

void append_text_if_any(std::string& out, std::string_view name, std::string_view text) {
    if (!text.empty()) {
        append_text(out, name, text);
    }
}

void append_integer(std::string& out, std::string_view name, std::uint64_t number) {
    out += name;
    append_number(out, number);
}

template <typename Integer>
void append_integer_if_any(std::string& out, std::string_view name,
                           const std::optional<Integer>& number) {
    if (number) {
        append_integer(out, name, *number);
    }
}

void append_request(std::string& out, const std::optional<std::uint64_t>& request) {
    append_integer_if_any(out, R"(,"i":)", request);
}

void append_code(std::string& out, ErrorCode code) {
    out += R"(,"code":")";
    out += label(code);
    out.push_back('"');
}

void append_at(std::string& out, Cursor at) {
    out += R"(,"at":[)";
    append_number(out, at.inc.value);
    out.push_back(',');
    append_number(out, at.seq);
    out.push_back(']');
}

/// Starts a frame about a change in a mount.
void append_place(std::string& out, std::string_view op, std::string_view queue,
                  std::string_view mount) {
    out += op;
    append_text(out, R"(,"q":)", queue);
    append_text(out, R"(,"m":)", mount);
}

void append_seq(std::string& out, Seq seq, const std::optional<Seq>& prev) {
    append_integer(out, R"(,"seq":)", seq);
    append_integer_if_any(out, R"(,"prev":)", prev);
}

void append_data(std::string& out, const Data& data) {
    if (data.format == Format::bytes) {
        out += R"(,"b":)";
        append_quoted_base64(out, data.bytes);
    } else if (!data.bytes.empty()) {
        out += R"(,"d":)";
        out += data.bytes;
    }
}

/// Writes a map or list in parts: what stands before the next item, so that one without items
/// leaves nothing behind.
class Items {
public:
    /// `opening` begins the first item.
    Items(std::string& out, std::string_view opening) : out_(out), before_(opening) {}

    void next() {
        out_ += before_;
        before_ = ",";
        is_empty_ = false;
    }

    void next_key(std::string_view key) {
        next();
        append_quoted(out_, key);
        out_.push_back(':');
    }

    /// Closes what was opened and returns true; writes nothing if there was no item.
    bool close(char bracket) {
        if (!is_empty_) {
            out_.push_back(bracket);
        }
        return !is_empty_;
    }

private:
    std::string& out_;
    std::string_view before_;
    bool is_empty_ = true;
};

/// Appends the keys whose values have this format, as a map; nothing (false) if there are none.
bool append_values(std::string& out, std::string_view opening, const std::vector<KeyValue>& values,
                   Format format) {
    Items items{out, opening};
    for (const auto& [key, value] : values) {
        if (!value || value->format != format) {
            continue;
        }
        items.next_key(key);
        if (format == Format::bytes) {
            append_quoted_base64(out, value->bytes);
        } else {
            out += value->bytes.empty() ? "null" : value->bytes;
        }
    }
    return items.close('}');
}

bool append_members(std::string& out, std::string_view opening,
                    const std::vector<MemberFrame>& members) {
    Items items{out, opening};
    for (const auto& [user, info] : members) {
        items.next_key(user);
        out += info.empty() ? "{}" : info;
    }
    return items.close('}');
}

void append_resume(std::string& out, const Resume& resume) {
    switch (resume.kind) {
        case Resume::Kind::fresh: out += R"("fresh")"; break;
        case Resume::Kind::snapshot: out += R"("snapshot")"; break;
        case Resume::Kind::replayed:
            out += R"("replayed )";
            append_number(out, resume.count);
            out.push_back('"');
            break;
        case Resume::Kind::gap:
            out += R"("gap )";
            append_number(out, resume.from);
            out += "..";
            append_number(out, resume.to);
            out.push_back('"');
            break;
    }
}

void append_mounts(std::string& out, const std::vector<MountFrame>& mounts) {
    out += R"(,"mounts":{)";
    Items items{out, ""};
    for (const MountFrame& mount : mounts) {
        items.next_key(mount.name);
        if (!mount.is_state) {
            out += R"({"type":"message"})";
            continue;
        }
        out += R"({"type":"state","value":)";
        if (!append_values(out, "{", mount.values, Format::json)) {
            out += "{}";
        }
        append_values(out, R"(,"valueb":{)", mount.values, Format::bytes);
        out.push_back('}');
    }
    out.push_back('}');
}

/// Ends `joined` and `reset`.
void append_membership(std::string& out, std::uint64_t count,
                       const std::vector<MemberFrame>& members) {
    append_integer(out, R"(,"members":)", count);
    out += R"(,"who":)";
    if (!append_members(out, "{", members)) {
        out += "{}";
    }
    out.push_back('}');
}

}  // namespace

void append_frame(std::string& out, const HelloFrame& frame) {
    append_integer(out, R"({"op":"hello","v":)", frame.version);
    append_text(out, R"(,"user":)", frame.user);
    append_integer(out, R"(,"session":)", frame.session.value);
    append_text_if_any(out, R"(,"resume":)", frame.resume);
    append_text_if_any(out, R"(,"cid":)", frame.cid);
    append_integer(out, R"(,"ping":)", frame.ping_s);
    out.push_back('}');
}

void append_frame(std::string& out, const JoinedFrame& frame) {
    out += R"({"op":"joined")";
    append_request(out, frame.request);
    append_text(out, R"(,"q":)", frame.queue);
    out += frame.member ? R"(,"member":true)" : R"(,"member":false)";
    append_at(out, frame.at);
    out += R"(,"resume":{)";
    Items items{out, ""};
    for (const MountFrame& mount : frame.mounts) {
        if (mount.resume) {
            items.next_key(mount.name);
            append_resume(out, *mount.resume);
        }
    }
    out.push_back('}');
    append_mounts(out, frame.mounts);
    append_membership(out, frame.member_count, frame.who);
}

void append_frame(std::string& out, const ResetFrame& frame) {
    append_text(out, R"({"op":"reset","q":)", frame.queue);
    append_at(out, frame.at);
    append_text(out, R"(,"why":)", frame.why);
    append_mounts(out, frame.mounts);
    append_membership(out, frame.member_count, frame.who);
}

void append_frame(std::string& out, const MsgFrame& frame) {
    append_place(out, R"({"op":"msg")", frame.queue, frame.mount);
    append_integer_if_any(out, R"(,"n":)", frame.mail);
    append_seq(out, frame.seq, frame.prev);
    append_text_if_any(out, R"(,"from":)", frame.from);
    out += R"(,"t":)";
    append_number(out, frame.time_ms);
    append_data(out, frame.data);
    out.push_back('}');
}

void append_frame(std::string& out, const StateFrame& frame) {
    append_place(out, R"({"op":"state")", frame.queue, frame.mount);
    append_seq(out, frame.seq, frame.prev);
    append_values(out, R"(,"set":{)", frame.changes, Format::json);
    append_values(out, R"(,"setb":{)", frame.changes, Format::bytes);
    Items items{out, R"(,"del":[)"};
    for (const auto& [key, value] : frame.changes) {
        if (!value) {
            items.next();
            append_quoted(out, key);
        }
    }
    items.close(']');
    out.push_back('}');
}

void append_frame(std::string& out, const MembersFrame& frame) {
    append_text(out, R"({"op":"members","q":)", frame.queue);
    append_seq(out, frame.seq, frame.prev);
    append_members(out, R"(,"set":{)", frame.set);
    Items items{out, R"(,"del":{)"};
    for (const auto& [user, why] : frame.gone) {
        items.next_key(user);
        append_quoted(out, why);
    }
    items.close('}');
    append_integer(out, R"(,"count":)", frame.count);
    out.push_back('}');
}

void append_frame(std::string& out, const MountChangeFrame& frame) {
    append_place(out, R"({"op":"mount")", frame.queue, frame.mount);
    append_seq(out, frame.seq, frame.prev);
    if (frame.type.empty()) {
        out += R"(,"type":null})";
        return;
    }
    append_text(out, R"(,"type":)", frame.type);
    out.push_back('}');
}

void append_frame(std::string& out, const OkFrame& frame) {
    out += R"({"op":"ok")";
    append_request(out, frame.request);
    append_integer_if_any(out, R"(,"seq":)", frame.seq);
    if (frame.inc) {
        append_integer(out, R"(,"inc":)", frame.inc->value);
    }
    out.push_back('}');
}

void append_frame(std::string& out, const ErrFrame& frame) {
    out += R"({"op":"err")";
    append_request(out, frame.request);
    append_code(out, frame.code);
    out += is_outcome_unknown(frame.code) ? R"(,"outcome":"unknown")" : R"(,"outcome":"rejected")";
    append_text_if_any(out, R"(,"message":)", frame.detail);
    append_integer_if_any(out, R"(,"current":)", frame.current);
    out.push_back('}');
}

void append_frame(std::string& out, const RetryFrame& frame) {
    out += R"({"op":"retry")";
    append_request(out, frame.request);
    append_code(out, frame.code);
    append_integer(out, R"(,"after_ms":)", frame.after_ms);
    out.push_back('}');
}

void append_frame(std::string& out, const RefusedFrame& frame) {
    out += R"({"op":"refused")";
    append_request(out, frame.request);
    append_integer(out, R"(,"try":)", frame.attempt);
    append_code(out, frame.code);
    out.push_back('}');
}

void append_frame(std::string& out, const GapFrame& frame) {
    append_place(out, R"({"op":"gap")", frame.queue, frame.mount);
    append_integer(out, R"(,"from":)", frame.from);
    append_integer(out, R"(,"to":)", frame.to);
    out.push_back('}');
}

void append_frame(std::string& out, const StalledFrame& frame) {
    append_text(out, R"({"op":"stalled","q":)", frame.queue);
    out += frame.on ? R"(,"on":true})" : R"(,"on":false})";
}

void append_frame(std::string& out, const LeftFrame& frame) {
    append_text(out, R"({"op":"left","q":)", frame.queue);
    append_text_if_any(out, R"(,"why":)", frame.why);
    out.push_back('}');
}

void append_frame(std::string& out, const ByeFrame& frame) {
    out += R"({"op":"bye")";
    append_code(out, frame.code);
    append_integer_if_any(out, R"(,"spread_ms":)", frame.spread_ms);
    append_integer_if_any(out, R"(,"retry_ms":)", frame.retry_ms);
    append_text_if_any(out, R"(,"message":)", frame.detail);
    out.push_back('}');
}

void append_frame(std::string& out, const HistoryFrame& frame) {
    out += R"({"op":"history")";
    append_request(out, frame.request);
    append_text(out, R"(,"q":)", frame.queue);
    append_text(out, R"(,"m":)", frame.mount);
    out += R"(,"items":[)";
    Items items{out, ""};
    for (const MsgFrame& item : frame.items) {
        items.next();
        append_integer(out, R"({"seq":)", item.seq);
        append_text_if_any(out, R"(,"from":)", item.from);
        out += R"(,"t":)";
        append_number(out, item.time_ms);
        append_data(out, item.data);
        out.push_back('}');
    }
    out += frame.more ? R"(],"more":true})" : "]}";
}

void append_frame(std::string& out, const PingFrame&) { out += R"({"op":"ping"})"; }
void append_frame(std::string& out, const PongFrame&) { out += R"({"op":"pong"})"; }

void append_server_frame(std::string& out, const ServerFrame& frame) {
    std::visit([&out](const auto& one) { append_frame(out, one); }, frame);
}

}  // namespace muster::wire
