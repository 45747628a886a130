#include "core/wire/http_response.h"

#include <doctest/doctest.h>

namespace muster::wire {
namespace {

TEST_CASE("a response head is written line by line") {
    std::string out;
    append_response_head(out, 200, {{"Content-Type", "application/json"}, {"ETag", "\"7\""}}, 12);
    CHECK(out ==
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"7\"\r\n"
          "Content-Length: 12\r\n\r\n");
    out.clear();
    append_response_head(out, 204, {}, std::nullopt);
    CHECK(out == "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE("no header value can begin a new header") {
    std::string out;
    append_response_head(out, 200, {{"A", "b\r\nSet-Cookie: c\x01"}}, std::nullopt);
    CHECK(out == "HTTP/1.1 200 OK\r\nA: b  Set-Cookie: c \r\n\r\n");
}

std::string answer_to(const HttpRefusal& refusal) {
    std::string out;
    append_refusal(out, refusal);
    return out;
}

TEST_CASE("a refusal says why, for people and programs, and closes") {
    CHECK(answer_to({400, "a line does not end in CR LF"}) ==
          "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
          "Connection: close\r\nContent-Length: 130\r\n\r\n"
          R"({"type":"about:blank","title":"Bad Request","status":400,)"
          R"("detail":"a line does not end in CR LF","code":"M1030","retryable":false})");
}

TEST_CASE("a refusal has the headers of its status") {
    const auto has = [](const HttpRefusal& refusal, std::string_view line) {
        return answer_to(refusal).find(line) != std::string::npos;
    };
    const HttpRefusal upgrade{426, "x"};
    CHECK(has(upgrade, "HTTP/1.1 426 Upgrade Required\r\n"));
    CHECK(has(upgrade, "\r\nSec-WebSocket-Version: 13\r\n"));
    CHECK(has(upgrade, "\r\nUpgrade: websocket\r\n"));
    CHECK(has(upgrade, "\r\nConnection: Upgrade, close\r\n"));
    CHECK(has({.status = 405, .why = "x", .allow = "GET, POST"}, "\r\nAllow: GET, POST\r\n"));
    CHECK(has({401, "x", ErrorCode::bad_token}, "\r\nWWW-Authenticate: Bearer\r\n"));
    const HttpRefusal overload{
        .status = 503, .why = "x", .code = ErrorCode::overload, .retry_after_s = 7};
    CHECK(has(overload, "\r\nRetry-After: 7\r\n"));
    CHECK(has(overload, R"("code":"M1033")"));
    CHECK_FALSE(has(upgrade, "Retry-After"));
    CHECK_FALSE(has(upgrade, "Allow"));
}

TEST_CASE("every status that the parsers refuse with has its phrase") {
    for (const int status : {400, 403, 405, 413, 414, 417, 426, 431, 501, 503, 505}) {
        CHECK(reason_phrase(static_cast<std::uint16_t>(status)) != "Unknown");
    }
    CHECK(reason_phrase(999) == "Unknown");
}

}  // namespace
}  // namespace muster::wire
