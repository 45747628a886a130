// GUARANTEES.md section 7, rows 14 to 23: frames. The decoder's own test looks at every cut; here
// it is how the connection ends.
#include <chrono>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;
using wire::WebSocketOpcode;

constexpr std::string_view mask("\x9e\x71\x5c\x3a", 4);

// A frame by its bytes: the first one, the length's, the mask, the masked payload.
std::string frame(unsigned first, std::string_view length, std::string_view payload = {}) {
    std::string bytes(1, static_cast<char>(first));
    bytes += length;
    bytes += mask;
    for (std::size_t i = 0; i < payload.size(); ++i) {
        bytes.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
    }
    return bytes;
}

std::string short_frame(unsigned first, std::string_view payload) {
    return frame(first, std::string(1, static_cast<char>(0x80U | payload.size())), payload);
}

// Bytes of a client that is signed in, beside another one.
struct Frames {
    GatewayBench bench;
    TestPeer& bob = bench.user("bob");

    void check_closed(std::string bytes, int code, std::string_view label) {
        TestPeer& peer = bench.user("alice");
        bench.peers.send(peer, bytes);
        bench.check_closed(peer, code, label, &bob);
        CHECK(bench.take_sent<user::Detach>().size() == 1);
        // The same before the hello, a byte at a time.
        TestPeer& other = bench.peers.connect();
        for (const char byte : bytes) {
            bench.peers.send(other, std::string(1, byte));
        }
        bench.check_closed(other, code, label, &bob);
        static_cast<void>(bench.take_sent<user::Check>());  // Of bob, as time passes.
        CHECK(bench.sent.empty());
    }
};

TEST_CASE("row 14: a frame without a mask closes with 1002") {
    Frames frames;
    frames.check_closed("\x81\x02{}", 1002, "M1022");
}

TEST_CASE("row 15: a reserved bit or opcode closes with 1002") {
    Frames frames;
    for (const unsigned bits : {0xc1U, 0xa1U, 0x91U}) {
        frames.check_closed(short_frame(bits, "{}"), 1002, "M1022");
    }
    for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U}) {
        frames.check_closed(short_frame(0x80U | opcode, "{}"), 1002, "M1022");
    }
}

TEST_CASE("row 16: a control frame above 125 bytes, or in fragments, closes with 1002") {
    Frames frames;
    const std::string length("\xfe\x00\x7e", 3);
    frames.check_closed(frame(0x89, length, std::string(126, 'a')), 1002, "M1022");
    frames.check_closed(short_frame(0x09, "a"), 1002, "M1022");
    frames.check_closed(short_frame(0x08, ""), 1002, "M1022");
}

TEST_CASE("row 17: a length with its top bit set, or a non-minimal one, closes with 1002") {
    Frames frames;
    frames.check_closed(frame(0x81, std::string("\xff\x80\0\0\0\0\0\0\0", 9)), 1002, "M1022");
    frames.check_closed(frame(0x81, std::string("\xfe\0\x7d", 3)), 1002, "M1022");
    frames.check_closed(frame(0x81, std::string("\xff\0\0\0\0\0\0\xff\xff", 9)), 1002, "M1022");
}

TEST_CASE("row 18: a declared length of 2^40 closes with 1009 at the header") {
    Frames frames;
    frames.check_closed(frame(0x81, std::string("\xff\0\0\1\0\0\0\0\0", 9), "{}"), 1009, "M1029");
}

TEST_CASE("row 19: fragments that never end close with 1009 when they are 64 KiB") {
    GatewayBench bench;
    TestPeer& bob = bench.user("bob");
    SUBCASE("of one byte") {
        TestPeer& peer = bench.user("alice");
        bench.peers.send(peer, short_frame(0x01, "a"));
        std::string fragments;
        for (std::size_t i = 1; i < 64 * 1024; ++i) {
            fragments += short_frame(0x00, "a");
        }
        bench.peers.send(peer, fragments);
        CHECK_FALSE(peer.is_ended);
        bench.peers.send(peer, short_frame(0x00, "a"));
        bench.check_closed(peer, 1009, "M1029", &bob);
    }
    SUBCASE("of none") {
        TestPeer& peer = bench.user("alice");
        bench.peers.send(peer, short_frame(0x01, ""));
        for (int i = 0; i < 65 && !peer.is_ended; ++i) {
            std::string fragments;
            for (std::size_t j = 0; j < 1024; ++j) {
                fragments += short_frame(0x00, "");
            }
            bench.peers.send(peer, fragments);
        }
        bench.check_closed(peer, 1009, "M1029", &bob);
    }
    SUBCASE("of many") {
        TestPeer& peer = bench.user("alice");
        bench.peers.send(peer,
                         frame(0x01, std::string("\xfe\xff\xff", 3), std::string(65535, 'a')));
        CHECK_FALSE(peer.is_ended);
        bench.peers.send(peer, short_frame(0x00, "aa"));
        bench.check_closed(peer, 1009, "M1029", &bob);
    }
}

TEST_CASE("row 20: a continuation of nothing, and a message within a message, close with 1002") {
    Frames frames;
    frames.check_closed(short_frame(0x80, "{}"), 1002, "M1022");
    frames.check_closed(short_frame(0x01, "{") + short_frame(0x81, "{}"), 1002, "M1022");
    frames.check_closed(short_frame(0x01, "{") + short_frame(0x02, "}"), 1002, "M1022");
}

