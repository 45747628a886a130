// GUARANTEES.md section 7, rows 1 to 13: what comes before the WebSocket.
#include <chrono>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

// One request of a client beside which another one is signed in.
struct Requests {
    GatewayBench bench;
    TestPeer& bob = bench.user("bob");

    void check_refused(std::string request, int status) {
        CAPTURE(request.substr(0, 100));
        TestPeer& peer = bench.peers.open();
        bench.peers.send(peer, std::move(request));
        bench.check_refused(peer, status, &bob);
    }
};

std::string page_request(std::string_view more) {
    return fmt::format("GET / HTTP/1.1\r\nHost: muster.test\r\n{}\r\n", more);
}

std::string request_for(std::string_view target) {
    return fmt::format("GET {} HTTP/1.1\r\nHost: muster.test\r\n\r\n", target);
}

std::string without(std::string text, std::string_view part) {
    const auto at = text.find(part);
    REQUIRE(at != std::string::npos);
    return text.erase(at, part.size());
}

std::string replaced(std::string text, std::string_view part, std::string_view by) {
    const auto at = text.find(part);
    REQUIRE(at != std::string::npos);
    return text.replace(at, part.size(), by);
}

TEST_CASE("row 1: a client that sends no byte is closed after 5 s") {
    GatewayBench bench;
    TestPeer& bob = bench.user("bob");
    TestPeer& peer = bench.peers.open();
    bench.pass(5s - 1us);
    CHECK_FALSE(peer.is_ended);
    bench.pass(1us);
    CHECK(peer.is_ended);
    CHECK(peer.bytes == 0);
    bench.check_end(peer, &bob);
}

TEST_CASE("row 2: one header byte a second is closed after 5 s in all") {
    GatewayBench bench;
    TestPeer& bob = bench.user("bob");
    TestPeer& peer = bench.peers.open();
    const std::string request = upgrade_request();
    for (std::size_t i = 0; i < 4; ++i) {
        bench.pass(1s);
        bench.peers.send(peer, request.substr(i, 1));
    }
    bench.pass(1s - 1us);
    CHECK_FALSE(peer.is_ended);
    bench.pass(1us);
    bench.check_end(peer, &bob);
    CHECK(peer.bytes == 0);
}

TEST_CASE("row 3: a long request line, long headers and too many of them are answered with 431") {
    Requests requests;
    requests.check_refused(request_for("/" + std::string(4096, 'a')), 431);
    requests.check_refused(page_request("X: " + std::string(8192, 'a') + "\r\n"), 431);
    std::string headers;
    for (int i = 0; i < 64; ++i) {
        headers += "X: 1\r\n";
    }
    requests.check_refused(page_request(headers), 431);
}

TEST_CASE("row 3: headers without end are refused when they are too long, not when they end") {
    Requests requests;
    TestPeer& peer = requests.bench.peers.open();
    requests.bench.peers.send(peer, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 8 && !peer.is_ended; ++i) {
        requests.bench.peers.send(peer, "X: " + std::string(1021, 'a') + "\r\n");
    }
    requests.bench.check_refused(peer, 431, &requests.bob);
}

