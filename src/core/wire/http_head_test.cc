#include "core/wire/http_head.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace muster::wire {
namespace {

using namespace std::string_view_literals;

// What a parser said, so that two ways to feed it can be compared.
struct Outcome {
    std::size_t size = 0;
    HttpRefusal refusal{0, ""};
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome parse(std::string_view bytes, RequestHead& head) {
    HeadScan scan;
    const auto size = parse_request_head(bytes, scan, head);
    return size ? Outcome{*size, {0, ""}} : Outcome{0, size.error()};
}

// A parsed head together with the bytes that it points into.
struct Parsed {
    explicit Parsed(std::string_view bytes) : text(bytes), outcome(parse(text, head)) {}
    Parsed(const Parsed&) = delete;
    Parsed& operator=(const Parsed&) = delete;

    std::string text;
    RequestHead head;
    Outcome outcome;
};

// Returns the status of the refusal; 0 where there is none.
int status_of(std::string_view bytes) {
    RequestHead head;
    return parse(bytes, head).refusal.status;
}

// As parse(), with the bytes that the cuts leave coming one after the other.
Outcome parse_in_pieces(const std::string& bytes, const std::vector<std::size_t>& piece_sizes,
                        RequestHead& head) {
    HeadScan scan;
    std::size_t end = 0;
    for (std::size_t i = 0; end < bytes.size(); ++i) {
        end = std::min(bytes.size(), end + piece_sizes[i % piece_sizes.size()]);
        // A copy of its own each time: the caller's buffer may move.
        const std::string so_far = bytes.substr(0, end);
        const auto size = parse_request_head(so_far, scan, head);
        if (!size) {
            return {0, size.error()};
        }
        if (*size != 0) {
            return {*size, {0, ""}};
        }
    }
    return {};
}

std::string request(std::string_view first_line, std::string_view headers = "") {
    return fmt::format("{}\r\nHost: localhost\r\n{}\r\n", first_line, headers);
}

TEST_CASE("a request head is parted into its pieces, and what follows is left alone") {
    const std::string text =
        request("GET /state/room/1?x=1 HTTP/1.1",
                "Accept:*/*\r\nX-Padded: \t a b\t \r\nX-Empty:\r\naccept: text/html\r\n");
    const Parsed parsed{text + "GET /next"};
    REQUIRE(parsed.outcome == Outcome{text.size(), {0, ""}});
    const RequestHead& head = parsed.head;
    CHECK(head.method == "GET");
    CHECK(head.target == "/state/room/1?x=1");
    CHECK(head.minor_version == 1);
    CHECK(head.body == BodyFraming::none);
    CHECK(head.keep_alive);
    CHECK_FALSE(head.expects_continue);
    REQUIRE(head.headers.all().size() == 5);
    CHECK(head.headers.find("x-padded") == "a b");
    CHECK(head.headers.find("X-EMPTY") == "");
    CHECK(head.headers.find("Accept") == "*/*");
    CHECK(head.headers.count("Accept") == 2);
    CHECK_FALSE(head.headers.find("Accep"));
}

TEST_CASE("a comma-separated list is searched for a token through all of its fields") {
    const Parsed parsed{
        request("GET / HTTP/1.1", "Connection: keep-alive , Upgrade\r\nConnection: ,foo\r\n")};
    const RequestHead& head = parsed.head;
    CHECK(head.headers.has_token("connection", "upgrade"));
    CHECK(head.headers.has_token("Connection", "KEEP-ALIVE"));
    CHECK(head.headers.has_token("Connection", "foo"));
    CHECK_FALSE(head.headers.has_token("Connection", "grade"));
    CHECK_FALSE(head.headers.has_token("Connection", "keep-alive , Upgrade"));
    CHECK_FALSE(head.headers.has_token("Upgrade", "foo"));
}

TEST_CASE("whether the connection stays open follows from version and Connection") {
    const auto keeps = [](std::string_view version, std::string_view header) {
        const Parsed parsed{request(fmt::format("GET / {}", version), header)};
        REQUIRE(parsed.outcome.size == parsed.text.size());
        return parsed.head.keep_alive;
    };
    CHECK(keeps("HTTP/1.1", ""));
    CHECK_FALSE(keeps("HTTP/1.1", "Connection: Close\r\n"));
    CHECK_FALSE(keeps("HTTP/1.0", ""));
    CHECK(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
}

TEST_CASE("row 3: a request line above 4 KiB is answered 431") {
    const auto with_line_of = [](std::size_t size) {
        return request("GET /" + std::string(size - 14, 'a') + " HTTP/1.1");
    };
    CHECK(status_of(with_line_of(4096)) == 0);
    CHECK(status_of(with_line_of(4097)) == 431);
    CHECK(status_of(with_line_of(8192)) == 431);
}

TEST_CASE("row 8: a path of 100 kB is answered 414 after 8 KiB, before its end") {
    CHECK(status_of("GET /" + std::string(100'000, 'a')) == 414);
    CHECK(status_of("GET /" + std::string(8'187, 'a')) == 0);
    CHECK(status_of("GET /" + std::string(8'188, 'a')) == 414);
}

TEST_CASE("row 3: headers above 8 KiB are answered 431, before their end") {
    const std::string start = "GET / HTTP/1.1\r\nHost: x\r\n";  // 9 bytes of headers
    const auto with_headers_of = [&](std::size_t size) {
        return start + "X: " + std::string(size - 9 - 7, 'a') + "\r\n\r\n";
    };
    CHECK(status_of(with_headers_of(8192)) == 0);
    CHECK(status_of(with_headers_of(8193)) == 431);
    CHECK(status_of(start + "X: " + std::string(9000, 'a')) == 431);
}

TEST_CASE("row 3: more than 64 headers are answered 431") {
    std::string headers;
    for (int i = 0; i < 63; ++i) {
        headers += "a: b\r\n";
    }
    CHECK(status_of(request("GET / HTTP/1.1", headers)) == 0);
    CHECK(status_of(request("GET / HTTP/1.1", headers + "a: b\r\n")) == 431);
}

TEST_CASE("no head needs more memory than head_bytes_max") {
    CHECK(sizeof(HeadScan) <= 16);
    const std::string longest = "GET /" + std::string(8'187, 'a') + "\r\n";
    CHECK(longest.size() == head_bytes_max - headers_bytes_max);
    std::string headers = "Host: x\r\n";
    headers += "X: " + std::string(headers_bytes_max - headers.size() - 7, 'a') + "\r\n\r\n";
    const std::string text =
        "GET /" + std::string(request_line_bytes_max - 14, 'a') + " HTTP/1.1\r\n" + headers;
    CHECK(status_of(text) == 0);
    CHECK(text.size() <= head_bytes_max);
}

TEST_CASE("row 4: two lengths of a body are answered 400") {
    for (const char* bad :
         {"Content-Length: 1\r\nContent-Length: 1\r\n",
          "Content-Length: 1\r\ncontent-length: 2\r\n",
          "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
          "Content-Length: 1, 1\r\n", "Content-Length: +1\r\n", "Content-Length: -1\r\n",
          "Content-Length:\r\n", "Content-Length: 0x10\r\n", "Content-Length: 1 2\r\n",
          "Content-Length: 18446744073709551616\r\n"}) {
        CAPTURE(std::string{bad});
        CHECK(status_of(request("POST / HTTP/1.1", bad)) == 400);
    }
}

TEST_CASE("a body is announced by one length or by `chunked`, and in no other way") {
    using Body = std::pair<BodyFraming, std::uint64_t>;
    const auto announced = [](std::string_view header) {
        const Parsed parsed{request("POST / HTTP/1.1", fmt::format("{}\r\n", header))};
        REQUIRE(parsed.outcome.size == parsed.text.size());
        return Body{parsed.head.body, parsed.head.content_length};
    };
    CHECK(announced("Content-Length: 0123") == Body{BodyFraming::length, 123U});
    CHECK(announced("Content-Length: 9999999999999999999") ==
          Body{BodyFraming::length, 9'999'999'999'999'999'999U});
    CHECK(announced("Content-Length: 0") == Body{BodyFraming::none, 0U});
    CHECK(announced("Transfer-Encoding: Chunked") == Body{BodyFraming::chunked, 0U});
    for (const char* other :
         {"gzip", "gzip, chunked", "chunked, chunked", "xchunked", "chunked;a", ""}) {
        CHECK(status_of(request("POST / HTTP/1.1",
                                fmt::format("Transfer-Encoding: {}\r\n", other))) == 501);
    }
    CHECK(status_of(request("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n")) == 400);
}

TEST_CASE("an expectation is known or answered 417") {
    CHECK(Parsed{request("POST / HTTP/1.1", "Expect: 100-Continue\r\n")}.head.expects_continue);
    CHECK_FALSE(
        Parsed{request("POST / HTTP/1.0", "Expect: 100-continue\r\n")}.head.expects_continue);
    CHECK_FALSE(Parsed{request("POST / HTTP/1.1")}.head.expects_continue);
    CHECK(status_of(request("POST / HTTP/1.1", "Expect: wonders\r\n")) == 417);
}

TEST_CASE("row 6: a bare LF, a bare CR or a NUL is answered 400") {
    for (const std::string_view bad :
         {"GET / HTTP/1.1\nHost: x\r\n\r\n"sv, "GET / HTTP/1.1\r\nHost: x\n\r\n"sv,
          "GET / HTTP/1.1\r\nHost: x\r\n\n"sv, "GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n"sv,
          "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"sv, "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"sv,
          "GET / HTTP/1.1\r\nHost: x\r\nA: \0b\r\n\r\n"sv, "\r\nGET / HTTP/1.1\r\n"sv,
          "GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n"sv,
          "GET / HTTP/1.1\r\nHost: x\r\nA: \x7f\r\n\r\n"sv, "\n"sv, "\r\r"sv}) {
        CAPTURE(std::string{bad});
        CHECK(status_of(bad) == 400);
    }
}

TEST_CASE("row 6: a folded line, a name that is no token or no colon is answered 400") {
    for (const char* bad : {" folded: x", "\tfolded: x", "Na me: x", "Name : x", "Näme: x", ": x",
                            "Name", "N(: x", "N\"a: x", " "}) {
        CAPTURE(std::string{bad});
        CHECK(status_of(request("GET / HTTP/1.1", fmt::format("A: b\r\n{}\r\n", bad))) == 400);
        CHECK(status_of(fmt::format("GET / HTTP/1.1\r\n{}\r\nHost: x\r\n\r\n", bad)) == 400);
    }
    CHECK(status_of(request("GET / HTTP/1.1", "A: \xc3\xa4\xff\r\n")) == 0);
}

TEST_CASE("row 7: HTTP/0.9, HTTP/3.7 and the preface of HTTP/2 are answered 400 or 505") {
    CHECK(status_of("GET /\r\n") == 400);
    CHECK(status_of(request("GET / HTTP/0.9")) == 505);
    CHECK(status_of(request("GET / HTTP/3.7")) == 505);
    CHECK(status_of(request("GET / HTTP/1.2")) == 505);
    CHECK(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
    for (const char* bad : {"HTTP/1", "HTTP/11", "HTTP/1.10", "http/1.1", "HTTP/1.1 ", " HTTP/1.1",
                            "HTTP/1,1", "HTTPS/1.1", "HTTP/+1.1", "FTP/1.1", "HTTP/a.b"}) {
        CAPTURE(std::string{bad});
        CHECK(status_of(request(fmt::format("GET / {}", bad))) == 400);
    }
}

TEST_CASE("a request line that is none is answered 400, as soon as that is sure") {
    CHECK(status_of("\x16\x03\x01") == 400);  // TLS, knocking at the wrong door.
    CHECK(status_of("G\xc3") == 400);
    for (const char* bad : {"", " ", "GET", "GET  / HTTP/1.1", " GET / HTTP/1.1", "G@T / HTTP/1.1",
                            "GET  HTTP/1.1", "GET x HTTP/1.1", "GET http://x/ HTTP/1.1",
                            "GET * HTTP/1.1", "GET /# HTTP/1.1", "CONNECT x:1 HTTP/1.1"}) {
        CAPTURE(std::string{bad});
        CHECK(status_of(request(bad)) == 400);
    }
    CHECK(status_of(request("OPTIONS * HTTP/1.1")) == 0);
}

TEST_CASE("HTTP/1.1 has exactly one Host, which looks like one") {
    CHECK(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(status_of("GET / HTTP/1.0\r\n\r\n") == 0);
    CHECK(status_of(request("GET / HTTP/1.1", "Host: other\r\n")) == 400);
    CHECK(status_of("GET / HTTP/1.1\r\nHost: [::1]:7400\r\n\r\n") == 0);
    for (const char* bad : {"a b", "a/b", "a@b", "a,b", "<a>", "\xc3\xa4"}) {
        CHECK(status_of(fmt::format("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", bad)) == 400);
    }
}

TEST_CASE("a response head gives its status and headers") {
    const std::string_view text =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81";
    ResponseHead head;
    HeadScan scan;
    CHECK(parse_response_head(text.substr(0, 50), scan, head) == 0);
    CHECK(parse_response_head(text, scan, head) == text.size() - 1);
    CHECK(head.status == 101);
    CHECK(head.headers.find("upgrade") == "websocket");
    for (const char* bad : {"HTTP/1.1 99 X", "HTTP/1.1 1000", "HTTP/1.1", "HTTP/2 200", "200 OK",
                            "HTTP/1.1  200", "HTTP/1.1 2x0 OK", ""}) {
        CAPTURE(std::string{bad});
        HeadScan bad_scan;
        CHECK_FALSE(parse_response_head(fmt::format("{}\r\n\r\n", bad), bad_scan, head));
    }
    HeadScan short_scan;
    CHECK(parse_response_head("HTTP/1.1 204\r\n\r\n", short_scan, head) == 16);
    CHECK(head.status == 204);
}

TEST_CASE("decimal numbers are digits and nothing else") {
    CHECK(parse_decimal("0") == 0);
    CHECK(parse_decimal("9999999999999999999") == 9'999'999'999'999'999'999U);
    for (const char* bad :
         {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "10000000000000000000", "x"}) {
        CHECK_FALSE(parse_decimal(bad));
    }
}

TEST_CASE("one byte at a time gives what the whole gives") {
    std::vector<std::string> samples = {
        request("GET /a?b HTTP/1.1", "A: b\r\nContent-Length: 3\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        request("GET / HTTP/1.1", "A: b\n"),
        "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        request("GET / HTTP/1.1", "X: " + std::string(9000, 'a') + "\r\n"),
        "GET /" + std::string(9000, 'a'),
        request("GET /" + std::string(5000, 'a') + " HTTP/1.1")};
    for (const std::string& sample : samples) {
        RequestHead whole_head;
        RequestHead head;
        const Outcome whole = parse(sample, whole_head);
        CHECK(parse_in_pieces(sample, {1}, head) == whole);
        CHECK(head.headers.all().size() == whole_head.headers.all().size());
    }
}

TEST_CASE("property: the outcome does not depend on how the bytes are cut") {
    CHECK(rc::check([](const std::vector<std::uint8_t>& cuts) {
        const auto parts = *rc::gen::container<std::vector<std::string>>(
            rc::gen::elementOf(std::vector<std::string>{"GET",
                                                        "POST",
                                                        " ",
                                                        "/",
                                                        "*",
                                                        "a",
                                                        "HTTP/1.1",
                                                        "HTTP/1.0",
                                                        "\r\n",
                                                        "\r",
                                                        "\n",
                                                        ":",
                                                        "Host: x\r\n",
                                                        "Content-Length: 5\r\n",
                                                        "Transfer-Encoding: chunked\r\n",
                                                        "\t",
                                                        "\x01",
                                                        "\xc3",
                                                        "GET / HTTP/1.1\r\n",
                                                        "\r\n\r\n"}));
        std::string bytes = *rc::gen::element<std::string>("", "GET / HTTP/1.1\r\nHost: x\r\n");
        for (const std::string& part : parts) {
            bytes += part;
        }
        std::vector<std::size_t> sizes = {1};
        for (const std::uint8_t cut : cuts) {
            sizes.push_back(cut % 16U + 1);
        }
        RequestHead head;
        RequestHead other;
        const Outcome whole = parse(bytes, head);
        RC_ASSERT(parse_in_pieces(bytes, sizes, other) == whole);
        RC_ASSERT(whole.size == 0 || head.content_length == other.content_length);
    }));
}

}  // namespace
}  // namespace muster::wire
