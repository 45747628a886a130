#include "core/wire/deflate.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <zlib.h>

#include <array>
#include <cstdint>
#include <string>

namespace muster::wire {
namespace {

using namespace std::string_literals;

constexpr std::uint32_t limit = 64 * 1024;

std::string deflated(std::string_view message) {
    std::string out;
    REQUIRE(Deflater().append(out, message));
    return out;
}

// The message; or "1007", "1009".
std::string inflated(std::string_view bytes, std::uint32_t bytes_max = limit) {
    Inflater inflater;
    const auto message = inflater.inflate(bytes, bytes_max);
    return message ? std::string(*message)
                   : std::to_string(static_cast<int>(message.error().close_code));
}

// Text with much or little to find again in it, as the peer chooses.
std::string texts(std::size_t pieces, std::uint32_t seed) {
    std::string text;
    for (std::size_t i = 0; i < pieces; ++i) {
        seed = seed * 1'664'525 + 1'013'904'223;
        text += i % 3 == 0 ? R"({"op":"msg","from":")"s : std::to_string(seed);
    }
    return text;
}

TEST_CASE("the examples of RFC 7692 section 7.2.3 are read") {
    CHECK(inflated("\xf2\x48\xcd\xc9\xc9\x07\x00"s) == "Hello");
    CHECK(inflated("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s) == "Hello");
    CHECK(inflated("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s) == "Hello");  // A last block.
    CHECK(inflated("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s) == "Hello");
    CHECK(inflated("\x00"s).empty());
    CHECK(inflated("\xf2\x00\x11\x00\x00"s) == "1007");  // It builds on an earlier "Hello".
}

TEST_CASE("a last block may also end the bytes, or be the empty one at their end") {
    CHECK(inflated("\xf3\x48\xcd\xc9\xc9\x07\x00"s) == "Hello");
    CHECK(inflated("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x01"s) == "Hello");
    CHECK(inflated("\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x00"s) == "1007");
    CHECK(inflated("\xf3\x48\xcd\xc9\xc9\x07\x00\x01"s) == "1007");
}

TEST_CASE("what was deflated is inflated to what it was, whatever was before") {
    Deflater deflater;
    Inflater inflater;
    const auto check = [&](const std::string& message) {
        std::string out = "before";
        if (!deflater.append(out, message)) {
            RC_ASSERT(out == "before");
            return;
        }
        RC_ASSERT(out.size() < message.size() + 6);
        RC_ASSERT(out.substr(6) == deflated(message));
        RC_ASSERT(inflater.inflate(std::string_view(out).substr(6), limit) == message);
    };
    CHECK(rc::check("bytes", [&](const std::string& message) { check(message); }));
    CHECK(rc::check("text", [&] {
        check(texts(*rc::gen::inRange<std::size_t>(0, 500), *rc::gen::arbitrary<std::uint32_t>()));
    }));
    check(std::string(limit, 'x'));
}

TEST_CASE("damaged bytes spoil nothing for the next message") {
    Inflater inflater;
    const std::string good = deflated(texts(100, 1));
    CHECK_FALSE(inflater.inflate(good.substr(0, 200), limit).has_value());
    CHECK_FALSE(inflater.inflate("\xff\xff", limit).has_value());
    CHECK_FALSE(inflater.inflate(good, 100).has_value());
    CHECK(inflater.inflate(good, limit) == texts(100, 1));
}

TEST_CASE("bytes that are cut off anywhere are damaged") {
    const std::string message = texts(60, 1);
    const std::string good = deflated(message);
    for (std::size_t size = 0; size < good.size(); ++size) {
        CAPTURE(size);
        CHECK(inflated(good.substr(0, size)) == "1007");
    }
}

TEST_CASE("row 25: inflating stops at the limit") {
    CHECK(inflated(deflated(std::string(1'000, 'x')), 1'000) == std::string(1'000, 'x'));
    CHECK(inflated(deflated(std::string(1'001, 'x')), 1'000) == "1009");
    CHECK(inflated(deflated(std::string(limit, 'x'))) == std::string(limit, 'x'));
    // The damage behind it is not seen any more.
    CHECK(inflated(deflated(std::string(limit + 1'000, 'x')) + "\xff\xff") == "1009");
    CHECK(inflated(deflated(std::string(limit - 1'000, 'x')) + "\xff\xff") == "1007");
    // The last byte too many may come out of bytes that are there already.
    for (std::uint32_t bytes_max = 0; bytes_max < 20; ++bytes_max) {
        CHECK(inflated("\xf2\x48\xcd\xc9\xc9\x07\x00"s, bytes_max) ==
              (bytes_max < 5 ? "1009" : "Hello"));
    }
}

TEST_CASE("a message of hundreds of blocks that hold nothing is refused") {
    const auto empty_blocks = [](int count) {
        std::string bytes;
        for (int i = 0; i < count; ++i) {
            bytes += "\x00\x00\x00\xff\xff"s;
        }
        return bytes + "\x00"s;
    };
    CHECK(inflated(empty_blocks(50)).empty());
    CHECK(inflated(empty_blocks(100)) == "1007");
    CHECK(inflated(empty_blocks(13'000)) == "1007");
    // Whoever flushes after every line still gets through.
    std::string lines;
    std::string bytes;
    for (int i = 0; i < 200; ++i) {
        const std::string line(300, static_cast<char>('a' + i % 26));
        lines += line;
        bytes += deflated(line) + "\x00\x00\xff\xff"s;
    }
    CHECK(inflated(bytes + "\x00"s) == lines);
}

TEST_CASE("what does not get smaller is left as it is") {
    std::string out = "before";
    Deflater deflater;
    CHECK_FALSE(deflater.append(out, ""));
    CHECK_FALSE(deflater.append(out, "abc"));
    std::string noise;
    std::uint32_t seed = 1;
    for (int i = 0; i < 1'000; ++i) {
        seed = seed * 1'664'525 + 1'013'904'223;
        noise += static_cast<char>(seed >> 24U);
    }
    CHECK_FALSE(deflater.append(out, noise));
    CHECK(out == "before");
}

TEST_CASE("a peer with a window of deflate_window_bits can read what we write") {
    std::string message;
    for (std::uint32_t i = 0; i < 3; ++i) {
        message += texts(2'000, 7);  // Each far apart from its repetition.
    }
    std::string bytes = deflated(message) + "\0\0\xff\xff"s;
    z_stream z{};
    REQUIRE(inflateInit2(&z, -deflate_window_bits) == Z_OK);
    z.next_in = reinterpret_cast<Bytef*>(bytes.data());
    z.avail_in = static_cast<uInt>(bytes.size());
    // A piece at a time, or zlib would look back into our memory in place of its window.
    std::string read;
    std::array<char, 100> piece{};
    do {
        z.next_out = reinterpret_cast<Bytef*>(piece.data());
        z.avail_out = static_cast<uInt>(piece.size());
        CHECK(inflate(&z, Z_SYNC_FLUSH) == Z_OK);
        read.append(piece.data(), piece.size() - z.avail_out);
    } while (z.avail_out == 0);
    inflateEnd(&z);
    CHECK(read == message);
}

}  // namespace
}  // namespace muster::wire
