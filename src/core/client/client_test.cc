// Long because: the whole client is driven here, state by state, on one bench.
#include "core/client/client.h"

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/client/test_bench.h"
#include "core/wire/base64.h"

// How a client gets on line, stays there and comes back.
namespace muster::client {
namespace {

using namespace std::chrono_literals;
using State = Client::State;
using wire::ClientOp;

std::string token_ending_at(std::int64_t seconds) {
    std::string token = "e30.";
    wire::append_base64(token, R"({"sub":"alice","exp":)" + std::to_string(seconds) + "}",
                        wire::Base64::url);
    return token + ".sig";
}

Bench bench_with_token() { return Bench{{.server_count = 1}}; }

TEST_CASE("a client that was not started does nothing") {
    Bench bench;
    bench.pass(1h);
    CHECK(bench.outbox.empty());
    CHECK(bench.client.state() == State::closed);
    CHECK_FALSE(bench.client.wake_at());
}

TEST_CASE("start opens a socket, and the first frame is hello with a nonce") {
    Bench bench;
    bench.step(Start{HashKey{1, 2}});
    CHECK(bench.client.state() == State::connecting);
    REQUIRE(bench.all<OpenSocket>().size() == 1);
    bench.step(SocketOpened{bench.socket()});
    const auto* hello = bench.sent(ClientOp::hello);
    REQUIRE(hello != nullptr);
    CHECK(hello->user == "alice");
    CHECK(hello->nonce.size() == 32);
    CHECK(hello->resume.empty());
    CHECK(hello->attempt_number == 1);
    CHECK(hello->versions == std::vector<std::uint32_t>{1});
    CHECK(hello->since.empty());
}

TEST_CASE("the nonce stays the same in all attempts until the server says hello") {
    Bench bench;
    bench.step(Start{HashKey{1, 2}});
    bench.step(SocketOpened{bench.socket()});
    const std::string nonce{bench.sent(ClientOp::hello)->nonce};
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().nonce == nonce);
    CHECK(bench.last_hello().attempt_number == 2);
    CHECK(bench.client.state() == State::up);
}

TEST_CASE("after a cut the client resumes with its token, cid and a larger cn") {
    Bench bench;
    bench.go_online();
    bench.cut();
    CHECK(bench.client.state() == State::idle);
    REQUIRE(bench.only<StatusChanged>() != nullptr);
    CHECK(bench.only<StatusChanged>()->status == Status::offline);
    bench.come_back();
    CHECK(bench.last_hello().resume == "resume-token");
    CHECK(bench.last_hello().cid == "cid-1");
    CHECK(bench.last_hello().nonce.empty());
    CHECK(bench.last_hello().attempt_number == 2);
}

TEST_CASE("the first status is connecting, later ones are resuming") {
    Bench bench;
    bench.step(Start{});
    CHECK(bench.only<StatusChanged>()->status == Status::connecting);
    bench.sign_in();
    CHECK(bench.only<StatusChanged>()->status == Status::online);
    bench.cut();
    bench.wait_for_socket();
    CHECK(bench.only<StatusChanged>()->status == Status::resuming);
}

TEST_CASE("of two servers one is picked at random, and the other one after a failure") {
    std::array<int, 2> picked{};
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        Bench bench{{.server_count = 2, .user = "alice"}, seed};
        bench.step(Start{});
        const std::size_t first = bench.picked_server();
        ++picked.at(first);
        bench.cut();
        bench.wait_for_socket();
        CHECK(bench.picked_server() == 1 - first);
    }
    CHECK(picked[0] > 150);
    CHECK(picked[1] > 150);
}

TEST_CASE("after a cut all servers are equal again, so that no shares are swapped or lost") {
    std::array<int, 3> picked{};
    for (std::uint64_t seed = 0; seed < 600; ++seed) {
        Bench bench{{.server_count = 3, .user = "alice"}, seed};
        bench.go_online();
        bench.cut();
        bench.wait_for_socket();
        ++picked.at(bench.picked_server());
    }
    for (const int count : picked) {
        CHECK(count > 140);
    }
}

