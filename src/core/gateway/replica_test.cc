#include "core/gateway/replica.h"

#include <chrono>
#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;
using Applied = Replica::Applied;
using State = Replica::State;

// One replica; the FakeQueue only makes contents and events.
struct ReplicaBench {
    TestWorld world;
    GatewayBench elsewhere;
    FakeQueue room{elsewhere, "/room/1"};
    Replica replica{QueueName("/room/1")};

    SubId subscribe() {
        Context ctx = world.context();
        replica.subscribe(ctx);
        const auto message = world.messages.back();
        world.messages.clear();
        CHECK(std::get<actor::ActorAddress>(message.to).name == "/room/1");
        return std::get<queue::Subscribe>(message.body).sub;
    }
    bool synchronise(SubId sub) {
        room.content.rules = std::make_shared<queue::Template>(room.rules);
        return replica.synchronise(
            {room.name, sub, std::make_shared<queue::Content>(room.content)});
    }
    SubId go_live() {
        const SubId sub = subscribe();
        REQUIRE(synchronise(sub));
        return sub;
    }
    // Applies the room's last event.
    Applied apply(SubId sub) {
        Context ctx = world.context();
        return replica.apply({room.name, sub, room.content.at.inc, room.last}, ctx);
    }

    struct Texts {
        std::string reset;
        std::string replays;  // seq<prev each
        std::string joined;
    };
    Texts welcome(std::optional<Cursor> cursor, bool is_member = false) {
        Context ctx = world.context();
        const Follower follower{
            .connection = ConnectionId{1}, .request = 9, .cursor = cursor, .is_member = is_member};
        const Welcome made = replica.welcome(follower, Encoding::json, ctx);
        Texts texts;
        if (made.reset) {
            texts.reset = text_in(*made.reset);
        }
        for (const auto& replay : made.replays) {
            texts.replays += fmt::format("{}<{} ", replay.event->seq, replay.prev);
        }
        texts.joined = text_in(made.joined);
        return texts;
    }
    std::string history(std::string_view mount, std::optional<Seq> before = {}) {
        Context ctx = world.context();
        Wish wish;
        wish.kind = Wish::Kind::history;
        wish.request = 5;
        wish.mount = MountName(mount);
        wish.before = before;
        return text_in(replica.history(wish, Encoding::json, ctx));
    }
};

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST_CASE("a replica becomes live with the snapshot of its latest subscription") {
    ReplicaBench bench;
    CHECK(bench.replica.state() == State::cold);
    const SubId first = bench.subscribe();
    CHECK(bench.replica.state() == State::syncing);
    CHECK_FALSE(bench.replica.has_content());
    const SubId second = bench.subscribe();
    CHECK(first != second);
    CHECK_FALSE(bench.synchronise(first));
    CHECK(bench.replica.state() == State::syncing);
    CHECK(bench.synchronise(second));
    CHECK(bench.replica.state() == State::live);
    CHECK(bench.replica.at() == Cursor{Inc{7}, 2});
    CHECK_FALSE(bench.synchronise(second));  // Once is enough.
}

TEST_CASE("a replica that unsubscribes is cold and forgets its copy") {
    ReplicaBench bench;
    const SubId sub = bench.go_live();
    Context ctx = bench.world.context();
    bench.replica.unsubscribe(ctx);
    CHECK(bench.replica.state() == State::cold);
    CHECK_FALSE(bench.replica.has_content());
    CHECK(std::get<queue::Unsubscribe>(bench.world.messages.at(0).body).sub == sub);
    CHECK_FALSE(bench.synchronise(sub));
    bench.room.post("1");
    CHECK(bench.apply(sub) == Applied::old);
}

TEST_CASE("a replica never goes back: an older snapshot is not taken") {
    ReplicaBench bench;
    const queue::Content old = bench.room.content;
    bench.room.post("1");
    bench.go_live();
    const SubId sub = bench.subscribe();
    bench.room.content = old;
    CHECK_FALSE(bench.synchronise(sub));
    CHECK(bench.replica.at() == Cursor{Inc{7}, 3});
}

TEST_CASE("events are applied in order: old ones are dropped, a gap is told") {
    ReplicaBench bench;
    const SubId sub = bench.go_live();
    bench.room.post("3");
    const auto third = bench.room.last;
    CHECK(bench.apply(sub) == Applied::applied);
    CHECK(bench.apply(sub) == Applied::old);
    CHECK(bench.apply(SubId{1}) == Applied::old);
    bench.room.post("4");
    CHECK(bench.apply(SubId{1}) == Applied::old);
    bench.room.post("5");
    CHECK(bench.apply(sub) == Applied::gap);
    CHECK(bench.replica.at() == Cursor{Inc{7}, 3});
    bench.room.content.at.inc = Inc{8};
    CHECK(bench.apply(sub) == Applied::old);
}

