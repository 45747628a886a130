#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/wire/frames.h"
#include "core/wire/proto_reader.h"
#include "core/wire/proto_writer.h"

/// The numbers of bodies in proto/muster/client.proto, and the messages that both directions hold.
/// For the frame parsers and writers only.
namespace muster::wire::proto {

/// Number of a body within its frame.
enum class Body : std::uint32_t {
    // Of clients.
    send = 2,
    set = 3,
    ack = 4,
    client_hello = 16,
    auth = 17,
    join = 18,
    listen = 19,
    leave = 20,
    unlisten = 21,
    withdraw = 22,
    client_history = 23,
    // Of both.
    ping = 5,
    pong = 6,
    // Of servers.
    msg = 9,
    state = 10,
    ok = 11,
    members = 12,
    err = 13,
    hello = 32,
    joined = 33,
    reset = 34,
    mount = 35,
    retry = 36,
    refused = 37,
    gap = 38,
    stalled = 39,
    left = 40,
    bye = 41,
    history = 42,
};

inline constexpr std::uint32_t body_number_max = 42;

[[nodiscard]] constexpr std::uint32_t number_of(Body body) noexcept {
    return static_cast<std::uint32_t>(body);
}

/// The same as writers take it, and as protoc has it.
[[nodiscard]] constexpr int field_of(Body body) noexcept { return static_cast<int>(body); }

/// One bit for each number that is a body of servers; that of ping and pong as well.
inline constexpr std::uint64_t server_bodies = [] {
    std::uint64_t bits = 0;
    for (const Body body :
         {Body::ping, Body::pong, Body::msg, Body::state, Body::ok, Body::members, Body::err,
          Body::hello, Body::joined, Body::reset, Body::mount, Body::retry, Body::refused,
          Body::gap, Body::stalled, Body::left, Body::bye, Body::history}) {
        bits |= std::uint64_t{1} << number_of(body);
    }
    return bits;
}();

[[nodiscard]] constexpr bool is_server_body(std::uint32_t number) noexcept {
    return number <= body_number_max && (server_bodies >> number & 1U) != 0;
}

/// Enumerators of Err.Outcome.
inline constexpr std::uint64_t outcome_rejected = 0;
inline constexpr std::uint64_t outcome_unknown = 1;

inline Cursor read_cursor(std::string_view bytes, Problem& problem) noexcept {
    ProtoReader fields{bytes, problem};
    Cursor cursor;
    while (fields.next()) {
        switch (fields.number()) {
            case 1: cursor.inc = Inc{fields.integer("inc")}; break;
            case 2: cursor.seq = fields.integer("seq"); break;
            default: break;
        }
    }
    return cursor;
}

inline void write_cursor(ProtoWriter& out, int number, const Cursor& cursor) {
    out.message(number, [&] {
        out.number(1, cursor.inc.value);
        out.number(2, cursor.seq);
    });
}

inline Data read_data(std::string_view bytes, Problem& problem, std::size_t depth_max) noexcept {
    ProtoReader fields{bytes, problem};
    std::optional<Data> data;
    while (fields.next()) {
        if (fields.number() > 2) {
            continue;
        }
        if (data) {
            fields.refuse("d", "stands twice");
            break;
        }
        data = fields.number() == 1 ? Data{fields.json("d", depth_max), Format::json}
                                    : Data{fields.bytes("b"), Format::bytes};
    }
    if (!data) {
        fields.refuse("data", "holds neither d nor b");
    }
    return data.value_or(Data{});
}

inline void write_data(ProtoWriter& out, int number, const Data& data) {
    out.message(number,
                [&] { out.present_bytes(data.format == Format::bytes ? 2 : 1, data.bytes); });
}

}  // namespace muster::wire::proto
