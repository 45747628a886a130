// What is particular to muster.v1.proto, over WebSocket and over plain TCP: how a connection finds
// its encoding, what breaks it, and that all receivers of one encoding share one frame.
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

TEST_CASE("the subprotocol that a client names, or none, decides the encoding") {
    GatewayBench bench;
    const auto answered = [&](std::string_view header) {
        TestPeer& peer = bench.peers.open();
        bench.peers.send(peer, upgrade_request(header));
        const auto at = peer.http.find("Sec-WebSocket-Protocol: ");
        return at == std::string::npos ? std::string() : peer.http.substr(at + 24, 15);
    };
    CHECK(answered("").empty());
    CHECK(answered("Sec-WebSocket-Protocol: muster.v1.proto\r\n") == "muster.v1.proto");
    CHECK(answered("Sec-WebSocket-Protocol: x, muster.v1.proto, muster.v1.json\r\n") ==
          "muster.v1.proto");
}

TEST_CASE(
    "a text message on a protobuf connection closes with 4000, a binary one on a JSON one too") {
    GatewayBench bench;
    TestPeer& bob = bench.user("bob");
    TestPeer& proto = bench.peers.connect(Encoding::proto);
    bench.peers.send(proto, framed(Encoding::json, "{}"));
    bench.check_closed(proto, 4000, "M1000", &bob);
    TestPeer& json = bench.peers.connect(Encoding::json);
    bench.peers.send(json, framed(Encoding::proto, "{}"));
    bench.check_closed(json, 4000, "M1000", &bob);
}

TEST_CASE(
    "row 18: over plain TCP a declared length above 64 KiB ends with bye M1029 at the header") {
    GatewayBench bench(Encoding::proto_tcp);
    TestPeer& bob = bench.user("bob");
    const std::string too_long("\0\1\0\1", 4);
    SUBCASE("as the first") {
        TestPeer& peer = bench.peers.connect();
        bench.peers.send(peer, too_long);
        bench.check_closed(peer, 1009, "M1029", &bob);
    }
    SUBCASE("as a later one, a byte at a time") {
        TestPeer& peer = bench.user("alice");
        for (const char byte : too_long) {
            bench.peers.send(peer, std::string(1, byte));
        }
        bench.check_closed(peer, 1009, "M1029", &bob);
    }
    SUBCASE("of 4 GiB") {
        TestPeer& peer = bench.user("alice");
        bench.peers.send(peer, "\xff\xff\xff\xff");
        bench.check_closed(peer, 1009, "M1029", &bob);
    }
}

