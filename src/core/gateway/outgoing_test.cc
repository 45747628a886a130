#include "core/gateway/outgoing.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/encode.h"
#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using Outcome = Outgoing::Outcome;

// What goes out to one connection, event by event. Texts are shortened to what matters here.
struct OutgoingBench {
    OutgoingBench() { peer.http = "HTTP/1.1 101 \r\n\r\n"; }

    TestWorld world;
    Outgoing outgoing{ConnectionId{1}};
    TestPeer peer{ConnectionId{1}};
    QueueName room{"/room/1"};

    template <typename Body>
    Outcome put(Seq seq, Body body, queue::SlowPolicy slow = queue::SlowPolicy::close) {
        return put(room, seq, std::move(body), slow);
    }
    template <typename Body>
    Outcome put(const QueueName& queue, Seq seq, Body body, queue::SlowPolicy slow) {
        Context ctx = world.context();
        const auto event = event_of(seq, std::move(body));
        const SharedText frame =
            encode_event(queue, *event, {}, Encoding::json, world.work.encoded);
        return outgoing.put(Outgoing::Delivery{queue, event, frame, slow}, ctx);
    }
    Outcome message(Seq seq, queue::SlowPolicy slow = queue::SlowPolicy::close,
                    std::size_t size = 1) {
        return put(
            seq,
            queue::MessagePosted{MountName("chat"), Payload('"' + std::string(size, 'x') + '"')},
            slow);
    }
    // "a=1 b=2 c": sets a and b, deletes c.
    Outcome state(Seq seq, std::string_view keys) {
        queue::StateChanged changed{MountName("scores"), {}};
        while (!keys.empty()) {
            const auto word = keys.substr(0, keys.find(' '));
            const auto equals = std::min(word.find('='), word.size());
            changed.changes.push_back({Key(word.substr(0, equals)),
                                       Payload(word.substr(std::min(equals + 1, word.size())))});
            keys.remove_prefix(std::min(word.size() + 1, keys.size()));
        }
        return put(seq, std::move(changed));
    }
    Outcome member(Seq seq, std::string_view user, bool is_there, std::uint64_t count) {
        return put(seq, queue::MemberChanged{
                            UserId(user), is_there ? std::optional(queue::Member{}) : std::nullopt,
                            queue::LeaveReason::left, count});
    }
    void replay(Seq seq, Seq prev) {
        Context ctx = world.context();
        outgoing.put_replay(
            room, event_of(seq, queue::MessagePosted{MountName("chat"), Payload("1")}), prev, ctx);
    }
    Outcome snapshot(Seq seq, std::size_t size = 10, std::optional<std::uint64_t> request = {}) {
        Context ctx = world.context();
        return outgoing.put(
            Outgoing::Snapshot{text(fmt::format("joined {}", seq), size), room, seq, request}, ctx);
    }
    Outcome answer(std::string_view words, std::size_t size = 10) {
        Context ctx = world.context();
        return outgoing.put(text(words, size), Weight::normal, ctx);
    }
    void drained() {
        Context ctx = world.context();
        outgoing.drained(ctx);
    }
    void drain() {
        drained();
        resume();
    }
    std::vector<std::uint64_t> forget(const QueueName& queue) {
        Context ctx = world.context();
        return outgoing.forget(queue, ctx);
    }
    void resume() {
        Context ctx = world.context();
        outgoing.resume(ctx);
    }