TEST_CASE("row 4: a body whose length is given twice is answered with 400") {
    Requests requests;
    requests.check_refused(
        page_request("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400);
    requests.check_refused(page_request("Content-Length: 5\r\nContent-Length: 6\r\n"), 400);
    requests.check_refused(page_request("Content-Length: 5\r\nContent-Length: 5\r\n"), 400);
}

TEST_CASE("row 5: a chunked body, however its size is written, is answered with 400") {
    Requests requests;
    for (const std::string_view size : {"ffffffffffffffff", "-1", "+1", "0x1", "1"}) {
        requests.check_refused(
            page_request("Transfer-Encoding: chunked\r\n") + fmt::format("{}\r\na\r\n", size), 400);
    }
}

TEST_CASE("row 6: bare LF, NUL, folded lines and names that are no tokens are answered with 400") {
    Requests requests;
    requests.check_refused("GET / HTTP/1.1\nHost: muster.test\n\n", 400);
    requests.check_refused(page_request("X: 1\n"), 400);
    requests.check_refused(page_request(std::string("X: a\0b\r\n", 8)), 400);
    requests.check_refused(page_request("X: a\r\n b\r\n"), 400);
    requests.check_refused(page_request("X Y: 1\r\n"), 400);
    requests.check_refused(page_request("X(: 1\r\n"), 400);
    requests.check_refused(page_request(": 1\r\n"), 400);
}

TEST_CASE("row 7: other versions of HTTP are answered with 400 or 505") {
    Requests requests;
    requests.check_refused("GET /\r\n\r\n", 400);
    requests.check_refused("GET / HTTP/3.7\r\nHost: muster.test\r\n\r\n", 505);
    requests.check_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
}

TEST_CASE("row 8: paths that climb or hide something are refused") {
    Requests requests;
    requests.check_refused(request_for("/../"), 400);
    requests.check_refused(request_for("/%00"), 400);
    requests.check_refused(request_for("/%2e%2e/"), 400);
    requests.check_refused(request_for("/a%2f..%2fb"), 400);
    requests.check_refused(request_for("/" + std::string(100'000, 'a')), 414);
    requests.check_refused(request_for("/nothing"), 404);
}

TEST_CASE("row 9: an upgrade of another WebSocket version is answered with 426 and ours") {
    Requests requests;
    const std::string line = "Sec-WebSocket-Version: 13\r\n";
    for (const auto& request : {without(upgrade_request(), line),
                                replaced(upgrade_request(), line, "Sec-WebSocket-Version: 8\r\n"),
                                upgrade_request(line)}) {
        TestPeer& peer = requests.bench.peers.open();
        requests.bench.peers.send(peer, request);
        requests.bench.check_refused(peer, 426, &requests.bob);
        CHECK(peer.http.find("Sec-WebSocket-Version: 13\r\n") != std::string::npos);
    }
}

TEST_CASE(
    "row 10: an upgrade whose key is missing, not 16 bytes or there twice is answered with 400") {
    Requests requests;
    const std::string line = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    requests.check_refused(without(upgrade_request(), line), 400);
    requests.check_refused(replaced(upgrade_request(), line, "Sec-WebSocket-Key: AAAA\r\n"), 400);
    requests.check_refused(upgrade_request(line), 400);
}

TEST_CASE("row 11: pages of other origins get 403 and no WebSocket") {
    Settings settings = settings_for_tests();
    settings.is_dev = false;
    settings.allowed_origins = {"https://game.example.com"};
    GatewayBench bench(std::move(settings));
    for (const std::string_view origin :
         {"https://evil.example.com", "null", "http://game.example.com", "http://muster.test"}) {
        TestPeer& peer = bench.peers.open();
        bench.peers.send(peer, upgrade_request(fmt::format("Origin: {}\r\n", origin)));
        bench.check_refused(peer, 403);
    }
    TestPeer& peer = bench.peers.open();
    bench.peers.send(peer, upgrade_request("Origin: https://game.example.com\r\n"));
    CHECK(peer.status() == 101);
}

TEST_CASE("row 12: a cookie is no credential: without a token the sign-in ends with 4001 (401)") {
    Settings settings = settings_for_tests();
    settings.is_dev = false;
    GatewayBench bench(std::move(settings));
    TestPeer& peer = bench.peers.open();
    const std::string token = bench.token("alice", 600s);
    bench.peers.send(peer, upgrade_request(fmt::format("Cookie: token={0}\r\n", token)));
    REQUIRE(peer.status() == 101);
    bench.say_hello(peer, "alice");
    bench.check_closed(peer, 4001, "M1001");
    CHECK(bench.sent.empty());
    CHECK(bench.counters().logins_refused == 1);
}

TEST_CASE("row 13: a token in the query string is refused with 401 unless it is configured") {
    Settings settings = settings_for_tests();
    SUBCASE("not configured") {
        GatewayBench bench(std::move(settings));
        TestPeer& peer = bench.peers.open();
        bench.peers.send(peer, upgrade_request({}, "/connect?token=" + bench.token("alice", 600s)));
        bench.check_refused(peer, 401);
    }
    SUBCASE("configured") {
        settings.is_dev = false;
        settings.allows_token_in_query = true;
        GatewayBench bench(std::move(settings));
        TestPeer& peer = bench.peers.open();
        bench.peers.send(peer,
                         upgrade_request({}, "/connect?x=1&token=" + bench.token("alice", 600s)));
        CHECK(peer.status() == 101);
        bench.peers.say(peer, R"({"op":"hello","v":[1]})");
        CHECK(bench.take_one<user::Attach>().user == "alice");
        // And one of the hello itself is preferred.
        TestPeer& other = bench.peers.open();
        bench.peers.send(other,
                         upgrade_request({}, "/connect?token=" + bench.token("alice", 600s)));
        bench.peers.say(other, fmt::format(R"({{"op":"hello","v":[1],"token":"{}"}})",
                                           bench.token("carol", 600s)));
        CHECK(bench.take_one<user::Attach>().user == "carol");
    }
}

// ---- Beside the table ------------------------------------------------------------------------

TEST_CASE("an upgrade may come in pieces, with the first frames in the last one") {
    GatewayBench bench;
    const std::string all =
        upgrade_request() + text_frame(R"({"op":"hello","v":[1],"user":"alice"})");
    for (const std::size_t piece : {1U, 7U, 1000U}) {
        TestPeer& peer = bench.peers.open();
        for (std::size_t at = 0; at < all.size(); at += piece) {
            bench.peers.send(peer, all.substr(at, piece));
        }
        CHECK(peer.status() == 101);
        CHECK(bench.take_one<user::Attach>().user == "alice");
    }
}

TEST_CASE("an upgrade that names only subprotocols we do not speak is answered with 400") {
    Requests requests;
    requests.check_refused(upgrade_request("Sec-WebSocket-Protocol: muster.v9\r\n"), 400);
    TestPeer& peer = requests.bench.peers.open();
    requests.bench.peers.send(peer,
                              upgrade_request("Sec-WebSocket-Protocol: x, muster.v1.json\r\n"));
    CHECK(peer.http.find("Sec-WebSocket-Protocol: muster.v1.json\r\n") != std::string::npos);
}

TEST_CASE("a plain GET of /connect is told to upgrade") {
    Requests requests;
    requests.check_refused(request_for("/connect"), 426);
}

TEST_CASE("only GET and HEAD are served") {
    Requests requests;
    requests.check_refused("POST / HTTP/1.1\r\nHost: muster.test\r\nContent-Length: 0\r\n\r\n",
                           405);
    requests.check_refused("POST /connect HTTP/1.1\r\nHost: muster.test\r\n\r\n", 405);
    requests.check_refused("OPTIONS * HTTP/1.1\r\nHost: muster.test\r\n\r\n", 400);
}

struct Pages {
    static Settings settings(std::size_t bytes) {
        Settings with = settings_for_tests();
        with.pages = {{"/", "text/html", "\"e1\"", SharedText("zipped"), false,
                       SharedText(std::string(bytes, 'p'))},
                      {"/assets/a.js", "text/javascript", "\"e2\"", SharedText("zipped js"), true,
                       SharedText("js")}};
        return with;
    }
    explicit Pages(std::size_t bytes = 10) : bench(settings(bytes)) {}

    GatewayBench bench;
    TestPeer& peer = bench.peers.open();
};

TEST_CASE("pages are served with their type, tag and life, one after the other") {
    Pages pages;
    pages.bench.peers.send(pages.peer, request_for("/"));
    CHECK(pages.peer.http.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(pages.peer.http.find("Content-Type: text/html\r\n") != std::string::npos);
    CHECK(pages.peer.http.find("Cache-Control: no-cache\r\n") != std::string::npos);
    CHECK(pages.peer.http.ends_with("\r\n\r\npppppppppp"));
    pages.peer.http.clear();
    pages.bench.pass(4s);
    pages.bench.peers.send(pages.peer, request_for("/assets/a.js"));
    CHECK(pages.peer.http.find("max-age=31536000, immutable\r\n") != std::string::npos);
    CHECK(pages.peer.http.ends_with("\r\n\r\njs"));
    // Each request has its own 5 s.
    pages.bench.pass(5s - 1us);
    CHECK_FALSE(pages.peer.is_ended);
    pages.bench.pass(1us);
    CHECK(pages.peer.is_ended);
}

TEST_CASE("a page that the browser has is not sent again, and HEAD gets no body") {
    Pages pages;
    pages.bench.peers.send(pages.peer, page_request("If-None-Match: \"e1\"\r\n"));
    CHECK(pages.peer.status() == 304);
    CHECK(pages.peer.http.ends_with("\r\n\r\n"));
    pages.bench.peers.send(pages.peer, "HEAD / HTTP/1.1\r\nHost: muster.test\r\n\r\n");
    CHECK(pages.peer.status() == 200);
    CHECK(pages.peer.http.find("Content-Length: 10\r\n") != std::string::npos);
    CHECK(pages.peer.http.ends_with("\r\n\r\n"));
    CHECK_FALSE(pages.peer.is_ended);
    pages.bench.peers.send(pages.peer, page_request("Connection: close\r\n"));
    CHECK(pages.peer.http.ends_with("pppppppppp"));
    pages.bench.check_end(pages.peer);
}

TEST_CASE("a page is sent gzip-encoded to who accepts that, and as it is to everybody else") {
    Pages pages;
    pages.bench.peers.send(pages.peer, page_request("Accept-Encoding: br, gzip\r\n"));
    CHECK(pages.peer.http.find("Content-Encoding: gzip\r\n") != std::string::npos);
    CHECK(pages.peer.http.find("Vary: Accept-Encoding\r\n") != std::string::npos);
    CHECK(pages.peer.http.ends_with("\r\n\r\nzipped"));
    for (const auto* header : {"", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0\r\n"}) {
        pages.peer.http.clear();
        pages.bench.peers.send(pages.peer, page_request(header));
        CHECK(pages.peer.http.find("Content-Encoding") == std::string::npos);
        CHECK(pages.peer.http.find("Vary: Accept-Encoding\r\n") != std::string::npos);
        CHECK(pages.peer.http.ends_with("\r\n\r\npppppppppp"));
    }
}

TEST_CASE("requests that come at once are answered in order") {
    Pages pages;
    pages.bench.peers.send(pages.peer,
                           request_for("/") + request_for("/assets/a.js") + request_for("/"));
    const std::string& http = pages.peer.http;
    CHECK(http.find("text/html") < http.find("text/javascript"));
    CHECK(http.ends_with("pppppppppp"));
    pages.bench.peers.send(pages.peer, upgrade_request());
    CHECK(pages.peer.status() == 101);
}

TEST_CASE("a browser that takes no answers and asks on is closed, without a WebSocket's frame") {
    Pages pages(50'000);
    pages.bench.peers.send(pages.peer, request_for("/"));
    pages.bench.peers.block(pages.peer);
    const std::size_t bytes = pages.peer.bytes;
    for (int i = 0; i < 3; ++i) {
        pages.bench.peers.send(pages.peer, request_for("/"));
    }
    CHECK(pages.peer.bytes == bytes);
    pages.bench.check_end(pages.peer);
    CHECK(pages.bench.counters().closed_slow == 1);
}

}  // namespace
}  // namespace muster::gateway