TEST_CASE("a frame of 64 KiB over plain TCP is taken, in any pieces") {
    GatewayBench bench(Encoding::proto_tcp);
    TestPeer& peer = bench.user("alice");
    std::string message = message_of(Encoding::proto, R"({"op":"ping"})");
    wire::ProtoWriter{message}.bytes(1'000, std::string(64 * 1024 - 2 - 5, 'x'));
    REQUIRE(message.size() == 64 * 1024);
    const std::string bytes = framed(Encoding::proto_tcp, message);
    for (std::size_t at = 0; at < bytes.size(); at += 1'000) {
        bench.peers.send(peer, bytes.substr(at, 1'000));
    }
    CHECK(peer.next() == R"({"op":"pong"})");
}

TEST_CASE("bytes that are neither HTTP nor a length are refused as HTTP") {
    GatewayBench bench;
    TestPeer& peer = bench.peers.open();
    bench.peers.send(peer, "\x01\x02\x03\x04");
    bench.check_refused(peer, 400);
}

TEST_CASE("a server that stops tells a plain TCP client that is not up by its last frame") {
    GatewayBench bench(Encoding::proto_tcp);
    TestPeer& early = bench.peers.connect();
    bench.peers.send(early, std::string(1, '\0'));
    bench.stop();
    CHECK(early.close_reason.starts_with("M1007"));
}

TEST_CASE_TEMPLATE("over plain TCP pings keep a connection up, and silence ends it", Wire, Proto,
                   ProtoTcp) {
    GatewayBench bench(Wire::value);
    TestPeer& peer = bench.user("alice");
    bench.pass(15s);
    CHECK(peer.next() == R"({"op":"ping"})");
    bench.peers.say(peer, R"({"op":"pong"})");
    bench.pass(34s);
    CHECK_FALSE(peer.is_ended);
    bench.pass(1s);
    bench.check_closed(peer, 4000, "M1006");
}

TEST_CASE("an event is encoded once for each encoding that somebody reads, and shared") {
    ListenedRoom room;
    GatewayBench& bench = room.bench;
    std::vector<TestPeer*> peers;
    for (const Encoding encoding : {Encoding::json, Encoding::proto, Encoding::proto_tcp,
                                    Encoding::json, Encoding::proto, Encoding::proto_tcp}) {
        bench.peers.encoding = encoding;
        peers.push_back(&room.listener(fmt::format("user{}", peers.size())));
        if (peers.size() == 1) {
            room.queue.answer();
        }
    }
    for (TestPeer* peer : peers) {
        CHECK(
            peer->last() ==
            R"({"op":"joined","i":1,"q":"/room/1","member":false,"at":[7,2],"resume":{"chat":"fresh",)"
            R"("scores":"fresh"},"mounts":{"chat":{"type":"message"},"scores":{"type":"state",)"
            R"("value":{}}},"members":0,"who":{}})");
    }
    const auto encodes = bench.counters().encodes;
    room.queue.post(R"({"text":"hi"})");
    CHECK(bench.counters().encodes == encodes + 3);
    for (TestPeer* peer : peers) {
        CHECK(peer->next() ==
              R"({"op":"msg","q":"/room/1","m":"chat","seq":3,"from":"bob","t":1790000000123,)"
              R"("d":{"text":"hi"}})");
    }
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(peers[i]->last_bytes == peers[i + 3]->last_bytes);
        CHECK(peers[i]->last_bytes != peers[(i + 1) % 3]->last_bytes);
    }
    for (std::size_t i = 1; i < peers.size(); ++i) {
        bench.peers.hang_up(*peers[i]);
    }
    room.queue.post("1");
    CHECK(bench.counters().encodes == encodes + 4);
}

TEST_CASE("bytes reach every encoding as they are, for JSON in base64") {
    ListenedRoom room;
    GatewayBench& bench = room.bench;
    for (const Encoding encoding : all_encodings) {
        bench.peers.encoding = encoding;
        TestPeer& peer = room.listener("alice");
        if (encoding == Encoding::json) {
            room.queue.answer();
        }
        peer.texts.clear();
        room.queue.publish(
            queue::MessagePosted{MountName("chat"), Payload("\xff\1", Format::bytes)}, "bob");
        CHECK(peer.next().ends_with(R"("b":"/wE="})"));
    }
    // And in: what a client sends as bytes is passed on as such.
    bench.peers.encoding = Encoding::proto;
    TestPeer& sender = bench.user("carol");
    bench.peers.say(sender, R"({"op":"send","q":"/room/1","m":"chat","b":"/wE="})");
    const auto op = bench.take_one<queue::Op>();
    const auto& sent = std::get<queue::SendOp>(op.body);
    CHECK(sent.data == Payload("\xff\1", Format::bytes));
}

TEST_CASE_TEMPLATE("a slow reader gets conflated state, prev and gaps in its encoding", Wire, Json,
                   Proto, ProtoTcp) {
    ListenedRoom room(Wire::value);
    TestPeer& peer = room.listener("alice");
    room.queue.answer();
    peer.texts.clear();
    room.bench.peers.block(peer);
    room.queue.set({{"a", "1"}});
    room.queue.set({{"a", "2"}});
    room.queue.post("1");
    room.bench.peers.drain(peer);
    CHECK(peer.next() ==
          R"({"op":"state","q":"/room/1","m":"scores","seq":4,"prev":2,"set":{"a":2}})");
    CHECK(peer.next().starts_with(R"({"op":"msg","q":"/room/1","m":"chat","seq":5,"from")"));
}

TEST_CASE_TEMPLATE("a client that resumes gets what it missed in its encoding", Wire, Json, Proto,
                   ProtoTcp) {
    ListenedRoom room(Wire::value);
    TestPeer& first = room.listener("alice");
    room.queue.answer();
    room.queue.post("1");
    room.queue.post("2");
    CHECK(first.texts.size() == 3);
    TestPeer& again = room.bench.user("bob");
    room.listen(again, 1, R"(,"since":[7,3])");
    CHECK(again.next() ==
          R"({"op":"msg","q":"/room/1","m":"chat","seq":4,"from":"bob","t":1790000000123,"d":2})");
    CHECK(again.next().find(R"("chat":"replayed 1")") != std::string::npos);
    room.bench.peers.say(again, R"({"op":"history","i":2,"q":"/room/1","m":"chat"})");
    CHECK(again.next() ==
          R"({"op":"history","i":2,"q":"/room/1","m":"chat","items":[{"seq":3,"from":"bob",)"
          R"("t":1790000000123,"d":1},{"seq":4,"from":"bob","t":1790000000123,"d":2}]})");
    // A gap: the replica subscribes anew, and all go on from where they were.
    room.queue.is_heard = false;
    room.queue.post("3");
    room.queue.is_heard = true;
    room.queue.post("4");
    room.queue.answer();
    CHECK(again.next().find(R"("d":3)") != std::string::npos);
    CHECK(again.next().find(R"("d":4)") != std::string::npos);
    CHECK(again.next().find(R"("chat":"replayed 2")") != std::string::npos);
}

}  // namespace
}  // namespace muster::gateway
