// GUARANTEES.md section 7, rows 24 and 25, and row 15 where it is on: permessage-deflate.
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/gateway_test_bench.h"
#include "core/wire/deflate.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;
using JsonDeflated = std::integral_constant<Encoding, Encoding::json_deflated>;
using ProtoDeflated = std::integral_constant<Encoding, Encoding::proto_deflated>;

constexpr std::size_t limit = 64 * 1024;
constexpr unsigned rsv1 = 0x40;

std::string deflated(std::string_view message) {
    std::string out;
    REQUIRE(wire::Deflater().append(out, message));
    return out;
}

// A frame by its first byte, as a client masks it.
std::string frame(unsigned first, std::string_view payload) {
    std::string bytes;
    wire::append_client_frame(bytes, wire::WebSocketOpcode::text, payload, 0x3a5c9e71);
    bytes[0] = static_cast<char>(first);
    return bytes;
}

constexpr unsigned whole_text = 0x81 | rsv1;

// A ping of so many bytes.
std::string long_ping(std::size_t bytes) {
    std::string json = R"({"op":"ping"})";
    json.insert(1, bytes - json.size(), ' ');
    return json;
}

const std::string long_text(1'000, 'x');

// One client that may deflate beside another one who has no part in that.
struct Deflating {
    GatewayBench bench{Encoding::json_deflated};
    TestPeer& bob = plain_user("bob");

    TestPeer& plain_user(std::string_view name) {
        const Encoding kept = std::exchange(bench.peers.encoding, Encoding::json);
        TestPeer& peer = bench.user(name);
        bench.peers.encoding = kept;
        return peer;
    }

    void check_closed(const std::string& bytes, int code, std::string_view label) {
        TestPeer& peer = bench.user("alice");
        bench.peers.send(peer, bytes);
        bench.check_closed(peer, code, label, &bob);
        CHECK(bench.take_sent<user::Detach>().size() == 1);
        // The same before the hello, a piece at a time.
        TestPeer& other = bench.peers.connect();
        for (std::size_t at = 0; at < bytes.size(); at += 7) {
            bench.peers.send(other, bytes.substr(at, 7));
        }
        bench.check_closed(other, code, label, &bob);
        static_cast<void>(bench.take_sent<user::Check>());  // Of bob, as time passes.
        CHECK(bench.sent.empty());
    }
};

// The answer to an upgrade that offers `extensions`; empty where there is none.
std::string answer_to(GatewayBench& bench, std::string_view extensions) {
    TestPeer& peer = bench.peers.open();
    bench.peers.send(peer,
                     upgrade_request(fmt::format("Sec-WebSocket-Extensions: {}\r\n", extensions)));
    CHECK(peer.status() == 101);
    CHECK_FALSE(peer.is_ended);
    const std::string_view name = "Sec-WebSocket-Extensions: ";
    const auto at = peer.http.find(name);
    return at == std::string::npos
               ? ""
               : peer.http.substr(at + name.size(), peer.http.find('\r', at) - at - name.size());
}

TEST_CASE("row 24: permessage-deflate is off by default: the upgrade goes on without it") {
    Settings settings = settings_for_tests();
    settings.takes_deflate = Settings{}.takes_deflate;
    GatewayBench bench(std::move(settings));
    CHECK(answer_to(bench, "permessage-deflate").empty());
    TestPeer& bob = bench.user("bob");
    TestPeer& peer = bench.user("alice");
    bench.peers.send(peer, frame(whole_text, deflated(long_ping(300))));
    bench.check_closed(peer, 1002, "M1022", &bob);
}

TEST_CASE("row 25: permessage-deflate is taken up without context takeover") {
    GatewayBench bench;
    const std::string good =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    CHECK(answer_to(bench, "permessage-deflate") == good);
    CHECK(answer_to(bench, "permessage-deflate; client_max_window_bits") == good);
    CHECK(answer_to(bench, "permessage-deflate; server_max_window_bits=15") ==
          good + "; server_max_window_bits=12");
    CHECK(answer_to(bench, "permessage-deflate; x, permessage-deflate") == good);
    CHECK(answer_to(bench, "permessage-deflate; server_max_window_bits=9").empty());
    CHECK(answer_to(bench, "x-webkit-deflate-frame").empty());
}

TEST_CASE("row 25: a frame that inflates to more than 64 KiB closes with 1009") {
    Deflating peers;
    peers.check_closed(frame(whole_text, deflated(long_ping(limit + 1))), 1009, "M1029");
    std::string most = deflated(std::string(8 * 1024 * 1024, ' '));
    REQUIRE(most.size() < limit);
    most.resize(limit, '\xff');  // Damaged, but nobody gets as far as that.
    peers.check_closed(frame(whole_text, most), 1009, "M1029");
    peers.check_closed(frame(0x01 | rsv1, most.substr(0, 1'000)) + frame(0x80, most.substr(1'000)),
                       1009, "M1029");
}

TEST_CASE("row 25: what is bigger than 64 KiB while it is deflated closes with 1009, too") {
    Deflating peers;
    peers.check_closed(frame(whole_text, std::string(limit + 1, 'a')), 1009, "M1029");
}

TEST_CASE("a message that inflates to 64 KiB is taken, in one frame or in many, among pings") {
    Deflating peers;
    GatewayBench& bench = peers.bench;
    TestPeer& peer = bench.user("alice");
    const std::string message = deflated(long_ping(limit));
    bench.peers.send(peer, frame(whole_text, message));
    CHECK(peer.next() == R"({"op":"pong"})");
    std::string bytes = frame(0x01 | rsv1, "");
    for (const char byte : message) {
        bytes += frame(0x00, std::string(1, byte));
    }
    bytes += frame(0x89, "p") + frame(0x80, "");
    for (const std::size_t piece : {1U, 5U, 1'000'000U}) {
        const std::size_t pongs = peer.pongs;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            bench.peers.send(peer, bytes.substr(at, piece));
        }
        CHECK(peer.pongs == pongs + 1);
        CHECK(peer.next() == R"({"op":"pong"})");
    }
}

