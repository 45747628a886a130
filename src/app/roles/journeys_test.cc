// Long because: every journey of a client through a whole shard is told here, on one bench.
// Whole journeys: clients, the gateway's machines, real queues and user queues of one server.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "app/roles/shard_bench.h"
#include "app/roles/test_reader.h"

namespace muster::roles {
namespace {

using namespace std::chrono_literals;
using gateway::TestPeer;

// A client with what it makes of its frames.
struct User {
    ShardBench& bench;
    std::string name;
    std::size_t shard = 0;
    TestPeer* peer = nullptr;
    TestReader reader;

    User(ShardBench& site, std::string_view user, std::size_t on = 0)
        : bench(site), name(user), shard(on) {
        sign_in();
    }

    void sign_in(std::string_view more = {}) {
        reader.reconnect();
        peer = &bench.sign_in(name, more, shard);
        read();
    }
    // Comes back with all that it has seen and, if it was welcome before, as the same client.
    void resume(std::size_t on) {
        shard = on;
        ++attempts_;
        const auto field = [&](std::string_view key) {
            const auto at = reader.hello.find(fmt::format(R"("{}":")", key)) + key.size() + 4;
            return reader.hello.substr(at, reader.hello.find('"', at) - at);
        };
        sign_in(fmt::format(R"(,"resume":"{}","cid":"{}","cn":{}{})", field("resume"), field("cid"),
                            attempts_, reader.since()));
    }
    void hang_up() {
        read();
        bench.peers(shard).hang_up(*peer);
    }
    void read() {
        while (!peer->texts.empty()) {
            reader.take(peer->next());
        }
    }
    // Says it, and returns the answer that came last.
    std::string ask(std::string_view json) {
        bench.peers(shard).say(*peer, json);
        return peer->texts.empty() ? "" : peer->texts.back();
    }
    std::string join(std::string_view queue) {
        return ask(fmt::format(R"({{"op":"join","i":1,"q":"{}"}})", queue));
    }
    std::string post(std::string_view queue, std::string_view text) {
        return ask(
            fmt::format(R"({{"op":"send","i":2,"q":"{}","m":"chat","d":"{}"}})", queue, text));
    }
    SeenQueue& seen(std::string_view queue) {
        read();
        return reader.queues[std::string(queue)];
    }
    std::string cid() {
        const auto at = reader.hello.find(R"("cid":")") + 7;
        return reader.hello.substr(at, 32);
    }

private:
    int attempts_ = 1;
};

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

constexpr std::array<std::uint16_t, 3> shard_counts{1, 2, 3};

// Each journey on one shard, and with every client on another shard than the queue's.
struct Sites {
    explicit Sites(std::uint16_t shards, const user::UserSettings& users = {})
        : bench(BenchSite{.shard_count = shards, .users = users}),
          first(bench.home_of("/room/1")),
          second((first + 1) % shards) {}
    ShardBench bench;
    std::size_t first;
    std::size_t second;
};

TEST_CASE("who joins a room and sends is heard by all in it, in one order") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        User alice(site.bench, "alice", site.first);
        User bob(site.bench, "bob", site.second);
        CHECK(has(alice.join("/room/1"), R"("op":"joined","i":1,"q":"/room/1","member":true)"));
        CHECK(has(bob.join("/room/1"), R"("who":{"alice":{},"bob":{}}})"));
        for (int i = 0; i < 10; ++i) {
            alice.post("/room/1", fmt::format("a{}", i));
            bob.post("/room/1", fmt::format("b{}", i));
        }
        const auto& seen = alice.seen("/room/1").messages.at("chat");
        CHECK(seen.size() == 20);
        CHECK(seen == bob.seen("/room/1").messages.at("chat"));
        CHECK(seen.begin()->second == R"("a0")");
        CHECK(alice.seen("/room/1").members.size() == 2);
        CHECK(TestReader::shows(alice.seen("/room/1"), *site.bench.content("/room/1")));
        CHECK(TestReader::shows(bob.seen("/room/1"), *site.bench.content("/room/1")));
    }
}

TEST_CASE("the sender hears its own message, and its verdict names the same seq") {
    ShardBench bench;
    User alice(bench, "alice");
    alice.join("/room/1");
    alice.read();
    CHECK(alice.post("/room/1", "hi") == R"({"op":"ok","i":2,"seq":7})");
    CHECK(has(alice.peer->next(), R"("seq":7,"from":"alice")"));
}

TEST_CASE("state that one sets is mirrored by all") {
    ShardBench bench;
    User alice(bench, "alice");
    User bob(bench, "bob");
    alice.join("/room/1");
    bob.join("/room/1");
    alice.ask(R"({"op":"set","i":2,"q":"/room/1","m":"scores","k":"alice","d":7})");
    bob.ask(R"({"op":"set","i":2,"q":"/room/1","m":"scores","k":"bob","d":[1,{"x":2}]})");
    alice.ask(R"({"op":"set","i":3,"q":"/room/1","m":"scores","k":"alice","d":8})");
    bob.ask(R"({"op":"set","i":3,"q":"/room/1","m":"scores","k":"bob"})");
    CHECK(bob.seen("/room/1").state.at("scores") ==
          std::map<std::string, std::string>{{"alice", "8"}});
    CHECK(TestReader::shows(alice.seen("/room/1"), *bench.content("/room/1")));
    User carol(bench, "carol");
    carol.ask(R"({"op":"listen","i":1,"q":"/room/1"})");
    CHECK(carol.seen("/room/1").state == bob.seen("/room/1").state);
}

TEST_CASE("a client that comes back is sent what it missed, on whatever shard it comes") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        User alice(site.bench, "alice", site.first);
        User bob(site.bench, "bob", site.second);
        alice.join("/room/1");
        bob.join("/room/1");
        const std::string cid = alice.cid();
        for (int i = 0; i < 5; ++i) {
            alice.read();
            alice.hang_up();
            bob.post("/room/1", fmt::format("while away {}", i));
            bob.ask(fmt::format(R"({{"op":"set","q":"/room/1","m":"scores","k":"k","d":{}}})", i));
            site.bench.pass(10s);
            alice.resume(i % 2 == 0 ? site.second : site.first);
            CHECK(alice.cid() == cid);
            const auto& seen = alice.seen("/room/1");
            CHECK(seen.is_member);
            CHECK(seen.messages.at("chat").rbegin()->second == fmt::format("\"while away {}\"", i));
            CHECK(TestReader::shows(seen, *site.bench.content("/room/1")));
        }
        CHECK(alice.seen("/room/1").messages == bob.seen("/room/1").messages);
        CHECK(alice.reader.queues.at("/room/1").lost.empty());
        // For the others she was never away.
        CHECK(bob.seen("/room/1").members.contains("alice"));
    }
}

