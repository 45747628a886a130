// Which of a user's connections stay: the policies of GUARANTEES.md 5.4 besides newest-wins, which
// is the default and stands in user_queue_test.cc.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/user/user_queue_test_bench.h"

namespace muster::user {
namespace {

using namespace std::chrono_literals;
using Standing = Checked::Standing;

constexpr Cid tablet{3, 3};
const UserSettings oldest_wins{.logins = Logins::oldest};

UserSettings devices(std::size_t max) {
    return UserSettings{.logins = Logins::devices, .devices_max = max};
}

// ---- The oldest wins -------------------------------------------------------------------------

TEST_CASE("the oldest wins: while it is there another client is refused, and nothing changes") {
    Bench bench(oldest_wins);
    const auto first = bench.sign_in(connection(0, 1), phone);
    const std::string before = bench.saved();
    for (int i = 0; i < 2; ++i) {  // Its gateway may ask twice.
        bench.attach(connection(4, 2), laptop);
        CHECK(bench.outbox.size() == 1);
        CHECK(bench.gateways_sent<Stale>() == std::vector{ShardId{4}});
        CHECK(bench.only<Stale>().connection == connection(4, 2));
        CHECK(bench.only<Stale>().is_busy);
    }
    CHECK(bench.saved() == before);
    CHECK(bench.check(connection(0, 1), first.cep).standing == Standing::current);
}

TEST_CASE("the oldest wins: who was refused gets in once the first is away") {
    Bench bench(oldest_wins);
    const auto first = bench.sign_in(connection(0, 1), phone);
    bench.attach(connection(4, 2), laptop);
    CHECK(bench.only<Stale>().is_busy);
    SUBCASE("it has gone") { bench.detach(first.cep); }
    SUBCASE("nothing is heard of it any more") {
        bench.pass(37'500ms);
        bench.wake();
    }
    const auto second = bench.sign_in(connection(4, 2), laptop);
    CHECK(second.cep > first.cep);
    CHECK(second.session == first.session);
    CHECK(bench.all<Kick>().empty());
    bench.attach(connection(0, 3), phone, 2);
    CHECK(bench.only<Stale>().is_busy);
}

TEST_CASE("the oldest wins: its own client may come back before its old connection is missed") {
    Bench bench(oldest_wins);
    const auto first = bench.sign_in(connection(0, 1), phone, 1);
    const auto again = bench.sign_in(connection(4, 2), phone, 2);
    CHECK(again.cep > first.cep);
    CHECK(bench.only<Kick>().connection == connection(0, 1));
    bench.attach(connection(0, 3), phone, 1);
    CHECK_FALSE(bench.only<Stale>().is_busy);  // That one is just late.
}

// ---- Devices ---------------------------------------------------------------------------------

TEST_CASE("each device has a connection of its own, in one session") {
    Bench bench(devices(2));
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto second = bench.sign_in(connection(4, 2), laptop);
    CHECK(bench.all<Kick>().empty());
    CHECK(second.session == first.session);
    CHECK(first.cep.slot() == 0);
    CHECK(second.cep.slot() == 1);
    CHECK(second.cep.inc == first.cep.inc);
    CHECK(second.cep.turn() > first.cep.turn());
    CHECK(bench.check(connection(0, 1), first.cep).standing == Standing::current);
    CHECK(bench.check(connection(4, 2), second.cep).standing == Standing::current);
    CHECK(bench.report().connections == 2);
    bench.attach(connection(0, 1), phone);  // Asked again.
    CHECK(bench.only<Attached>().cep == first.cep);
}

TEST_CASE("a device too many takes the place of the one that has been there longest") {
    Bench bench(devices(2));
    auto first = bench.sign_in(connection(0, 1), phone, 1);
    auto second = bench.sign_in(connection(4, 2), laptop, 1);
    ConnectionRef oldest = connection(0, 1);
    SUBCASE("") {}
    SUBCASE("which it is not any more once it has come back") {
        first = bench.sign_in(connection(0, 5), phone, 2);
        std::swap(first, second);
        oldest = connection(4, 2);
    }
    const auto third = bench.sign_in(connection(5, 3), tablet);
    CHECK(bench.only<Kick>().connection == oldest);
    CHECK(bench.only<Kick>().winner == third.cep);
    CHECK(bench.gateways_sent<Kick>() == std::vector{oldest.gateway});
    CHECK(third.cep.slot() == first.cep.slot());
    CHECK(third.cep > first.cep);
    CHECK(bench.check(oldest, first.cep).standing == Standing::other);
    CHECK(bench.only<Checked>().cep == third.cep);
    CHECK(bench.check(second.connection, second.cep).standing == Standing::current);
    CHECK(bench.report().connections == 2);
}

TEST_CASE("a device that comes back takes over from itself, and from no other") {
    Bench bench(devices(2));
    bench.sign_in(connection(0, 1), phone, 1);
    const auto laptops = bench.sign_in(connection(0, 2), laptop, 1);
    const auto again = bench.sign_in(connection(0, 3), phone, 2);
    CHECK(bench.only<Kick>().connection == connection(0, 1));
    CHECK(again.cep.slot() == 0);
    CHECK(bench.check(connection(0, 2), laptops.cep).standing == Standing::current);
    bench.attach(connection(0, 4), phone, 1);
    CHECK_FALSE(bench.only<Stale>().is_busy);
}

TEST_CASE("a device that is away keeps its place, until all others are taken") {
    Bench bench(devices(3));
    const auto first = bench.sign_in(connection(0, 1), phone, 1);
    bench.sign_in(connection(0, 2), laptop);
    bench.detach(first.cep);
    const auto third = bench.sign_in(connection(0, 3), tablet);
    CHECK(third.cep.slot() == 2);
    SUBCASE("then it comes back to it") {
        CHECK(bench.sign_in(connection(0, 4), phone, 2).cep.slot() == 0);
        CHECK(bench.report().connections == 3);
    }
    SUBCASE("then it is given away before one that is in use") {
        CHECK(bench.sign_in(connection(0, 5), Cid{4, 4}).cep.slot() == 0);
        CHECK(bench.all<Kick>().empty());
        CHECK(bench.report().connections == 3);
        bench.sign_in(connection(0, 6), phone, 2);
        CHECK(bench.only<Kick>().connection == connection(0, 2));
    }
}

TEST_CASE("a user is on line while any device is, and 120 s after the last") {
    Bench bench(devices(3));
    bench.join_by_server();
    const auto first = bench.sign_in(connection(0, 1), phone);
    CHECK(bench.only<queue::Presence>().is_online);
    const auto second = bench.sign_in(connection(0, 2), laptop);
    CHECK(bench.all<queue::Presence>().empty());
    bench.detach(first.cep);
    CHECK(bench.outbox.empty());
    CHECK_FALSE(bench.wake_at.has_value());
    for (int i = 0; i < 10; ++i) {
        bench.pass(30s);
        CHECK(bench.outbox.empty());
        bench.check(connection(0, 2), second.cep);
    }
    CHECK(bench.report().is_online);
    CHECK(bench.report().connections == 1);
    bench.detach(second.cep);
    bench.pass(120s - 1us);
    CHECK(bench.outbox.empty());
    bench.pass(1us);
    CHECK_FALSE(bench.only<queue::Presence>().is_online);
    CHECK_FALSE(bench.report().is_online);
}

TEST_CASE("a device of which nothing is heard is gone alone") {
    Bench bench(devices(2));
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto second = bench.sign_in(connection(0, 2), laptop);
    bench.pass(20s);
    bench.check(connection(0, 2), second.cep);
    CHECK(bench.actor->overdue_at() == bench.now + 17'500ms);
    bench.pass(17'500ms);
    bench.wake();
    CHECK(bench.outbox.empty());
    CHECK(bench.report().connections == 1);
    CHECK(bench.actor->overdue_at() == bench.now + 20s);
    CHECK(bench.check(connection(0, 1), first.cep).standing == Standing::no_session);
    CHECK(bench.check(connection(0, 2), second.cep).standing == Standing::current);
}

TEST_CASE("all devices are told of memberships and messages; who asked learns it by its answer") {
    Bench bench(devices(2));
    const auto first = bench.sign_in(connection(0, 1), phone);
    bench.sign_in(connection(4, 2), laptop);
    const std::vector all{ShardId{0}, ShardId{4}};
    bench.join_by_server(hall, Inc{80});
    CHECK(bench.gateways_sent<MembershipChanged>() == all);
    bench.join(first, room, Inc{70});
    CHECK(bench.only<MembershipChanged>().connection == connection(4, 2));
    CHECK(bench.only<MembershipChanged>().is_member);
    bench.join(first, room, Inc{70});  // Again: nobody learns anything by it.
    CHECK(bench.all<MembershipChanged>().empty());
    bench.step(actor::ServiceAddress{}, Tell{{RequestId{5}, {}}, UserId("bob"), Payload("1")});
    CHECK(bench.gateways_sent<Told>() == all);
    for (const auto& told : bench.all<Told>()) {
        CHECK(told.seq == 1);
    }
    bench.step(actor::ServiceAddress{}, Disconnect{{RequestId{5}, {}}});
    CHECK(bench.gateways_sent<Kick>() == all);
    for (const auto& kick : bench.all<Kick>()) {
        CHECK(kick.disconnected);
    }
    CHECK(bench.report().connections == 0);
}

TEST_CASE("a join is FENCED of a device that has lost its place, and of no other") {
    Bench bench(devices(2));
    const auto first = bench.sign_in(connection(0, 1), phone);
    const auto second = bench.sign_in(connection(0, 2), laptop);
    const auto third = bench.sign_in(connection(0, 3), tablet);
    bench.pass_on(room, bench.op_of(first, bench.join_body()));
    CHECK(bench.only<queue::OpReply>().verdict.kind == queue::Verdict::Kind::fenced);
    for (const auto& by : {second, third}) {
        bench.pass_on(room, bench.op_of(by, bench.join_body()));
        CHECK(bench.only<queue::Op>().sender.cep == by.cep);
    }
}

TEST_CASE("a join names the ceps of the other places, so that who joins is fenced in all") {
    Bench bench(devices(3));
    const auto first = bench.sign_in(connection(0, 1), phone);
    bench.pass_on(room, bench.op_of(first, bench.join_body()));
    const auto fences = [&] {
        return std::get<queue::JoinOp>(bench.only<queue::Op>().body).fences;
    };
    CHECK(fences().empty());
    const auto second = bench.sign_in(connection(0, 2), laptop);
    bench.detach(second.cep);
    bench.pass_on(room, bench.op_of(first, bench.join_body()));
    CHECK(fences() == std::vector{second.cep});
    bench.pass_on(room, bench.server_op(bench.join_body()));
    CHECK(bench.only<queue::Op>().sender.cep == first.cep);
    CHECK(fences() == std::vector{second.cep});
}

TEST_CASE("the places are free in the next session, and their ceps go on growing") {
    Bench bench(devices(2));
    bench.join_by_server();
    bench.sign_in(connection(0, 1), phone);
    const auto second = bench.sign_in(connection(0, 2), laptop);
    bench.step(actor::ServiceAddress{}, Disconnect{{RequestId{5}, {}}});
    for (std::uint64_t i = 1; i <= 2; ++i) {
        const auto next = bench.sign_in(connection(0, 2 + i), Cid{5, i});
        CHECK(next.cep.slot() == i - 1);
        CHECK(next.cep.turn() == second.cep.turn() + i);
        CHECK(bench.all<Kick>().empty());
    }
}

TEST_CASE("a connection of a place that is not there any more must sign in anew") {
    Bench bench(devices(2));
    const auto first = bench.sign_in(connection(0, 1), phone);
    const Cep lost = Cep::of_slot(Inc{first.cep.inc.value - 1}, 1, 9);
    CHECK(bench.check(connection(0, 2), lost).standing == Standing::no_session);
}

TEST_CASE("a snapshot keeps the places of all devices") {
    Bench bench(devices(3));
    bench.join(bench.sign_in(connection(0, 1), phone, 4));
    const auto second = bench.sign_in(connection(4, 2), laptop, 5);
    bench.pass(10s);
    bench.detach(second.cep);
    bench.pass(10s);
    const std::string bytes = bench.saved();
    Bench other(devices(3));
    other.now = Instant{5s};
    other.actor = UserQueue::restore(other.settings, other.user, other.now, bytes);
    REQUIRE(other.actor != nullptr);
    CHECK(other.saved() == bytes);
    CHECK(other.actor->overdue_at() == other.now + 17'500ms);
    CHECK(other.report().connections == 1);
    other.attach(connection(4, 3), laptop, 5);
    CHECK(other.all<Stale>().size() == 1);
    const auto again = other.sign_in(connection(4, 3), laptop, 6);
    CHECK(again.cep.slot() == 1);
    CHECK(again.cep.turn() == second.cep.turn() + 1);
    CHECK(other.sign_in(connection(4, 4), tablet).cep.slot() == 2);
    for (std::size_t i = 0; i < 8 * bytes.size(); ++i) {
        std::string flipped = bytes;
        flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
        // Whatever comes of it can be saved and read again.
        if (const auto damaged =
                UserQueue::restore(bench.settings, bench.user, bench.now, flipped)) {
            std::string once;
            damaged->save(bench.now, once);
            CHECK(UserQueue::restore(bench.settings, bench.user, bench.now, once) != nullptr);
        }
    }
}

// ---- Of all policies -------------------------------------------------------------------------

// What the gateways know: who was told that it is in, and not yet that it is out.
struct Model {
    explicit Model(const UserSettings& with) : bench(with), settings(with) {}

    Bench bench;
    UserSettings settings;
    std::map<ConnectionRef, Cep> in;
    std::set<Cep> given;
    std::map<Cid, std::uint64_t> attempts;
    std::uint64_t last_connection = 0;

    void attach(Cid cid) {
        const ConnectionRef from = connection(0, ++last_connection);
        bench.attach(from, cid, ++attempts[cid]);
        for (const auto& kick : bench.all<Kick>()) {
            const auto loser = in.find(kick.connection);
            RC_ASSERT(loser != in.end());
            RC_ASSERT(loser->second.slot() == kick.winner.slot());
            RC_ASSERT(loser->second < kick.winner);
            in.erase(loser);
        }
        for (const auto& attached : bench.all<Attached>()) {
            RC_ASSERT(attached.connection == from);
            for (const Cep& before : given) {
                RC_ASSERT(before.inc == attached.cep.inc);
                RC_ASSERT(before.turn() < attached.cep.turn());  // I8: given to nobody twice.
            }
            given.insert(attached.cep);
            in.emplace(from, attached.cep);
        }
        RC_ASSERT(bench.all<Attached>().size() + bench.all<Stale>().size() == 1);
    }
    void detach(std::size_t index) {
        if (!in.empty()) {
            const auto gone = std::next(in.begin(), static_cast<std::ptrdiff_t>(index % in.size()));
            bench.detach(gone->second);
            in.erase(gone);
        }
    }
    void check_all() {
        std::set<std::uint8_t> slots;
        for (const auto& [connection, cep] : in) {
            RC_ASSERT(bench.check(connection, cep).standing == Standing::current);
            RC_ASSERT(slots.insert(cep.slot()).second);  // One in each.
        }
        const std::size_t places =
            settings.logins == Logins::devices ? settings.devices_max : std::size_t{1};
        RC_ASSERT(in.size() <= places);
        RC_ASSERT(bench.report().connections == in.size());
    }
};

TEST_CASE("whoever comes and goes, each place has one connection, and none is given twice") {
    for (const auto& settings : {UserSettings{}, oldest_wins, devices(2), devices(3)}) {
        CHECK(rc::check("one winner in each place", [&](const std::vector<std::uint8_t>& acts) {
            Model model(settings);
            model.bench.join_by_server();  // So that it outlives its sessions.
            for (const std::uint8_t act : acts) {
                if (act % 4 < 3) {
                    model.attach(Cid{1, act % 7U});
                } else if (act < 250) {
                    model.detach(act);
                } else {
                    model.bench.step(actor::ServiceAddress{}, Disconnect{{RequestId{5}, {}}});
                    model.in.clear();
                }
                model.check_all();
            }
        }));
    }
}

}  // namespace
}  // namespace muster::user
