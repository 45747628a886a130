#include "core/queue/client_records.h"

#include <doctest/doctest.h>

namespace muster::queue {
namespace {

using Whose = ClientRecords::Whose;

ClientKey client(const char* user, std::uint64_t cid = 1) { return {UserId(user), Cid{0, cid}}; }

KeptVerdict ok_at(Seq seq) { return {seq, ErrorCode::protocol, KeptVerdict::Kind::ok}; }

TEST_CASE("a record knows the verdicts of its newest numbers, as many as the window is wide") {
    ClientRecord record;
    CHECK(record.find(0) == nullptr);
    CHECK(record.find(1) == nullptr);
    for (Seq seq = 101; seq <= 110; ++seq) {
        record.add(ok_at(seq), 4);
    }
    CHECK(record.highest() == 10);
    CHECK(record.kept_count() == 4);
    for (OpNumber n = 7; n <= 10; ++n) {
        REQUIRE(record.find(n) != nullptr);
        CHECK(record.find(n)->seq == 100 + n);
    }
    CHECK(record.find(6) == nullptr);
    CHECK(record.find(11) == nullptr);
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
    CHECK(record.find(97) == nullptr);
}

TEST_CASE("a record that was kept with a narrower window grows into the wider one") {
    ClientRecord record(10);
    record.add(ok_at(11), 1);
    record.add(ok_at(12), 3);
    record.add(ok_at(13), 3);
    record.add(ok_at(14), 3);
    CHECK(record.find(11) == nullptr);
    CHECK(record.find(12)->seq == 12);
    CHECK(record.find(14)->seq == 14);
}

TEST_CASE("clients of one user, and of users whose names begin alike, are kept apart") {
    ClientRecords records(32, 10);
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
    ClientRecords records(32, 0);
    for (int i = 0; i < 100; ++i) {
        records.decide(client(std::to_string(i).c_str()), ok_at(1), Whose::member);
    }
    CHECK(records.size() == 100);
}

TEST_CASE("of those who left, the one that left first is forgotten first") {
    ClientRecords records(32, 2);
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
    ClientRecords records(32, 1);
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
    ClientRecords records(32, 2);
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
    ClientRecords records(32, 2);
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
    ClientRecords records(32, 1);
    records.decide(client("a", 1), ok_at(1), Whose::member);
    records.decide(client("a", 2), ok_at(1), Whose::member);
    CHECK(records.left() == std::vector{client("a", 1)});
    records.decide(client("a", 3), ok_at(1), Whose::member);
    CHECK(records.find(client("a", 1)) == nullptr);
    CHECK(records.left() == std::vector{client("a", 2)});
    records.decide(client("a", 2), ok_at(2), Whose::member);  // It is back.
    CHECK(records.left() == std::vector{client("a", 3)});
}

TEST_CASE("what a snapshot puts back is what was there, in the same order of leaving") {
    ClientRecords records(32, 10);
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

}  // namespace
}  // namespace muster::queue