TEST_CASE("who missed nothing is live again one round trip after its hello") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        User alice(site.bench, "alice", site.first);
        alice.join("/room/1");
        alice.join("/room/2");
        alice.read();
        const auto before = alice.reader.queues;
        alice.hang_up();
        site.bench.pass(10s);
        alice.reader.others.clear();
        alice.resume(site.second);  // It says nothing but its hello.
        for (const auto& [name, seen] : alice.reader.queues) {
            CHECK(seen.is_live);
            CHECK(seen.is_member);
            CHECK(seen.at == before.at(name).at);
            CHECK(seen.messages == before.at(name).messages);
            CHECK(seen.lost.empty());
        }
        CHECK(alice.reader.others.empty());
    }
}

TEST_CASE(
    "who was away for longer than the history reaches is told the gap, before and behind it") {
    ShardBench bench;
    User alice(bench, "alice");
    User bob(bench, "bob");
    alice.join("/room/1");
    bob.join("/room/1");
    alice.read();
    alice.hang_up();
    const Seq last_seen = alice.reader.queues.at("/room/1").at.seq;
    for (int i = 0; i < 150; ++i) {
        bob.post("/room/1", "1");
        bench.pass(25ms);
    }
    alice.resume(0);
    const auto& seen = alice.seen("/room/1");
    const std::pair gap{last_seen + 1, last_seen + 50};
    CHECK(seen.lost.at("chat") == std::vector{gap, gap});  // `gap`, and `joined`.
    CHECK(seen.messages.at("chat").size() == 100);
}

TEST_CASE("the second login of a user closes the first with 4003, wherever they are") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        User first(site.bench, "alice", site.first);
        first.join("/room/1");
        User second(site.bench, "alice", site.second);
        CHECK(first.peer->close_code == 4003);
        CHECK(first.peer->is_ended);
        // The second one is in the room already, and is the one who is heard.
        CHECK(second.seen("/room/1").is_member);
        second.post("/room/1", "it is me");
        CHECK(second.seen("/room/1").messages.at("chat").size() == 1);
        CHECK_FALSE(second.peer->is_ended);
        CHECK(site.bench.content("/room/1")->members.size() == 1);
    }
}