TEST_CASE("a server that refuses the resume token is as good as the others: it is not to blame") {
    int same_count = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        Bench bench{{.server_count = 2, .user = "alice"}, seed};
        bench.go_online();
        bench.cut();
        bench.wait_for_socket();
        bench.step(SocketOpened{bench.socket()});
        const std::size_t refused_by = bench.picked_server();
        bench.cut(4010);
        bench.wait_for_socket();
        same_count += bench.picked_server() == refused_by ? 1 : 0;
    }
    CHECK(same_count > 150);
    CHECK(same_count < 250);
}

TEST_CASE("a server that sends its clients away, or hangs, is not picked next") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        for (const std::uint16_t code : std::array<std::uint16_t, 3>{1001, 1013, 4013}) {
            Bench bench{{.server_count = 2, .user = "alice"}, seed};
            bench.step(Start{});
            const std::size_t first = bench.picked_server();
            bench.sign_in();
            bench.cut(code);
            bench.wait_for_socket();
            CHECK(bench.picked_server() == 1 - first);
        }
        Bench bench{{.server_count = 2, .user = "alice"}, seed};
        bench.step(Start{});
        const std::size_t first = bench.picked_server();
        bench.sign_in();
        bench.pass(Client::silence_max);
        bench.wait_for_socket();
        CHECK(bench.picked_server() == 1 - first);
    }
}

// 4 standard deviations of 10,000 fair choices are 2 %.
TEST_CASE(
    "10,000 clients of two servers share them fairly, also after one was away and came back") {
    constexpr std::size_t clients_count = 10'000;
    const auto is_fair = [](std::size_t count) { return count >= 4'800 && count <= 5'200; };
    std::vector<std::unique_ptr<Bench>> benches;
    std::array<std::size_t, 2> shares{};
    for (std::uint64_t seed = 0; seed < clients_count; ++seed) {
        benches.push_back(
            std::make_unique<Bench>(Settings{.server_count = 2, .user = "alice"}, seed));
        benches.back()->step(Start{});
        ++shares.at(benches.back()->picked_server());
        benches.back()->sign_in();
    }
    CHECK(is_fair(shares[0]));

    std::size_t moved = 0;
    for (const auto& bench : benches) {  // Server 1 is killed, and refuses who comes back.
        if (bench->picked_server() == 1) {
            bench->cut();
            bench->wait_for_socket();
            if (bench->picked_server() == 1) {
                bench->cut();
                bench->wait_for_socket();
            }
            REQUIRE(bench->picked_server() == 0);
            bench->sign_in();
            ++moved;
        }
    }
    CHECK(moved == shares[1]);

    shares = {};
    for (const auto& bench : benches) {  // It is back, and the other one is started again.
        bench->cut();
        bench->wait_for_socket();
        ++shares.at(bench->picked_server());
    }
    CHECK(is_fair(shares[0]));
}

TEST_CASE("the back-off is random, grows to a minute and starts anew after a steady connection") {
    Duration longest{0};
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Bench bench{{.server_count = 1, .user = "alice"}, seed};
        bench.step(Start{});
        for (int failure = 0; failure < 10; ++failure) {
            bench.cut();
            const Duration delay = bench.only<StatusChanged>()->retry_in;
            CHECK(delay <= std::min<Duration>(60s, 1s * (1 << failure)));
            longest = std::max(longest, delay);
            bench.wait_for_socket();
        }
        bench.sign_in();
        bench.now += Client::steady_after;
        bench.step(Heard{bench.socket()});
        bench.cut();
        CHECK(bench.only<StatusChanged>()->retry_in <= 1s);
    }
    CHECK(longest > 50s);
}

