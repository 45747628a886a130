#include "core/wire/json_frames.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <system_error>
#include <vector>

#include "core/wire/json_fields.h"
#include "core/wire/json_reader.h"

namespace muster::wire {

namespace {

// A payload of json_depth_max levels stands up to four levels deep in a frame.
constexpr std::size_t server_depth_max = json_depth_max + 4;
constexpr std::uint64_t uint32_max = std::numeric_limits<std::uint32_t>::max();

/// Calls `take(name, value)` for each field of the object under `field`. Where that returns false,
/// the frame is refused with `demand`.
template <typename Take>
void for_each(FieldReader& fields, Field field, std::string_view demand, Take take) {
    const JsonValue* object = fields.find(field, JsonKind::object);
    if (object == nullptr) {
        return;
    }
    JsonReader reader{object->raw(), fields.depth_max()};
    JsonValue name;
    JsonValue value;
    reader.enter_object();
    while (reader.next_key(name) && reader.read(value)) {
        if (!take(fields.scratch().text(name), value)) {
            fields.refuse(field, demand);
            return;
        }
    }
}

Seq integer_or_0(FieldReader& fields, Field field) { return fields.integer(field).value_or(0); }

std::optional<std::uint32_t> small_integer(FieldReader& fields, Field field,
                                           std::uint64_t min = 0) {
    const auto number = fields.integer(field, min, uint32_max);
    return number ? std::optional{static_cast<std::uint32_t>(*number)} : std::nullopt;
}

/// Returns the registered code that stands there, or nothing.
std::optional<ErrorCode> read_code(FieldReader& fields) {
    const ErrorInfo* found = find_error(fields.text(Field::code));
    return found != nullptr ? std::optional{found->code} : std::nullopt;
}

void read_values(FieldReader& fields, Field field, Format format, std::vector<KeyValue>& out) {
    for_each(fields, field, "must be base64 with padding for each key",
             [&](std::string_view key, const JsonValue& value) {
                 if (format == Format::json) {
                     out.push_back({key, Data{value.raw(), format}});
                     return true;
                 }
                 const auto bytes =
                     value.kind == JsonKind::string ? fields.scratch().base64(value) : std::nullopt;
                 if (bytes) {
                     out.push_back({key, Data{*bytes, format}});
                 }
                 return bytes.has_value();
             });
}

void read_deleted_keys(FieldReader& fields, std::vector<KeyValue>& out) {
    const JsonValue* array = fields.find(Field::del, JsonKind::array);
    if (array == nullptr) {
        return;
    }
    JsonReader reader{array->raw(), fields.depth_max()};
    JsonValue value;
    reader.enter_array();
    while (reader.next_item() && reader.read(value)) {
        if (value.kind != JsonKind::string) {
            fields.refuse(Field::del, "must be a list of keys");
            return;
        }
        out.push_back({fields.scratch().text(value), std::nullopt});
    }
}

void read_members(FieldReader& fields, Field field, std::vector<MemberFrame>& out) {
    for_each(fields, field, "must be an object for each user",
             [&](std::string_view user, const JsonValue& value) {
                 out.push_back({user, value.raw()});
                 return value.kind == JsonKind::object;
             });
}

/// Reads what stands at the start of `text`, which is shortened by it.
bool take_number(std::string_view& text, std::uint64_t& number) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    return read.ec == std::errc{} && number <= json_integer_max;
}

bool take_literal(std::string_view& text, std::string_view literal) {
    const bool is_there = text.starts_with(literal);
    text.remove_prefix(is_there ? literal.size() : 0);
    return is_there;
}

std::optional<Resume> read_resume(std::string_view text) {
    Resume resume;
    bool is_good = true;
    if (take_literal(text, "replayed ")) {
        resume.kind = Resume::Kind::replayed;
        is_good = take_number(text, resume.count);
    } else if (take_literal(text, "gap ")) {
        resume.kind = Resume::Kind::gap;
        is_good = take_number(text, resume.from) && take_literal(text, "..") &&
                  take_number(text, resume.to);
    } else if (take_literal(text, "snapshot")) {
        resume.kind = Resume::Kind::snapshot;
    } else {
        is_good = take_literal(text, "fresh");
    }
    return is_good && text.empty() ? std::optional{resume} : std::nullopt;
}

bool read_mount(FieldReader& fields, MountFrame& out) {
    if (!fields.read()) {
        return false;
    }
    const std::string_view type = fields.text(Field::type);
    out.is_state = type == "state";
    if (out.is_state) {
        read_values(fields, Field::value, Format::json, out.values);
        read_values(fields, Field::valueb, Format::bytes, out.values);
    }
    return out.is_state || type == "message";
}

void read_mounts(FieldReader& fields, std::vector<MountFrame>& out) {
    for_each(fields, Field::mounts, "must be a mount of type message or state for each name",
             [&](std::string_view name, const JsonValue& value) {
                 FieldReader mount{fields.scratch(), value.raw(), fields.depth_max()};
                 out.push_back({.name = name, .is_state = false, .values = {}, .resume = {}});
                 return read_mount(mount, out.back()) && mount.error() == nullptr;
             });
}

void read_resumes(FieldReader& fields, std::vector<MountFrame>& mounts) {
    for_each(fields, Field::resume, "must be fresh, replayed, snapshot or gap for each mount",
             [&](std::string_view name, const JsonValue& value) {
                 if (value.kind != JsonKind::string) {
                     return false;
                 }
                 const auto resume = read_resume(fields.scratch().text(value));
                 const auto mount = std::ranges::find(mounts, name, &MountFrame::name);
                 if (resume && mount != mounts.end()) {
                     mount->resume = resume;
                 }
                 return resume.has_value();
             });
}

ServerFrame read_hello(FieldReader& fields) {
    HelloFrame frame;
    frame.version = small_integer(fields, Field::v).value_or(frame.version);
    frame.user = fields.text(Field::user);
    frame.session = SessionId{integer_or_0(fields, Field::session)};
    frame.resume = fields.text(Field::resume);
    frame.cid = fields.text(Field::cid);
    frame.ping_s = small_integer(fields, Field::ping).value_or(frame.ping_s);
    return frame;
}

ServerFrame read_joined(FieldReader& fields) {
    JoinedFrame frame;
    frame.request = fields.integer(Field::i);
    frame.queue = fields.text(Field::q);
    frame.member = fields.boolean(Field::member);
    frame.at = fields.cursor(Field::at).value_or(Cursor{});
    read_mounts(fields, frame.mounts);
    read_resumes(fields, frame.mounts);
    frame.member_count = integer_or_0(fields, Field::members);
    read_members(fields, Field::who, frame.who);
    return frame;
}

ServerFrame read_reset(FieldReader& fields) {
    ResetFrame frame;
    frame.queue = fields.text(Field::q);
    frame.at = fields.cursor(Field::at).value_or(Cursor{});
    frame.why = fields.text(Field::why);
    read_mounts(fields, frame.mounts);
    frame.member_count = integer_or_0(fields, Field::members);
    read_members(fields, Field::who, frame.who);
    return frame;
}

/// What a message is both as a frame of its own and as an item of a history.
MsgFrame read_message(FieldReader& fields) {
    MsgFrame frame;
    frame.seq = integer_or_0(fields, Field::seq);
    frame.from = fields.text(Field::from);
    frame.time_ms = fields.signed_integer(Field::t);
    frame.data = fields.data().value_or(Data{});
    return frame;
}

ServerFrame read_msg(FieldReader& fields) {
    MsgFrame frame = read_message(fields);
    frame.queue = fields.text(Field::q);
    frame.mount = fields.text(Field::m);
    frame.prev = fields.integer(Field::prev);
    frame.mail = fields.integer(Field::n, 1);
    return frame;
}

ServerFrame read_state(FieldReader& fields) {
    StateFrame frame;
    frame.queue = fields.text(Field::q);
    frame.mount = fields.text(Field::m);
    frame.seq = integer_or_0(fields, Field::seq);
    frame.prev = fields.integer(Field::prev);
    read_values(fields, Field::set, Format::json, frame.changes);
    read_values(fields, Field::setb, Format::bytes, frame.changes);
    read_deleted_keys(fields, frame.changes);
    return frame;
}

ServerFrame read_members_change(FieldReader& fields) {
    MembersFrame frame;
    frame.queue = fields.text(Field::q);
    frame.seq = integer_or_0(fields, Field::seq);
    frame.prev = fields.integer(Field::prev);
    read_members(fields, Field::set, frame.set);
    for_each(fields, Field::del, "must be a reason for each user",
             [&](std::string_view user, const JsonValue& value) {
                 if (value.kind != JsonKind::string) {
                     return false;
                 }
                 frame.gone.push_back({user, fields.scratch().text(value)});
                 return true;
             });
    frame.count = integer_or_0(fields, Field::count);
    return frame;
}

ServerFrame read_mount_change(FieldReader& fields) {
    MountChangeFrame frame;
    frame.queue = fields.text(Field::q);
    frame.mount = fields.text(Field::m);
    frame.seq = integer_or_0(fields, Field::seq);
    frame.prev = fields.integer(Field::prev);
    if (fields.has(Field::type) && fields[Field::type].kind != JsonKind::null) {
        frame.type = fields.text(Field::type);
    }
    return frame;
}

ServerFrame read_ok(FieldReader& fields) {
    OkFrame frame;
    frame.request = fields.integer(Field::i);
    frame.seq = fields.integer(Field::seq);
    if (const auto inc = fields.integer(Field::inc)) {
        frame.inc = Inc{*inc};
    }
    return frame;
}

ServerFrame read_err(FieldReader& fields) {
    ErrFrame frame;
    frame.request = fields.integer(Field::i);
    const bool is_unknown = fields.text(Field::outcome) == "unknown";
    frame.code = read_code(fields).value_or(is_unknown ? ErrorCode::expired : frame.code);
    frame.detail = fields.text(Field::message);
    frame.current = fields.integer(Field::current);
    return frame;
}

ServerFrame read_retry(FieldReader& fields) {
    RetryFrame frame;
    frame.request = fields.integer(Field::i);
    frame.code = read_code(fields).value_or(frame.code);
    frame.after_ms = small_integer(fields, Field::after_ms).value_or(0);
    return frame;
}

ServerFrame read_refused(FieldReader& fields) {
    RefusedFrame frame;
    frame.request = fields.integer(Field::i);
    frame.attempt = small_integer(fields, Field::attempt, 1).value_or(1);
    frame.code = read_code(fields).value_or(frame.code);
    return frame;
}

ServerFrame read_gap(FieldReader& fields) {
    return GapFrame{.queue = fields.text(Field::q),
                    .mount = fields.text(Field::m),
                    .from = integer_or_0(fields, Field::from),
                    .to = integer_or_0(fields, Field::to)};
}

ServerFrame read_stalled(FieldReader& fields) {
    return StalledFrame{.queue = fields.text(Field::q), .on = fields.boolean(Field::on)};
}

ServerFrame read_left(FieldReader& fields) {
    return LeftFrame{.queue = fields.text(Field::q), .why = fields.text(Field::why)};
}

ServerFrame read_bye(FieldReader& fields) {
    ByeFrame frame;
    frame.code = read_code(fields).value_or(frame.code);
    frame.spread_ms = small_integer(fields, Field::spread_ms);
    frame.retry_ms = small_integer(fields, Field::retry_ms);
    frame.detail = fields.text(Field::message);
    return frame;
}

ServerFrame read_history(FieldReader& fields) {
    HistoryFrame frame;
    frame.request = fields.integer(Field::i);
    frame.queue = fields.text(Field::q);
    frame.mount = fields.text(Field::m);
    frame.more = fields.boolean(Field::more);
    const JsonValue* array = fields.find(Field::items, JsonKind::array);
    if (array == nullptr) {
        return frame;
    }
    JsonReader reader{array->raw(), fields.depth_max()};
    JsonValue value;
    reader.enter_array();
    while (reader.next_item() && reader.read(value)) {
        FieldReader item{fields.scratch(), value.raw(), fields.depth_max()};
        if (item.read()) {
            frame.items.push_back(read_message(item));
        }
        if (const auto* error = item.error()) {
            fields.refuse(Field::items, error->detail);
            break;
        }
    }
    return frame;
}

ServerFrame read_ping(FieldReader&) { return PingFrame{}; }
ServerFrame read_pong(FieldReader&) { return PongFrame{}; }

struct OpReader {
    std::string_view name;
    ServerFrame (*read)(FieldReader&);
};

// Those that come most often first.
constexpr auto op_readers = std::to_array<OpReader>({
    {"msg", read_msg},
    {"state", read_state},
    {"ok", read_ok},
    {"members", read_members_change},
    {"ping", read_ping},
    {"pong", read_pong},
    {"err", read_err},
    {"retry", read_retry},
    {"refused", read_refused},
    {"joined", read_joined},
    {"reset", read_reset},
    {"mount", read_mount_change},
    {"gap", read_gap},
    {"stalled", read_stalled},
    {"left", read_left},
    {"history", read_history},
    {"hello", read_hello},
    {"bye", read_bye},
});

}  // namespace

Result<ServerFrame> parse_server_frame(std::string_view text, std::string& scratch) {
    Scratch decoded{scratch, text};
    FieldReader fields{decoded, text, server_depth_max};
    ServerFrame frame;
    const std::string_view op = fields.read() ? fields.text(Field::op) : std::string_view{};
    const auto* found = std::ranges::find(op_readers, op, &OpReader::name);
    if (found != op_readers.end()) {
        frame = found->read(fields);
    } else if (!op.empty()) {
        return failure(ErrorCode::unsupported, "op: not known to this version");
    } else {
        fields.refuse(Field::op, "must name a frame");
    }
    if (const auto* error = fields.error()) {
        return tl::unexpected<Error>(*error);
    }
    return frame;
}

}  // namespace muster::wire