TEST_CASE(
    "row 36: of two connections with one resume token the later one wins, and both are audited") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        User alice(site.bench, "alice", site.first);
        alice.join("/room/1");
        const std::string first_hello = alice.reader.hello;
        alice.hang_up();
        alice.resume(site.first);
        TestPeer& first = *alice.peer;
        alice.reader.hello = first_hello;  // The same token again, while the first one lives.
        site.bench.peers(site.second).address = "192.0.2.99";
        static_cast<void>(site.bench.machine(site.first).take_notes());
        alice.resume(site.second);
        CHECK(first.close_code == 4003);
        const auto notes = site.bench.machine(site.first).take_notes();
        REQUIRE(notes.size() == 1);
        CHECK(notes[0].kind == gateway::Note::Kind::second_address);
        CHECK(notes[0].detail == "its client has come from 192.0.2.99");
        CHECK_FALSE(alice.peer->is_ended);
        CHECK(has(alice.post("/room/1", "mine"), R"("op":"ok")"));
        site.bench.peers(site.first)
            .say(first, R"({"op":"send","i":9,"q":"/room/1","m":"chat","d":"late"})");
        CHECK(site.bench.content("/room/1")->mounts.at(MountName("chat")).history.size() == 1);
        // One that is no newer than the last one is late, and loses.
        const std::string stale = fmt::format(R"(,"resume":"x","cid":"{}","cn":1)", alice.cid());
        CHECK(site.bench.sign_in("alice", stale, site.first).close_code == 4010);
        CHECK_FALSE(alice.peer->is_ended);
    }
}

TEST_CASE("row 35: cursors that cannot be are answered with a reset or a welcome, not an error") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        User alice(site.bench, "alice", site.first);
        alice.join("/room/1");
        const std::uint64_t inc = site.bench.content("/room/1")->at.inc.value;
        const auto resets = [&] { return site.bench.counters(site.second).resets; };
        for (const std::string& since : {fmt::format(R"("/room/1":[{},9000])", inc),
                                         std::string(R"("/room/1":[9007199254740992,1])"),
                                         std::string(R"("/room/none":[7,17])")}) {
            CAPTURE(since);
            const auto before = resets();
            TestPeer& peer = site.bench.sign_in("bob", R"(,"since":{)" + since + "}", site.second);
            CHECK(has(peer.next(), R"("op":"hello")"));
            CHECK(has(peer.next(), R"("op":"reset")"));
            CHECK_FALSE(peer.is_ended);
            const bool is_of_a_queue = since.find("none") == std::string::npos;
            CHECK(resets() == before + (is_of_a_queue ? 1 : 0));
        }
    }
}

TEST_CASE("where the oldest login wins, the second is refused until the first has gone") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards, {.logins = user::Logins::oldest});
        User first(site.bench, "alice", site.first);
        first.join("/room/1");
        User second(site.bench, "alice", site.second);
        CHECK(second.peer->close_code == 4003);
        CHECK(has(second.peer->close_reason, "busy"));
        CHECK(has(first.post("/room/1", "still me"), R"("op":"ok")"));
        first.hang_up();
        second.sign_in();
        CHECK(second.seen("/room/1").is_member);
        CHECK(has(second.post("/room/1", "now me"), R"("op":"ok")"));
        // It was away when the first one came back, so that is refused in its turn.
        first.resume(site.first);
        CHECK(first.peer->close_code == 4003);
    }
}