    // All that has been put out: "5", "6<3" (seq 6 with prev 3), "gap 4..5", "joined 7".
    std::string out() {
        for (const auto& output : world.outputs) {
            peer.take(output);
        }
        world.outputs.clear();
        std::string all;
        while (!peer.texts.empty()) {
            all += (all.empty() ? "" : ", ") + shortened(peer.next());
        }
        return all;
    }

private:
    template <typename Body>
    static queue::EventPtr event_of(Seq seq, Body body) {
        queue::Event event;
        event.seq = seq;
        event.body = std::move(body);
        return std::make_shared<const queue::Event>(std::move(event));
    }
    static SharedText text(std::string_view words, std::size_t size) {
        std::string padded(words);
        padded.resize(std::max(size, padded.size()), ' ');
        std::string frame;
        wire::append_server_frame(frame, wire::WebSocketOpcode::text, padded);
        return SharedText(frame);
    }
    std::string shortened(const std::string& text) {
        std::string scratch;
        const auto frame = wire::parse_server_frame(text, scratch);
        if (!frame) {
            return text.substr(0, text.find_last_not_of(' ') + 1);
        }
        const auto place = [](const auto& f) {
            return f.prev ? fmt::format("{}<{}", f.seq, *f.prev) : std::to_string(f.seq);
        };
        if (const auto* gap = std::get_if<wire::GapFrame>(&*frame)) {
            return fmt::format("gap {}..{}", gap->from, gap->to);
        }
        if (const auto* msg = std::get_if<wire::MsgFrame>(&*frame)) {
            return place(*msg);
        }
        if (const auto* members = std::get_if<wire::MembersFrame>(&*frame)) {
            return fmt::format("{} of {}", place(*members), members->count);
        }
        if (const auto* mount = std::get_if<wire::MountChangeFrame>(&*frame)) {
            return place(*mount) + " mount";
        }
        const auto& state = std::get<wire::StateFrame>(*frame);
        std::string keys = place(state);
        for (const auto& [key, value] : state.changes) {
            keys += fmt::format(" {}={}", key, value ? value->bytes : "");
        }
        return keys;
    }
};

TEST_CASE("while the client keeps up, all frames leave at once, and share their bytes") {
    OutgoingBench bench;
    CHECK(bench.message(5) == Outcome::taken);
    CHECK(bench.state(6, "a=1") == Outcome::taken);
    CHECK(bench.answer("ok") == Outcome::taken);
    CHECK(bench.world.outputs.size() == 3);
    CHECK(bench.out() == "5, 6 a=1, ok");
    CHECK(bench.outgoing.waiting_count() == 0);
    CHECK_FALSE(bench.outgoing.wants_turn());
    CHECK(bench.world.counters.deliveries == 2);
    CHECK(bench.world.counters.encodes == 0);
    CHECK(bench.world.counters.bytes_out > 0);
}

TEST_CASE("of state that waits, the newest value of a key leaves, at the newest's place") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    static_cast<void>(bench.state(5, "a=1"));
    static_cast<void>(bench.message(6));
    static_cast<void>(bench.state(7, "b=1"));
    static_cast<void>(bench.state(8, "a=2"));
    CHECK(bench.out().empty());
    CHECK(bench.outgoing.waiting_count() == 3);
    CHECK(bench.world.counters.conflated == 1);
    bench.drain();
    CHECK(bench.out() == "6<4, 7 b=1, 8 a=2");
    CHECK(bench.outgoing.waiting_count() == 0);
    CHECK(bench.message(9) == Outcome::taken);
    CHECK(bench.out() == "9");
}

TEST_CASE("of an event with several keys, those leave together that have no newer value") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    static_cast<void>(bench.state(5, "a=1 b=1 c=1"));
    static_cast<void>(bench.state(6, "b=2 d=1"));
    static_cast<void>(bench.state(7, "d"));
    bench.drain();
    CHECK(bench.out() == "5 a=1 c=1, 6 b=2, 7 d=");
    bench.outgoing.blocked();
    static_cast<void>(bench.state(8, "a=1 b=1"));
    static_cast<void>(bench.state(9, "a=2 b=2"));
    bench.drain();
    CHECK(bench.out() == "9<7 a=2 b=2");
}

TEST_CASE("a key is conflated with itself only: not with that of another mount or queue") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    static_cast<void>(bench.state(5, "a=1"));
    static_cast<void>(
        bench.put(6, queue::StateChanged{MountName("other"), {{Key("a"), Payload("2")}}}));
    static_cast<void>(
        bench.put(QueueName("/room/2"), 9,
                  queue::StateChanged{MountName("scores"), {{Key("a"), Payload("3")}}},
                  queue::SlowPolicy::close));
    bench.drain();
    CHECK(bench.out() == "5 a=1, 6 a=2, 9 a=3");
}

