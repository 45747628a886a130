#include "core/wire/websocket_handshake.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <vector>

namespace muster::wire {
namespace {

constexpr std::string_view good_key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::array<std::string_view, 2> spoken = {"muster.v1.json", "muster.v1.proto"};

// A handshake by hand: change a header, then look at the answer.
struct Bench {
    std::string first_line = "GET /connect HTTP/1.1";
    std::vector<std::pair<std::string, std::string>> headers = {
        {"Host", "game.example.com:7400"},
        {"Upgrade", "websocket"},
        {"Connection", "keep-alive, Upgrade"},
        {"Sec-WebSocket-Version", "13"},
        {"Sec-WebSocket-Key", std::string{good_key}}};
    std::vector<std::string> origins = {"https://game.example.com"};
    bool allows_same_host = false;
    bool takes_deflate = false;
    std::string text;
    RequestHead head;

    HttpResult<Upgrade> check() {
        text = first_line + "\r\n";
        for (const auto& [name, value] : headers) {
            text += fmt::format("{}: {}\r\n", name, value);
        }
        text += "\r\n";
        HeadScan scan;
        REQUIRE(parse_request_head(text, scan, head) == text.size());
        return check_upgrade(head, {origins, allows_same_host, spoken, takes_deflate});
    }

    // The status that the request is refused with; 101 where it is not.
    int status() {
        const auto upgrade = check();
        return upgrade ? 101 : upgrade.error().status;
    }

    void set(std::string_view name, std::string_view value) {
        without(name);
        headers.emplace_back(name, value);
    }

