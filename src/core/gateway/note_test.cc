// What a gateway has to say in the log of its server.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

// The only note since the last look.
Note only_note(GatewayBench& bench) {
    const auto notes = bench.gateway.take_notes();
    REQUIRE(notes.size() == 1);
    return notes[0];
}

TEST_CASE("a sign-in that is refused is worth a line, without the token") {
    GatewayBench bench;
    TestPeer& peer = bench.peers.connect();
    SUBCASE("for its token") {
        bench.peers.say(peer, R"({"op":"hello","v":[1],"token":"secret.secret.secret"})");
    }
    SUBCASE("for its resume token") {
        bench.say_hello(peer, "alice", R"(,"resume":"secret","cid":"c")");
    }
    const Note note = only_note(bench);
    CHECK(note.kind == Note::Kind::login_refused);
    CHECK(note.connection == peer.id);
    CHECK_FALSE(note.detail.empty());
    CHECK(note.detail.find("secret") == std::string::npos);
}

TEST_CASE("row 51: abuse is worth a line, with the user") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    bench.peers.say(peer, R"({"op":"welcome"})");
    static_cast<void>(bench.gateway.take_notes());
    bench.peers.say(peer, R"({"op":"joined"})");
    const Note note = only_note(bench);
    CHECK(note.kind == Note::Kind::abuse);
    CHECK(note.user == "alice");
    CHECK(note.detail == "this is for servers to say");
}

TEST_CASE("the end of a slow client is worth a line") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    room.bench.peers.block(alice);
    room.queue.post("1");
    room.bench.pass(10s);
    const Note note = only_note(room.bench);
    CHECK(note.kind == Note::Kind::slow);
    CHECK(note.user == "alice");
}

TEST_CASE("a web page of a foreign origin is worth a line, with its name") {
    GatewayBench bench;
    TestPeer& peer = bench.peers.open();
    bench.peers.send(peer, upgrade_request("Origin: https://evil.example\r\n"));
    const Note note = only_note(bench);
    CHECK(note.kind == Note::Kind::origin_refused);
    CHECK(note.detail == "https://evil.example");
}

TEST_CASE("row 36: a client that comes from a second address is worth a line, with both of them") {
    GatewayBench bench;
    TestPeer& peer = bench.user("alice");
    CHECK(peer.texts.empty());
    SUBCASE("by the user queue's word") {
        bench.deliver(user::Kick{ref_of(peer), Cep{Inc{6}, 1}, false, SharedText("2001:db8::2")});
        const Note note = only_note(bench);
        CHECK(note.kind == Note::Kind::second_address);
        CHECK(note.connection == peer.id);
        CHECK(note.user == "alice");
        CHECK(note.detail == "its client has come from 2001:db8::2");
        bench.check_closed(peer, 4003, "M1003");
    }
    SUBCASE("but not where it comes again from the same one") {
        bench.deliver(user::Kick{ref_of(peer), Cep{Inc{6}, 1}, false, SharedText("192.0.2.1")});
        CHECK(bench.gateway.take_notes().empty());
        bench.check_closed(peer, 4003, "M1003");
    }
    SUBCASE("nor where it is another client") {
        bench.deliver(user::Kick{ref_of(peer), Cep{Inc{6}, 1}});
        CHECK(bench.gateway.take_notes().empty());
        bench.check_closed(peer, 4003, "M1003");
    }
    SUBCASE("nor where it has lost itself") {
        bench.deliver(user::Kick{ref_of(peer), Cep{Inc{4}, 1}, false, SharedText("192.0.2.2")});
        CHECK(bench.gateway.take_notes().empty());
        CHECK_FALSE(peer.is_ended);
    }
}

TEST_CASE("a sign-in tells the user queue its client's address") {
    GatewayBench bench;
    bench.peers.address = "192.0.2.7";
    bench.say_hello(bench.peers.connect(), "alice");
    CHECK(bench.take_one<user::Attach>().address.view() == "192.0.2.7");
}

TEST_CASE("a flood of what is worth a line is told in part, and its memory is bounded") {
    GatewayBench bench;
    for (int i = 0; i < 1'000; ++i) {
        static_cast<void>(bench.peers.open(2'000, 1));
    }
    CHECK(bench.gateway.take_notes().size() == notes_max);
    CHECK(bench.counters().crowded_out == 1'000);
    static_cast<void>(bench.peers.open(2'000, 1));
    CHECK(only_note(bench).kind == Note::Kind::put_off);
}

}  // namespace
}  // namespace muster::gateway
