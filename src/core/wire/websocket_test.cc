#include "core/wire/websocket.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

namespace muster::wire {
namespace {

using namespace std::string_literals;
using Kind = WebSocketDecoder::Step::Kind;
using Side = WebSocketDecoder::Side;

constexpr std::uint32_t limit = 64 * 1024;
constexpr int text = 1;
constexpr int binary = 2;
constexpr int more = 0;  // A continuation.
constexpr int close = 8;
constexpr int ping = 9;
constexpr int pong = 10;
constexpr int unfinished = -0x80;  // Added to an opcode: without the FIN bit.

// A frame byte by byte, not by the encoder under test. `first` is an opcode, or any first byte.
std::string frame(int first, std::string_view payload, bool is_masked = true) {
    std::string out{static_cast<char>(0x80 + first)};
    const char mask_bit = is_masked ? '\x80' : '\0';
    const std::size_t size = payload.size();
    if (size < 126) {
        out += static_cast<char>(mask_bit | static_cast<char>(size));
    } else {
        const int length_bytes = size < 65536 ? 2 : 8;
        out += static_cast<char>(mask_bit | (length_bytes == 2 ? 126 : 127));
        for (int i = length_bytes - 1; i >= 0; --i) {
            out += static_cast<char>(size >> (8 * i));
        }
    }
    const std::string mask = is_masked ? "\x12\x34\x56\x78"s : "\0\0\0\0"s;
    out += is_masked ? mask : "";
    for (std::size_t i = 0; i < size; ++i) {
        out += static_cast<char>(payload[i] ^ mask[i % 4]);
    }
    return out;
}

std::string close_payload(int code, std::string_view reason = "") {
    return fmt::format("{}{}{}", static_cast<char>(code >> 8), static_cast<char>(code), reason);
}

// All that a decoder says about `bytes`, such as "text:hello ping: close:1000: " or "error:1002 ".
// Each piece comes in memory of its own that is gone after the call.
struct Feed {
    WebSocketDecoder decoder;
    std::string log;
    std::size_t buffered_most = 0;

    explicit Feed(Side side = Side::server, std::uint32_t bytes_max = limit)
        : decoder(side, bytes_max) {}

    // Returns whether the connection still lives.
    bool take(std::string_view piece) {
        std::vector<char> bytes(piece.begin(), piece.end());
        std::span<char> input{bytes};
        for (;;) {
            const auto step = decoder.next(input);
            buffered_most = std::max(buffered_most, decoder.buffered_bytes());
            if (!step) {
                log += fmt::format("error:{} ", static_cast<int>(step.error().close_code));
                return false;
            }
            switch (step->kind) {
                case Kind::need_more: CHECK(input.empty()); return true;
                case Kind::text: log += "text:"; break;
                case Kind::binary: log += "binary:"; break;
                case Kind::ping: log += "ping:"; break;
                case Kind::pong: log += "pong:"; break;
                case Kind::close:
                    log += fmt::format("close:{}:", static_cast<int>(step->close_code));
                    break;
            }
            log += step->payload;
            log += ' ';
        }
    }