TEST_CASE("two devices of a user are in its rooms together, and a third takes the first's place") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards, {.logins = user::Logins::devices, .devices_max = 2});
        User bob(site.bench, "bob", site.first);
        bob.join("/room/1");
        User phone(site.bench, "alice", site.first);
        User laptop(site.bench, "alice", site.second);
        phone.join("/room/1");
        CHECK(laptop.seen("/room/1").is_member);  // By the other one's join.
        phone.post("/room/1", "from the phone");
        laptop.post("/room/1", "from the laptop");
        bob.post("/room/1", "hello both");
        for (User* user : {&phone, &laptop}) {
            CHECK(user->seen("/room/1").messages.at("chat").size() == 3);
            CHECK_FALSE(user->peer->is_ended);
        }
        CHECK(site.bench.content("/room/1")->members.size() == 2);
        CHECK(site.bench.user_report("alice").connections == 2);

        User tablet(site.bench, "alice", site.second);
        CHECK(phone.peer->close_code == 4003);
        CHECK_FALSE(laptop.peer->is_ended);
        CHECK(tablet.seen("/room/1").is_member);
        CHECK(has(laptop.post("/room/1", "still here"), R"("op":"ok")"));
        CHECK(has(tablet.post("/room/1", "here, too"), R"("op":"ok")"));
        // What the phone still had on its way is not applied.
        queue::Op late;
        late.sender.user = UserId("alice");
        late.sender.cep = Cep::of_slot(Inc{0}, 0, 1);
        late.body = queue::SendOp{MountName("chat"), Payload("\"late\"")};
        late.reply_to.who = RequestId{9};
        site.bench.to_service.clear();
        site.bench.ask("/room/1", late);
        CHECK(std::get<queue::OpReply>(site.bench.to_service.at(0).body).verdict.kind ==
              queue::Verdict::Kind::fenced);
        // The room sees nobody go before the last device has.
        tablet.hang_up();
        site.bench.pass(30s);
        CHECK(site.bench.user_report("alice").connections == 1);
        laptop.ask(R"({"op":"leave","i":3,"q":"/room/1"})");
        CHECK(site.bench.content("/room/1")->members.size() == 1);
    }
}

TEST_CASE("an op of the first login that comes late is not applied") {
    ShardBench bench;
    User first(bench, "alice");
    first.join("/room/1");
    User bob(bench, "bob");
    bob.join("/room/1");
    // The op is on its way while the second login fences the room.
    queue::Op late;
    late.sender.user = UserId("alice");
    late.sender.cep = Cep{Inc{0}, 1};
    late.body = queue::SendOp{MountName("chat"), Payload("\"late\"")};
    late.reply_to.who = RequestId{9};
    User second(bench, "alice");
    bench.to_service.clear();
    bench.ask("/room/1", late);
    REQUIRE(bench.to_service.size() == 1);
    CHECK(std::get<queue::OpReply>(bench.to_service[0].body).verdict.kind ==
          queue::Verdict::Kind::fenced);
    CHECK_FALSE(bob.seen("/room/1").messages.contains("chat"));
}

TEST_CASE("a user that stays away for the resume time has left, by timeout") {
    ShardBench bench;
    User alice(bench, "alice");
    User bob(bench, "bob");
    alice.join("/room/1");
    bob.join("/room/1");
    bob.read();
    alice.hang_up();
    const auto stays = [&](Duration time) {
        for (Duration gone{}; gone < time; gone += 10s) {
            bench.pass(10s);
            bob.ask(R"({"op":"ping"})");
        }
    };
    stays(110s);
    CHECK(bob.seen("/room/1").members.contains("alice"));
    bench.pass(10s);
    const std::string last = bob.peer->texts.empty() ? "" : bob.peer->texts.back();
    CHECK(has(last, R"("del":{"alice":"timeout"},"count":1)"));
    CHECK_FALSE(bob.seen("/room/1").members.contains("alice"));
    // Who comes back now is in no room, and its old stream goes on as a listener's.
    alice.resume(0);
    CHECK_FALSE(alice.seen("/room/1").is_member);
    CHECK(alice.seen("/room/1").is_live);
}

TEST_CASE("an idle user stays the current one, on line, for as long as its client answers pings") {
    ShardBench bench({.shard_count = 2});
    User alice(bench, "alice", bench.home_of("/user/alice") == 0 ? 1 : 0);
    alice.join("/room/1");
    for (int i = 0; i < 60; ++i) {
        bench.pass(5s);
        bench.peers(alice.shard).say(*alice.peer, R"({"op":"pong"})");
    }
    alice.peer->texts.clear();
    CHECK(alice.post("/room/1", "still here") == R"({"op":"ok","i":2,"seq":7})");
    CHECK(bench.user_report("alice").connections == 1);
    bench.pass(35s);
    CHECK(alice.peer->close_code == 4000);
    CHECK(bench.user_report("alice").connections == 0);
    CHECK(bench.user_report("alice").is_online);
}

