// GUARANTEES.md section 7, rows 26 to 39: the hello. What tokens are refused for is jwt's own test;
// here it is how the connection ends.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

// One frame of a client that has not said hello, beside one that is signed in.
struct FirstFrames {
    explicit FirstFrames(Encoding encoding = Encoding::json) : bench(encoding) {}

    GatewayBench bench;
    TestPeer& bob = bench.user("bob");

    void check_closed(std::string_view json, int code, std::string_view label) {
        CAPTURE(json.substr(0, 100));
        TestPeer& peer = bench.peers.connect();
        bench.peers.say(peer, json);
        bench.check_closed(peer, code, label, &bob);
        CHECK(bench.sent.empty());
    }
    void check_message_closed(std::string_view bytes, int code, std::string_view label) {
        CAPTURE(bytes.size());
        TestPeer& peer = bench.peers.connect();
        bench.peers.send_message(peer, bytes);
        bench.check_closed(peer, code, label, &bob);
        CHECK(bench.sent.empty());
    }
};

std::string hello_with(std::string_view more) {
    return fmt::format(R"({{"op":"hello","v":[1],"user":"alice"{}}})", more);
}

std::string next_hello(TestPeer& peer) {
    std::string hello = peer.next();
    REQUIRE(hello.starts_with(R"({"op":"hello")"));
    return hello;
}

