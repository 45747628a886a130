#include "core/wire/http_body.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/wire/http_response.h"

namespace muster::wire {
namespace {

struct Outcome {
    std::string body;
    std::string rest;  // What was not taken.
    bool is_done = false;
    int status = 0;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome decode(const RequestHead& head, std::uint32_t bytes_max, const std::string& bytes,
               std::size_t piece_bytes = 1'000'000) {
    Outcome outcome;
    auto decoder = BodyDecoder::of(head, bytes_max);
    if (!decoder) {
        outcome.status = decoder.error().status;
        return outcome;
    }
    std::size_t at = 0;
    do {
        const std::string piece = bytes.substr(at, piece_bytes);
        std::string_view input = piece;
        for (;;) {
            const auto step = decoder->next(input);
            if (!step) {
                outcome.status = step.error().status;
                return outcome;
            }
            if (step->kind == BodyDecoder::Step::Kind::need_more) {
                CHECK(input.empty());
                break;
            }
            if (step->kind == BodyDecoder::Step::Kind::done) {
                outcome.is_done = true;
                outcome.rest = bytes.substr(at + piece.size() - input.size());
                return outcome;
            }
            CHECK_FALSE(step->part.empty());
            outcome.body += step->part;
        }
        at += piece.size();
    } while (at < bytes.size());
    return outcome;
}

RequestHead chunked_head() {
    RequestHead head;
    head.body = BodyFraming::chunked;
    return head;
}

// Status of a chunked body of at most 100 bytes; 0 where it is well or not at its end.
int chunked_status(const std::string& bytes) { return decode(chunked_head(), 100, bytes).status; }

TEST_CASE("row 5: a chunk size is 1 to 8 hexadecimal digits and nothing else") {
    CHECK(parse_chunk_size("0") == 0);
    CHECK(parse_chunk_size("1aF") == 0x1af);
    CHECK(parse_chunk_size("00000010") == 16);
    CHECK(parse_chunk_size("ffffffff") == 0xffffffff);
    for (const char* bad : {"", "ffffffffffffffff", "100000000", "-1", "+1", "0x1", "0X1", " 1",
                            "1 ", "g", "1_000", "\t1"}) {
        CAPTURE(std::string{bad});
        CHECK(parse_chunk_size(bad).error().status == 400);
        CHECK(chunked_status(std::string{bad} + "\r\n") == 400);
    }
}

TEST_CASE("a chunked body is put together, and what follows it is left alone") {
    const auto outcome = decode(chunked_head(), 100,
                                "5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\nTrailer: x\r\n\r\nGET /");
    CHECK(outcome == Outcome{"hello, world", "GET /", true, 0});
    CHECK(decode(chunked_head(), 0, "0\r\n\r\n") == Outcome{"", "", true, 0});
}

TEST_CASE("a chunked body that is not written as it should be is answered 400") {
    for (const char* bad : {"5\nhello", "5\r\nhelloX", "5\r\nhello\n", "5\r\nhello\r\r", "5\r5",
                            "0\r\n\n", "0\r\n\rX", ";a\r\n", "5;a\nb\r\n", "5;\x01\r\n",
                            "0\r\nA: b\n", "0\r\nA\x7f", "\r\n", "5 ;a\r\n"}) {
        CAPTURE(std::string{bad});
        CHECK(chunked_status(bad) == 400);
    }
}

TEST_CASE("a body above the limit is answered 413 before any of the excess is taken") {
    RequestHead head;
    head.body = BodyFraming::length;
    head.content_length = 101;
    CHECK(decode(head, 100, "").status == 413);
    head.content_length = 1ULL << 40U;
    CHECK(decode(head, 100, "").status == 413);
    CHECK(chunked_status("64\r\n") == 0);
    CHECK(chunked_status("65\r\n") == 413);
    CHECK(chunked_status("ffffffff\r\n") == 413);
    CHECK(chunked_status("32\r\n" + std::string(50, 'a') + "\r\n33\r\n") == 413);
}

TEST_CASE("extensions and trailers without end are answered 400") {
    CHECK(chunked_status("1;" + std::string(4097, 'a')) == 400);
    CHECK(chunked_status("0\r\n" + std::string(4097, 'a')) == 400);
    std::string many;
    for (int i = 0; i < 50; ++i) {
        many += "1;" + std::string(100, 'a') + "\r\nx\r\n";
    }
    CHECK(chunked_status(many) == 400);
}

TEST_CASE("a body of a given length ends there") {
    RequestHead head;
    CHECK(decode(head, 100, "GET /") == Outcome{"", "GET /", true, 0});
    head.body = BodyFraming::length;
    head.content_length = 5;
    CHECK(decode(head, 100, "helloGET /") == Outcome{"hello", "GET /", true, 0});
    CHECK(decode(head, 100, "hell") == Outcome{"hell", "", false, 0});
}

TEST_CASE("property: chunks that were appended decode to their bytes, however they are cut") {
    CHECK(rc::check([](const std::vector<std::string>& parts, std::size_t piece) {
        std::string bytes;
        std::string body;
        for (const std::string& part : parts) {
            append_chunk(bytes, part);
            body += part;
        }
        append_last_chunk(bytes);
        bytes += "next";
        const auto outcome = decode(chunked_head(), 1'000'000, bytes, piece % 9 + 1);
        RC_ASSERT(outcome == (Outcome{body, "next", true, 0}));
    }));
    CHECK(rc::check([](std::size_t piece) {
        const auto bytes = *rc::gen::container<std::string>(
            rc::gen::elementOf(std::string{"0123a;=\r\n\r\n\r\n"}));
        RC_ASSERT(decode(chunked_head(), 20, bytes, piece % 5 + 1) ==
                  decode(chunked_head(), 20, bytes));
    }));
}

}  // namespace
}  // namespace muster::wire
