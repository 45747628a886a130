#include "bench/peers/muster_proto.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/wire/proto_frames.h"

namespace muster::bench {
namespace {

/// One client, driven by hand, and what it says.
struct Bench {
    MusterProtoConversation client{{"alice", "/room/1", false}};
    std::string out;

    // The server sends a frame, in two pieces.
    template <typename Frame>
    std::vector<Heard::Kind> frame(const Frame& said) {
        std::string message;
        wire::proto::append_frame(message, said);
        std::string bytes;
        wire::append_length_frame(bytes, message);
        std::string rest = bytes.substr(bytes.size() / 2);
        bytes.resize(bytes.size() / 2);
        std::vector<Heard::Kind> kinds;
        for (std::string* part : {&bytes, &rest}) {
            std::span<char> input(*part);
            for (auto heard = client.next(input, out);
                 heard.has_value() && heard->kind != Heard::Kind::nothing;
                 heard = client.next(input, out)) {
                kinds.push_back(heard->kind);
                text = heard->text;
            }
        }
        return kinds;
    }

    // What the client has said since.
    std::vector<wire::ClientOp> said() {
        std::vector<wire::ClientOp> ops;
        wire::LengthDecoder decoder(64 * 1024);
        std::span<char> input(out);
        for (auto step = decoder.next(input); step.kind == wire::LengthDecoder::Step::Kind::message;
             step = decoder.next(input)) {
            REQUIRE(wire::proto::parse_client_frame(step.message, last).has_value());
            ops.push_back(last.op);
        }
        return ops;
    }

    void sign_in() {
        client.begin(out);
        frame(wire::HelloFrame{.user = "alice", .resume = "R", .cid = "C"});
        frame(wire::JoinedFrame{.queue = "/room/1", .at = Cursor{Inc{7}, 19}});
    }

    wire::ClientFrame last;  // Its views point into `out`.
    std::string text;
};

TEST_CASE("a client says hello and joins, and hears what is sent to its room") {
    Bench bench;
    bench.client.begin(bench.out);
    CHECK(bench.said() == std::vector{wire::ClientOp::hello, wire::ClientOp::join});
    CHECK(bench.frame(wire::HelloFrame{.user = "alice", .resume = "R", .cid = "C"}).empty());
    CHECK(bench.frame(wire::JoinedFrame{.queue = "/room/1", .at = Cursor{Inc{7}, 19}}) ==
          std::vector{Heard::Kind::joined});
    CHECK(bench.frame(wire::MsgFrame{.queue = "/room/1", .seq = 20, .data = {R"({"t":1})"}}) ==
          std::vector{Heard::Kind::message});
    CHECK(bench.text == R"({"t":1})");
    CHECK(bench.frame(wire::OkFrame{.request = 2}).empty());
    CHECK(bench.frame(wire::OkFrame{.request = 3}) == std::vector{Heard::Kind::left});
}

TEST_CASE("a client that was cut comes back from where it was, as the one that it was") {
    Bench bench;
    bench.sign_in();
    bench.frame(wire::MsgFrame{.queue = "/room/1", .seq = 20, .data = {"1"}});
    bench.frame(wire::MembersFrame{.queue = "/room/1", .seq = 21});
    bench.out.clear();
    bench.client.begin(bench.out);
    CHECK(bench.said() == std::vector{wire::ClientOp::hello});
    CHECK(bench.last.resume == "R");
    CHECK(bench.last.cid == "C");
    CHECK(bench.last.attempt_number == 2);
    CHECK(bench.last.since == std::vector{wire::Since{"/room/1", Cursor{Inc{7}, 21}}});
}

TEST_CASE("refusals are told, and a ping is answered") {
    Bench bench;
    bench.sign_in();
    bench.out.clear();
    CHECK(bench.frame(wire::RetryFrame{.request = 2}) == std::vector{Heard::Kind::refused});
    CHECK(bench.frame(wire::PingFrame{}).empty());
    CHECK(bench.said() == std::vector{wire::ClientOp::pong});
}

}  // namespace
}  // namespace muster::bench
