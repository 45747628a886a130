#include "core/wire/proto_frames.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/check.h"
#include "core/wire/json_reader.h"
#include "core/wire/proto_messages.h"
#include "core/wire/proto_reader.h"
#include "core/wire/proto_writer.h"

namespace muster::wire::proto {

namespace {

// In JSON a payload stands within the object of its frame.
constexpr std::size_t payload_depth_max = json_depth_max - 1;

struct OpNumbered {
    ClientOp op;
    Body body;
};

constexpr auto ops = std::to_array<OpNumbered>({
    {ClientOp::send, Body::send},
    {ClientOp::set, Body::set},
    {ClientOp::ack, Body::ack},
    {ClientOp::ping, Body::ping},
    {ClientOp::pong, Body::pong},
    {ClientOp::hello, Body::client_hello},
    {ClientOp::auth, Body::auth},
    {ClientOp::join, Body::join},
    {ClientOp::listen, Body::listen},
    {ClientOp::leave, Body::leave},
    {ClientOp::unlisten, Body::unlisten},
    {ClientOp::withdraw, Body::withdraw},
    {ClientOp::history, Body::client_history},
});

constexpr auto ops_by_number = [] {
    std::array<ClientOp, body_number_max + 1> table{};
    for (std::uint32_t number = 0; number < table.size(); ++number) {
        table[number] = is_server_body(number) ? ClientOp::server_only : ClientOp::unknown;
    }
    for (const auto& [op, body] : ops) {
        table[number_of(body)] = op;
    }
    return table;
}();

ClientOp op_of(std::uint32_t number) noexcept {
    return number < ops_by_number.size() ? ops_by_number[number] : ClientOp::unknown;
}

int field_of(ClientOp op) {
    const auto* found = std::ranges::find(ops, op, &OpNumbered::op);
    MUSTER_CHECK(found != ops.end());
    return field_of(found->body);
}

void read_op(std::string_view bytes, Problem& problem, ClientFrame& out) {
    ProtoReader fields{bytes, problem};
    while (fields.next()) {
        switch (fields.number()) {
            case 1: out.number = fields.integer("n", 1); break;
            case 2: out.inc = Inc{fields.integer("inc")}; break;
            case 3: out.attempt = fields.small_integer("try", 1); break;
            default: break;
        }
    }
}

void add_version(ProtoReader& fields, std::uint64_t version, std::vector<std::uint32_t>& out) {
    if (version > std::numeric_limits<std::uint32_t>::max()) {
        fields.refuse("v", "is out of its range");
    } else if (out.size() == version_count_max) {
        fields.refuse("v", "more than 16 versions");
    } else {
        out.push_back(static_cast<std::uint32_t>(version));
    }
}

/// Reads versions: packed, or one by one, which a reader must take both.
void read_versions(ProtoReader& fields, std::vector<std::uint32_t>& out) {
    if (fields.type() == WireType::varint) {
        add_version(fields, fields.repeated_integer("v", json_integer_max), out);
        return;
    }
    ProtoReader packed{fields.repeated_bytes("v"), fields.problem()};
    std::uint64_t version = 0;
    while (packed.next_packed(version)) {
        add_version(fields, version, out);
    }
}

void read_since(ProtoReader& hello, std::vector<Since>& out) {
    ProtoReader fields{hello.repeated_bytes("since"), hello.problem()};
    if (out.size() == since_count_max) {
        fields.refuse("since", "more than 64 queues");
        return;
    }
    Since since;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: since.queue = fields.text("since"); break;
            case 2: since.cursor = read_cursor(fields.bytes("since"), fields.problem()); break;
            default: break;
        }
    }
    if (std::ranges::find(out, since.queue, &Since::queue) != out.end()) {
        fields.refuse("since", "a queue stands twice");
        return;
    }
    out.push_back(since);
}

