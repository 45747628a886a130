#include "bench/peers/resp.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster::bench {
namespace {

using Kind = RespReader::Reply::Kind;

// Feeds `text` in pieces of `piece` bytes and tells each reply in words; "damaged" ends it.
std::vector<std::string> replies(std::string text, std::size_t piece) {
    std::vector<std::string> told;
    RespReader reader;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        // A copy of its own: a reader that looked past the end would be seen by the sanitizer.
        std::vector<char> bytes(
            text.begin() + static_cast<std::ptrdiff_t>(at),
            text.begin() + static_cast<std::ptrdiff_t>(std::min(text.size(), at + piece)));
        std::span<char> input(bytes);
        for (;;) {
            const auto reply = reader.next(input);
            if (!reply) {
                told.emplace_back("damaged");
                CHECK_FALSE(reader.next(input).has_value());
                return told;
            }
            if (reply->kind == Kind::need_more) {
                CHECK(input.empty());
                break;
            }
            std::string words =
                std::to_string(static_cast<int>(reply->kind)) + " " + std::string(reply->text);
            for (std::size_t i = 0; i < reply->part_count; ++i) {
                words += "|" + std::string(reply->parts[i]);
            }
            told.push_back(words);
        }
    }
    return told;
}

const std::string stream =
    "+PONG\r\n:12\r\n$5\r\nhello\r\n$-1\r\n$0\r\n\r\n-ERR no\r\n"
    "*3\r\n$9\r\nsubscribe\r\n$2\r\n/r\r\n:1\r\n"
    "*3\r\n$7\r\nmessage\r\n$2\r\n/r\r\n$6\r\na\r\nb\r\n\r\n";

const std::vector<std::string> stream_replies = {
    "1 PONG", "3 12",     "4 hello",           "4 ",
    "4 ",     "2 ERR no", "5 |subscribe|/r|1", "5 |message|/r|a\r\nb\r\n",
};

TEST_CASE("Redis replies are the same however the stream is cut") {
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        CAPTURE(piece);
        CHECK(replies(stream, piece) == stream_replies);
    }
}

TEST_CASE("what is no Redis reply is an error, at once and for good") {
    for (const char* damaged :
         {"hello\r\n", "$x\r\n", "$5\r\nhelloXX", "$-2\r\n", "$99999999\r\n", ":1x\r\n", "*9\r\n",
          "*-1\r\n", "*1\r\n*1\r\n:1\r\n", "+no carriage return\n", "\n"}) {
        CAPTURE(damaged);
        CHECK(replies(damaged, 1).back() == "damaged");
        CHECK(replies(damaged, 100).back() == "damaged");
    }
}

TEST_CASE("a Redis reply that never ends is refused") {
    RespReader reader;
    std::string endless = "+" + std::string(RespReader::reply_bytes_max, 'x');
    std::span<char> input(endless);
    CHECK_FALSE(reader.next(input).has_value());
}

TEST_CASE("commands are arrays of bulk strings") {
    std::string out;
    append_command(out, {"PUBLISH", "/room/1", "{}"});
    CHECK(out == "*3\r\n$7\r\nPUBLISH\r\n$7\r\n/room/1\r\n$2\r\n{}\r\n");
    rc::check("what is written as a command is read as an array", [](std::string a, std::string b) {
        std::string command;
        append_command(command, {a, b});
        RespReader reader;
        std::span<char> input(command);
        const auto reply = reader.next(input);
        RC_ASSERT(reply.has_value());
        RC_ASSERT(reply->part_count == 2U);
        RC_ASSERT(reply->parts[0] == a);
        RC_ASSERT(reply->parts[1] == b);
    });
}

}  // namespace
}  // namespace muster::bench