TEST_CASE("while a newer snapshot is awaited, events of the last subscription are taken on") {
    ReplicaBench bench;
    const SubId first = bench.go_live();
    const SubId second = bench.subscribe();
    bench.room.post("3");
    CHECK(bench.apply(first) == Applied::applied);
    CHECK(bench.apply(second) == Applied::old);
    bench.room.post("4");
    bench.room.post("5");
    CHECK(bench.apply(first) == Applied::old);  // The gap is being mended.
    CHECK(bench.synchronise(second));
    CHECK(bench.replica.at() == Cursor{Inc{7}, 5});
    bench.room.post("6");
    CHECK(bench.apply(first) == Applied::old);
    CHECK(bench.apply(second) == Applied::applied);
}

TEST_CASE("who has seen nothing is welcomed with all that there is") {
    ReplicaBench bench;
    bench.room.post("1");
    bench.room.set({{"alice", "7"}});
    bench.room.add_member("bob");
    bench.go_live();
    const auto welcome = bench.welcome(std::nullopt, true);
    CHECK(welcome.reset.empty());
    CHECK(welcome.replays.empty());
    CHECK(welcome.joined ==
          R"({"op":"joined","i":9,"q":"/room/1","member":true,"at":[7,5],)"
          R"("resume":{"chat":"fresh","scores":"fresh"},)"
          R"("mounts":{"chat":{"type":"message"},"scores":{"type":"state","value":{"alice":7}}},)"
          R"("members":1,"who":{"bob":{}}})");
    // A cursor of no history is none.
    CHECK(bench.welcome(Cursor{}, true).joined == welcome.joined);
}

TEST_CASE("who has seen some of it gets the messages that it missed, and a snapshot of state") {
    ReplicaBench bench;
    bench.room.post("3");
    bench.room.set({{"alice", "7"}});
    bench.room.post("5");
    bench.room.post("6");
    bench.go_live();
    auto welcome = bench.welcome(Cursor{Inc{7}, 3});
    CHECK(welcome.reset.empty());
    CHECK(welcome.replays == "5<3 6<5 ");
    CHECK(has(welcome.joined, R"("at":[7,6],"resume":{"chat":"replayed 2","scores":"snapshot"})"));
    welcome = bench.welcome(Cursor{Inc{7}, 6});
    CHECK(welcome.replays.empty());
    CHECK(has(welcome.joined, R"("resume":{"chat":"replayed 0","scores":"snapshot"})"));
}

TEST_CASE("messages of several mounts are replayed in the order of seq") {
    ReplicaBench bench;
    bench.room.publish(queue::MountChanged{MountName("dice"), queue::MountRules{}});
    bench.room.post("4");
    bench.room.post("5", "dice");
    bench.room.post("6");
    bench.go_live();
    const auto welcome = bench.welcome(Cursor{Inc{7}, 2});
    CHECK(welcome.replays == "4<2 5<4 6<5 ");
    CHECK(has(welcome.joined, R"("chat":"replayed 2","dice":"replayed 1","scores":"snapshot")"));
}

TEST_CASE("what is no longer remembered is a gap, and what is comes after it") {
    ReplicaBench bench;
    for (int i = 3; i <= 112; ++i) {
        bench.room.post("1");
    }
    bench.go_live();
    const auto welcome = bench.welcome(Cursor{Inc{7}, 5});
    CHECK(has(welcome.joined, R"("resume":{"chat":"gap 6..12","scores":"snapshot"})"));
    CHECK(welcome.replays.starts_with("13<5 14<13 "));
    CHECK(has(bench.welcome(Cursor{Inc{7}, 12}).joined, R"("chat":"replayed 100")"));
}

TEST_CASE("what is older than the mount's history is kept is a gap, too") {
    ReplicaBench bench;
    bench.room.post("3");
    bench.room.post("4");
    bench.go_live();
    bench.world.now += 2min;
    const auto welcome = bench.welcome(Cursor{Inc{7}, 2});
    CHECK(welcome.replays.empty());
    CHECK(has(welcome.joined, R"("chat":"gap 3..4")"));
}