TEST_CASE("members that come and go while the client does not read are conflated by user") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    static_cast<void>(bench.member(5, "eve", true, 2));
    static_cast<void>(bench.member(6, "bob", true, 3));
    static_cast<void>(bench.member(7, "eve", false, 2));
    bench.drain();
    CHECK(bench.out() == "6<4 of 3, 7 of 2");
    CHECK(bench.world.counters.conflated == 1);
}

TEST_CASE("changes of mounts are neither conflated nor overtaken") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    static_cast<void>(bench.state(5, "a=1"));
    static_cast<void>(bench.put(6, queue::MountChanged{MountName("scores"), {}}));
    static_cast<void>(bench.put(7, queue::MountChanged{MountName("scores"), queue::MountRules{}}));
    static_cast<void>(bench.state(8, "a=2"));
    bench.drain();
    CHECK(bench.out() == "6<4 mount, 7 mount, 8 a=2");
}

TEST_CASE("each queue has its own prev") {
    OutgoingBench bench;
    const QueueName other("/room/2");
    const auto set = [&](const QueueName& queue, Seq seq, std::string_view value) {
        static_cast<void>(bench.put(
            queue, seq, queue::StateChanged{MountName("scores"), {{Key("a"), Payload(value)}}},
            queue::SlowPolicy::close));
    };
    bench.outgoing.blocked();
    set(bench.room, 5, "1");
    set(other, 105, "2");
    set(bench.room, 6, "3");
    set(other, 106, "4");
    bench.drain();
    CHECK(bench.out() == "6<4 a=3, 106<104 a=4");
}