void read_hello(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        switch (fields.number()) {
            case 1: read_versions(fields, out.versions); break;
            case 2: out.token = fields.text("token"); break;
            case 3: out.user = fields.text("user"); break;
            case 4: out.nonce = fields.text("nonce"); break;
            case 5: out.resume = fields.text("resume"); break;
            case 6: out.cid = fields.text("cid"); break;
            case 7: out.attempt_number = fields.integer("cn"); break;
            case 8: out.resolve = fields.boolean("resolve"); break;
            case 9: read_since(fields, out.since); break;
            default: break;
        }
    }
}

void read_auth(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        if (fields.number() == 1) {
            out.token = fields.text("token");
        }
    }
}

void read_ack(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        if (fields.number() == 1) {
            const std::uint64_t mail = fields.integer("n");
            out.acked_mail = mail == 0 ? std::nullopt : std::optional{mail};
        }
    }
}

void read_send(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        switch (fields.number()) {
            case 1: out.queue = fields.text("q"); break;
            case 2: out.mount = fields.text("m"); break;
            case 3: read_op(fields.bytes("op"), fields.problem(), out); break;
            case 4:
                out.data = read_data(fields.bytes("data"), fields.problem(), payload_depth_max);
                break;
            default: break;
        }
    }
}

void read_set(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        switch (fields.number()) {
            case 1: out.queue = fields.text("q"); break;
            case 2: out.mount = fields.text("m"); break;
            case 3: out.key = fields.text("k"); break;
            case 4: read_op(fields.bytes("op"), fields.problem(), out); break;
            case 5:
                out.data = read_data(fields.bytes("data"), fields.problem(), payload_depth_max);
                break;
            case 6: out.if_seq = fields.integer("if"); break;
            default: break;
        }
    }
}

void read_join(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        switch (fields.number()) {
            case 1: out.queue = fields.text("q"); break;
            case 2: read_op(fields.bytes("op"), fields.problem(), out); break;
            case 3: out.cursor = read_cursor(fields.bytes("since"), fields.problem()); break;
            default: break;
        }
    }
}

void read_listen(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        switch (fields.number()) {
            case 1: out.queue = fields.text("q"); break;
            case 2: out.cursor = read_cursor(fields.bytes("since"), fields.problem()); break;
            default: break;
        }
    }
}

/// Reads a leave or a withdraw.
void read_leave(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        switch (fields.number()) {
            case 1: out.queue = fields.text("q"); break;
            case 2: read_op(fields.bytes("op"), fields.problem(), out); break;
            default: break;
        }
    }
}

void read_unlisten(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        if (fields.number() == 1) {
            out.queue = fields.text("q");
        }
    }
}

void read_history(ProtoReader& fields, ClientFrame& out) {
    while (fields.next()) {
        switch (fields.number()) {
            case 1: out.queue = fields.text("q"); break;
            case 2: out.mount = fields.text("m"); break;
            case 3: out.before = fields.integer("before"); break;
            default: break;
        }
    }
}

void read_nothing(ProtoReader& fields) {
    while (fields.next()) {
    }
}

void read_body(ProtoReader& fields, ClientFrame& out) {
    switch (out.op) {
        case ClientOp::hello: read_hello(fields, out); break;
        case ClientOp::auth: read_auth(fields, out); break;
        case ClientOp::join: read_join(fields, out); break;
        case ClientOp::listen: read_listen(fields, out); break;
        case ClientOp::leave:
        case ClientOp::withdraw: read_leave(fields, out); break;
        case ClientOp::unlisten: read_unlisten(fields, out); break;
        case ClientOp::send: read_send(fields, out); break;
        case ClientOp::set: read_set(fields, out); break;
        case ClientOp::history: read_history(fields, out); break;
        case ClientOp::ack: read_ack(fields, out); break;
        case ClientOp::ping:
        case ClientOp::pong: read_nothing(fields); break;
        case ClientOp::server_only:
        case ClientOp::unknown: break;  // What is in there is not for us.
    }
}

// ---- Writing ---------------------------------------------------------------------------------