TEST_CASE("a mount that came after the cursor has no gap") {
    ReplicaBench bench;
    bench.room.publish(queue::MountChanged{MountName("dice"), queue::MountRules{}});
    bench.room.post("4", "dice");
    bench.go_live();
    const auto welcome = bench.welcome(Cursor{Inc{7}, 1});
    CHECK(welcome.replays == "4<1 ");
    CHECK(has(welcome.joined, R"("chat":"replayed 0","dice":"replayed 1")"));
}

TEST_CASE("a reader of an older history is reset because that is gone") {
    ReplicaBench bench;
    bench.room.set({{"alice", "7"}});
    bench.go_live();
    const auto welcome = bench.welcome(Cursor{Inc{6}, 900});
    CHECK(welcome.reset ==
          R"({"op":"reset","q":"/room/1","at":[7,3],"why":"gone",)"
          R"("mounts":{"chat":{"type":"message"},"scores":{"type":"state","value":{"alice":7}}},)"
          R"("members":0,"who":{}})");
    CHECK(welcome.replays.empty());
    CHECK(has(welcome.joined, R"("at":[7,3],"resume":{"chat":"snapshot","scores":"snapshot"})"));
}

TEST_CASE("a reader that knows more than there is, is reset because that is unknown") {
    ReplicaBench bench;
    bench.room.post("3");
    bench.go_live();
    for (const Cursor cursor : {Cursor{Inc{7}, 4}, Cursor{Inc{8}, 1}}) {
        const auto welcome = bench.welcome(cursor);
        CHECK(has(welcome.reset, R"("at":[7,3],"why":"unknown")"));
        CHECK(welcome.replays.empty());
    }
}

TEST_CASE("history is the newest messages before a place, page by page") {
    ReplicaBench bench;
    for (int i = 3; i <= 12; ++i) {
        bench.room.post(fmt::format("\"{}\"", std::string(9'900, 'x')));
    }
    bench.go_live();
    const auto last = bench.history("chat");
    CHECK(last.starts_with(R"({"op":"history","i":5,"q":"/room/1","m":"chat","items":[{"seq":9,)"
                           R"("from":"bob","t":1790000000123,"d":"xxx)"));
    CHECK(has(last, R"({"seq":12,)"));
    CHECK(last.ends_with(R"(],"more":true})"));
    const auto middle = bench.history("chat", 9);
    CHECK(has(middle, R"("items":[{"seq":5,)"));
    CHECK(middle.ends_with(R"(],"more":true})"));
    const auto first = bench.history("chat", 5);
    CHECK(has(first, R"("items":[{"seq":3,)"));
    CHECK(first.ends_with(R"("}]})"));
    CHECK(bench.history("chat", 3) ==
          R"({"op":"history","i":5,"q":"/room/1","m":"chat","items":[]})");
}

TEST_CASE("history shows no message that is too old") {
    ReplicaBench bench;
    bench.room.post("1");
    bench.go_live();
    bench.world.now += 2min;
    CHECK(has(bench.history("chat"), R"("items":[])"));
}

TEST_CASE("history of a state mount, or of none, is an error") {
    ReplicaBench bench;
    bench.go_live();
    CHECK(has(bench.history("scores"), R"("code":"M3002")"));
    CHECK(has(bench.history("nothing"), R"("code":"M3001")"));
}

TEST_CASE("who may listen is what the queue's template says") {
    ReplicaBench bench;
    bench.go_live();
    CHECK(bench.replica.may_listen(false));
    for (const auto who : {queue::WhoListens::members, queue::WhoListens::server}) {
        bench.room.rules.listen = who;
        REQUIRE(bench.synchronise(bench.subscribe()));
        CHECK_FALSE(bench.replica.may_listen(false));
        CHECK(bench.replica.may_listen(true));
    }
}

TEST_CASE("each message mount has its policy for slow listeners; all else closes") {
    ReplicaBench bench;
    queue::MountRules rules;
    rules.slow = queue::SlowPolicy::drop;
    bench.room.publish(queue::MountChanged{MountName("dice"), rules});
    bench.go_live();
    const auto policy = [&] { return bench.replica.slow_policy(*bench.room.last); };
    CHECK(policy() == queue::SlowPolicy::close);
    bench.room.post("1", "dice");
    CHECK(policy() == queue::SlowPolicy::drop);
    bench.room.post("1");
    CHECK(policy() == queue::SlowPolicy::close);
    bench.room.set({{"a", "1"}});
    CHECK(policy() == queue::SlowPolicy::close);
    bench.room.publish(queue::MountChanged{MountName("other"), rules});
    bench.room.post("1", "other");
    CHECK(policy() == queue::SlowPolicy::close);  // The replica does not know that mount.
}

}  // namespace
}  // namespace muster::gateway
