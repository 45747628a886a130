#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/wire/arbitrary_frames.h"
#include "core/wire/json_frames.h"
#include "core/wire/proto_frames.h"
#include "core/wire/proto_generated.h"
#include "core/wire/proto_writer.h"

using namespace muster;
using namespace muster::wire;

namespace {

/// Bytes of a message whose fields are written by hand.
template <typename Write>
std::string message(Write write) {
    std::string bytes;
    ProtoWriter writer{bytes};
    write(writer);
    return bytes;
}

/// Bytes of a frame with one body.
template <typename Write>
std::string frame_with(int body, Write write) {
    return message([&](auto& out) { out.message(body, [&] { write(out); }); });
}

std::string written(const ClientFrame& frame) {
    std::string bytes;
    proto::append_client_frame(bytes, frame);
    return bytes;
}

/// Keeps the bytes, into which the frame points.
ClientFrame accepted(std::string bytes) {
    static std::deque<std::string> kept;
    ClientFrame frame;
    const auto parsed = proto::parse_client_frame(kept.emplace_back(std::move(bytes)), frame);
    CAPTURE((parsed ? std::string{} : parsed.error().detail));
    REQUIRE(parsed.has_value());
    return frame;
}

Error refused(std::string_view bytes) {
    ClientFrame frame;
    const auto parsed = proto::parse_client_frame(bytes, frame);
    REQUIRE_FALSE(parsed.has_value());
    return parsed.error();
}

constexpr int send_body = 2;
constexpr int hello_body = 16;
constexpr int join_body = 18;

}  // namespace

TEST_CASE("proto: a send is read without a copy of its payload") {
    const std::string bytes = message([](auto& out) {
        out.present_number(1, std::uint64_t{3});
        out.message(send_body, [&] {
            out.bytes(1, "/room/123");
            out.bytes(2, "chat");
            out.message(3, [&] {
                out.present_number(1, std::uint64_t{17});
                out.present_number(2, std::uint64_t{7});
                out.present_number(3, std::uint64_t{1});
            });
            out.message(4, [&] { out.bytes(1, R"({"text":"hi"})"); });
        });
    });
    ClientFrame frame;
    REQUIRE(proto::parse_client_frame(bytes, frame).has_value());
    CHECK(frame.op == ClientOp::send);
    CHECK(frame.request == 3);
    CHECK(frame.queue == "/room/123");
    CHECK(frame.mount == "chat");
    CHECK(frame.number == 17);
    CHECK(frame.inc == Inc{7});
    CHECK(frame.attempt == 1);
    REQUIRE(frame.data.has_value());
    CHECK(frame.data->format == Format::json);
    CHECK(frame.data->bytes == R"({"text":"hi"})");
    CHECK(frame.data->bytes.data() >= bytes.data());
    CHECK(frame.data->bytes.data() < bytes.data() + bytes.size());
}

TEST_CASE("proto: versions are read packed and one by one") {
    const std::vector<std::uint32_t> versions{1, 300};
    CHECK(accepted(frame_with(hello_body, [](auto& out) {
              out.present_number(1, std::uint64_t{1});
              out.present_number(1, std::uint64_t{300});
          })).versions == versions);
    CHECK(accepted(frame_with(hello_body, [](auto& out) {
              out.present_bytes(1, "\x01\xac\x02");
          })).versions == versions);
}