TEST_CASE("a connection that does not last does not shorten the back-off") {
    Bench bench;
    bench.step(Start{});
    Duration sum{0};
    for (int failure = 0; failure < 20; ++failure) {
        bench.sign_in();
        bench.cut();
        sum += bench.only<StatusChanged>()->retry_in;
        bench.wait_for_socket();
    }
    CHECK(sum > 2min);
}

TEST_CASE("the server's retry_after is obeyed") {
    Bench bench;
    bench.step(Start{});
    bench.step(
        SocketClosed{.socket = bench.socket(), .reason = ErrorCode::overload, .retry_after = 17s});
    CHECK(bench.only<StatusChanged>()->retry_in == 17s);
    CHECK(bench.only<StatusChanged>()->reason == ErrorCode::overload);
}

TEST_CASE("a bye names the reason of the close that follows, and its retry_ms is obeyed") {
    Bench bench;
    bench.go_online();
    wire::ByeFrame bye;
    bye.code = ErrorCode::overload;
    bye.retry_ms = 20'000;
    bench.receive(bye);
    CHECK(bench.client.state() == State::up);
    bench.cut();
    CHECK(bench.only<StatusChanged>()->reason == ErrorCode::overload);
    CHECK(bench.only<StatusChanged>()->retry_in == 20s);
}

TEST_CASE("retry_ms in the text of a close is obeyed") {
    Bench bench;
    bench.step(Start{});
    bench.step(SocketClosed{.socket = bench.socket(),
                            .close_code = 1013,
                            .detail = "M1033 overload: too many sign in at once; retry_ms=9000"});
    CHECK(bench.only<StatusChanged>()->retry_in == 9s);
    CHECK(bench.only<StatusChanged>()->reason == ErrorCode::overload);
}

TEST_CASE("start while waiting tries at once") {
    Bench bench;
    bench.step(Start{});
    bench.step(SocketClosed{.socket = bench.socket(), .retry_after = 1h});
    CHECK(bench.client.state() == State::idle);
    bench.step(Start{});
    CHECK(bench.client.state() == State::connecting);
}

TEST_CASE("a server that does not say hello within 10 s is given up") {
    Bench bench;
    bench.step(Start{});
    bench.step(SocketOpened{bench.socket()});
    bench.pass(10s - 1us);
    CHECK(bench.client.state() == State::connecting);
    bench.pass(1us);
    CHECK(bench.client.state() == State::idle);
    CHECK(bench.all<CloseSocket>().size() == 1);
}

TEST_CASE("a server that begins with something else than hello is left") {
    Bench bench;
    bench.step(Start{});
    bench.step(SocketOpened{bench.socket()});
    bench.receive(wire::PongFrame{});
    REQUIRE(bench.only<CloseSocket>() != nullptr);
    CHECK(bench.only<CloseSocket>()->close_code == 1002);
    CHECK(bench.client.state() == State::idle);
}

TEST_CASE("garbage ends a connection with 1002") {
    Bench bench;
    bench.go_online();
    bench.step(GarbageReceived{bench.socket(), "a lone surrogate at byte 17"});
    CHECK(bench.only<CloseSocket>()->close_code == 1002);
    CHECK(bench.client.state() == State::idle);
}

TEST_CASE("a silent client pings every 15 s, and without an answer gives up after 35 s") {
    Bench bench;
    bench.go_online();
    bench.pass(15s);
    CHECK(bench.sent(ClientOp::ping) != nullptr);
    bench.pass(15s);
    CHECK(bench.sent(ClientOp::ping) != nullptr);
    bench.pass(5s - 1us);
    CHECK(bench.client.state() == State::up);
    bench.pass(1us);
    CHECK(bench.client.state() == State::idle);
    CHECK(bench.only<StatusChanged>()->reason == ErrorCode::silent);
}

TEST_CASE("any byte from the server proves that it lives") {
    Bench bench;
    bench.go_online();
    for (int i = 0; i < 10; ++i) {
        bench.pass(30s);
        bench.step(Heard{bench.socket()});
    }
    CHECK(bench.client.state() == State::up);
}