void write_op(ProtoWriter& out, int number, const ClientFrame& frame) {
    if (!frame.number && !frame.inc && !frame.attempt) {
        return;
    }
    out.message(number, [&] {
        out.number(1, frame.number);
        if (frame.inc) {
            out.present_number(2, frame.inc->value);
        }
        if (frame.attempt) {
            out.present_number(3, std::uint64_t{*frame.attempt});
        }
    });
}

void write_data_if_any(ProtoWriter& out, int number, const std::optional<Data>& data) {
    if (data && (data->format == Format::bytes || !data->bytes.empty())) {
        write_data(out, number, *data);
    }
}

void write_cursor_if_any(ProtoWriter& out, int number, const std::optional<Cursor>& cursor) {
    if (cursor) {
        write_cursor(out, number, *cursor);
    }
}

void write_hello(ProtoWriter& out, const ClientFrame& frame) {
    for (const std::uint32_t version : frame.versions) {
        out.present_number(1, std::uint64_t{version});
    }
    out.bytes(2, frame.token);
    out.bytes(3, frame.user);
    out.bytes(4, frame.nonce);
    out.bytes(5, frame.resume);
    out.bytes(6, frame.cid);
    out.number(7, frame.attempt_number);
    out.number(8, frame.resolve ? 1 : 0);
    for (const Since& since : frame.since) {
        out.message(9, [&] {
            out.bytes(1, since.queue);
            write_cursor(out, 2, since.cursor);
        });
    }
}

void write_body(ProtoWriter& out, const ClientFrame& frame) {
    switch (frame.op) {
        case ClientOp::hello: write_hello(out, frame); break;
        case ClientOp::auth: out.bytes(1, frame.token); break;
        case ClientOp::join:
            out.bytes(1, frame.queue);
            write_op(out, 2, frame);
            write_cursor_if_any(out, 3, frame.cursor);
            break;
        case ClientOp::listen:
            out.bytes(1, frame.queue);
            write_cursor_if_any(out, 2, frame.cursor);
            break;
        case ClientOp::leave:
        case ClientOp::withdraw:
            out.bytes(1, frame.queue);
            write_op(out, 2, frame);
            break;
        case ClientOp::unlisten: out.bytes(1, frame.queue); break;
        case ClientOp::send:
            out.bytes(1, frame.queue);
            out.bytes(2, frame.mount);
            write_op(out, 3, frame);
            write_data_if_any(out, 4, frame.data);
            break;
        case ClientOp::set:
            out.bytes(1, frame.queue);
            out.bytes(2, frame.mount);
            out.bytes(3, frame.key);
            write_op(out, 4, frame);
            write_data_if_any(out, 5, frame.data);
            out.number(6, frame.if_seq);
            break;
        case ClientOp::history:
            out.bytes(1, frame.queue);
            out.bytes(2, frame.mount);
            out.number(3, frame.before);
            break;
        case ClientOp::ack: out.number(1, frame.acked_mail); break;
        case ClientOp::ping:
        case ClientOp::pong:
        case ClientOp::server_only:
        case ClientOp::unknown: break;
    }
}

}  // namespace

Result<void> parse_client_frame(std::string_view bytes, ClientFrame& out) {
    out.clear();
    Problem problem;
    ProtoReader fields{bytes, problem};
    std::string_view body;
    while (fields.next()) {
        if (fields.number() == 1) {
            out.request = fields.integer("i");
        } else if (const ClientOp op = op_of(fields.number()); op != ClientOp::unknown) {
            if (out.op != ClientOp::unknown) {
                fields.refuse("body", "stands twice");
            }
            out.op = op;
            body = fields.bytes("body");
        }
    }
    ProtoReader within{body, problem};
    read_body(within, out);
    if (problem.is_there()) {
        return tl::unexpected<Error>(problem.error());
    }
    return {};
}

void append_client_frame(std::string& out, const ClientFrame& frame) {
    ProtoWriter writer{out};
    writer.number(1, frame.request);
    writer.message(field_of(frame.op), [&] { write_body(writer, frame); });
}

}  // namespace muster::wire::proto
