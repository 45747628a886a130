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

TEST_CASE("the end of a slow client is worth a line, with the limit and whose messages they were") {
    ListenedRoom room;
    TestPeer& alice = room.listener("alice");
    room.queue.answer();
    room.bench.peers.block(alice);
    room.queue.post("1");
    std::string_view mount = "chat";
    std::string_view limit;
    SUBCASE("where something waits for too long") {
        room.bench.pass(10s);
        limit = "something has waited for more than 10000 ms";
    }
    SUBCASE("where too many messages wait") {
        for (int i = 0; i < 256; ++i) {
            room.queue.post("1");
        }
        limit = "more than 256 messages wait";
    }
    SUBCASE("where too many bytes wait") {
        for (int i = 0; i < 6; ++i) {
            room.queue.post('"' + std::string(15'000, 'x') + '"');
        }
        limit = "more than 65536 bytes wait";
    }
    SUBCASE("where answers of no queue are too many") {
        for (int i = 0; i < 256; ++i) {
            room.bench.peers.say(alice, R"({"op":"unlisten","i":1,"q":"/room/2"})");
            room.bench.pass(25ms);
        }
        mount = "";
        limit = "more than 256 messages wait";
    }
    const Note note = only_note(room.bench);
    CHECK(note.kind == Note::Kind::slow);
    CHECK(note.user == "alice");
    CHECK(note.queue.text() == (mount.empty() ? "" : "/room/1"));
    CHECK(note.mount.text() == mount);
    CHECK(note.detail == limit);
    room.bench.check_closed(alice, 4008, "M1008");
    CHECK(alice.close_reason == "M1008 slow: " + std::string(limit));
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
    const auto come_from_foreign_page = [&] {
        bench.peers.send(bench.peers.open(), upgrade_request("Origin: https://evil.example\r\n"));
    };
    for (int i = 0; i < 1'000; ++i) {
        come_from_foreign_page();
    }
    CHECK(bench.gateway.take_notes().size() == notes_max);
    come_from_foreign_page();
    CHECK(only_note(bench).kind == Note::Kind::origin_refused);
}

TEST_CASE("of a turn those who are asked to come back later are counted by their reason") {
    GatewayBench bench;
    for (int i = 0; i < 1'000; ++i) {
        static_cast<void>(bench.peers.open(2'000, 1));
    }
    CHECK(bench.counters().crowded_out == 1'000);
    const Note crowd = only_note(bench);
    CHECK(crowd.kind == Note::Kind::crowded_out);
    CHECK(crowd.count == 1'000);
    static_cast<void>(bench.peers.open(2'000, 1));
    CHECK(only_note(bench).count == 1);
}

}  // namespace
}  // namespace muster::gateway
