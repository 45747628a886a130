#include "core/wire/length_frames.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace muster::wire;

namespace {

using Kind = LengthDecoder::Step::Kind;

constexpr std::uint32_t bytes_max = 64 * 1024;

/// Hands `bytes` to the decoder and returns the messages; "too big" for a length that is.
std::vector<std::string> taken(LengthDecoder& decoder, std::string bytes) {
    std::vector<std::string> messages;
    std::span<char> input{bytes};
    for (;;) {
        const auto step = decoder.next(input);
        if (step.kind != Kind::message) {
            CHECK(input.empty());
            if (step.kind == Kind::too_big) {
                messages.emplace_back("too big");
            }
            return messages;
        }
        messages.emplace_back(step.message);
    }
}

std::string framed(std::string_view message) {
    std::string bytes;
    append_length_frame(bytes, message);
    return bytes;
}

}  // namespace

TEST_CASE("a length is four bytes, the biggest first") {
    CHECK(framed("abc") == std::string("\0\0\0\3abc", 7));
    CHECK(framed(std::string(66'051, 'x')).substr(0, 4) == std::string("\0\1\2\3", 4));
}

TEST_CASE("messages come out as they went in, however they were cut") {
    CHECK(rc::check("cut anywhere", [] {
        const auto sent = *rc::gen::container<std::vector<std::string>>(
            rc::gen::container<std::string>(rc::gen::arbitrary<char>()));
        std::string bytes;
        for (const auto& message : sent) {
            bytes += framed(message);
        }
        LengthDecoder decoder{bytes_max};
        std::vector<std::string> came;
        while (!bytes.empty()) {
            const auto size = *rc::gen::inRange<std::size_t>(1, bytes.size() + 1);
            for (auto& message : taken(decoder, bytes.substr(0, size))) {
                came.push_back(std::move(message));
            }
            bytes.erase(0, size);
        }
        RC_ASSERT(came == sent);
        std::span<char> nothing;
        RC_ASSERT(decoder.next(nothing).kind == Kind::need_more);
        RC_ASSERT(decoder.buffered_bytes() == 0U);
    }));
}

TEST_CASE("a message that lies whole in the input is not copied") {
    std::string bytes = framed("abc");
    std::span<char> input{bytes};
    LengthDecoder decoder{bytes_max};
    CHECK(decoder.next(input).message.data() == bytes.data() + 4);
    CHECK(decoder.buffered_bytes() == 0);
}

TEST_CASE("row 18: a declared length above the bound ends it at the header, and takes no memory") {
    for (const std::string_view header :
         {std::string_view("\0\1\0\1", 4), std::string_view("\xff\xff\xff\xff", 4)}) {
        LengthDecoder decoder{bytes_max};
        CHECK(taken(decoder, std::string(header)) == std::vector<std::string>{"too big"});
        CHECK(taken(decoder, framed("abc")) == std::vector<std::string>{"too big"});
        CHECK(decoder.buffered_bytes() == 0);
    }
    LengthDecoder decoder{bytes_max};
    CHECK(taken(decoder, framed(std::string(bytes_max, 'x'))).size() == 1);
    CHECK(taken(decoder, std::string("\0\1\0\0", 4)).empty());
    CHECK(decoder.buffered_bytes() < 64);
    CHECK(taken(decoder, std::string(1'000, 'x')).empty());
    CHECK(decoder.buffered_bytes() <= 2'000);
}