std::string field(const std::string& json, std::string_view name) {
    const auto at = json.find(fmt::format(R"("{}":")", name));
    REQUIRE(at != std::string::npos);
    const auto begin = at + name.size() + 4;
    return json.substr(begin, json.find('"', begin) - begin);
}

TEST_CASE_TEMPLATE("row 26: a first message that is no hello closes with 4000", Wire, Json, Proto,
                   ProtoTcp) {
    FirstFrames frames(Wire::value);
    for (const std::string_view json :
         {R"({"op":"join","i":1,"q":"/room/1"})", R"({"op":"auth","token":"x"})",
          R"({"op":"ping"})", R"({"op":"ok"})", R"({"op":"juggle"})"}) {
        frames.check_closed(json, 4000, "M1000");
    }
}

TEST_CASE_TEMPLATE("row 26: a second hello closes with 4000", Wire, Json, Proto, ProtoTcp) {
    FirstFrames frames(Wire::value);
    GatewayBench& bench = frames.bench;
    SUBCASE("when the first has been answered") {
        TestPeer& peer = bench.user("alice");
        bench.say_hello(peer, "alice");
        bench.check_closed(peer, 4000, "M1000", &frames.bob);
    }
    SUBCASE("and while it is not") {
        TestPeer& peer = bench.peers.connect();
        bench.say_hello(peer, "alice");
        bench.say_hello(peer, "alice");
        CHECK_FALSE(peer.is_ended);
        bench.deliver(bench.attached(bench.take_one<user::Attach>()));
        bench.check_closed(peer, 4000, "M1000", &frames.bob);
    }
}

TEST_CASE_TEMPLATE(
    "row 27: a client that says no hello within 5 s of its upgrade is closed with 4000", Wire, Json,
    Proto) {
    GatewayBench bench(Wire::value);
    TestPeer& bob = bench.user("bob");
    TestPeer& peer = bench.peers.open(Wire::value);
    bench.pass(4s);
    bench.peers.send(peer, upgrade_request(Wire::value == Encoding::proto
                                               ? "Sec-WebSocket-Protocol: muster.v1.proto\r\n"
                                               : ""));
    bench.pass(5s - 1us);
    CHECK_FALSE(peer.is_ended);
    bench.pass(1us);
    bench.check_closed(peer, 4000, "M1005", &bob);
}

TEST_CASE("row 27: over plain TCP the 5 s count from the accept, also for a hello that drips") {
    GatewayBench bench(Encoding::proto_tcp);
    TestPeer& bob = bench.user("bob");
    TestPeer& peer = bench.peers.connect();
    const std::string hello =
        framed(Encoding::proto_tcp,
               message_of(Encoding::proto_tcp, R"({"op":"hello","v":[1],"user":"alice"})"));
    bench.pass(1s);
    for (std::size_t i = 0; i < 4; ++i) {
        bench.peers.send(peer, hello.substr(i, 1));
        bench.pass(i == 3 ? 1s - 1us : 1s);
    }
    CHECK_FALSE(peer.is_ended);
    bench.pass(1us);
    bench.check_closed(peer, 4000, "M1005", &bob);
}

TEST_CASE("rows 28 to 32: a bad token closes with 4001, an expired one with 4002") {
    FirstFrames frames;
    frames.check_closed(R"({"op":"hello","v":[1],"token":"a.b.c"})", 4001, "M1001");
    frames.check_closed(R"({"op":"hello","v":[1]})", 4001, "M1001");
    frames.check_closed(R"({"op":"hello","v":[1],"user":"no id"})", 4001, "M1001");
    const std::string token = frames.bench.token("alice", 60s);
    const std::string hello = fmt::format(R"({{"op":"hello","v":[1],"token":"{}"}})", token);
    TestPeer& good = frames.bench.peers.connect();
    frames.bench.peers.say(good, hello);
    const auto attach = frames.bench.take_one<user::Attach>();
    CHECK(attach.user == "alice");
    frames.bench.deliver(frames.bench.attached(attach));
    frames.bench.pass(5s);
    frames.bench.wall.ms += 55'000;
    frames.check_closed(hello, 4002, "M1002");
    CHECK(frames.bench.counters().logins_refused == 4);
}

TEST_CASE("row 33: a token that expires closes with 4002 60 s later, also a client that talks") {
    GatewayBench bench;
    TestPeer& bob = bench.user("bob");
    TestPeer& peer = bench.peers.connect();
    bench.peers.say(
        peer, fmt::format(R"({{"op":"hello","v":[1],"token":"{}"}})", bench.token("alice", 100s)));
    bench.deliver(bench.attached(bench.take_one<user::Attach>()));
    for (int i = 0; i < 15; ++i) {
        bench.pass(10s);
        bench.peers.say(peer, R"({"op":"ping"})");
        bench.peers.say(bob, R"({"op":"ping"})");
    }
    bench.pass(10s - 1us);
    CHECK_FALSE(peer.is_ended);
    bench.pass(1us);
    bench.check_closed(peer, 4002, "M1002", &bob);
}

TEST_CASE("row 33: auth with a new token in time keeps the connection, with a new resume token") {
    GatewayBench bench;
    TestPeer& peer = bench.peers.connect();
    bench.peers.say(
        peer, fmt::format(R"({{"op":"hello","v":[1],"token":"{}"}})", bench.token("alice", 20s)));
    bench.deliver(bench.attached(bench.take_one<user::Attach>()));
    const std::string first = next_hello(peer);
    bench.pass(10s);
    bench.peers.say(peer,
                    fmt::format(R"({{"op":"auth","token":"{}"}})", bench.token("alice", 80s)));
    const std::string second = next_hello(peer);
    CHECK(field(second, "resume") != field(first, "resume"));
    CHECK(field(second, "cid") == field(first, "cid"));
    for (int i = 0; i < 13; ++i) {
        bench.pass(10s);
        bench.peers.say(peer, R"({"op":"ping"})");
    }
    CHECK_FALSE(peer.is_ended);
    bench.pass(10s);
    bench.check_closed(peer, 4002, "M1002");
}

TEST_CASE("row 33: auth with a bad token, or another user's, closes with 4001") {
    GatewayBench bench;
    SUBCASE("bad") {
        TestPeer& peer = bench.user("alice");
        bench.peers.say(peer, R"({"op":"auth","token":"a.b.c"})");
        bench.check_closed(peer, 4001, "M1001");
    }
    SUBCASE("another user's") {
        TestPeer& peer = bench.user("alice");
        bench.peers.say(peer,
                        fmt::format(R"({{"op":"auth","token":"{}"}})", bench.token("eve", 60s)));
        bench.check_closed(peer, 4001, "M1001");
    }
}

TEST_CASE("row 34: a resume token that is forged, another's or too old closes with 4010") {
    FirstFrames frames;
    GatewayBench& bench = frames.bench;
    TestPeer& peer = bench.sign_in("alice");
    const std::string hello = next_hello(peer);
    const std::string resume = field(hello, "resume");
    const std::string cid = field(hello, "cid");
    const auto with = [](std::string_view token, std::string_view of) {
        return fmt::format(R"(,"resume":"{}","cid":"{}","cn":2)", token, of);
    };
    std::string forged = resume;
    forged.back() = forged.back() == 'A' ? 'B' : 'A';
    frames.check_closed(hello_with(with(forged, cid)), 4010, "M1010");
    frames.check_closed(hello_with(with("x", cid)), 4010, "M1010");
    frames.check_closed(hello_with(with(resume, std::string(32, '0'))), 4010, "M1010");
    frames.check_closed(hello_with(with(resume, "no cid")), 4010, "M1010");
    frames.check_closed(hello_with(fmt::format(R"(,"resume":"{}")", resume)), 4010, "M1010");
    frames.check_closed(
        fmt::format(R"({{"op":"hello","v":[1],"user":"eve"{}}})", with(resume, cid)), 4010,
        "M1010");
    // The good one goes on as the same client.
    TestPeer& again = bench.peers.connect();
    bench.peers.say(again, hello_with(with(resume, cid)));
    const auto attach = bench.take_one<user::Attach>();
    CHECK(attach.attempt_number == 2);
    bench.deliver(bench.attached(attach));
    CHECK(field(next_hello(again), "cid") == cid);
    static_cast<void>(bench.take_sent<user::Detach>());
    bench.wall.ms += 48LL * 3600 * 1000 + 1;
    frames.check_closed(hello_with(with(resume, cid)), 4010, "M1010");
}

TEST_CASE("row 34: how old a resume token may be is set") {
    Settings settings = *GatewayBench().settings;
    settings.limits.resume_age_max = std::chrono::hours{1};
    GatewayBench bench(settings);
    TestPeer& peer = bench.sign_in("alice");
    const std::string hello = next_hello(peer);
    const std::string with = fmt::format(R"(,"resume":"{}","cid":"{}","cn":2)",
                                         field(hello, "resume"), field(hello, "cid"));
    static_cast<void>(bench.take_sent<user::Attach>());
    bench.wall.ms += 3'600'000;
    TestPeer& in_time = bench.peers.connect();
    bench.peers.say(in_time, hello_with(with));
    CHECK(bench.take_sent<user::Attach>().size() == 1);
    bench.wall.ms += 1;
    TestPeer& late = bench.peers.connect();
    bench.peers.say(late, hello_with(with));
    bench.check_closed(late, 4010, "M1010");
}

TEST_CASE("row 37: a hello with more than 64 cursors closes with 4000") {
    FirstFrames frames;
    std::string since;
    for (int i = 0; i < 65; ++i) {
        since += fmt::format(R"({}"/room/{}":[7,1])", i == 0 ? "" : ",", i);
    }
    frames.check_closed(hello_with(fmt::format(R"(,"since":{{{}}})", since)), 4000, "M1000");
}

TEST_CASE_TEMPLATE("row 37: protobuf: a hello with more than 64 cursors closes with 4000", Wire,
                   Proto, ProtoTcp) {
    FirstFrames frames(Wire::value);
    std::vector<std::string> names;
    for (int i = 0; i < 65; ++i) {
        names.push_back(fmt::format("/room/{}", i));
    }
    wire::ClientFrame hello;
    hello.op = wire::ClientOp::hello;
    hello.versions = {1};
    hello.user = "alice";
    for (const auto& name : names) {
        hello.since.push_back({name, {Inc{7}, 1}});
    }
    std::string bytes;
    wire::proto::append_client_frame(bytes, hello);
    frames.check_message_closed(bytes, 4000, "M1000");
}

TEST_CASE("row 39: JSON that is bad, or of the wrong type, closes with 4000") {
    FirstFrames frames;
    for (const std::string_view json :
         {R"({"op":"hello","v":[1])", R"([])", R"("hello")", R"({})", R"({"op":1})", R"()",
          R"({"op":"hello","v":1,"user":"alice"})", R"({"op":"hello","v":[1],"user":7})",
          R"({"op":"hello","v":[1],"user":"alice","user":"eve"})",
          R"({"op":"hello","v":[1],"user":"alice","since":{"/room/1":[1]}})",
          R"({"op":"hello","v":[1],"user":"alice","x":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]})"}) {
        frames.check_closed(json, 4000, "M1000");
    }
    frames.check_closed(hello_with(R"(,"since":{"no name":[7,1]})"), 4000, "M1000");
}

TEST_CASE_TEMPLATE("row 39: protobuf that is bad, or of the wrong type, closes with 4000", Wire,
                   Proto, ProtoTcp) {
    using namespace std::string_view_literals;
    FirstFrames frames(Wire::value);
    const std::string good =
        message_of(Encoding::proto, R"({"op":"hello","v":[1],"user":"alice"})");
    // Truncated, a varint of eleven bytes, a length past the end, wrong types, groups, no type.
    frames.check_message_closed(good.substr(0, good.size() - 1), 4000, "M1000");
    const std::string long_varint = "\x08" + std::string(10, '\x80') + '\x01';
    const std::string groups = std::string(17, '\x7b') + std::string(17, '\x7c');
    for (const std::string_view bytes :
         {std::string_view(long_varint), "\x82\x01\x7f"sv, "\x80\x01\x01"sv, "\x0a\x00"sv,
          "\x82\x01\x02\x10\x01"sv, std::string_view(groups), "\x0e"sv, "\x00\x00"sv}) {
        frames.check_message_closed(bytes, 4000, "M1000");
    }
    // JSON that is too deep, or none, within.
    for (const std::string& json :
         {std::string(16, '[') + std::string(16, ']'), std::string("{")}) {
        wire::ClientFrame send;
        send.op = wire::ClientOp::send;
        send.queue = "/room/1";
        send.mount = "chat";
        send.data = wire::Data{json, Format::json};
        std::string bytes;
        wire::proto::append_client_frame(bytes, send);
        TestPeer& peer = frames.bench.user("alice");
        frames.bench.peers.send_message(peer, bytes);
        frames.bench.check_closed(peer, 4000, "M1000", &frames.bob);
        static_cast<void>(frames.bench.take_sent<user::Detach>());
    }
}

TEST_CASE("row 38: protobuf: fields that are not known are ignored") {
    GatewayBench bench(Encoding::proto);
    TestPeer& peer = bench.peers.connect();
    std::string hello = message_of(Encoding::proto, R"({"op":"hello","v":[1],"user":"alice"})");
    wire::ProtoWriter{hello}.bytes(1'000, "later");
    bench.peers.send_message(peer, hello);
    CHECK(bench.take_one<user::Attach>().user == "alice");
}

TEST_CASE("a hello of another version is told both versions and what to update") {
    FirstFrames frames;
    const auto reason = [&](std::string_view versions) {
        TestPeer& peer = frames.bench.peers.connect();
        frames.bench.peers.say(peer, fmt::format(R"({{"op":"hello"{},"user":"alice"}})", versions));
        frames.bench.check_closed(peer, 4000, "M1000", &frames.bob);
        return peer.close_reason;
    };
    CHECK(reason(R"(,"v":[2,3])") ==
          "M1000 protocol: this server speaks version 1, the client 3: update the server");
    CHECK(reason(R"(,"v":[0])") ==
          "M1000 protocol: this server speaks version 1, the client 0: update the client");
    CHECK(reason("") ==
          "M1000 protocol: v must list the versions that the client speaks; this server speaks 1");
}

TEST_CASE("a name instead of a token signs in only in --dev") {
    Settings settings = settings_for_tests();
    settings.is_dev = false;
    GatewayBench bench(std::move(settings));
    TestPeer& peer = bench.peers.connect();
    bench.say_hello(peer, "alice");
    bench.check_closed(peer, 4001, "M1001");
}

}  // namespace
}  // namespace muster::gateway