TEST_CASE("row 21: text that is not UTF-8 closes with 1007") {
    Frames frames;
    frames.check_closed(short_frame(0x81, "\"\xff\""), 1007, "M1027");
    frames.check_closed(short_frame(0x01, "\"\xc3") + short_frame(0x80, "\x28\""), 1007, "M1027");
    frames.check_closed(short_frame(0x81, "\"\xc0\x80\""), 1007, "M1027");
    frames.check_closed(short_frame(0x81, "\"\xed\xa0\x80\""), 1007, "M1027");
}

TEST_CASE(
    "row 22: a close frame of one byte, with a code or reason that cannot be, closes with 1002") {
    Frames frames;
    frames.check_closed(short_frame(0x88, "\x03"), 1002, "M1022");
    for (const int code : {999, 1005, 1006, 5000}) {
        const std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
        frames.check_closed(short_frame(0x88, payload), 1002, "M1022");
    }
    frames.check_closed(short_frame(0x88, "\x03\xe8\xff"), 1002, "M1022");
}

TEST_CASE("row 22: a good close frame is answered with its own code") {
    Frames frames;
    TestPeer& peer = frames.bench.user("alice");
    frames.bench.peers.send(peer, short_frame(0x88,
                                              "\x03\xe9"
                                              "bye"));
    CHECK(peer.close_code == 1001);
    frames.bench.check_end(peer, &frames.bob);
    TestPeer& other = frames.bench.user("alice");
    frames.bench.peers.send(other, short_frame(0x88, ""));
    CHECK(other.close_code == 1005);  // A close frame without a code.
    frames.bench.check_end(other, &frames.bob);
}

TEST_CASE("row 23: pings are answered at a rate, and a flood of them closes with 1008") {
    Frames frames;
    GatewayBench& bench = frames.bench;
    SUBCASE("of WebSocket's") {
        TestPeer& peer = bench.user("alice");
        for (int i = 0; i < 100; ++i) {
            bench.peers.send(peer, short_frame(0x89, "p"));
        }
        CHECK(peer.pongs == 100);
        bench.pass(1s);
        for (int i = 0; i < 10; ++i) {
            bench.peers.send(peer, short_frame(0x89, "p"));
        }
        CHECK(peer.pongs == 110);
        bench.peers.send(peer, short_frame(0x89, "p"));
        CHECK(peer.pongs == 110);
        bench.check_closed(peer, 1008, "M1028", &frames.bob);
    }
    SUBCASE("of what costs the server more") {
        TestPeer& peer = bench.user("alice");
        for (int i = 0; i < 100; ++i) {
            bench.peers.say(peer, R"({"op":"pong"})");
        }
        CHECK_FALSE(peer.is_ended);
        bench.peers.say(peer, R"({"op":"auth","token":"x"})");
        bench.check_closed(peer, 1008, "M1028", &frames.bob);
    }
    SUBCASE("of the protocol's") {
        TestPeer& peer = bench.user("alice");
        for (int i = 0; i < 100; ++i) {
            bench.peers.say(peer, R"({"op":"ping"})");
        }
        CHECK(peer.texts.size() == 100);
        bench.peers.say(peer, R"({"op":"ping"})");
        bench.check_closed(peer, 1008, "M1028", &frames.bob);
    }
    SUBCASE("or of pongs that nobody asked for") {
        TestPeer& peer = bench.user("alice");
        for (int i = 0; i < 50; ++i) {
            bench.peers.send(peer, short_frame(0x8a, ""));
            bench.peers.say(peer, R"({"op":"pong"})");
        }
        CHECK_FALSE(peer.is_ended);
        bench.peers.send(peer, short_frame(0x8a, ""));
        bench.check_closed(peer, 1008, "M1028", &frames.bob);
    }
}

TEST_CASE("row 23: of a client that does not read, one pong waits at most") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.peers.block(peer);
    for (int i = 0; i < 50; ++i) {
        bench.peers.send(peer, short_frame(0x89, "p"));
        bench.peers.say(peer, R"({"op":"ping"})");
    }
    bench.peers.drain(peer);
    CHECK(peer.pongs == 1);
    CHECK(peer.texts.empty());
}

// ---- Beside the table ------------------------------------------------------------------------

TEST_CASE("a pong repeats the ping's payload") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    const std::size_t before = peer.bytes;
    bench.peers.send(peer, short_frame(0x89, "payload"));
    CHECK(peer.bytes - before == 2 + 7);
}

TEST_CASE("a binary message closes with 4000: the JSON protocol speaks in text frames") {
    Frames frames;
    frames.check_closed(short_frame(0x82, "{}"), 4000, "M1000");
}

TEST_CASE("a message in fragments is taken like a whole one, with pings between them") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.peers.send(peer, short_frame(0x01, R"({"op":)") + short_frame(0x89, "") +
                               short_frame(0x00, R"("pi)") + short_frame(0x80, R"(ng"})"));
    CHECK(peer.pongs == 1);
    CHECK(peer.next() == R"({"op":"pong"})");
}

TEST_CASE("what comes behind a frame that closes is not read") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.peers.send(peer,
                     short_frame(0x88, "") + text_frame(R"({"op":"join","i":1,"q":"/room/1"})"));
    CHECK(bench.take_sent<user::Pass>().empty());
    bench.check_end(peer);
}

}  // namespace
}  // namespace muster::gateway
