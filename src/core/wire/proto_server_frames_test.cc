#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/wire/arbitrary_frames.h"
#include "core/wire/proto_frames.h"
#include "core/wire/proto_generated.h"
#include "core/wire/proto_writer.h"

using namespace muster;
using namespace muster::wire;

namespace {

std::string written(const ServerFrame& frame) {
    std::string bytes;
    proto::append_server_frame(bytes, frame);
    return bytes;
}

template <typename Write>
std::string frame_with(int body, Write write) {
    std::string bytes;
    ProtoWriter writer{bytes};
    writer.message(body, [&] { write(writer); });
    return bytes;
}

Error refused(std::string_view bytes) {
    const auto parsed = proto::parse_server_frame(bytes);
    REQUIRE_FALSE(parsed.has_value());
    return parsed.error();
}

constexpr int msg_body = 9;
constexpr int err_body = 13;
constexpr int joined_body = 33;

}  // namespace

TEST_CASE("proto: a msg stands on the wire as the schema says") {
    using namespace std::string_view_literals;
    const MsgFrame frame{.queue = "/a",
                         .mount = "m",
                         .seq = 20,
                         .prev = {},
                         .from = "bob",
                         .time_ms = 300,
                         .mail = {},
                         .data = {"1", Format::json}};
    CHECK(written(frame) ==
          "\x4a\x16\x0a\x02/a\x12\x01m\x18\x14\x2a\x03"
          "bob\x30\xac\x02\x42\x03\x0a\x01"
          "1"sv);
}

TEST_CASE("proto: ping and pong are two bytes") {
    using namespace std::string_view_literals;
    CHECK(written(PingFrame{}) == "\x2a\x00"sv);
    CHECK(written(PongFrame{}) == "\x32\x00"sv);
}

TEST_CASE("proto: a value that is no value is null, a member without info an object") {
    const StateFrame state{.queue = "/a",
                           .mount = "m",
                           .seq = 1,
                           .prev = {},
                           .changes = {{"k", Data{}}, {"gone", std::nullopt}}};
    v1::ServerFrame generated;
    REQUIRE(generated.ParseFromString(written(state)));
    CHECK(generated.state().changes(0).value().json() == "null");
    CHECK_FALSE(generated.state().changes(1).has_value());
    REQUIRE(generated.ParseFromString(written(MembersFrame{
        .queue = "/a", .seq = 1, .prev = {}, .set = {{"bob", ""}}, .gone = {}, .count = 1})));
    CHECK(generated.members().set(0).info() == "{}");
}

TEST_CASE("proto: a detail that is not UTF-8 is left out, so that every reader takes the frame") {
    v1::ServerFrame generated;
    REQUIRE(generated.ParseFromString(written(
        ErrFrame{.request = 1, .code = ErrorCode::limit, .detail = "cut \xc3", .current = {}})));
    CHECK(generated.err().code() == 2005);
    CHECK(generated.err().detail().empty());
}

TEST_CASE("proto: err says its outcome, so that a code of a later version is read as in JSON") {
    const auto code_of = [](std::optional<std::uint64_t> outcome) {
        const auto parsed = proto::parse_server_frame(frame_with(err_body, [&](auto& out) {
            out.present_number(1, std::uint64_t{2999});  // Of a later version.
            out.number(4, outcome);
        }));
        REQUIRE(parsed.has_value());
        return std::get<ErrFrame>(*parsed).code;
    };
    CHECK(code_of({}) == ErrorCode::protocol);  // Rejected, whatever the reason is.
    CHECK(code_of(1) == ErrorCode::expired);
    CHECK(code_of(2) == ErrorCode::expired);  // An outcome of a later version is not known.
    for (const ErrorInfo& info : error_registry()) {
        v1::ServerFrame generated;
        REQUIRE(generated.ParseFromString(
            written(ErrFrame{.request = 1, .code = info.code, .detail = {}, .current = {}})));
        const bool is_unknown = info.code == ErrorCode::gone || info.code == ErrorCode::expired;
        CHECK(generated.err().outcome() == (is_unknown ? v1::Err::UNKNOWN : v1::Err::REJECTED));
    }
}

TEST_CASE("proto: a body of a later version is unsupported") {
    CHECK(refused(frame_with(500, [](auto&) {})).code == ErrorCode::unsupported);
    CHECK(refused(frame_with(2, [](auto&) {})).code == ErrorCode::unsupported);  // A client's.
    CHECK(refused("").code == ErrorCode::unsupported);
}

TEST_CASE("row 38: proto: fields of a later server are ignored") {
    const std::string bytes = frame_with(msg_body, [](auto& out) {
        out.bytes(200, "later");
        out.bytes(1, "/a");
        out.message(8, [&] {
            out.bytes(1, "7");
            out.present_number(9, std::uint64_t{1});
        });
    });
    const auto parsed = proto::parse_server_frame(bytes);
    REQUIRE(parsed.has_value());
    const auto& msg = std::get<MsgFrame>(*parsed);
    CHECK(msg.queue == "/a");
    CHECK(msg.data == Data{"7", Format::json});
}

TEST_CASE("row 39: proto: a server frame that breaks the protocol is refused") {
    using namespace std::string_view_literals;
    const auto joined = [](auto write) { return refused(frame_with(joined_body, write)).detail; };
    CHECK(joined([](auto& out) { out.present_number(1, std::uint64_t{1}); }) ==
          "q: must be of a length");
    CHECK(joined([](auto& out) { out.message(4, [&] { out.bytes(1, "chat"); }); }) ==
          "type: must be message or state");
    CHECK(joined([](auto& out) {
              out.message(4, [&] { out.present_number(2, std::uint64_t{3}); });
          }) == "type: is out of its range");
    CHECK(joined([](auto& out) { out.message(6, [&] { out.bytes(2, "[]"); }); }) ==
          "info: must be a JSON object");
    CHECK(joined([](auto& out) { out.present_bytes(3, "\x0b"); }) == "a group");
    CHECK(refused("\x48\x01"sv).detail == "body: must be of a length");
    CHECK(refused("\x2a\x00\x32\x00"sv).detail == "body: stands twice");
    CHECK(refused("\x4a\x05\x0a"sv).detail == "a length goes past the end");
    CHECK(refused(frame_with(msg_body, [](auto& out) { out.bytes(1, "\xff"); })).code ==
          ErrorCode::bad_utf8);
}

TEST_CASE("every server frame is the same in our bytes and in those of protoc's classes") {
    CHECK(rc::check("server frames", [] {
        ArbitraryFrames arbitrary;
        const ServerFrame frame = arbitrary.server_frame_of_schema();
        const std::string ours = written(frame);
        const auto parsed = proto::parse_server_frame(ours);
        RC_ASSERT(parsed.has_value());
        RC_ASSERT(*parsed == frame);

        v1::ServerFrame generated;
        RC_ASSERT(generated.ParseFromString(ours));
        RC_ASSERT(proto::from_generated(generated) == frame);
        const std::string theirs = generated.SerializeAsString();
        const auto parsed_theirs = proto::parse_server_frame(theirs);
        RC_ASSERT(parsed_theirs.has_value());
        RC_ASSERT(*parsed_theirs == frame);
    }));
}
