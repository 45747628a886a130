#include "core/queue/content.h"

#include <chrono>
#include <string>
#include <utility>

#include <doctest/doctest.h>

namespace muster::queue {
namespace {

using namespace std::chrono_literals;

const MountName chat{"chat"};
const MountName scores{"scores"};

/// A Content with one mount of each kind, fed by hand.
struct Fold {
    explicit Fold(MountRules message_rules = {}) {
        content.at.inc = Inc{7};
        apply(MountChanged{chat, message_rules});
        MountRules state_rules;
        state_rules.kind = MountKind::state;
        apply(MountChanged{scores, state_rules});
    }

    template <typename Body>
    Seq apply(Body body) {
        Event event;
        event.seq = content.at.seq + 1;
        event.from = UserId("alice");
        event.body = std::move(body);
        content.apply(std::make_shared<const Event>(std::move(event)), now, limits);
        return content.at.seq;
    }
    Seq post(std::string_view text) { return apply(MessagePosted{chat, Payload(text)}); }
    Seq set(std::string_view key, std::string_view value) {
        return apply(StateChanged{scores, {{Key(key), Payload(value)}}});
    }

    const Mount& mount(const MountName& name) const { return content.mounts.at(name); }

    Content content;
    Limits limits;
    Instant now{100s};
};

TEST_CASE("every event takes the next seq") {
    Fold fold;
    CHECK(fold.content.at == Cursor{Inc{7}, 2});
    CHECK(fold.post("1") == 3);
    CHECK(fold.set("k", "1") == 4);
}

TEST_CASE("a message mount remembers the newest messages, as many as its rules say") {
    MountRules rules;
    rules.history_count_max = 3;
    Fold fold(rules);
    CHECK(fold.mount(chat).forgotten_through == 1);  // Nothing could have been missed before.
    for (int i = 0; i < 5; ++i) {
        fold.post(std::to_string(i));
    }
    CHECK(fold.mount(chat).history.size() == 3);
    CHECK(fold.mount(chat).history.front().event->seq == 5);
    CHECK(fold.mount(chat).forgotten_through == 4);
    CHECK(fold.mount(chat).history_bytes == 3 * (1 + std::string_view("alice").size()));
}

TEST_CASE("a mount that remembers nothing says so") {
    MountRules rules;
    rules.history_count_max = 0;
    Fold fold(rules);
    const Seq last = fold.post("1");
    CHECK(fold.mount(chat).history.empty());
    CHECK(fold.mount(chat).history_bytes == 0);
    CHECK(fold.mount(chat).forgotten_through == last);
}

TEST_CASE("a history is bounded in bytes") {
    Fold fold;
    fold.limits.history_bytes_max = 100;
    for (int i = 0; i < 10; ++i) {
        fold.post(std::string(25, 'x'));  // 30 bytes with its sender
    }
    CHECK(fold.mount(chat).history.size() == 3);
    CHECK(fold.mount(chat).history_bytes == 90);
    fold.post(std::string(200, 'x'));
    CHECK(fold.mount(chat).history.empty());
}

TEST_CASE("messages that are too old are forgotten, and it is said through where") {
    Fold fold;
    const Seq first = fold.post("1");
    fold.now += 1min;
    const Seq second = fold.post("2");
    fold.now += 1min - 1us;
    CHECK(fold.content.forget_old(fold.now));
    CHECK(fold.mount(chat).history.size() == 2);
    fold.now += 1us;
    CHECK(fold.content.forget_old(fold.now));
    CHECK(fold.mount(chat).history.size() == 1);
    CHECK(fold.mount(chat).forgotten_through == first);
    fold.now += 1min;
    CHECK_FALSE(fold.content.forget_old(fold.now));
    CHECK(fold.mount(chat).history.empty());
    CHECK(fold.mount(chat).forgotten_through == second);
}

TEST_CASE("without a limit by age messages stay") {
    MountRules rules;
    rules.history_ttl = Duration{0};
    Fold fold(rules);
    fold.post("1");
    fold.now += 24h * 365;
    CHECK_FALSE(fold.content.forget_old(fold.now));
    CHECK(fold.mount(chat).history.size() == 1);
}

TEST_CASE("a new message makes the old ones go") {
    Fold fold;
    fold.post("1");
    fold.now += 1h;
    fold.post("2");
    CHECK(fold.mount(chat).history.size() == 1);
}

TEST_CASE("a state mount holds the newest value of each key and where it changed") {
    Fold fold;
    fold.set("a", "1");
    const Seq b = fold.set("b", "22");
    const Seq a = fold.set("a", "333");
    const auto& keys = fold.mount(scores).keys;
    CHECK(keys.at(Key("a")).value == Payload("333"));
    CHECK(keys.at(Key("a")).changed_at == a);
    CHECK(keys.at(Key("b")).changed_at == b);
    CHECK(fold.content.state_bytes() == 1 + 3 + 1 + 2);
    fold.set("a", "");
    CHECK_FALSE(keys.contains(Key("a")));
    CHECK(fold.content.state_bytes() == 3);
    fold.set("a", "");  // Deleting what is not there.
    CHECK(fold.content.state_bytes() == 3);
}

TEST_CASE("members come, change and go") {
    Fold fold;
    Member member;
    member.is_online = true;
    fold.apply(MemberChanged{UserId("alice"), member, LeaveReason::left, 1});
    CHECK(fold.content.members.at(UserId("alice")).is_online);
    member.is_online = false;
    fold.apply(MemberChanged{UserId("alice"), member, LeaveReason::left, 1});
    CHECK_FALSE(fold.content.members.at(UserId("alice")).is_online);
    fold.apply(MemberChanged{UserId("alice"), std::nullopt, LeaveReason::timeout, 0});
    CHECK(fold.content.members.empty());
}

TEST_CASE("a mount that goes takes all with it, and one that is put anew is empty") {
    Fold fold;
    fold.set("a", "1");
    fold.post("1");
    const MountRules rules = fold.mount(scores).rules;
    const Seq again = fold.apply(MountChanged{scores, rules});
    CHECK(fold.mount(scores).keys.empty());
    CHECK(fold.mount(scores).added_at == again);
    CHECK(fold.content.state_bytes() == 0);
    fold.apply(MountChanged{chat, std::nullopt});
    CHECK_FALSE(fold.content.mounts.contains(chat));
}

TEST_CASE("two contents show the same until one of them shows something else") {
    const auto make = [] {
        Fold fold;
        fold.set("a", "1");
        fold.post("1");
        fold.apply(MemberChanged{UserId("alice"), Member{}, LeaveReason::left, 1});
        return fold;
    };
    Fold a = make();
    Fold b = make();
    b.now += 1s;
    CHECK(shows_same(a.content, b.content));
    SUBCASE("another place") { b.content.at.inc = Inc{8}; }
    SUBCASE("a message") { b.post("2"); }
    SUBCASE("a value") {
        a.set("a", "2");
        b.set("a", "3");
    }
    SUBCASE("one key more") {
        a.set("a", "1");
        b.set("b", "1");
    }
    SUBCASE("a format") {
        a.apply(MessagePosted{chat, Payload("1")});
        b.apply(MessagePosted{chat, Payload("1", Format::bytes)});
    }
    SUBCASE("a member") {
        a.apply(MemberChanged{UserId("alice"), Member{}, LeaveReason::left, 1});
        b.apply(MemberChanged{UserId("alice"), std::nullopt, LeaveReason::left, 0});
    }
    SUBCASE("a mount") {
        a.post("1");
        b.apply(MountChanged{MountName("more"), MountRules{}});
    }
    SUBCASE("what is remembered") {
        b.now += 1h;
        b.content.forget_old(b.now);
    }
    CHECK_FALSE(shows_same(a.content, b.content));
}

}  // namespace
}  // namespace muster::queue