    bool take_in_pieces(std::string_view bytes, std::size_t piece_bytes) {
        for (std::size_t i = 0; i < bytes.size(); i += piece_bytes) {
            if (!take(bytes.substr(i, piece_bytes))) {
                return false;
            }
        }
        return true;
    }
};

// What a server says about `bytes`, whole and byte by byte, which must be the same.
std::string said_of(std::string_view bytes, std::uint32_t bytes_max = limit) {
    Feed whole{Side::server, bytes_max};
    whole.take(bytes);
    Feed slow{Side::server, bytes_max};
    slow.take_in_pieces(bytes, 1);
    CHECK(whole.log == slow.log);
    return whole.log;
}

TEST_CASE("whole messages come out as they went in") {
    CHECK(said_of(frame(text, "hello")) == "text:hello ");
    CHECK(said_of(frame(binary, "\xff\x01")) == "binary:\xff\x01 ");
    CHECK(said_of(frame(text, "")) == "text: ");
    CHECK(said_of(frame(ping, "a") + frame(pong, "") + frame(text, "b")) == "ping:a pong: text:b ");
}

TEST_CASE("a message that lies whole in the input is shown there, without a copy") {
    std::string bytes = frame(text, "hello") + frame(ping, "");
    std::span<char> input{bytes};
    WebSocketDecoder decoder{Side::server, limit};
    const auto step = decoder.next(input);
    REQUIRE(step);
    CHECK(step->payload.data() == bytes.data() + 6);
    CHECK(input.size() == 6);
    CHECK(decoder.buffered_bytes() == 0);
}

TEST_CASE("deflated messages are shown as they came, once both sides have agreed on them") {
    constexpr int deflated = 0x40;
    std::string bytes = frame(deflated + text, "\xff\x01") +
                        frame(deflated + binary + unfinished, "\xfe") + frame(ping, "p") +
                        frame(more, "\xfd") + frame(text, "plain");
    CHECK(said_of(bytes) == "error:1002 ");
    for (const std::size_t piece_bytes : {bytes.size(), std::size_t{1}}) {
        WebSocketDecoder decoder{Side::server, limit};
        decoder.take_deflated();
        std::string log;
        for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
            std::string piece = bytes.substr(at, piece_bytes);
            std::span<char> input{piece};
            for (auto step = decoder.next(input).value(); step.kind != Kind::need_more;
                 step = decoder.next(input).value()) {
                log += step.is_deflated ? "deflated:" : "plain:";
                log += step.payload;
                log += ' ';
            }
        }
        CHECK(log == "deflated:\xff\x01 plain:p deflated:\xfe\xfd plain:plain ");
    }
}

TEST_CASE("RSV1 is an error in control frames, continuations and beside other reserved bits") {
    for (const int first : {0x40 + ping, 0x40 + close, 0x40 + more, 0x60 + text, 0x50 + text,
                            0x20 + text, 0x40 + 3}) {
        for (const std::string& before : {std::string(), frame(text + unfinished, "a")}) {
            WebSocketDecoder decoder{Side::server, limit};
            decoder.take_deflated();
            std::string bytes = before + frame(first, "");
            std::span<char> input{bytes};
            const auto step = decoder.next(input);
            REQUIRE_FALSE(step.has_value());
            CHECK(step.error().close_code == CloseCode::protocol_error);
        }
    }
}

TEST_CASE("an idle decoder holds no memory, and gives back what a message in parts took") {
    CHECK(sizeof(WebSocketDecoder) <= 56);
    Feed feed;
    const std::string bytes = frame(binary, std::string(40'000, 'x'));
    feed.take(bytes.substr(0, 5));
    CHECK(feed.decoder.buffered_bytes() == 0);
    feed.take(bytes.substr(5, 10'000));
    CHECK(feed.decoder.buffered_bytes() >= 9'000);
    CHECK(feed.decoder.buffered_bytes() <= 20'000);
    feed.take(bytes.substr(10'005));
    CHECK(feed.log.size() == 40'000 + 8);
    CHECK(feed.decoder.buffered_bytes() == 0);
}

TEST_CASE("fragments become one message, with control frames between them") {
    CHECK(said_of(frame(text + unfinished, "he") + frame(more + unfinished, "l") +
                  frame(ping, "?") + frame(more + unfinished, "") + frame(more, "lo") +
                  frame(text, "next")) == "ping:? text:hello text:next ");
    CHECK(said_of(frame(binary + unfinished, "") + frame(more, "")) == "binary: ");
}

TEST_CASE("row 14: a frame that is not masked closes with 1002") {
    CHECK(said_of(frame(text, "hello", false)) == "error:1002 ");
    CHECK(said_of("\x81\x05") == "error:1002 ");
}

TEST_CASE("row 15: a reserved bit or opcode closes with 1002, at the first byte") {
    for (const int bit : {0x40, 0x20, 0x10}) {
        CHECK(said_of(frame(text + bit, "x")) == "error:1002 ");
    }
    for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
        CHECK(said_of(frame(opcode, "x")) == "error:1002 ");
        CHECK(said_of(frame(opcode, "x").substr(0, 1)) == "error:1002 ");
    }
}

TEST_CASE("row 16: a control frame above 125 bytes or in fragments closes with 1002") {
    for (const int opcode : {close, ping, pong}) {
        CHECK(said_of(frame(opcode, std::string(126, 'x'))) == "error:1002 ");
        CHECK(said_of(frame(opcode, std::string(70'000, 'x'))) == "error:1002 ");
        CHECK(said_of(frame(opcode + unfinished, "x")) == "error:1002 ");
    }
    CHECK(said_of(frame(ping, std::string(125, 'x'))) == "ping:" + std::string(125, 'x') + " ");
}

TEST_CASE("row 17: a length with its top bit set closes with 1002") {
    CHECK(said_of("\x82\xff\x80\0\0\0\0\0\0\0"s) == "error:1002 ");
    CHECK(said_of("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"s) == "error:1002 ");
}

TEST_CASE("row 17: a length that is not minimal closes with 1002") {
    CHECK(said_of("\x82\xfe\0\x05"s) == "error:1002 ");
    CHECK(said_of("\x82\xfe\0\x7d"s) == "error:1002 ");
    CHECK(said_of("\x82\xfe\0\x7e"s) == "");
    CHECK(said_of("\x82\xff\0\0\0\0\0\0\xff\xff"s) == "error:1002 ");
    CHECK(said_of("\x82\xff\0\0\0\0\0\0\0\0"s) == "error:1002 ");
}

TEST_CASE("row 18: a declared length of 2^40 closes with 1009 at the header, and takes no memory") {
    Feed feed;
    CHECK_FALSE(feed.take("\x82\xff\0\0\x01\0\0\0\0\0"s));
    CHECK(feed.log == "error:1009 ");
    CHECK(feed.buffered_most == 0);
}

TEST_CASE("a declared length within the limit takes no memory either before the bytes come") {
    Feed feed;
    CHECK(feed.take("\x82\xff\0\0\0\0\0\x01\0\0mask!"s));
    CHECK(feed.buffered_most <= 1024);
}

TEST_CASE("row 19: fragments above the limit in sum close with 1009") {
    const std::string half(limit / 2, 'x');
    const std::string start = frame(binary + unfinished, half) + frame(more + unfinished, half);
    CHECK(said_of(start + frame(more, "")) == "binary:" + half + half + " ");
    CHECK(said_of(start + frame(more, "x")) == "error:1009 ");
    CHECK(said_of(frame(binary, half + half + "x")) == "error:1009 ");
    // The limit is that of one message, not of all.
    CHECK(said_of(frame(binary, half + half) + frame(text, "x")) ==
          "binary:" + half + half + " text:x ");
}

TEST_CASE("row 19: fragments of 1 byte without end close with 1009, in bounded memory") {
    for (const char* payload : {"x", ""}) {
        Feed feed{Side::server, 1000};
        REQUIRE(feed.take(frame(text + unfinished, payload)));
        int count = 1;
        while (count < 2000 && feed.take(frame(more + unfinished, payload))) {
            ++count;
        }
        CHECK(count == 1000);
        CHECK(feed.log == "error:1009 ");
        CHECK(feed.buffered_most <= 1000 + 125);
        CHECK(feed.decoder.buffered_bytes() == 0);
    }
}

TEST_CASE("row 20: a continuation without a start closes with 1002") {
    CHECK(said_of(frame(more, "x")) == "error:1002 ");
    CHECK(said_of(frame(more + unfinished, "x")) == "error:1002 ");
    CHECK(said_of(frame(text, "a") + frame(more, "x")) == "text:a error:1002 ");
    CHECK(said_of(frame(text + unfinished, "a") + frame(more, "b") + frame(more, "x")) ==
          "text:ab error:1002 ");
}

TEST_CASE("row 20: a new message inside a fragmented one closes with 1002") {
    for (const int opcode : {text, binary, text + unfinished, binary + unfinished}) {
        CHECK(said_of(frame(text + unfinished, "a") + frame(opcode, "x")) == "error:1002 ");
    }
}

TEST_CASE("row 21: text that is not UTF-8 closes with 1007") {
    for (const char* bad :
         {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a\x80"}) {
        CHECK(said_of(frame(text, bad)) == "error:1007 ");
        CHECK(said_of(frame(binary, bad)) == fmt::format("binary:{} ", bad));
    }
}

TEST_CASE("row 21: a code point may be split over fragments, but not end with the message") {
    CHECK(said_of(frame(text + unfinished, "\xe2") + frame(ping, "") +
                  frame(more + unfinished, "\x82") + frame(more, "\xac")) == "ping: text:€ ");
    CHECK(said_of(frame(text + unfinished, "\xe2") + frame(more, "\x82")) == "error:1007 ");
    CHECK(said_of(frame(text + unfinished, "\xe2\x82") + frame(more, "")) == "error:1007 ");
}

TEST_CASE("row 21: bad text closes at its first bad byte, before the message is there") {
    CHECK(said_of(frame(text + unfinished, "a\xff")) == "error:1007 ");
    CHECK(said_of(frame(text + unfinished, "\xed") + frame(more + unfinished, "\xa0")) ==
          "error:1007 ");
    const std::string bytes = frame(text, "\xff" + std::string(1000, 'a'));
    CHECK(said_of(bytes.substr(0, 20)) == "error:1007 ");
}

TEST_CASE("row 22: a close frame with a bad payload closes with 1002") {
    CHECK(said_of(frame(close, "x")) == "error:1002 ");
    for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
        CHECK(said_of(frame(close, close_payload(code))) == "error:1002 ");
    }
    CHECK(said_of(frame(close, close_payload(1000, "\xff"))) == "error:1002 ");
    CHECK(said_of(frame(close, close_payload(1000, "\xe2\x82"))) == "error:1002 ");
}

TEST_CASE("a good close frame comes out with its code and reason, and nothing after it") {
    CHECK(said_of(frame(close, "") + frame(text, "late")) == "close:1005: ");
    CHECK(said_of(frame(close, close_payload(1000, "bye")) + "\xff\xff rubbish") ==
          "close:1000:bye ");
    for (const int code : {1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4000, 4999}) {
        CHECK(said_of(frame(close, close_payload(code))) == fmt::format("close:{}: ", code));
    }
    Feed feed;
    feed.take(frame(text + unfinished, "part") + frame(close, "").substr(0, 3));
    feed.take(frame(close, "").substr(3));
    feed.take("more");
    CHECK(feed.log == "close:1005: ");
    CHECK(feed.decoder.buffered_bytes() == 0);
}

TEST_CASE("an error is repeated, whatever comes after it") {
    Feed feed;
    CHECK_FALSE(feed.take(frame(text, "\xff")));
    CHECK_FALSE(feed.take(frame(text, "good")));
    CHECK(feed.log == "error:1007 error:1007 ");
}

TEST_CASE("a client takes unmasked frames and closes with 1002 for masked ones") {
    Feed good{Side::client};
    good.take_in_pieces(frame(text, "hello", false) + frame(ping, "p", false), 3);
    CHECK(good.log == "text:hello ping:p ");
    Feed bad{Side::client};
    bad.take(frame(text, "hello"));
    CHECK(bad.log == "error:1002 ");
}

TEST_CASE("frames of all sizes around the steps of the length survive the way") {
    for (const std::size_t size :
         {0U, 1U, 7U, 8U, 124U, 125U, 126U, 127U, 128U, 65534U, 65535U, 65536U, 65537U}) {
        const std::string payload(size, 'x');
        std::string from_server;
        append_server_frame(from_server, WebSocketOpcode::text, payload);
        CHECK(from_server == frame(text, payload, false));
        CHECK(from_server.size() == size + server_frame_header_size(size));
        std::string from_client;
        append_client_frame(from_client, WebSocketOpcode::binary, payload, 0x12345678);
        CHECK(from_client.size() == from_server.size() + 4);
        for (const std::size_t piece : {1'000'000U, 1000U, 7U, 1U}) {
            Feed client{Side::client, 1 << 20};
            client.take_in_pieces(from_server, piece);
            CHECK(client.log == "text:" + payload + " ");
            Feed server{Side::server, 1 << 20};
            server.take_in_pieces(from_client, piece);
            CHECK(server.log == "binary:" + payload + " ");
        }
    }
}

TEST_CASE("a close frame that we write is one that we read, with as much reason as fits") {
    std::string out;
    append_close(out, CloseCode{4003}, "superseded");
    append_close(out, CloseCode::normal, "");
    CHECK(out == frame(close, close_payload(4003, "superseded"), false) +
                     frame(close, close_payload(1000), false));
    out.clear();
    append_client_close(out, CloseCode::none, "no code, no reason", 7);
    CHECK(said_of(out) == "close:1005: ");
    for (std::size_t size = 118; size <= 126; ++size) {
        out.clear();
        append_client_close(out, CloseCode::too_big, std::string(size, 'x') + "€€€", 0x01020304);
        const std::size_t fitting = std::min<std::size_t>(size, 123);
        const std::string euros = size <= 120 ? "€" : "";
        CHECK(said_of(out) == fmt::format("close:1009:{}{} ", std::string(fitting, 'x'), euros));
    }
}

TEST_CASE("the codes of the registry have the close codes of its table") {
    const auto number = [](ErrorCode code) { return static_cast<int>(close_code_of(code)); };
    CHECK(number(ErrorCode::protocol) == 4000);
    CHECK(number(ErrorCode::hello_timeout) == 4000);
    CHECK(number(ErrorCode::silent) == 4000);
    CHECK(number(ErrorCode::bad_token) == 4001);
    CHECK(number(ErrorCode::token_expired) == 4002);
    CHECK(number(ErrorCode::superseded) == 4003);
    CHECK(number(ErrorCode::session_lost) == 4004);
    CHECK(number(ErrorCode::slow) == 4008);
    CHECK(number(ErrorCode::resume_refused) == 4010);
    CHECK(number(ErrorCode::upstream) == 4013);
    CHECK(number(ErrorCode::drain) == 1001);
    CHECK(number(ErrorCode::framing) == 1002);
    CHECK(number(ErrorCode::bad_utf8) == 1007);
    CHECK(number(ErrorCode::abuse) == 1008);
    CHECK(number(ErrorCode::frame_too_big) == 1009);
    CHECK(number(ErrorCode::overload) == 1013);
}

TEST_CASE("every refusal names the code of the registry that closes so") {
    for (const auto& [bytes, code] :
         {std::pair{frame(text, "x", false), ErrorCode::framing},
          {frame(text, "\xff"), ErrorCode::bad_utf8},
          {frame(text, std::string(limit + 1, 'x')), ErrorCode::frame_too_big}}) {
        std::string copy = bytes;
        std::span<char> input{copy};
        WebSocketDecoder decoder{Side::server, limit};
        const auto step = decoder.next(input);
        REQUIRE_FALSE(step);
        CHECK(step.error().code == code);
        CHECK(close_code_of(code) == step.error().close_code);
        CHECK_FALSE(step.error().why.empty());
    }
}

// Some frames, good and bad.
rc::Gen<std::string> frames() {
    return rc::gen::map(
        rc::gen::container<std::vector<std::tuple<int, std::string, bool>>>(rc::gen::tuple(
            rc::gen::weightedElement<int>({{8, text},
                                           {8, binary},
                                           {4, text + unfinished},
                                           {4, binary + unfinished},
                                           {8, more},
                                           {8, more + unfinished},
                                           {4, ping},
                                           {2, pong},
                                           {1, close},
                                           {1, 5}}),
            rc::gen::oneOf(rc::gen::container<std::string>(rc::gen::inRange('a', 'z')),
                           rc::gen::element<std::string>("€", "\xe2", "\x82\xac", "\x82", "\xac",
                                                         std::string(130, 'z'), "\xff",
                                                         std::string(300, 'y'))),
            rc::gen::weightedElement<bool>({{50, true}, {1, false}}))),
        [](const auto& parts) {
            std::string bytes;
            for (const auto& [first, payload, is_masked] : parts) {
                bytes += frame(first, payload, is_masked);
            }
            return bytes;
        });
}

TEST_CASE("property: the steps do not depend on how the bytes are cut") {
    CHECK(rc::check([](const std::vector<std::uint8_t>& cuts) {
        const std::string bytes = *frames();
        Feed whole{Side::server, 500};
        whole.take(bytes);
        Feed cut{Side::server, 500};
        std::size_t at = 0;
        bool lives = true;
        for (std::size_t i = 0; lives && at < bytes.size(); ++i) {
            const std::size_t size = cuts.empty() ? 1 : cuts[i % cuts.size()] % 40U + 1;
            lives = cut.take(std::string_view{bytes}.substr(at, size));
            at += size;
        }
        RC_ASSERT(whole.log == cut.log);
        RC_ASSERT(cut.buffered_most <= 500 + 125);
    }));
}

TEST_CASE("property: messages of any bytes, masked by any key, come out as they went in") {
    CHECK(rc::check(
        [](const std::vector<std::string>& messages, std::uint32_t key, std::size_t piece) {
            std::string bytes;
            std::string expected;
            for (const std::string& message : messages) {
                append_client_frame(bytes, WebSocketOpcode::binary, message, key);
                expected += "binary:" + message + " ";
            }
            Feed feed;
            RC_ASSERT(feed.take_in_pieces(bytes, piece % 50 + 1));
            RC_ASSERT(feed.log == expected);
        }));
}

}  // namespace
}  // namespace muster::wire