TEST_CASE("a client that only listens to a busy queue pings all the same") {
    Bench bench;
    bench.go_online();
    bench.now += 10s;
    bench.receive(wire::PongFrame{});
    bench.pass(5s);
    CHECK(bench.sent(ClientOp::ping) != nullptr);
}

TEST_CASE("a ping of the server is answered") {
    Bench bench;
    bench.go_online();
    bench.receive(wire::PingFrame{});
    CHECK(bench.sent(ClientOp::pong) != nullptr);
}

TEST_CASE("events of a socket that was given up change nothing") {
    Bench bench;
    bench.go_online();
    const SocketId old = bench.socket();
    bench.cut();
    bench.come_back();
    const wire::ServerFrame ping = wire::PingFrame{};
    bench.step(FrameReceived{old, &ping});
    CHECK(bench.outbox.empty());
    bench.step(SocketClosed{.socket = old});
    bench.step(SocketOpened{old});
    bench.step(GarbageReceived{old, "x"});
    CHECK(bench.client.state() == State::up);
    CHECK(bench.outbox.empty());
}

TEST_CASE("GOAWAY is followed within its window, to another server, without a wait") {
    std::set<Duration::rep> moments;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Bench bench{{.server_count = 2, .user = "alice"}, seed};
        bench.go_online();
        wire::ByeFrame bye;
        bye.spread_ms = 12'000;
        bench.receive(bye);
        CHECK(bench.client.state() == State::up);
        const Instant asked = bench.now;
        while (bench.client.state() == State::up) {
            bench.now = *bench.client.wake_at();
            bench.step(TimePassed{});
        }
        CHECK(bench.now - asked <= 12s);
        moments.insert((bench.now - asked).count());
        CHECK(bench.client.state() == State::connecting);
        CHECK(bench.all<CloseSocket>().size() == 1);
        CHECK(bench.all<OpenSocket>().size() == 1);
    }
    CHECK(moments.size() > 40);
}

TEST_CASE(
    "a server that closes right after its GOAWAY is followed within the window all the same") {
    std::vector<Duration> waits;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Bench bench{{.server_count = 2, .user = "alice"}, seed};
        bench.step(Start{});
        const std::size_t first = bench.picked_server();
        bench.sign_in();
        wire::ByeFrame bye;
        bye.spread_ms = 60'000;
        bench.receive(bye);
        bench.cut(seed % 2 == 0 ? std::uint16_t{1001} : std::uint16_t{0});
        CHECK(bench.only<StatusChanged>()->reason == ErrorCode::drain);
        waits.push_back(bench.only<StatusChanged>()->retry_in);
        CHECK(waits.back() <= 60s);
        bench.wait_for_socket();
        CHECK(bench.picked_server() == 1 - first);
        bench.cut();  // The spread is for once.
        CHECK(bench.only<StatusChanged>()->retry_in <= 2s);
    }
    std::ranges::sort(waits);
    CHECK(waits[50] > 8s);
    CHECK(waits[50] < 22s);
    CHECK(waits[150] > 38s);
    CHECK(waits[150] < 52s);
}

TEST_CASE("a GOAWAY does not hide why the connection ends before its window is over") {
    Bench bench;
    bench.go_online();
    wire::ByeFrame bye;
    bye.spread_ms = 60'000;
    bench.receive(bye);
    bench.cut(4003);
    CHECK(bench.client.state() == State::closed);
    CHECK(bench.only<StatusChanged>()->reason == ErrorCode::superseded);
}

// ---- Tokens --------------------------------------------------------------------------------

TEST_CASE("the token is fetched before the socket is opened") {
    Bench bench = bench_with_token();
    bench.step(Start{});
    CHECK(bench.client.state() == State::fetching_token);
    CHECK(bench.all<FetchToken>().size() == 1);
    CHECK(bench.all<OpenSocket>().empty());
    bench.step(TokenFetched{"t1"});
    CHECK(bench.all<OpenSocket>().size() == 1);
    bench.step(SocketOpened{bench.socket()});
    CHECK(bench.sent(ClientOp::hello)->token == "t1");
}