TEST_CASE("row 37: proto: a hello may resume 64 queues and offer 16 versions") {
    const auto hello = [](int queues, int versions) {
        return frame_with(hello_body, [=](auto& out) {
            for (int i = 0; i < versions; ++i) {
                out.present_number(1, std::uint64_t{1});
            }
            for (int i = 0; i < queues; ++i) {
                out.message(9, [&] { out.bytes(1, "/room/" + std::to_string(i)); });
            }
        });
    };
    CHECK(accepted(hello(64, 16)).since.size() == 64);
    CHECK(refused(hello(65, 1)).detail == "since: more than 64 queues");
    CHECK(refused(hello(10'000, 1)).code == ErrorCode::protocol);
    CHECK(refused(hello(1, 17)).detail == "v: more than 16 versions");
    CHECK(refused(frame_with(hello_body, [](auto& out) {
              out.present_bytes(1, std::string(17, '\x01'));
          })).detail == "v: more than 16 versions");
    CHECK(refused(frame_with(hello_body, [](auto& out) {
              out.message(9, [&] { out.bytes(1, "/a"); });
              out.message(9, [&] { out.bytes(1, "/a"); });
          })).detail == "since: a queue stands twice");
}

TEST_CASE("row 38: proto: fields that are not known are ignored, wherever they stand") {
    const auto add_unknown = [](auto& out) {
        out.present_number(15, std::uint64_t{1});
        out.bytes(60, "text");
        out.present_bytes(64, "\xff\xff");
        out.present_number(100'000, std::uint64_t{1} << 60U);
    };
    const ClientFrame frame = accepted(message([&](auto& out) {
        add_unknown(out);
        out.present_number(1, std::uint64_t{9});
        out.message(send_body, [&] {
            add_unknown(out);
            out.bytes(1, "/room/1");
            out.message(3, [&] { add_unknown(out); });
            out.message(4, [&] {
                add_unknown(out);
                out.bytes(1, "1");
                add_unknown(out);
            });
        });
        add_unknown(out);
    }));
    CHECK(frame.op == ClientOp::send);
    CHECK(frame.request == 9);
    CHECK(frame.queue == "/room/1");
    CHECK(frame.data == Data{"1", Format::json});
}

TEST_CASE("row 40: proto: a body that nobody knows is no error, and keeps its request") {
    const ClientFrame frame = accepted(message([](auto& out) {
        out.present_number(1, std::uint64_t{5});
        out.message(500, [&] { out.present_bytes(1, "\xff"); });
    }));
    CHECK(frame.op == ClientOp::unknown);
    CHECK(frame.request == 5);
    CHECK(accepted("").op == ClientOp::unknown);
}

TEST_CASE("row 51: proto: every frame of a server is recognised as such") {
    CHECK(rc::check("frames in the wrong direction", [] {
        ArbitraryFrames arbitrary;
        const ServerFrame frame = arbitrary.server_frame_of_schema();
        std::string bytes;
        proto::append_server_frame(bytes, frame);
        ClientFrame parsed;
        RC_ASSERT(proto::parse_client_frame(bytes, parsed).has_value());
        RC_ASSERT(parsed.op == (std::holds_alternative<PingFrame>(frame) ? ClientOp::ping
                                : std::holds_alternative<PongFrame>(frame)
                                    ? ClientOp::pong
                                    : ClientOp::server_only));
    }));
}

TEST_CASE("row 39: proto: a frame that is cut off anywhere is refused, or has lost whole fields") {
    ClientFrame frame;
    frame.op = ClientOp::set;
    frame.request = 300;
    frame.queue = "/room/123";
    frame.mount = "scores";
    frame.key = "alice";
    frame.number = 1'000;
    frame.data = Data{R"({"a":[1,2,3]})", Format::json};
    frame.if_seq = 20;
    const std::string bytes = written(frame);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CAPTURE(size);
        ClientFrame parsed;
        const auto result =
            proto::parse_client_frame(std::string_view{bytes}.substr(0, size), parsed);
        if (result.has_value()) {
            CHECK((size == 0 || size == 3));  // Nothing, or the request.
            CHECK(parsed.op == ClientOp::unknown);
        } else {
            CHECK(result.error().code == ErrorCode::protocol);
        }
    }
}

TEST_CASE("row 39: proto: what breaks the wire format is refused") {
    using namespace std::string_view_literals;
    const auto detail = [](std::string_view within_send) {
        return refused(frame_with(send_body, [&](auto& out) { out.present_bytes(3, within_send); }))
            .detail;
    };
    CHECK(detail("\x08" + std::string(10, '\x80') + '\x01') == "a number is too long");
    CHECK(detail("\x0a\x7f"sv) == "a length goes past the end");
    CHECK(detail("\x0a\x00"sv) == "n: must be a varint");
    CHECK(detail("\x0b\x0c"sv) == "a group");
    CHECK(detail("\x7b\x7c"sv) == "a group");  // Also of a field that is not known.
    CHECK(detail("\x08\x01\x08\x02"sv) == "n: stands twice");
    CHECK(refused("\x10\x01"sv).detail == "body: must be of a length");
    CHECK(refused("\x0a\x00"sv).detail == "i: must be a varint");
    CHECK(refused("\x2a\x00\x32\x00"sv).detail == "body: stands twice");
    CHECK(refused(frame_with(send_body, [](auto& out) {
              out.present_number(1, std::uint64_t{1});
          })).detail == "q: must be of a length");
    CHECK(refused(frame_with(join_body, [](auto& out) { out.bytes(3, "\x08"); })).detail ==
          "the message is cut off");
}

TEST_CASE("row 39: proto: groups within groups, 17 deep, are refused at the first") {
    CHECK(refused(std::string(17, '\x7b') + std::string(17, '\x7c')).detail == "a group");
}

TEST_CASE("row 39: proto: a payload may be as deep as in a JSON frame, and must be JSON") {
    const auto with_json = [](std::string_view json) {
        return frame_with(send_body,
                          [&](auto& out) { out.message(4, [&] { out.present_bytes(1, json); }); });
    };
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    CHECK(accepted(with_json(nested(15))).data.has_value());
    CHECK(refused(with_json(nested(16))).code == ErrorCode::protocol);
    CHECK(refused(with_json(nested(10'000))).code == ErrorCode::protocol);
    for (const std::string_view bad :
         {"", " ", "{", "1 2", R"({"a":1},"op":"bye")", "nul", "'a'"}) {
        CAPTURE(bad);
        CHECK(refused(with_json(bad)).code == ErrorCode::protocol);
    }
    CHECK(refused(with_json("\"\xff\"")).code == ErrorCode::bad_utf8);
}

TEST_CASE("proto: data holds one of JSON and bytes") {
    const auto with_data = [](auto write) {
        return frame_with(send_body, [&](auto& out) { out.message(4, [&] { write(out); }); });
    };
    CHECK(refused(with_data([](auto&) {})).detail == "data: holds neither d nor b");
    CHECK(refused(with_data([](auto& out) {
              out.bytes(1, "1");
              out.bytes(2, "1");
          })).detail == "d: stands twice");
    CHECK(accepted(with_data([](auto& out) { out.present_bytes(2, "\xff"); })).data ==
          Data{"\xff", Format::bytes});
    CHECK(accepted(with_data([](auto& out) { out.present_bytes(2, ""); })).data ==
          Data{"", Format::bytes});
}

TEST_CASE("rows 41 and 42: proto: n and try count from 1, integers end at 2^53") {
    const auto with_op = [](int field, std::uint64_t value) {
        return frame_with(send_body, [=](auto& out) {
            out.message(3, [&] { out.present_number(field, value); });
        });
    };
    CHECK(refused(with_op(1, 0)).detail == "n: is out of its range");
    CHECK(refused(with_op(3, 0)).detail == "try: is out of its range");
    CHECK(accepted(with_op(1, json_integer_max)).number == json_integer_max);
    CHECK(refused(with_op(1, json_integer_max + 1)).code == ErrorCode::protocol);
    CHECK(refused(with_op(2, json_integer_max + 1)).code == ErrorCode::protocol);
    CHECK(refused(with_op(3, std::uint64_t{1} << 32U)).code == ErrorCode::protocol);
    CHECK(refused(with_op(1, ~std::uint64_t{0})).code == ErrorCode::protocol);  // -1
}

TEST_CASE("proto: text must be UTF-8") {
    CHECK(refused(frame_with(send_body, [](auto& out) { out.bytes(1, "/\xed\xa0\x80"); })).code ==
          ErrorCode::bad_utf8);
}

TEST_CASE("every client frame is the same in JSON, in our bytes and in those of protoc's classes") {
    CHECK(rc::check("client frames", [] {
        ArbitraryFrames arbitrary;
        const ClientFrame frame = arbitrary.client_frame_of_schema();
        const std::string ours = written(frame);
        ClientFrame parsed;
        RC_ASSERT(proto::parse_client_frame(ours, parsed).has_value());
        RC_ASSERT(parsed == frame);

        v1::ClientFrame generated;
        RC_ASSERT(generated.ParseFromString(ours));
        RC_ASSERT(proto::from_generated(generated) == frame);
        const std::string theirs = generated.SerializeAsString();
        RC_ASSERT(proto::parse_client_frame(theirs, parsed).has_value());
        RC_ASSERT(parsed == frame);

        std::string json;
        append_client_frame(json, frame);
        std::string scratch;
        RC_ASSERT(parse_client_frame(json, scratch, parsed).has_value());
        RC_ASSERT(parsed == frame);
    }));
}