TEST_CASE("a pause of the whole process of 30 s ends no session whose client is there") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        User alice(site.bench, "alice", site.second);
        site.bench.pass(14s);
        alice.ask(R"({"op":"ping"})");
        site.bench.now += 30s;
        for (std::size_t shard = 0; shard < shards; ++shard) {
            site.bench.in_one_turn([] {}, shard);
        }
        alice.ask(R"({"op":"pong"})");
        site.bench.pass(14s);
        CHECK_FALSE(alice.peer->is_ended);
        CHECK(has(alice.join("/room/1"), R"("op":"joined")"));
    }
}

TEST_CASE("the backend's joins and kicks are seen by the user and by the others") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        ShardBench& bench = site.bench;
        CHECK(bench.op("/closed/1", queue::CreateOp{}).kind == queue::Verdict::Kind::ok);
        User alice(bench, "alice", site.first);
        User bob(bench, "bob", site.second);
        CHECK(has(alice.join("/closed/1"), R"("code":"M2004")"));
        CHECK(bench.membership("bob", "/closed/1", true).kind == queue::Verdict::Kind::ok);
        CHECK(bench.membership("alice", "/closed/1", true).kind == queue::Verdict::Kind::ok);
        CHECK(alice.seen("/closed/1").is_member);
        CHECK(bob.seen("/closed/1").members.size() == 2);
        alice.post("/closed/1", "hi");
        CHECK(bob.seen("/closed/1").messages.at("chat").size() == 1);
        CHECK(bench.membership("alice", "/closed/1", false).kind == queue::Verdict::Kind::ok);
        CHECK(alice.peer->texts.back() == R"({"op":"left","q":"/closed/1","why":"kicked"})");
        CHECK(has(bob.peer->texts.back(), R"("del":{"alice":"kicked"},"count":1)"));
        CHECK_FALSE(alice.seen("/closed/1").is_live);
        CHECK(has(alice.post("/closed/1", "me?"), R"("code":"M2003")"));
        CHECK(has(alice.ask(R"({"op":"listen","i":3,"q":"/closed/1"})"), R"("code":"M2004")"));
    }
}

TEST_CASE("a queue that the backend deletes is reset for all, and gone") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        User alice(site.bench, "alice", site.first);
        User bob(site.bench, "bob", site.second);
        alice.join("/room/1");
        bob.ask(R"({"op":"listen","i":1,"q":"/room/1"})");
        const Cursor at = alice.seen("/room/1").at;
        site.bench.op("/room/1", queue::DeleteOp{});
        const std::string reset = fmt::format(
            R"({{"op":"reset","q":"/room/1","at":[{},{}],"why":"deleted","mounts":{{}},)",
            at.inc.value, at.seq);
        CHECK(alice.peer->texts.back().starts_with(reset));
        CHECK(bob.peer->texts.back().starts_with(reset));
        CHECK(has(bob.ask(R"({"op":"listen","i":2,"q":"/room/1"})"), R"("code":"M2002")"));
        CHECK(has(alice.post("/room/1", "?"), R"("code":"M2002")"));
        // A new one of the same name is younger, and who was away is told that the old one is gone.
        alice.read();
        bob.read();
        alice.join("/room/1");
        CHECK(alice.seen("/room/1").at.inc > at.inc);
        CHECK(alice.seen("/room/1").members.size() == 1);
    }
}

TEST_CASE("who was away while a queue was deleted is told so, and is no member of the next one") {
    ShardBench bench;
    User alice(bench, "alice");
    User bob(bench, "bob");
    alice.join("/room/1");
    alice.read();
    alice.hang_up();
    bench.op("/room/1", queue::DeleteOp{});
    SUBCASE("with nothing in its place") {
        alice.resume(0);
        CHECK_FALSE(alice.seen("/room/1").is_live);
        CHECK(alice.seen("/room/1").at == Cursor{});
    }
    SUBCASE("with a new one in its place") {
        bob.join("/room/1");
        alice.resume(0);
        CHECK(alice.seen("/room/1").is_live);
        CHECK_FALSE(alice.seen("/room/1").is_member);
        CHECK(TestReader::shows(alice.seen("/room/1"), *bench.content("/room/1")));
    }
}