TEST_CASE("a token that is refused is fetched once more; refused twice, the client stops") {
    for (const ErrorCode code : {ErrorCode::bad_token}) {
        Bench bench = bench_with_token();
        bench.step(Start{});
        bench.step(TokenFetched{"t1"});
        bench.step(SocketOpened{bench.socket()});
        bench.cut(4001);
        CHECK(bench.client.state() == State::idle);
        bench.pass(1s);
        CHECK(bench.all<FetchToken>().size() == 1);
        bench.step(TokenFetched{"t2"});
        bench.step(SocketOpened{bench.socket()});
        CHECK(bench.sent(ClientOp::hello)->token == "t2");
        bench.cut(4001);
        CHECK(bench.client.state() == State::closed);
        CHECK(bench.only<StatusChanged>()->status == Status::closed);
        CHECK(bench.only<StatusChanged>()->reason == code);
    }
}

TEST_CASE("an expired token is fetched anew as often as it expires") {
    Bench bench = bench_with_token();
    bench.step(Start{});
    for (int i = 0; i < 5; ++i) {
        CHECK(bench.all<FetchToken>().size() == 1);
        bench.step(TokenFetched{"t"});
        bench.sign_in();
        bench.cut(4002);
        CHECK(bench.client.state() == State::idle);
        bench.now = *bench.client.wake_at();
        bench.step(TimePassed{});
    }
}

TEST_CASE("a token whose end is known is replaced before it, by auth") {
    Bench bench = bench_with_token();
    bench.step(Start{});
    const std::int64_t seconds = bench.wall.ms / 1000 + 3600;
    bench.step(TokenFetched{token_ending_at(seconds)});
    bench.sign_in();
    bench.now += 3600s - Client::token_margin - 1us;
    bench.step(Heard{bench.socket()});
    bench.step(TimePassed{});
    CHECK(bench.all<FetchToken>().empty());
    bench.step(Heard{bench.socket()});
    bench.pass(1us);
    CHECK(bench.all<FetchToken>().size() == 1);
    bench.step(TokenFetched{"fresh"});
    REQUIRE(bench.sent(ClientOp::auth) != nullptr);
    CHECK(bench.sent(ClientOp::auth)->token == "fresh");
}

TEST_CASE("the answer to auth brings a new resume token") {
    Bench bench;
    bench.go_online();
    auto again = Bench::hello();
    again.resume = "newer";
    bench.receive(again);
    bench.cut();
    bench.come_back();
    CHECK(bench.last_hello().resume == "newer");
}

TEST_CASE("a token that has ended by its own word is not tried again") {
    Bench bench = bench_with_token();
    bench.step(Start{});
    bench.step(TokenFetched{token_ending_at(bench.wall.ms / 1000 + 60)});
    bench.sign_in();
    bench.cut();
    bench.now += 2min;
    bench.step(TimePassed{});
    CHECK(bench.client.state() == State::fetching_token);
}

TEST_CASE("an application without another token ends the client, one without any now does not") {
    Bench bench = bench_with_token();
    bench.step(Start{});
    bench.step(TokenFailed{.is_final = false, .detail = "HTTP 503"});
    CHECK(bench.client.state() == State::idle);
    bench.pass(1s);
    CHECK(bench.client.state() == State::fetching_token);
    bench.step(TokenFailed{.is_final = true, .detail = "the token is fixed"});
    CHECK(bench.client.state() == State::closed);
    CHECK(bench.only<StatusChanged>()->reason == ErrorCode::bad_token);
}

