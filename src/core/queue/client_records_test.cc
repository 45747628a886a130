#include "core/queue/client_records.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace muster::queue {
namespace {

using namespace std::chrono_literals;
using Whose = ClientRecords::Whose;

ClientKey client(const char* user, std::uint64_t cid = 1) { return {UserId(user), Cid{0, cid}}; }

KeptVerdict ok_at(Seq seq) { return {seq, ErrorCode::protocol, KeptVerdict::Kind::ok}; }

// Records of one moment, which a test moves.
struct Records : ClientRecords {
    Records(std::size_t window, std::size_t left_max) : ClientRecords(window, left_max, 24h) {}

    Instant now{1h};

    void decide(const ClientKey& client, const KeptVerdict& verdict, Whose whose,
                std::uint8_t slot = 0) {
        ClientRecords::decide(client, verdict, whose, slot, now);
    }
    void user_left(const UserId& user) { ClientRecords::user_left(user, now); }
    // Returns in which time there is more to do.
    std::optional<Duration> pass(Duration time) {
        now += time;
        const auto next = age(now);
        return next ? std::optional(*next - now) : std::nullopt;
    }
    bool restore_left(const ClientKey& client) { return ClientRecords::restore_left(client, now); }
    [[nodiscard]] std::vector<ClientKey> left() const {
        std::vector<ClientKey> clients;
        for (const auto& left : ClientRecords::left()) {
            clients.push_back(left.client);
        }
        return clients;
    }
};

TEST_CASE("a record knows the verdicts of its newest numbers, as many as the window is wide") {
    ClientRecord record;
    CHECK(!record.find(0));
    CHECK(!record.find(1));
    for (Seq seq = 101; seq <= 110; ++seq) {
        record.add(ok_at(seq), 4);
    }
    CHECK(record.highest() == 10);
    CHECK(record.kept_count() == 4);
    for (OpNumber n = 7; n <= 10; ++n) {
        REQUIRE(record.find(n).has_value());
        CHECK(record.find(n)->seq == 100 + n);
    }
    CHECK(!record.find(6));
    CHECK(!record.find(11));
}

TEST_CASE("a record that was put back goes on where it was") {
    ClientRecord record(96);
    for (Seq seq = 97; seq <= 100; ++seq) {
        record.add(ok_at(seq), 4);
    }
    CHECK(record.highest() == 100);
    record.add(ok_at(101), 4);
    CHECK(record.find(98)->seq == 98);
    CHECK(record.find(101)->seq == 101);
    CHECK(!record.find(97));
}

TEST_CASE("a record that was kept with a narrower window grows into the wider one") {
    ClientRecord record(10);
    record.add(ok_at(11), 1);
    record.add(ok_at(12), 3);
    record.add(ok_at(13), 3);
    record.add(ok_at(14), 3);
    CHECK(!record.find(11));
    CHECK(record.find(12)->seq == 12);
    CHECK(record.find(14)->seq == 14);
}

TEST_CASE("clients of one user, and of users whose names begin alike, are kept apart") {
    Records records(32, 10);
    records.decide(client("al"), ok_at(1), Whose::member);
    records.decide(client("al", 2), ok_at(2), Whose::member);
    records.decide(client("alice"), ok_at(3), Whose::member);
    records.decide(client("al"), ok_at(4), Whose::member);
    CHECK(records.size() == 3);
    CHECK(records.find(client("al"))->highest() == 2);
    CHECK(records.find(client("al", 2))->highest() == 1);
    CHECK(records.find(client("alice"))->find(1)->seq == 3);
    CHECK(records.find(client("alice", 2)) == nullptr);
}

TEST_CASE("members' records stay, however many there are") {
    Records records(32, 0);
    for (int i = 0; i < 100; ++i) {
        records.decide(client(std::to_string(i).c_str()), ok_at(1), Whose::member);
    }
    CHECK(records.size() == 100);
}

TEST_CASE("of those who left, the one that left first is forgotten first") {
    Records records(32, 2);
    for (const auto* user : {"a", "b", "c"}) {
        records.decide(client(user), ok_at(1), Whose::member);
    }
    records.user_left(UserId("c"));
    records.user_left(UserId("a"));
    records.user_left(UserId("b"));
    CHECK(records.find(client("c")) == nullptr);
    CHECK(records.find(client("a")) != nullptr);
    CHECK(records.find(client("b")) != nullptr);
}

TEST_CASE("who left and came back is not forgotten, and leaves last when it leaves again") {
    Records records(32, 1);
    records.decide(client("a"), ok_at(1), Whose::member);
    records.decide(client("b"), ok_at(1), Whose::member);
    records.user_left(UserId("a"));
    records.decide(client("a"), ok_at(2), Whose::member);
    records.user_left(UserId("b"));
    CHECK(records.size() == 2);
    records.user_left(UserId("a"));
    CHECK(records.find(client("a")) != nullptr);
    CHECK(records.find(client("b")) == nullptr);
}

TEST_CASE("one that leaves again and again takes nobody else's place") {
    Records records(32, 2);
    records.decide(client("quiet"), ok_at(1), Whose::member);
    records.user_left(UserId("quiet"));
    for (int i = 0; i < 100; ++i) {
        records.decide(client("restless"), ok_at(1), Whose::member);
        records.user_left(UserId("restless"));
    }
    CHECK(records.find(client("quiet")) != nullptr);
    CHECK(records.left().size() == 2);
}

TEST_CASE("strangers count as left from their first op on, and stay while they are heard of") {
    Records records(32, 2);
    records.decide(client("a"), ok_at(1), Whose::stranger);
    records.decide(client("b"), ok_at(1), Whose::stranger);
    records.decide(client("a"), ok_at(2), Whose::stranger);
    records.decide(client("c"), ok_at(1), Whose::stranger);
    CHECK(records.find(client("a")) != nullptr);
    CHECK(records.find(client("b")) == nullptr);
    CHECK(records.find(client("c")) != nullptr);
    CHECK(records.size() == 2);
}

TEST_CASE("a member's new client supersedes its other ones: they count as left") {
    Records records(32, 1);
    records.decide(client("a", 1), ok_at(1), Whose::member);
    records.decide(client("a", 2), ok_at(1), Whose::member);
    CHECK(records.left() == std::vector{client("a", 1)});
    records.decide(client("a", 3), ok_at(1), Whose::member);
    CHECK(records.find(client("a", 1)) == nullptr);
    CHECK(records.left() == std::vector{client("a", 2)});
    records.decide(client("a", 2), ok_at(2), Whose::member);  // It is back.
    CHECK(records.left() == std::vector{client("a", 3)});
}

TEST_CASE("a member's clients in different slots do not supersede each other") {
    Records records(32, 10);
    records.decide(client("alice", 1), ok_at(1), Whose::member, 0);
    records.decide(client("alice", 2), ok_at(2), Whose::member, 1);
    CHECK(records.left().empty());
    CHECK(records.find(client("alice", 2))->slot() == 1);
    records.decide(client("alice", 3), ok_at(3), Whose::member, 1);
    CHECK(records.left() == std::vector{client("alice", 2)});
    records.decide(client("alice", 3), ok_at(4), Whose::member, 0);  // It has got another one.
    CHECK(records.left() == std::vector{client("alice", 2), client("alice", 1)});
    records.user_left(UserId("alice"));
    CHECK(records.left().size() == 3);
}

TEST_CASE("what a snapshot puts back is what was there, in the same order of leaving") {
    Records records(32, 10);
    CHECK(records.restore(client("a"), ClientRecord(5)));
    CHECK(records.restore(client("b"), ClientRecord(6)));
    CHECK_FALSE(records.restore(client("a"), ClientRecord(7)));
    CHECK(records.restore_left(client("b")));
    CHECK(records.restore_left(client("a")));
    CHECK_FALSE(records.restore_left(client("b")));
    CHECK(records.find(client("a"))->highest() == 5);
    CHECK(records.left() == std::vector{client("b"), client("a")});
    REQUIRE(records.all().size() == 2);
    CHECK(records.all().at(1).first == client("b"));
}

// ---- Ageing ----------------------------------------------------------------------------------

constexpr KeptVerdict no{0, ErrorCode::not_member, KeptVerdict::Kind::rejected};

TEST_CASE("a compact record knows of each number whether it was OK, and goes on from there") {
    ClientRecord record;
    for (OpNumber n = 1; n <= 40; ++n) {
        record.add(n % 3 == 0 ? no : ok_at(100 + n), 32);
    }
    record.compact();
    CHECK(record.highest() == 40);
    CHECK(record.kept_count() == 0);
    CHECK(record.outcome_count() == 32);
    CHECK_FALSE(record.find(8));
    for (OpNumber n = 9; n <= 40; ++n) {
        REQUIRE(record.find(n).has_value());
        CHECK(record.find(n)->kind ==
              (n % 3 == 0 ? KeptVerdict::Kind::forgotten : KeptVerdict::Kind::ok));
        CHECK(record.find(n)->seq == 0);
    }
    record.add(ok_at(141), 32);
    CHECK(record.find(41)->seq == 141);
    CHECK(record.find(39)->kind == KeptVerdict::Kind::forgotten);
    CHECK(record.find(9)->kind == KeptVerdict::Kind::forgotten);
    record.compact();
    CHECK(record.outcome_count() == 32);
    CHECK(record.find(41)->kind == KeptVerdict::Kind::ok);
    CHECK(record.find(39)->kind == KeptVerdict::Kind::forgotten);
    CHECK_FALSE(record.find(9));
}

TEST_CASE("a compact record that has filled its window again knows nothing from before it") {
    ClientRecord record;
    for (OpNumber n = 1; n <= 4; ++n) {
        record.add(no, 4);
    }
    record.compact();
    for (OpNumber n = 5; n <= 9; ++n) {
        record.add(ok_at(n), 4);
    }
    CHECK(record.outcome_count() == 0);
    CHECK_FALSE(record.find(4));
    CHECK_FALSE(record.find(5));
    CHECK(record.find(6)->seq == 6);
}

TEST_CASE(
    "who left is known with all verdicts for 600 s, with outcomes for a day, then not at all") {
    Records records(32, 10);
    records.decide(client("a"), ok_at(7), Whose::member);
    records.decide(client("a"), no, Whose::member);
    CHECK_FALSE(records.pass(1000h));  // A member's record does not age.
    records.user_left(UserId("a"));
    CHECK(records.pass(600s - 1us) == 1us);
    CHECK(records.find(client("a"))->find(1)->seq == 7);
    CHECK(records.find(client("a"))->find(2) == no);
    CHECK(records.pass(1us) == 24h - 600s);
    CHECK(records.find(client("a"))->find(1)->seq == 0);
    CHECK(records.find(client("a"))->find(1)->kind == KeptVerdict::Kind::ok);
    CHECK(records.find(client("a"))->find(2)->kind == KeptVerdict::Kind::forgotten);
    CHECK(records.pass(24h - 600s - 1us) == 1us);
    CHECK(records.size() == 1);
    CHECK_FALSE(records.pass(1us));
    CHECK(records.size() == 0);
}

TEST_CASE("who is heard of again ages anew, and others go on ageing") {
    Records records(32, 10);
    for (const auto* user : {"a", "b"}) {
        records.decide(client(user), ok_at(1), Whose::stranger);
        static_cast<void>(records.pass(200s));
    }
    records.decide(client("a"), ok_at(2), Whose::stranger);
    CHECK(records.pass(400s) == 200s);
    CHECK(records.find(client("a"))->kept_count() == 2);
    CHECK(records.find(client("b"))->kept_count() == 0);
    CHECK(records.find(client("b"))->outcome_count() == 1);
}

TEST_CASE("who left and came back as a member does not age") {
    Records records(32, 10);
    records.decide(client("a"), ok_at(1), Whose::member);
    records.user_left(UserId("a"));
    CHECK(records.pass(700s).has_value());
    records.decide(client("a"), ok_at(2), Whose::member);
    CHECK_FALSE(records.pass(48h));
    CHECK(records.find(client("a"))->highest() == 2);
    CHECK(records.find(client("a"))->find(1)->kind == KeptVerdict::Kind::ok);
}

}  // namespace
}  // namespace muster::queue
