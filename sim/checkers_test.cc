#include "sim/checkers.h"

#include <algorithm>
#include <string_view>

#include <doctest/doctest.h>

#include "sim/schedule.h"

namespace muster::sim {
namespace {

// A checker that cannot fail proves nothing: each of these histories is bad in one way.

constexpr Inc inc{7};
constexpr SessionId first{11};
constexpr SessionId second{12};
constexpr Duration grace_time = std::chrono::seconds{30};
constexpr Cep old_cep{Inc{1}, 1};
constexpr Cep new_cep{Inc{1}, 2};

Instant at_second(int seconds) { return Schedule::start + std::chrono::seconds{seconds}; }

/// One queue, one user with one client that has sent one message, all of it well.
History good_history() {
    History history;
    history.queue_names = {"/room/1"};
    history.user_names = {"/user/alice"};
    history.mount_names = {"chat"};
    history.is_life_over = {false};
    Asked asked;
    asked.ref = 1;
    asked.kind = Asked::Kind::send;
    asked.at = at_second(1);
    asked.verdict_count = 1;
    asked.told = Cursor{inc, 5};
    asked.told_at = at_second(2);
    history.asked.push_back(asked);
    Applied applied;
    applied.at = Cursor{inc, 5};
    applied.ref = 1;
    applied.cep = new_cep;
    applied.is_message = true;
    applied.order = history.next_order();
    history.applied.push_back(applied);
    history.shown.push_back({0, {inc, 5}, 99, Shown::By::owner});
    history.snapshots.push_back({0, {inc, 5}, 55, Snapshot::By::owner});
    history.emitted.push_back({0, inc});
    history.attached.push_back({0, new_cep, {ShardId{0}, ConnectionId{2}}});
    Read read;
    read.kind = Read::Kind::joined;
    read.at = Cursor{inc, 4};
    history.reads.push_back(read);
    read.kind = Read::Kind::event;
    read.at = Cursor{inc, 5};
    read.prev = 4;
    history.reads.push_back(read);
    // The user has been on line, away for the grace time, and on line again: the backend has joined
    // it, so it stays in the queue.
    history.resume_time = grace_time;
    const auto session = [&history](SessionId id, bool begins) {
        history.sessions.push_back({.session = id,
                                    .begins = begins,
                                    .away_for = begins ? Duration{} : grace_time,
                                    .order = history.next_order()});
    };
    const auto member = [&history](Seq seq, SessionId id, bool is_online) {
        history.member_changes.push_back({.at = {inc, seq},
                                          .is_member = true,
                                          .is_online = is_online,
                                          .session = id,
                                          .order = history.next_order()});
        history.members_shown.push_back(
            {.at = {inc, seq}, .is_member = true, .is_online = is_online});
    };
    session(first, true);
    member(1, first, true);
    session(first, false);
    member(2, first, false);
    session(second, true);
    member(3, second, true);
    history.ending.queues.push_back({0, {inc, 5}, {{0, true, true, second}}});
    history.ending.readers.push_back({0, 0, {inc, 5}, {{0, true}}});
    history.ending.clients.push_back({.is_online = true, .member_of = {0}});
    history.ending.users.push_back(
        {.session = second, .connection_count = 1, .joined = {{0, inc}}});
    history.ending.connections_welcome = 1;
    return history;
}

bool finds(const History& history, std::string_view name) {
    const Breaches found = check_all(history);
    return std::any_of(found.begin(), found.end(),
                       [&](const std::string& line) { return line.starts_with(name); });
}

TEST_CASE("a good history is found good") { CHECK(check_all(good_history()).empty()); }

TEST_CASE("I1: two contents at one place are found") {
    History history = good_history();
    history.shown.push_back({0, {inc, 5}, 98, Shown::By::reader});
    CHECK(finds(history, "I1 "));
}

TEST_CASE("I2: a step back, an old event and a hole are found") {
    History history = good_history();
    Read read;
    read.kind = Read::Kind::joined;
    read.at = Cursor{inc, 3};
    history.reads.push_back(read);
    CHECK(finds(history, "I2 "));

    history = good_history();
    history.reads.back().prev = 5;
    history.reads.back().at.seq = 6;
    CHECK(finds(history, "I2 "));

    history = good_history();
    history.reads.push_back(history.reads.back());
    CHECK(finds(history, "I2 "));
}

TEST_CASE("I3: an op that took effect twice is found") {
    History history = good_history();
    history.applied.push_back(history.applied.back());
    history.applied.back().at.seq = 6;
    CHECK(finds(history, "I3 "));
}

TEST_CASE("I4: an acknowledged op beyond the queue's end is found") {
    History history = good_history();
    history.ending.queues.back().at.seq = 4;
    CHECK(finds(history, "I4 "));
}

TEST_CASE("I5: no verdict, two, a wrong one and a lost one are found") {
    History history = good_history();
    history.asked.back().verdict_count = 0;
    CHECK(finds(history, "I5 "));
    history.is_life_over[0] = true;  // It is owed nothing any more.
    CHECK_FALSE(finds(history, "I5 "));

    history = good_history();
    history.asked.back().verdict_count = 2;
    CHECK(finds(history, "I5 "));

    history = good_history();
    history.asked.back().outcome = client::Outcome::rejected;
    CHECK(finds(history, "I5 "));

    history = good_history();
    history.applied.clear();
    CHECK(finds(history, "I5 "));

    history = good_history();
    history.asked.back().outcome = client::Outcome::unknown;
    history.asked.back().code = ErrorCode::expired;
    CHECK(finds(history, "I5 "));
}

TEST_CASE("I6: a snapshot that is not the fold is found") {
    History history = good_history();
    history.snapshots.push_back({0, {inc, 5}, 56, Snapshot::By::reader});
    CHECK(finds(history, "I6 "));
}

TEST_CASE("I7: an old history that speaks after a younger one is found") {
    History history = good_history();
    history.emitted.push_back({0, Inc{8}});
    history.emitted.push_back({0, inc});
    CHECK(finds(history, "I7 "));
}

TEST_CASE("I8: one cep for two connections, and two winners, are found") {
    History history = good_history();
    history.attached.push_back({0, new_cep, {ShardId{1}, ConnectionId{3}}});
    CHECK(finds(history, "I8 "));

    history = good_history();
    history.ending.clients.push_back({.life = 1, .is_online = true});
    CHECK(finds(history, "I8 "));

    history.connections_max = 2;  // It may have two.
    history.ending.clients.back().member_of = {0};
    history.ending.connections_welcome = 2;
    CHECK_FALSE(finds(history, "I8 "));

    history = good_history();
    history.ending.connections_welcome = 2;
    CHECK(finds(history, "I8 "));
}

TEST_CASE("I8: a late attempt of a client that takes over from a newer one is found") {
    History history = good_history();
    const Cid cid{1, 2};
    history.attached.push_back({0, {Inc{1}, 3}, {ShardId{0}, ConnectionId{3}}, second, cid, 8});
    history.attached.push_back({0, {Inc{1}, 3}, {ShardId{0}, ConnectionId{3}}, second, cid, 8});
    CHECK_FALSE(finds(history, "I8 "));  // It was asked twice.
    history.attached.push_back({0, {Inc{1}, 4}, {ShardId{0}, ConnectionId{4}}, second, cid, 7});
    CHECK(finds(history, "I8 "));
}

TEST_CASE("I9: an op of an older connection after the welcome of a newer one is found") {
    History history = good_history();
    Welcomed welcomed{0, new_cep, {{0, inc}}, history.next_order()};
    history.welcomed.push_back(welcomed);
    history.applied.push_back(history.applied.back());
    history.applied.back().ref = 0;
    history.applied.back().at.seq = 6;
    history.applied.back().order = history.next_order();
    CHECK_FALSE(finds(history, "I9 "));
    history.applied.back().cep = old_cep;
    CHECK(finds(history, "I9 "));
}

TEST_CASE("I10: an op that comes before one that was answered earlier is found") {
    History history = good_history();
    history.asked.push_back(history.asked.back());
    history.asked.back().ref = 2;
    history.asked.back().at = at_second(3);
    history.asked.back().told = Cursor{inc, 4};
    history.asked.back().told_at = at_second(4);
    history.applied.push_back(history.applied.back());
    history.applied.back().ref = 2;
    history.applied.back().at.seq = 4;
    CHECK(finds(history, "I10 "));
}

TEST_CASE("I14: a message that a reader was never given is found, but not one that was marked") {
    History history = good_history();
    history.reads.back().at.seq = 6;  // A conflated state, say, that passes over seq 5.
    CHECK(finds(history, "I14 "));
    Read gap;
    gap.kind = Read::Kind::gap;
    gap.at = Cursor{inc, 4};
    gap.from = 5;
    gap.to = 5;
    history.reads.insert(history.reads.begin() + 1, gap);
    CHECK_FALSE(finds(history, "I14 "));
}

TEST_CASE("a reader that stays behind, and a request that stays open, are found") {
    History history = good_history();
    history.ending.readers.back().at.seq = 4;
    CHECK(finds(history, "LIVENESS "));

    history = good_history();
    history.ending.clients.back().waiting_count = 1;
    CHECK(finds(history, "LIVENESS "));
}

TEST_CASE("I12: what was shown before the queue had come so far is found") {
    History history = good_history();
    history.emitted.push_back({0, inc, 6, {inc, 5}});
    CHECK(finds(history, "I12 "));
}

TEST_CASE("PRESENCE: a session that begins twice, ends twice, early, late, or is older is found") {
    History history = good_history();
    history.sessions.erase(history.sessions.begin() + 1);
    CHECK(finds(history, "PRESENCE "));

    history = good_history();
    history.sessions.insert(history.sessions.begin() + 1, history.sessions[1]);
    CHECK(finds(history, "PRESENCE "));

    history = good_history();
    history.sessions[1].away_for = grace_time / 2;
    CHECK(finds(history, "PRESENCE "));
    history.sessions[1].is_by_backend = true;  // That need not wait.
    CHECK_FALSE(finds(history, "PRESENCE "));

    history = good_history();
    history.sessions[1].away_for = grace_time * 2;
    CHECK(finds(history, "PRESENCE "));

    history = good_history();
    history.sessions[2].session = SessionId{10};
    CHECK(finds(history, "PRESENCE "));
}

TEST_CASE("PRESENCE: an offline that is lost or of another session, an online twice are found") {
    History history = good_history();
    history.member_changes.erase(history.member_changes.begin() + 1);
    CHECK(finds(history, "PRESENCE "));

    history = good_history();
    history.member_changes[1].session = second;
    CHECK(finds(history, "PRESENCE "));

    history = good_history();
    history.member_changes[2].session = first;
    CHECK(finds(history, "PRESENCE "));

    history = good_history();
    history.member_changes[2].session = SessionId{13};  // There is none.
    CHECK(finds(history, "PRESENCE "));
}

TEST_CASE("PRESENCE: a session that a queue never showed is found") {
    History history = good_history();
    const auto session = [&history](SessionId id, bool begins) {
        history.sessions.push_back({.session = id,
                                    .begins = begins,
                                    .away_for = grace_time,
                                    .order = history.next_order()});
    };
    session(second, false);
    session(SessionId{13}, true);
    session(SessionId{13}, false);
    session(SessionId{14}, true);
    MemberChange change = history.member_changes.back();
    change.at.seq = 6;
    change.is_online = false;
    change.order = history.next_order();
    history.member_changes.push_back(change);
    change.at.seq = 7;
    change.is_online = true;
    change.session = SessionId{14};
    change.order = history.next_order();
    history.member_changes.push_back(change);
    CHECK(finds(history, "PRESENCE "));
}

TEST_CASE("PRESENCE: a left of who was not there, and what was not decided but shown, are found") {
    History history = good_history();
    MemberChange change = history.member_changes.back();
    change.is_member = false;
    history.member_changes.insert(history.member_changes.begin(), change);
    CHECK(finds(history, "PRESENCE "));

    history = good_history();
    history.members_shown.back().is_online = false;
    CHECK(finds(history, "PRESENCE "));

    history = good_history();
    history.members_shown.back().at.seq = 4;
    CHECK(finds(history, "PRESENCE "));
}

TEST_CASE("MEMBERS: one without a session, one whom nobody notes, one who is off line are found") {
    History history = good_history();
    history.ending.queues[0].members[0].by_server = false;
    history.ending.users[0].session = SessionId{};
    history.ending.queues[0].members[0].is_online = false;
    history.ending.readers[0].members[0].is_online = false;
    CHECK(finds(history, "MEMBERS /user/alice is in /room/1 without"));

    history = good_history();
    history.ending.users[0].joined.clear();
    CHECK(finds(history, "MEMBERS "));

    history = good_history();
    history.ending.queues[0].members[0].is_online = false;
    history.ending.readers[0].members[0].is_online = false;
    CHECK(finds(history, "MEMBERS "));

    history = good_history();
    history.ending.queues[0].members[0].session = first;
    CHECK(finds(history, "MEMBERS "));
}

TEST_CASE("MEMBERS: a client, a user queue and a reader that believe something else are found") {
    History history = good_history();
    history.ending.clients[0].member_of.clear();
    CHECK(finds(history, "MEMBERS life 0 believes"));

    history = good_history();
    history.ending.queues[0].members.clear();
    history.ending.readers[0].members.clear();
    CHECK(finds(history, "MEMBERS life 0 believes"));
    CHECK(finds(history, "MEMBERS /user/alice believes"));

    history = good_history();
    history.ending.readers[0].members.clear();
    CHECK(finds(history, "MEMBERS life 0 has"));

    history = good_history();
    history.ending.users[0].joined[0].inc = Inc{};
    CHECK(finds(history, "MEMBERS /user/alice joins"));
}

TEST_CASE("MEMBERS: a session without a client, and a connection too many, are found") {
    History history = good_history();
    history.ending.clients[0].is_superseded = true;
    CHECK(finds(history, "MEMBERS /user/alice has a session"));

    history = good_history();
    history.ending.users[0].connection_count = 2;
    CHECK(finds(history, "MEMBERS "));
}

}  // namespace
}  // namespace muster::sim