TEST_CASE("without another token, the client ends with the server's reason for refusing the last") {
    struct Case {
        std::uint16_t close_code;
        const char* text;
        ErrorCode reason;
        const char* detail;
    };
    for (const Case& one :
         {Case{4002, "M1002 token_expired", ErrorCode::token_expired, ""},
          Case{4001, "M1001 bad_token: exp is missing", ErrorCode::bad_token, "exp is missing"},
          Case{4001, "no", ErrorCode::bad_token, "no"}}) {
        CAPTURE(one.text);
        Bench bench = bench_with_token();
        bench.step(Start{});
        bench.step(TokenFetched{"t"});
        bench.step(SocketOpened{bench.socket()});
        bench.step(SocketClosed{
            .socket = bench.socket(), .close_code = one.close_code, .detail = one.text});
        bench.pass(1s);
        CHECK(bench.client.state() == State::fetching_token);
        bench.step(TokenFailed{.is_final = true, .detail = "there is no other"});
        CHECK(bench.client.state() == State::closed);
        CHECK(bench.only<StatusChanged>()->reason == one.reason);
        CHECK(bench.only<StatusChanged>()->detail == one.detail);
    }
}

TEST_CASE("a fixed token that ended by its own word while away ends the client as expired") {
    Bench bench = bench_with_token();
    bench.step(Start{});
    bench.step(TokenFetched{token_ending_at(bench.wall.ms / 1000 + 60)});
    bench.sign_in();
    bench.cut();
    bench.pass(2min);
    bench.step(TokenFailed{.is_final = true, .detail = "there is no other"});
    CHECK(bench.only<StatusChanged>()->reason == ErrorCode::token_expired);
}

TEST_CASE("the text of a close tells the code where the close code stands for several") {
    struct Case {
        const char* text;
        ErrorCode reason;
        const char* detail;
    };
    for (const Case& one : {Case{"M1005 hello_timeout", ErrorCode::hello_timeout, ""},
                            Case{"M1000 protocol: two hellos", ErrorCode::protocol, "two hellos"},
                            Case{"M1005 of something", ErrorCode::protocol, "M1005 of something"},
                            Case{"1005 hello_timeout", ErrorCode::protocol, "1005 hello_timeout"},
                            Case{"M1005", ErrorCode::protocol, "M1005"}}) {
        CAPTURE(one.text);
        Bench bench;
        bench.step(Start{HashKey{1, 2}});
        bench.step(SocketClosed{.socket = bench.socket(), .close_code = 4000, .detail = one.text});
        REQUIRE(bench.only<StatusChanged>() != nullptr);
        CHECK(bench.only<StatusChanged>()->reason == one.reason);
        CHECK(bench.only<StatusChanged>()->detail == one.detail);
    }
}

TEST_CASE("an application that does not answer with a token is asked again later") {
    Bench bench = bench_with_token();
    bench.step(Start{});
    bench.pass(Client::token_timeout);
    CHECK(bench.client.state() == State::idle);
}

// ---- The end of a session, of an identity, of a client -------------------------------------

TEST_CASE("after session lost the client logs in anew under the same nonce, and joins again") {
    Bench bench;
    bench.step(Start{HashKey{1, 2}});
    bench.step(SocketOpened{bench.socket()});
    const std::string nonce{bench.sent(ClientOp::hello)->nonce};
    bench.receive(Bench::hello());
    bench.join("/room/1", {Inc{7}, 3});
    bench.cut(4004);
    auto hello = Bench::hello();
    hello.session = SessionId{83};
    bench.wait_for_socket();
    bench.sign_in(hello);
    CHECK(bench.last_hello().resume.empty());
    CHECK(bench.last_hello().nonce == nonce);
    const auto* join = bench.sent(ClientOp::join);
    REQUIRE(join != nullptr);
    CHECK(join->queue == "/room/1");
    CHECK(join->number == 2);
    CHECK(join->inc == Inc{7});
}