    void without(std::string_view name) {
        std::erase_if(headers, [name](const auto& header) { return header.first == name; });
    }
};

TEST_CASE("the accept key is that of RFC 6455 section 1.3") {
    CHECK(websocket_accept(good_key) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("a good upgrade is answered with 101") {
    Bench bench;
    bench.set("Sec-WebSocket-Protocol", "muster.v1.proto, muster.v1.json");
    const auto upgrade = bench.check();
    REQUIRE(upgrade);
    CHECK(upgrade->protocol == "muster.v1.proto");
    std::string out;
    append_upgrade_response(out, *upgrade);
    CHECK(out ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
          "Sec-WebSocket-Protocol: muster.v1.proto\r\n\r\n");
}

TEST_CASE("the first subprotocol that we speak is chosen; without one to speak it is 400") {
    Bench bench;
    CHECK(bench.check()->protocol.empty());
    bench.headers.emplace_back("Sec-WebSocket-Protocol", "chat");
    CHECK(bench.status() == 400);
    bench.headers.emplace_back("Sec-WebSocket-Protocol", "Muster.v1.json , muster.v1.json");
    CHECK(bench.check()->protocol == "muster.v1.json");
    std::string out;
    append_upgrade_response(out, Upgrade{"x", ""});
    CHECK(out.find("Protocol:") == std::string::npos);
}

TEST_CASE("row 9: an upgrade without or with a wrong version is answered 426") {
    Bench bench;
    bench.without("Sec-WebSocket-Version");
    CHECK(bench.status() == 426);
    for (const char* bad : {"12", "8", "", "13, 8", "013", "abc"}) {
        bench.set("Sec-WebSocket-Version", bad);
        CHECK(bench.status() == 426);
    }
    bench.set("Sec-WebSocket-Version", "13");
    CHECK(bench.status() == 101);
    bench.headers.emplace_back("Sec-WebSocket-Version", "13");
    CHECK(bench.status() == 426);
}

TEST_CASE("a request that is no upgrade is answered 426, and another method 405") {
    for (const char* needed : {"Upgrade", "Connection"}) {
        Bench bench;
        bench.without(needed);
        CHECK(bench.status() == 426);
        bench.set(needed, "other");
        CHECK(bench.status() == 426);
    }
    Bench bench;
    bench.first_line = "GET /connect HTTP/1.0";
    CHECK(bench.status() == 426);
    bench.first_line = "POST /connect HTTP/1.1";
    CHECK(bench.status() == 405);
}

TEST_CASE("row 10: a key that is missing, not 16 bytes or there twice is answered 400") {
    Bench bench;
    bench.without("Sec-WebSocket-Key");
    CHECK(bench.status() == 400);
    for (const char* bad :
         {"", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZWU=",
          "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25j*Q==", "not base64"}) {
        CAPTURE(std::string{bad});
        bench.set("Sec-WebSocket-Key", bad);
        CHECK(bench.status() == 400);
    }
    bench.set("Sec-WebSocket-Key", good_key);
    CHECK(bench.status() == 101);
    bench.headers.emplace_back("Sec-WebSocket-Key", good_key);
    CHECK(bench.status() == 400);
}

TEST_CASE("row 11: a page of an origin that is not listed is answered 403") {
    Bench bench;
    for (const char* bad : {"https://evil.example.com", "null", "http://game.example.com", "",
                            "https://game.example.com:8443", "https://game.example.com.evil.com",
                            "https://evil.com/https://game.example.com"}) {
        CAPTURE(std::string{bad});
        bench.set("Origin", bad);
        CHECK(bench.status() == 403);
    }
    bench.set("Origin", "https://Game.Example.com");
    CHECK(bench.status() == 101);
    bench.headers.emplace_back("Origin", "https://game.example.com");
    CHECK(bench.status() == 403);
    bench.origins = {"null"};
    bench.set("Origin", "null");
    CHECK(bench.status() == 403);
}

TEST_CASE("in development a page of the same host may connect, whatever its port") {
    Bench bench;
    bench.origins.clear();
    bench.allows_same_host = true;
    for (const auto& [host, origin] : {std::pair{"localhost:7400", "http://localhost:5173"},
                                       {"localhost", "http://localhost"},
                                       {"[::1]:7400", "http://[::1]"},
                                       {"127.0.0.1:7400", "https://127.0.0.1:1"}}) {
        bench.set("Host", host);
        bench.set("Origin", origin);
        CHECK(bench.status() == 101);
    }
    for (const auto& [host, origin] : {std::pair{"localhost:7400", "http://evil.com"},
                                       {"localhost", "null"},
                                       {"", "null"},
                                       {"localhost", "http://localhost.evil.com"},
                                       {"[::1]:7400", "http://[::2]:7400"}}) {
        CAPTURE(std::string{origin});
        bench.set("Host", host);
        bench.set("Origin", origin);
        CHECK(bench.status() == 403);
    }
}

TEST_CASE("row 12: a cookie changes nothing") {
    Bench bench;
    bench.set("Cookie", "token=abc");
    CHECK(bench.status() == 101);
}

TEST_CASE("row 24: compression that is offered is not answered while it is off") {
    Bench bench;
    bench.set("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
    const auto upgrade = bench.check();
    REQUIRE(upgrade);
    std::string out;
    append_upgrade_response(out, *upgrade);
    CHECK(out.find("Extensions") == std::string::npos);
}

TEST_CASE("row 25: while it is on, an offer is answered without context takeover") {
    Bench bench;
    bench.takes_deflate = true;
    CHECK(bench.check()->deflate.empty());
    bench.set("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
    bench.set("Sec-WebSocket-Protocol", "muster.v1.json");
    std::string out;
    append_upgrade_response(out, bench.check().value());
    CHECK(out.ends_with(
        "Sec-WebSocket-Protocol: muster.v1.json\r\nSec-WebSocket-Extensions: permessage-deflate; "
        "server_no_context_takeover; client_no_context_takeover\r\n\r\n"));
}

TEST_CASE("an upgrade with a body is answered 400") {
    Bench bench;
    bench.set("Content-Length", "5");
    CHECK(bench.status() == 400);
    bench.set("Content-Length", "0");
    CHECK(bench.status() == 101);
}

// A client that has sent its request and reads what comes back.
struct ClientBench {
    std::vector<HeaderField> further = {{"User-Agent", "test"}};
    UpgradeRequest request{"localhost:7400", "/connect", good_key, spoken, further};
    std::string response;
    ResponseHead head;

    std::string check() {
        HeadScan scan;
        REQUIRE(parse_response_head(response, scan, head) == response.size());
        const auto protocol = check_upgrade_response(head, request);
        return protocol ? std::string{*protocol} : std::string{protocol.error().detail};
    }

    ErrorCode refusal(std::string_view status) {
        response = fmt::format("HTTP/1.1 {}\r\nRetry-After: 1\r\n\r\n", status);
        HeadScan scan;
        REQUIRE(parse_response_head(response, scan, head) == response.size());
        return check_upgrade_response(head, request).error().code;
    }
};

TEST_CASE("a client's request is one that our server answers, and the client takes the answer") {
    ClientBench client;
    std::string text;
    append_upgrade_request(text, client.request);
    RequestHead head;
    HeadScan scan;
    REQUIRE(parse_request_head(text, scan, head) == text.size());
    CHECK(head.headers.find("User-Agent") == "test");
    const auto upgrade = check_upgrade(head, {{}, false, spoken});
    REQUIRE(upgrade);
    append_upgrade_response(client.response, *upgrade);
    CHECK(client.check() == "muster.v1.json");
}

TEST_CASE("a client takes no answer that breaks the rules") {
    const std::string start = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    const std::string accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    ClientBench client;
    client.response = start + accept + "\r\n";
    CHECK(client.check() == "");
    client.response = start + "\r\n";
    CHECK(client.check() == "the server's Sec-WebSocket-Accept is wrong");
    client.response = start + "Sec-WebSocket-Accept: x\r\n\r\n";
    CHECK(client.check() == "the server's Sec-WebSocket-Accept is wrong");
    client.response = start + accept + "Sec-WebSocket-Extensions: x\r\n\r\n";
    CHECK(client.check() == "the server uses an extension that was not asked for");
    client.response = start + accept + "Sec-WebSocket-Protocol: chat\r\n\r\n";
    CHECK(client.check() == "the server chose a subprotocol that was not named");
    client.response = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n" + accept + "\r\n";
    CHECK(client.check() == "the server does not upgrade to a WebSocket");
}

TEST_CASE("a client learns from the status why it was not let in") {
    ClientBench client;
    CHECK(client.refusal("401 Unauthorized") == ErrorCode::bad_token);
    CHECK(client.refusal("403 Forbidden") == ErrorCode::forbidden);
    CHECK(client.refusal("429 X") == ErrorCode::overload);
    CHECK(client.refusal("503 X") == ErrorCode::overload);
    CHECK(client.refusal("404 X") == ErrorCode::bad_request);
    CHECK(client.refusal("200 OK") == ErrorCode::bad_request);
}

}  // namespace
}  // namespace muster::wire
