#include "core/wire/json_frames.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/poison.h"
#include "core/wire/json_fields.h"
#include "core/wire/json_reader.h"
#include "core/wire/json_writer.h"

namespace muster::wire {

namespace {

constexpr std::uint64_t uint32_max = std::numeric_limits<std::uint32_t>::max();

struct OpName {
    std::string_view name;
    ClientOp op;
};

// Those that come most often first. From `ok` on: what only servers, nodes and admins send.
constexpr auto op_names = std::to_array<OpName>({
    {"send", ClientOp::send},
    {"set", ClientOp::set},
    {"ack", ClientOp::ack},
    {"ping", ClientOp::ping},
    {"pong", ClientOp::pong},
    {"join", ClientOp::join},
    {"listen", ClientOp::listen},
    {"leave", ClientOp::leave},
    {"unlisten", ClientOp::unlisten},
    {"hello", ClientOp::hello},
    {"auth", ClientOp::auth},
    {"withdraw", ClientOp::withdraw},
    {"history", ClientOp::history},
    {"ok", ClientOp::server_only},
    {"err", ClientOp::server_only},
    {"joined", ClientOp::server_only},
    {"reset", ClientOp::server_only},
    {"msg", ClientOp::server_only},
    {"state", ClientOp::server_only},
    {"members", ClientOp::server_only},
    {"mount", ClientOp::server_only},
    {"gap", ClientOp::server_only},
    {"stalled", ClientOp::server_only},
    {"left", ClientOp::server_only},
    {"bye", ClientOp::server_only},
    {"retry", ClientOp::server_only},
    {"refused", ClientOp::server_only},
    {"attach", ClientOp::server_only},
    {"attached", ClientOp::server_only},
    {"fence", ClientOp::server_only},
    {"fenced", ClientOp::server_only},
    {"sub", ClientOp::server_only},
    {"snap", ClientOp::server_only},
    {"evt", ClientOp::server_only},
    {"repl", ClientOp::server_only},
    {"kick", ClientOp::server_only},
    {"check", ClientOp::server_only},
    {"detach", ClientOp::server_only},
});

ClientOp op_of(std::string_view name) noexcept {
    for (const OpName& entry : op_names) {
        if (entry.name == name) {
            return entry.op;
        }
    }
    return ClientOp::unknown;
}

std::string_view name_of(ClientOp op) noexcept {
    const auto* found = std::ranges::find(op_names, op, &OpName::op);
    MUSTER_CHECK(found != op_names.end());
    return found->name;
}

/// Reads the `since` of a hello: `{"/room/123":[7,17],…}`.
void read_since(FieldReader& fields, std::vector<Since>& out) {
    const JsonValue* object = fields.find(Field::since, JsonKind::object);
    if (object == nullptr) {
        return;
    }
    JsonReader reader{object->raw()};
    JsonValue name;
    reader.enter_object();
    while (reader.next_key(name)) {
        if (out.size() == since_count_max) {
            fields.refuse(Field::since, "more than 64 queues");
            return;
        }
        const std::string_view queue = fields.scratch().text(name);
        const auto cursor = read_cursor(reader);
        if (!cursor) {
            fields.refuse(Field::since, "must be [inc, seq] for each queue");
            return;
        }
        if (std::ranges::find(out, queue, &Since::queue) != out.end()) {
            fields.refuse(Field::since, "a queue stands twice");
            return;
        }
        out.push_back({.queue = queue, .cursor = *cursor});
    }
}

void read_versions(FieldReader& fields, std::vector<std::uint32_t>& out) {
    const JsonValue* array = fields.find(Field::v, JsonKind::array);
    if (array == nullptr) {
        return;
    }
    JsonReader reader{array->raw()};
    JsonValue value;
    reader.enter_array();
    while (reader.next_item() && reader.read(value)) {
        const auto version = to_uint(value);
        if (!version || *version > uint32_max) {
            fields.refuse(Field::v, "must be a list of version numbers");
            return;
        }
        if (out.size() == version_count_max) {
            fields.refuse(Field::v, "more than 16 versions");
            return;
        }
        out.push_back(static_cast<std::uint32_t>(*version));
    }
}

void read_all(FieldReader& fields, ClientFrame& out) {
    out.queue = fields.text(Field::q);
    out.mount = fields.text(Field::m);
    out.key = fields.text(Field::k);
    out.data = fields.data();
    const auto number = fields.integer(Field::n, 1);
    (out.op == ClientOp::ack ? out.acked_mail : out.number) = number;
    if (const auto inc = fields.integer(Field::inc)) {
        out.inc = Inc{*inc};
    }
    if (const auto attempt = fields.integer(Field::attempt, 1, uint32_max)) {
        out.attempt = static_cast<std::uint32_t>(*attempt);
    }
    out.if_seq = fields.integer(Field::if_seq);
    out.before = fields.integer(Field::before);
    if (out.op == ClientOp::hello) {
        read_since(fields, out.since);
    } else if (out.op == ClientOp::join || out.op == ClientOp::listen) {
        out.cursor = fields.cursor(Field::since);
    }
    read_versions(fields, out.versions);
    out.token = fields.text(Field::token);
    out.user = fields.text(Field::user);
    out.nonce = fields.text(Field::nonce);
    out.resume = fields.text(Field::resume);
    out.cid = fields.text(Field::cid);
    out.attempt_number = fields.integer(Field::cn).value_or(0);
    out.resolve = fields.boolean(Field::resolve);
}

/// Appends `,"name":` and the value, unless there is none.
void append_text(std::string& out, std::string_view name, std::string_view text) {
    if (!text.empty()) {
        out += name;
        append_quoted(out, text);
    }
}

void append_integer(std::string& out, std::string_view name, std::optional<std::uint64_t> number) {
    if (number) {
        out += name;
        append_number(out, *number);
    }
}

void append_cursor(std::string& out, Cursor cursor) {
    out.push_back('[');
    append_number(out, cursor.inc.value);
    out.push_back(',');
    append_number(out, cursor.seq);
    out.push_back(']');
}

void append_versions(std::string& out, const std::vector<std::uint32_t>& versions) {
    std::string_view before = R"(,"v":[)";
    for (const std::uint32_t version : versions) {
        out += before;
        append_number(out, std::uint64_t{version});
        before = ",";
    }
    out += versions.empty() ? "" : "]";
}

void append_since(std::string& out, const std::vector<Since>& since) {
    std::string_view before = R"(,"since":{)";
    for (const Since& entry : since) {
        out += before;
        append_quoted(out, entry.queue);
        out.push_back(':');
        append_cursor(out, entry.cursor);
        before = ",";
    }
    out += since.empty() ? "" : "}";
}

void append_data(std::string& out, const std::optional<Data>& data) {
    if (!data) {
        return;
    }
    if (data->format == Format::bytes) {
        out += R"(,"b":)";
        append_quoted_base64(out, data->bytes);
    } else if (!data->bytes.empty()) {
        out += R"(,"d":)";
        out += data->bytes;
    }
}

}  // namespace

Result<void> parse_client_frame(std::string_view text, std::string& scratch, ClientFrame& out) {
    die_if_poisoned(text, "poison for the parser");
    out.clear();
    Scratch decoded{scratch, text};
    FieldReader fields{decoded, text, json_depth_max};
    const std::string_view op = fields.read() ? fields.text(Field::op) : std::string_view{};
    if (op.empty()) {
        fields.refuse(Field::op, "must name a frame");
        return tl::unexpected<Error>(*fields.error());
    }
    out.op = op_of(op);
    out.request = fields.integer(Field::i);
    // In frames that are not for us, names may mean something else.
    if (out.op != ClientOp::server_only && out.op != ClientOp::unknown) {
        read_all(fields, out);
    }
    if (const auto* error = fields.error()) {
        return tl::unexpected<Error>(*error);
    }
    return {};
}

void append_client_frame(std::string& out, const ClientFrame& frame) {
    MUSTER_CHECK(frame.op != ClientOp::server_only);
    out += R"({"op":")";
    out += name_of(frame.op);
    out.push_back('"');
    append_integer(out, R"(,"i":)", frame.request);
    append_integer(out, R"(,"n":)", frame.op == ClientOp::ack ? frame.acked_mail : frame.number);
    append_integer(out, R"(,"inc":)", frame.inc ? std::optional{frame.inc->value} : std::nullopt);
    append_integer(out, R"(,"try":)", frame.attempt);
    append_text(out, R"(,"q":)", frame.queue);
    append_text(out, R"(,"m":)", frame.mount);
    append_text(out, R"(,"k":)", frame.key);
    append_data(out, frame.data);
    append_integer(out, R"(,"if":)", frame.if_seq);
    append_integer(out, R"(,"before":)", frame.before);
    append_versions(out, frame.versions);
    append_text(out, R"(,"user":)", frame.user);
    append_text(out, R"(,"token":)", frame.token);
    append_text(out, R"(,"nonce":)", frame.nonce);
    append_text(out, R"(,"resume":)", frame.resume);
    append_text(out, R"(,"cid":)", frame.cid);
    if (frame.attempt_number != 0) {
        append_integer(out, R"(,"cn":)", frame.attempt_number);
    }
    out += frame.resolve ? R"(,"resolve":true)" : "";
    if (frame.op == ClientOp::hello) {
        append_since(out, frame.since);
    } else if (frame.cursor) {
        out += R"(,"since":)";
        append_cursor(out, *frame.cursor);
    }
    out.push_back('}');
}

}  // namespace muster::wire