TEST_CASE("a client that was superseded does not come back, until it is started again") {
    Bench bench;
    bench.go_online();
    bench.cut(4003);
    CHECK(bench.client.state() == State::closed);
    CHECK(bench.only<StatusChanged>()->reason == ErrorCode::superseded);
    bench.pass(10min);
    CHECK(bench.client.state() == State::closed);
    bench.submit("/room/1", Join{});
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
    CHECK(bench.verdict()->code == ErrorCode::superseded);
    bench.step(Start{HashKey{1, 2}});
    CHECK(bench.client.state() == State::connecting);
}

TEST_CASE("a superseded client withdraws what is open over connections that only resolve") {
    Bench bench;
    bench.go_online();
    bench.join("/room/1", {Inc{7}, 3});
    const OpId id = bench.submit("/room/1", say());
    bench.cut(4003);
    CHECK(bench.only<StatusChanged>()->status == Status::closed);
    CHECK(bench.client.role() == Client::Role::superseded);
    bench.come_back();
    CHECK(bench.last_hello().resolve);
    CHECK(bench.last_hello().since.empty());
    CHECK(bench.all<StatusChanged>().empty());
    const auto* withdraw = bench.sent(ClientOp::withdraw);
    REQUIRE(withdraw != nullptr);
    CHECK(withdraw->number == 2);
    CHECK(withdraw->inc == Inc{7});
    CHECK_FALSE(withdraw->data);
    bench.receive(Bench::err(withdraw->request, ErrorCode::withdrawn));
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->id == id);
    CHECK(bench.verdict()->outcome == Outcome::rejected);
    CHECK(bench.client.state() == State::closed);
    CHECK(bench.all<CloseSocket>().size() == 1);
}

TEST_CASE("a superseded client learns that its op was applied, if it was") {
    Bench bench;
    bench.go_online();
    bench.join("/room/1", {Inc{7}, 3});
    bench.submit("/room/1", say());
    bench.cut(4003);
    bench.come_back();
    wire::OkFrame ok;
    ok.request = bench.sent(ClientOp::withdraw)->request;
    ok.seq = 4;
    bench.receive(ok);
    CHECK(bench.verdict()->outcome == Outcome::ok);
    CHECK(bench.verdict()->at == Cursor{Inc{7}, 4});
}

TEST_CASE("a superseded client tries to resolve until it could") {
    Bench bench;
    bench.go_online();
    bench.join("/room/1", {Inc{7}, 3});
    bench.submit("/room/1", say());
    bench.cut(4003);
    for (int i = 0; i < 5; ++i) {
        bench.wait_for_socket();
        bench.cut(i == 0 ? 4003 : 0);
    }
    bench.come_back();
    CHECK(bench.sent(ClientOp::withdraw) != nullptr);
}

TEST_CASE("what was not sent when the client was superseded ends at once") {
    Bench bench;
    bench.go_online();
    bench.submit("/room/1", Join{});  // Unanswered: what follows waits for the inc.
    const OpId id = bench.submit("/room/1", say());
    bench.cut(4003);
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->id == id);
    CHECK(bench.verdict()->outcome == Outcome::not_sent);
}

TEST_CASE("4010 drops cid and resume token, and open ops end as expired") {
    Bench bench;
    bench.go_online();
    bench.join("/room/1", {Inc{7}, 3});
    const OpId id = bench.submit("/room/1", say());
    bench.cut();
    bench.wait_for_socket();
    bench.step(SocketOpened{bench.socket()});
    bench.cut(4010);
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->id == id);
    CHECK(bench.verdict()->outcome == Outcome::unknown);
    CHECK(bench.verdict()->code == ErrorCode::expired);
    auto hello = Bench::hello();
    hello.cid = "cid-2";
    bench.wait_for_socket();
    bench.sign_in(hello);
    CHECK(bench.last_hello().resume.empty());
    CHECK_FALSE(bench.last_hello().nonce.empty());
    // The queue is still followed, and numbers begin anew under the new cid.
    CHECK(bench.last_hello().since.size() == 1);
    bench.receive(Bench::joined("/room/1", {Inc{7}, 3}));
    bench.submit("/room/1", say());
    CHECK(bench.sent(ClientOp::send)->number == 1);
    CHECK(bench.sent(ClientOp::send)->inc == Inc{7});
}