TEST_CASE("too many messages, or too many of their bytes, make a blocked client too slow") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    SUBCASE("messages") {
        for (Seq seq = 1; seq <= 256; ++seq) {
            CHECK(bench.message(seq) == Outcome::taken);
        }
        CHECK(bench.message(257) == Outcome::too_slow);
    }
    SUBCASE("bytes") {
        for (Seq seq = 1; seq <= 4; ++seq) {
            CHECK(bench.message(seq, queue::SlowPolicy::close, 16'000) == Outcome::taken);
        }
        CHECK(bench.message(5, queue::SlowPolicy::close, 16'000) == Outcome::too_slow);
    }
    SUBCASE("answers, which count as messages") {
        for (int i = 0; i < 256; ++i) {
            CHECK(bench.answer("ok") == Outcome::taken);
        }
        CHECK(bench.answer("ok") == Outcome::too_slow);
    }
    SUBCASE("keys") {
        for (Seq seq = 1; seq <= 4096; ++seq) {
            CHECK(bench.state(seq, fmt::format("k{}=1", seq)) == Outcome::taken);
        }
        CHECK(bench.state(4097, "k1=2") == Outcome::taken);
        CHECK(bench.state(4098, "more=1") == Outcome::too_slow);
    }
    SUBCASE("snapshots") {
        CHECK(bench.snapshot(5) == Outcome::taken);
        CHECK(bench.outgoing.has_snapshot_waiting());
        CHECK(bench.snapshot(6) == Outcome::taken);
        CHECK(bench.snapshot(7) == Outcome::too_slow);
    }
    CHECK(bench.out().empty());
}

TEST_CASE("what has left counts no more") {
    OutgoingBench bench;
    for (int i = 0; i < 3; ++i) {
        bench.outgoing.blocked();
        for (Seq seq = 1; seq <= 256; ++seq) {
            CHECK(bench.message(seq) == Outcome::taken);
        }
        CHECK(bench.snapshot(300) == Outcome::taken);
        CHECK(bench.snapshot(301) == Outcome::taken);
        ++bench.world.turn;
        bench.drain();
        CHECK(bench.outgoing.waiting_count() == 0);
        CHECK_FALSE(bench.outgoing.has_snapshot_waiting());
    }
}

TEST_CASE("where the mount's policy is to drop, the oldest messages go and a gap says so") {
    OutgoingBench bench;
    bench.world.settings.limits.out_messages_max = 3;
    bench.outgoing.blocked();
    const auto drop = queue::SlowPolicy::drop;
    for (const Seq seq : {5U, 6U, 8U}) {
        CHECK(bench.message(seq, drop) == Outcome::taken);
        static_cast<void>(bench.state(seq == 6 ? 7 : seq + 100, "a=1"));
    }
    CHECK(bench.message(109, drop) == Outcome::taken);
    CHECK(bench.message(110, drop) == Outcome::taken);
    CHECK(bench.world.counters.dropped == 2);
    bench.drain();
    CHECK(bench.out() == "gap 5..6, 8<4, 108<8 a=1, 109, 110");
}

TEST_CASE("each mount has its own gap, and a later loss a later gap") {
    OutgoingBench bench;
    bench.world.settings.limits.out_messages_max = 2;
    const auto drop = queue::SlowPolicy::drop;
    const auto dice = [&](Seq seq) {
        return bench.put(seq, queue::MessagePosted{MountName("dice"), Payload("1")}, drop);
    };
    bench.outgoing.blocked();
    CHECK(bench.message(1, drop) == Outcome::taken);
    CHECK(dice(2) == Outcome::taken);
    CHECK(bench.message(3, drop) == Outcome::taken);
    CHECK(dice(4) == Outcome::taken);
    bench.drain();
    CHECK(bench.out() == "gap 1..1, gap 2..2, 3<0, 4");
    bench.outgoing.blocked();
    for (Seq seq = 5; seq <= 9; ++seq) {
        CHECK(bench.message(seq, drop) == Outcome::taken);
    }
    bench.drain();
    CHECK(bench.out() == "gap 5..7, 8<4, 9");
}

TEST_CASE("a mount that drops cannot make room that other things take") {
    OutgoingBench bench;
    bench.world.settings.limits.out_messages_max = 2;
    bench.outgoing.blocked();
    CHECK(bench.answer("ok") == Outcome::taken);
    CHECK(bench.answer("ok") == Outcome::taken);
    CHECK(bench.message(5, queue::SlowPolicy::drop) == Outcome::too_slow);
}

TEST_CASE("a turn puts out 64 KiB, and the next ones what is left, in order") {
    OutgoingBench bench;
    for (Seq seq = 1; seq <= 10; ++seq) {
        CHECK(bench.message(seq, queue::SlowPolicy::close, 10'000) == Outcome::taken);
    }
    CHECK(bench.out() == "1, 2, 3, 4, 5, 6");
    CHECK(bench.outgoing.wants_turn());
    bench.resume();
    CHECK(bench.out().empty());
    ++bench.world.turn;
    CHECK(bench.message(11, queue::SlowPolicy::close, 10'000) == Outcome::taken);
    CHECK(bench.out().empty());
    bench.resume();
    CHECK(bench.out() == "7, 8, 9, 10, 11");
    CHECK_FALSE(bench.outgoing.wants_turn());
}

TEST_CASE("one frame leaves in a turn, however big it is") {
    OutgoingBench bench;
    CHECK(bench.snapshot(5, 1'000'000) == Outcome::taken);
    CHECK(bench.message(6) == Outcome::taken);
    CHECK(bench.out() == "joined 5");
    ++bench.world.turn;
    bench.resume();
    CHECK(bench.out() == "6");
}

TEST_CASE("a client that reads is not slow because a turn brings more than may wait") {
    OutgoingBench bench;
    std::string expected;
    for (Seq seq = 1; seq <= 2'000; ++seq) {
        CHECK(bench.message(seq, queue::SlowPolicy::close, 200) == Outcome::taken);
        expected += (seq == 1 ? "" : ", ") + std::to_string(seq);
    }
    std::string out = bench.out();
    while (bench.outgoing.wants_turn()) {
        ++bench.world.turn;
        bench.resume();
        out += ", " + bench.out();
    }
    CHECK(out == expected);
    SUBCASE("nor where the mount may drop") {
        ++bench.world.turn;
        for (Seq seq = 2'001; seq <= 4'000; ++seq) {
            CHECK(bench.message(seq, queue::SlowPolicy::drop, 200) == Outcome::taken);
        }
        CHECK(bench.world.counters.dropped == 0);
    }
}

TEST_CASE(
    "replayed messages leave with the prev of their reader, then `joined`, then live events") {
    OutgoingBench bench;
    bench.replay(5, 3);
    bench.outgoing.blocked();
    bench.replay(7, 5);
    bench.replay(8, 7);
    CHECK(bench.snapshot(10) == Outcome::taken);
    static_cast<void>(bench.state(11, "a=1"));
    static_cast<void>(bench.state(12, "a=2"));
    CHECK(bench.out() == "5<3");
    bench.drain();
    CHECK(bench.out() == "7<5, 8, joined 10, 12<10 a=2");
    CHECK(bench.world.counters.replayed == 3);
}

TEST_CASE("any number of replayed messages may wait: they are in the history anyway") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    for (Seq seq = 2; seq <= 1'000; ++seq) {
        bench.replay(seq, seq - 1);
    }
    CHECK(bench.snapshot(1'000) == Outcome::taken);
    CHECK(bench.outgoing.waiting_count() == 1'000);
    bench.drain();
    CHECK(bench.out().ends_with("1000, joined 1000"));
}

TEST_CASE("a `joined` between events moves the cursor that the next ones follow") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    static_cast<void>(bench.state(5, "a=1"));
    CHECK(bench.snapshot(5) == Outcome::taken);
    SUBCASE("also where the event before it is overtaken by a newer value") {
        static_cast<void>(bench.state(6, "a=2"));
        bench.drain();
        CHECK(bench.out() == "joined 5, 6 a=2");
    }
    SUBCASE("and where events were missed") {
        bench.replay(8, 5);
        CHECK(bench.snapshot(9) == Outcome::taken);
        static_cast<void>(bench.state(10, "a=3"));
        bench.drain();
        CHECK(bench.out() == "joined 5, 8<5, joined 9, 10 a=3");
    }
}

TEST_CASE("a replay behind what waits follows what really left") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    static_cast<void>(bench.state(5, "a=1"));
    bench.replay(7, 5);
    CHECK(bench.snapshot(8) == Outcome::taken);
    static_cast<void>(bench.state(9, "a=2"));
    bench.drain();
    CHECK(bench.out() == "7<4, joined 8, 9 a=2");
}

TEST_CASE("of a queue that is followed no more nothing leaves, and its requests are named") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    const QueueName other("/room/2");
    bench.replay(4, 2);
    CHECK(bench.snapshot(5, 10, 77) == Outcome::taken);
    static_cast<void>(bench.message(6));
    CHECK(bench.snapshot(6) == Outcome::taken);
    static_cast<void>(bench.state(7, "a=1"));
    static_cast<void>(bench.put(other, 9, queue::MessagePosted{MountName("chat"), Payload("1")},
                                queue::SlowPolicy::close));
    CHECK(bench.forget(bench.room) == std::vector<std::uint64_t>{77});
    CHECK_FALSE(bench.outgoing.has_snapshot_waiting());
    SUBCASE("followed no more") {
        bench.drain();
        CHECK(bench.out() == "9");
    }
    SUBCASE("or again") {
        bench.replay(7, 2);
        CHECK(bench.snapshot(12) == Outcome::taken);
        static_cast<void>(bench.state(13, "a=2"));
        bench.drain();
        CHECK(bench.out() == "9, 7<2, joined 12, 13 a=2");
    }
}

TEST_CASE("when all that waited is forgotten, the connection is as good as new") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    static_cast<void>(bench.message(5));
    static_cast<void>(bench.state(6, "a=1"));
    CHECK(bench.forget(bench.room).empty());
    CHECK(bench.outgoing.waiting_count() == 0);
    bench.drained();
    CHECK_FALSE(bench.outgoing.wants_turn());
    CHECK(bench.message(30) == Outcome::taken);
    CHECK(bench.out() == "30");
}

TEST_CASE("nothing leaves while the socket is blocked, also in later turns") {
    OutgoingBench bench;
    bench.outgoing.blocked();
    static_cast<void>(bench.message(5));
    ++bench.world.turn;
    bench.resume();
    CHECK(bench.world.outputs.empty());
    CHECK_FALSE(bench.outgoing.wants_turn());
    bench.drain();
    CHECK(bench.out() == "5");
}

}  // namespace
}  // namespace muster::gateway