TEST_CASE("a message to a user reaches its present connection") {
    ShardBench bench;
    User alice(bench, "alice");
    bench.ask("/user/alice", user::Tell{{RequestId{1}, {}}, UserId(), Payload("[1]")});
    CHECK(has(alice.peer->texts.back(), R"("q":"/user/alice","m":"mail")"));
    bench.ask("/user/alice", user::Disconnect{{RequestId{1}, {}}});
    CHECK(alice.peer->close_code == 4004);
    bench.to_service.clear();
    bench.ask("/user/alice", user::Tell{{RequestId{1}, {}}, UserId(), Payload("[2]")});
    CHECK(std::get<queue::OpReply>(bench.to_service.at(0).body).verdict.code ==
          ErrorCode::user_offline);
}

// A site that lets in as many at once as come.
BenchSite for_crowds(std::uint16_t shard_count) {
    BenchSite site{.shard_count = shard_count};
    site.gateway.limits.logins_per_second = 0;
    return site;
}

TEST_CASE("a thousand listeners: each event is encoded once") {
    ShardBench bench(for_crowds(1));
    std::vector<TestPeer*> listeners;
    for (int i = 0; i < 1'000; ++i) {
        listeners.push_back(&bench.sign_in(fmt::format("u{}", i)));
        bench.peers().say(*listeners.back(), R"({"op":"listen","i":1,"q":"/room/1"})");
    }
    User alice(bench, "alice");
    alice.join("/room/1");
    for (TestPeer* listener : listeners) {
        bench.peers().say(*listener, R"({"op":"listen","i":2,"q":"/room/1"})");
        listener->texts.clear();
    }
    const auto before = bench.counters();
    for (int i = 0; i < 20; ++i) {
        alice.post("/room/1", "hi");
        alice.ask(fmt::format(R"({{"op":"set","q":"/room/1","m":"scores","k":"a","d":{}}})", i));
    }
    CHECK(bench.counters().events_in - before.events_in == 40);
    CHECK(bench.counters().encodes - before.encodes == 40);
    CHECK(bench.counters().deliveries - before.deliveries == 40 * 1'001);
    for (const TestPeer* listener : listeners) {
        CHECK(listener->texts.size() == 40);
        CHECK(listener->texts == listeners[0]->texts);
    }
}

TEST_CASE("a listener costs the queue nothing: its shard says the same to 10 as to 1,000 of them") {
    const auto said_to = [](int listeners) {
        ShardBench bench(for_crowds(2));
        const std::size_t home = bench.home_of("/room/1");
        const std::size_t gateway = 1 - home;
        bench.membership("alice", "/room/1", true);
        for (int i = 0; i < listeners; ++i) {
            TestPeer& peer = bench.sign_in(fmt::format("u{}", i), {}, gateway);
            bench.peers(gateway).say(peer, R"({"op":"listen","i":1,"q":"/room/1"})");
        }
        const std::size_t before = bench.departed(home);
        const std::uint64_t delivered_before = bench.counters(gateway).deliveries;
        for (int i = 0; i < 20; ++i) {
            bench.op("/room/1", queue::SendOp{MountName("chat"), Payload("1")}, "alice");
        }
        CHECK(bench.counters(gateway).deliveries - delivered_before ==
              20 * static_cast<std::uint64_t>(listeners));
        return bench.departed(home) - before;
    };
    const std::size_t to_ten = said_to(10);
    CHECK(to_ten == 20 + 20);  // To the one gateway shard, and the verdicts to the backend.
    CHECK(said_to(1'000) == to_ten);
}

TEST_CASE("when all have gone, nothing is left: no connection, replica, queue or user queue") {
    for (const std::uint16_t shards : shard_counts) {
        Sites site(shards);
        std::vector<User> users;
        users.reserve(10);
        for (int i = 0; i < 10; ++i) {
            User& user = users.emplace_back(site.bench, fmt::format("u{}", i), i % shards);
            user.join("/room/1");
            user.join(fmt::format("/room/{}", i));
            user.ask(R"({"op":"listen","i":3,"q":"/room/7"})");
        }
        for (User& user : users) {
            user.hang_up();
        }
        site.bench.pass(1h);
        for (std::size_t i = 0; i < shards; ++i) {
            CHECK(site.bench.counters(i).connections_open == 0);
            CHECK(site.bench.counters(i).users_online == 0);
            CHECK(site.bench.counters(i).replicas == 0);
            CHECK(site.bench.buckets(i).actor_count() == 0);
        }
    }
}

}  // namespace
}  // namespace muster::roles