TEST_CASE("row 25: deflate data that is damaged, or builds on earlier data, closes with 1007") {
    Deflating peers;
    const std::string message = deflated(long_ping(300));
    for (const std::string& bad :
         {std::string(), std::string("\xff\xff\xff"), message.substr(0, message.size() / 2),
          message + message.substr(1), std::string("\xf2\x00\x11\x00\x00", 5)}) {
        CAPTURE(bad.size());
        peers.check_closed(frame(whole_text, bad), 1007, "M1027");
    }
}

TEST_CASE("row 25: a flood of small frames that inflate to big ones closes with 1008") {
    Deflating d;
    TestPeer& alice = d.bench.user("alice");
    const std::string bomb = frame(whole_text, deflated(long_ping(60'000)));
    for (int i = 0; i < 30; ++i) {  // 30 times 59 KiB are within the burst of 2 MiB.
        d.bench.peers.send(alice, bomb);
    }
    CHECK(alice.close_code == 0);
    for (int i = 0; i < 10; ++i) {
        d.bench.peers.send(alice, bomb);
    }
    d.bench.check_closed(alice, 1008, "M1028", &d.bob);
}

TEST_CASE("row 21: text that is not UTF-8 once it is inflated closes with 1007") {
    Deflating peers;
    peers.check_closed(frame(whole_text, deflated('"' + long_text + "\xff\"")), 1007, "M1027");
    // Deflated bytes need not be UTF-8 themselves: those of the good messages above are not.
}

TEST_CASE("row 15: RSV1 stands in the first frame of a message alone, the other bits nowhere") {
    Deflating peers;
    const std::string message = deflated(long_ping(300));
    const std::string start = message.substr(0, 3);
    const std::string rest = message.substr(3);
    for (const auto& bytes :
         {frame(0x81 | 0x20, message), frame(0x81 | 0x10, message), frame(0x81 | 0x70, message),
          frame(0x89 | rsv1, "p"), frame(0x8a | rsv1, "p"), frame(0x88 | rsv1, ""),
          frame(0x01 | rsv1, start) + frame(0x80 | rsv1, rest),
          frame(0x01, "{") + frame(0x80 | rsv1, rest), frame(0x83 | rsv1, message)}) {
        peers.check_closed(bytes, 1002, "M1022");
    }
}

TEST_CASE("deflated and plain messages may follow each other") {
    Deflating peers;
    TestPeer& peer = peers.bench.user("alice");
    const std::string both = frame(whole_text, deflated(long_ping(300))) +
                             frame(0x81, R"({"op":"ping"})") + frame(0x01, R"({"op":)") +
                             frame(0x80, R"("ping"})");
    peers.bench.peers.send(peer, both + both);
    CHECK(peer.texts.size() == 6);
}

TEST_CASE("an empty deflated message is a message: one that is no JSON") {
    Deflating peers;
    peers.check_closed(frame(whole_text, std::string(1, '\0')), 4000, "M1000");
}

TEST_CASE("what comes deflated before the hello's answer waits like other messages") {
    Deflating peers;
    GatewayBench& bench = peers.bench;
    TestPeer& peer = bench.peers.connect();
    bench.say_hello(peer, "alice");
    bench.peers.send(peer, frame(whole_text, deflated(long_ping(1'000))));
    bench.deliver(bench.attached(bench.take_one<user::Attach>()));
    CHECK(peer.next().starts_with(R"({"op":"hello")"));
    CHECK(peer.next() == R"({"op":"pong"})");
    TestPeer& greedy = bench.peers.connect();
    bench.say_hello(greedy, "carol");
    bench.peers.send(greedy, frame(whole_text, deflated(long_ping(limit))));
    bench.check_closed(greedy, 4000, "M1000", &peers.bob);
}

TEST_CASE_TEMPLATE("what a client sends deflated reaches the queue as it was", Wire, JsonDeflated,
                   ProtoDeflated) {
    ListenedRoom room(Wire::value);
    TestPeer& peer = room.listener("alice");
    room.queue.answer();
    room.bench.peers.say(
        peer, fmt::format(R"({{"op":"send","q":"/room/1","m":"chat","d":"{}"}})", long_text));
    const auto op = room.bench.take_one<queue::Op>();
    CHECK(std::get<queue::SendOp>(op.body).data == Payload('"' + long_text + '"'));
}

TEST_CASE("an event is encoded and deflated once, and the frame shared by all who read it so") {
    ListenedRoom room;
    GatewayBench& bench = room.bench;
    std::vector<TestPeer*> peers;
    for (int round = 0; round < 2; ++round) {
        for (const Encoding encoding : all_encodings) {
            bench.peers.encoding = encoding;
            peers.push_back(&room.listener(fmt::format("user{}", peers.size())));
            if (peers.size() == 1) {
                room.queue.answer();
            }
        }
    }
    std::vector<std::size_t> bytes_before;
    for (TestPeer* peer : peers) {
        peer->texts.clear();
        bytes_before.push_back(peer->bytes);
    }
    const auto encodes = bench.counters().encodes;
    room.queue.post('"' + long_text + '"');
    CHECK(bench.counters().encodes == encodes + all_encodings.size());
    for (std::size_t i = 0; i < peers.size(); ++i) {
        TestPeer& peer = *peers[i];
        CHECK(peer.next().ends_with(R"("d":")" + long_text + "\"}"));
        CHECK(peer.last_bytes == peers[i % all_encodings.size()]->last_bytes);
        CHECK(peer.deflated_count == (is_deflated(peer.encoding) ? 1 : 0));
        const std::size_t came = peer.bytes - bytes_before[i];
        CHECK((came < 200) == is_deflated(peer.encoding));
    }
    CHECK(peers[0]->last_bytes != peers[3]->last_bytes);
}

TEST_CASE_TEMPLATE("messages below 256 bytes, and those that do not get smaller, go as they are",
                   Wire, JsonDeflated, ProtoDeflated) {
    ListenedRoom room(Wire::value);
    TestPeer& peer = room.listener("alice");
    room.queue.answer();
    peer.texts.clear();
    const auto deflated_before = peer.deflated_count;
    room.queue.post(R"({"text":"hi"})");
    CHECK(peer.next().ends_with(R"("d":{"text":"hi"}})"));
    std::string noise;
    Rng rng(1);
    for (int i = 0; i < 1'000; ++i) {
        noise += static_cast<char>(rng.next());
    }
    if (Wire::value == Encoding::proto_deflated) {
        room.queue.publish(queue::MessagePosted{MountName("chat"), Payload(noise, Format::bytes)},
                           "bob");
        CHECK(peer.next().find(R"("b":")") != std::string::npos);
    }
    CHECK(peer.deflated_count == deflated_before);
}

TEST_CASE_TEMPLATE("welcomes, replays and what waits for a slow reader come deflated", Wire,
                   JsonDeflated, ProtoDeflated) {
    ListenedRoom room(Wire::value);
    TestPeer& peer = room.listener("alice");
    room.queue.answer();
    room.bench.peers.block(peer);
    room.queue.set({{"a", '"' + long_text + '"'}});
    room.queue.post('"' + long_text + '"');
    peer.texts.clear();
    const auto before = peer.deflated_count;
    room.bench.peers.drain(peer);
    CHECK(peer.texts.size() == 2);
    CHECK(peer.deflated_count == before + 2);

    TestPeer& late = room.bench.user("bob");
    const auto of_late = late.deflated_count;
    room.listen(late, 1, R"(,"since":[7,3])");
    REQUIRE(late.texts.size() == 2);
    CHECK(late.deflated_count == of_late + 2);
    CHECK(late.next().find(long_text) != std::string::npos);
    CHECK(late.next().find(R"("chat":"replayed 1")") != std::string::npos);
}

}  // namespace
}  // namespace muster::gateway
