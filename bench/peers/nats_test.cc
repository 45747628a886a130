#include "bench/peers/nats.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace muster::bench {
namespace {

using Kind = NatsReader::Message::Kind;

std::vector<std::string> messages(const std::string& text, std::size_t piece) {
    std::vector<std::string> told;
    NatsReader reader;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        const std::string part = text.substr(at, piece);
        std::vector<char> bytes(part.begin(), part.end());
        std::span<char> input(bytes);
        for (;;) {
            const auto message = reader.next(input);
            if (!message) {
                told.emplace_back("damaged");
                CHECK_FALSE(reader.next(input).has_value());
                return told;
            }
            if (message->kind == Kind::need_more) {
                CHECK(input.empty());
                break;
            }
            told.push_back(std::to_string(static_cast<int>(message->kind)) + " " +
                           std::string(message->text));
        }
    }
    return told;
}

TEST_CASE("NATS messages are the same however the stream is cut") {
    const std::string stream =
        "INFO {\"server_id\":\"x\"}\r\nPONG\r\nMSG /room/1 1 4\r\na\r\nb\r\nPING\r\n+OK\r\n"
        "MSG /room/1 1 reply.to 0\r\n\r\n-ERR 'no'\r\n";
    const std::vector<std::string> expected = {
        "1 {\"server_id\":\"x\"}", "4 ", "2 a\r\nb", "3 ", "5 ", "2 ", "6 -ERR 'no'",
    };
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        CAPTURE(piece);
        CHECK(messages(stream, piece) == expected);
    }
}

TEST_CASE("what is no NATS message is an error, at once and for good") {
    for (const char* damaged :
         {"HELLO\r\n", "MSG\r\n", "MSG a 1 x\r\n", "MSG a 1 -1\r\n", "MSG a 1 99999999\r\n",
          "MSG a 1 1\r\naXX", "PING\n", "\r\n", "MSG a 1 18446744073709551616\r\n"}) {
        CAPTURE(damaged);
        CHECK(messages(damaged, 1).back() == "damaged");
        CHECK(messages(damaged, 100).back() == "damaged");
    }
}

TEST_CASE("a NATS line that never ends is refused") {
    NatsReader reader;
    std::string endless(NatsReader::line_bytes_max + 1, 'x');
    std::span<char> input(endless);
    CHECK_FALSE(reader.next(input).has_value());
}

// Lets the server say `text` and returns what the client heard, the last thing.
Heard say(NatsConversation& client, std::string text, std::string& out) {
    std::span<char> input(text);
    Heard last;
    for (;;) {
        const auto heard = client.next(input, out);
        REQUIRE(heard.has_value());
        if (heard->kind == Heard::Kind::nothing) {
            return last;
        }
        last = *heard;
        last.text = {};
    }
}

TEST_CASE("a NATS client signs in once the server has spoken, and is up with the PONG") {
    NatsConversation client({"alice", "/room/1", false});
    std::string out;
    client.begin(out);
    CHECK(out.empty());
    CHECK(say(client, "INFO {}\r\n", out).kind == Heard::Kind::nothing);
    CHECK(out.starts_with("CONNECT {\"verbose\":false"));
    CHECK(out.ends_with("SUB /room/1 1\r\nPING\r\n"));
    CHECK(say(client, "PONG\r\n", out).kind == Heard::Kind::joined);
    out.clear();
    client.send(out, "/room/1", "hi");
    CHECK(out == "PUB /room/1 2\r\nhi\r\n");
    CHECK(say(client, "MSG /room/1 1 2\r\nhi\r\n", out).kind == Heard::Kind::message);
    client.leave(out, "/room/1");
    CHECK(say(client, "PING\r\nPONG\r\n", out).kind == Heard::Kind::left);
    CHECK(out.ends_with("UNSUB 1\r\nPING\r\nPONG\r\n"));
}

}  // namespace
}  // namespace muster::bench
