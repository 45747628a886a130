// GUARANTEES.md section 7, rows 56 and 57, as a gateway shard answers them.
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

Settings with_logins(std::uint32_t burst) {
    Settings settings = settings_for_tests();
    settings.limits.logins_per_second = 1;
    settings.limits.logins_burst = burst;
    settings.limits.resumes_per_second = 1;
    settings.limits.resumes_burst = burst;
    return settings;
}

void check_retry_after(const TestPeer& peer) {
    CHECK(peer.status() == 503);
    CHECK(peer.http.find("\r\nRetry-After: ") != std::string::npos);
    CHECK(peer.http.find(R"("code":"M1033")") != std::string::npos);
    CHECK(peer.is_ended);
}

TEST_CASE(
    "row 56: the 1,001st connection that has not signed in gets 503 before it has said a word") {
    GatewayBench bench;
    TestPeer& bob = bench.user("bob");
    CHECK_FALSE(bench.peers.open(1'000, 1).is_ended);
    TestPeer& peer = bench.peers.open(1'001, 1);
    check_retry_after(peer);
    bench.check_refused(peer, 503, &bob);
    CHECK(bench.counters().crowded_out == 1);
}

TEST_CASE("row 56: so does the 21st of one address") {
    GatewayBench bench;
    TestPeer& bob = bench.user("bob");
    CHECK_FALSE(bench.peers.open(21, 20).is_ended);
    TestPeer& peer = bench.peers.open(21, 21);
    check_retry_after(peer);
    bench.check_refused(peer, 503, &bob);
}

TEST_CASE("row 56: its bytes are not looked at") {
    GatewayBench bench;
    TestPeer& peer = bench.peers.open(1, 21);
    bench.peers.send(peer, upgrade_request());
    CHECK(bench.counters().http_requests == 0);
    CHECK(bench.counters().connections_opened == 0);
    bench.peers.hang_up(peer);
    bench.peers.check_gone(peer);
}

TEST_CASE_TEMPLATE("a client counts as unknown until its token was found good", Wire, Json, Proto,
                   ProtoTcp) {
    GatewayBench bench(Wire::value);
    TestPeer& peer = bench.peers.connect();
    CHECK_FALSE(peer.is_known);
    SUBCASE("with a good one it counts no more, even before it is welcome") {
        bench.say_hello(peer, "alice");
        CHECK(peer.is_known);
    }
    SUBCASE("with a bad one it goes as it came") {
        bench.peers.say(peer, R"({"op":"hello","v":[1],"token":"a.b.c"})");
        CHECK_FALSE(peer.is_known);
        CHECK(peer.is_ended);
    }
}

TEST_CASE_TEMPLATE("row 57: over the login rate a hello ends with 1013 and when to come back", Wire,
                   Json, Proto, ProtoTcp) {
    GatewayBench bench(with_logins(2), Wire::value);
    TestPeer& bob = bench.user("bob");
    bench.user("carol");
    TestPeer& peer = bench.peers.connect();
    bench.say_hello(peer, "alice");
    CHECK(peer.retry_ms() >= 500);
    CHECK(peer.retry_ms() <= 1'500);
    bench.check_closed(peer, 1013, "M1033", &bob);
    CHECK(bench.sent.empty());
    CHECK(bench.counters().logins_put_off == 1);
    CHECK(bench.counters().logins_refused == 0);
    bench.pass(1s);
    bench.user("alice");
}

TEST_CASE("row 57: no token is looked at for one that is too early") {
    GatewayBench bench(with_logins(1));
    bench.user("bob");
    TestPeer& peer = bench.peers.connect();
    bench.peers.say(peer, R"({"op":"hello","v":[1],"token":"a.b.c"})");
    CHECK(peer.close_code == 1013);
}

TEST_CASE("who comes with a resume token is let in while new logins are put off") {
    GatewayBench bench(with_logins(1));
    TestPeer& peer = bench.sign_in("alice");
    const std::string hello = peer.next();
    const auto field = [&](std::string_view name) {
        const auto begin = hello.find(std::string(name) + "\":\"") + name.size() + 3;
        return hello.substr(begin, hello.find('"', begin) - begin);
    };
    bench.peers.hang_up(peer);
    TestPeer& stranger = bench.peers.connect();
    bench.say_hello(stranger, "carol");
    CHECK(stranger.close_code == 1013);
    TestPeer& back = bench.sign_in(
        "alice", fmt::format(R"(,"resume":"{}","cid":"{}","cn":2)", field("resume"), field("cid")));
    CHECK(back.next().starts_with(R"({"op":"hello")"));
}

TEST_CASE("row 57: while nobody is let in, the upgrade already gets 503 and Retry-After") {
    GatewayBench bench(with_logins(1));
    TestPeer& peer = bench.sign_in("alice");
    TestPeer& again = bench.peers.connect();
    bench.say_hello(again, "alice", R"(,"resume":"x","cid":"y")");
    CHECK(again.close_code == 4010);  // It had its try all the same.
    TestPeer& late = bench.peers.open();
    bench.peers.send(late, upgrade_request());
    check_retry_after(late);
    bench.check_refused(late, 503, &peer);
}

}  // namespace
}  // namespace muster::gateway