TEST_CASE("a server that answers with another cid ends what was open under the old one") {
    Bench bench;
    bench.go_online();
    bench.join("/room/1", {Inc{7}, 3});
    bench.submit("/room/1", say());
    bench.cut();
    bench.wait_for_socket();
    auto hello = Bench::hello();
    hello.cid = "another";
    bench.sign_in(hello);
    REQUIRE(bench.verdict() != nullptr);
    CHECK(bench.verdict()->code == ErrorCode::expired);
}

TEST_CASE("stop gives every request its verdict and closes the socket") {
    Bench bench;
    bench.go_online();
    bench.join("/room/1", {Inc{7}, 3});
    const OpId sent = bench.submit("/room/1", say());
    bench.submit("/room/2", Join{});
    const OpId held = bench.submit("/room/2", say());
    bench.step(Stop{});
    CHECK(bench.client.state() == State::closed);
    CHECK(bench.all<CloseSocket>().size() == 1);
    const auto verdicts = bench.all<Verdict>();
    REQUIRE(verdicts.size() == 3);
    for (const auto* verdict : verdicts) {
        if (verdict->id == sent) {
            CHECK(verdict->outcome == Outcome::unknown);
        }
        if (verdict->id == held) {
            CHECK(verdict->outcome == Outcome::not_sent);
        }
    }
    CHECK(bench.client.waiting_count() == 0);
    bench.step(Stop{});
    CHECK(bench.outbox.empty());
}

TEST_CASE("a client that was stopped and started again uses up the numbers that it gave out") {
    Bench bench;
    bench.go_online();
    bench.join("/room/1", {Inc{7}, 3});
    bench.submit("/room/1", say());  // number 2
    bench.step(Stop{});
    bench.step(Start{HashKey{1, 2}});
    bench.sign_in();
    const auto* withdraw = bench.sent(ClientOp::withdraw);
    REQUIRE(withdraw != nullptr);
    CHECK(withdraw->number == 2);
    bench.receive(Bench::err(withdraw->request, ErrorCode::withdrawn));
    CHECK(bench.all<Verdict>().empty());
}

TEST_CASE("every close code leads back on line, to another login or to the end") {
    struct Case {
        std::uint16_t close_code;
        State state;
        std::optional<ErrorCode> reason;
    };
    const auto cases = std::to_array<Case>({
        {0, State::idle, std::nullopt},
        {1000, State::idle, std::nullopt},
        {1001, State::idle, ErrorCode::drain},
        {1002, State::idle, ErrorCode::framing},
        {1007, State::idle, ErrorCode::bad_utf8},
        {1008, State::idle, ErrorCode::abuse},
        {1009, State::idle, ErrorCode::frame_too_big},
        {1013, State::idle, ErrorCode::overload},
        {4000, State::idle, ErrorCode::protocol},
        {4002, State::idle, ErrorCode::token_expired},
        {4003, State::closed, ErrorCode::superseded},
        {4004, State::idle, ErrorCode::session_lost},
        {4008, State::idle, ErrorCode::slow},
        {4010, State::idle, ErrorCode::resume_refused},
        {4013, State::idle, ErrorCode::upstream},
        {4999, State::idle, std::nullopt},
    });
    for (const Case& one : cases) {
        CAPTURE(one.close_code);
        for (const bool is_up : {false, true}) {
            Bench bench;
            bench.step(Start{HashKey{1, 2}});
            if (is_up) {
                bench.sign_in();
            }
            bench.cut(one.close_code);
            CHECK(bench.client.state() == one.state);
            REQUIRE(bench.only<StatusChanged>() != nullptr);
            CHECK(bench.only<StatusChanged>()->reason == one.reason);
        }
    }
}

}  // namespace
}  // namespace muster::client
