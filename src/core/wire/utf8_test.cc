#include "core/wire/utf8.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace muster::wire {
namespace {

std::string encoded(unsigned code_point) {
    const auto tail = [code_point](unsigned shift) {
        return static_cast<char>(0x80U | ((code_point >> shift) & 0x3fU));
    };
    if (code_point < 0x80) {
        return {static_cast<char>(code_point)};
    }
    if (code_point < 0x800) {
        return {static_cast<char>(0xc0U | code_point >> 6U), tail(0)};
    }
    if (code_point < 0x10000) {
        return {static_cast<char>(0xe0U | code_point >> 12U), tail(6), tail(0)};
    }
    return {static_cast<char>(0xf0U | code_point >> 18U), tail(12), tail(6), tail(0)};
}

bool is_valid_in_pieces(std::string_view text, std::size_t piece_bytes) {
    Utf8Validator validator;
    for (std::size_t i = 0; i < text.size(); i += piece_bytes) {
        if (!validator.take(text.substr(i, piece_bytes))) {
            return false;
        }
    }
    return validator.is_complete();
}

TEST_CASE("every code point but the surrogates is valid UTF-8, and nothing else of its length is") {
    std::size_t wrong = 0;
    for (unsigned code_point = 0; code_point <= 0x110fff; ++code_point) {
        const bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
        const bool expected = !is_surrogate && code_point <= 0x10ffff;
        wrong += is_valid_utf8(encoded(code_point)) == expected ? 0U : 1U;
    }
    CHECK(wrong == 0);
}

TEST_CASE("all pairs and triples of bytes are judged as RFC 3629 has it") {
    // Against the grammar written out once more, in another way than the table.
    const auto is_tail = [](unsigned b) { return b >= 0x80 && b <= 0xbf; };
    std::size_t wrong = 0;
    for (unsigned a = 0xc0; a <= 0xff; ++a) {
        for (unsigned b = 0; b < 256; ++b) {
            const std::string pair{static_cast<char>(a), static_cast<char>(b)};
            const bool is_pair = a >= 0xc2 && a <= 0xdf && is_tail(b);
            wrong += is_valid_utf8(pair) == is_pair ? 0U : 1U;
            for (const unsigned c : {0x00U, 0x7fU, 0x80U, 0xbfU, 0xc0U, 0xffU}) {
                const unsigned low = a == 0xe0 ? 0xa0 : 0x80;
                const unsigned high = a == 0xed ? 0x9f : 0xbf;
                const bool is_triple = (a & 0xf0U) == 0xe0 && b >= low && b <= high && is_tail(c);
                const bool is_pair_and_ascii = is_pair && c < 0x80;
                wrong +=
                    is_valid_utf8(pair + static_cast<char>(c)) == (is_triple || is_pair_and_ascii)
                        ? 0U
                        : 1U;
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("overlong forms, surrogates and code points above U+10FFFF are refused") {
    for (const char* bad :
         {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
          "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\x80",
          "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3\x28"}) {
        CAPTURE(std::string{bad});
        CHECK_FALSE(is_valid_utf8(bad));
        CHECK_FALSE(is_valid_utf8(std::string(37, 'a') + bad));
        CHECK_FALSE(is_valid_utf8(std::string(37, 'a') + bad + std::string(37, 'a')));
        CHECK_FALSE(is_valid_in_pieces(bad, 1));
    }
}

TEST_CASE("an incremental check fails at the first byte that nothing can mend") {
    for (const char* bad :
         {"\xc0", "\xe0\x80", "\xed\xa0", "\xf0\x8f", "\xf4\x90", "\xf5", "\x80"}) {
        const std::string_view text{bad};
        Utf8Validator validator;
        CHECK(validator.take(text.substr(0, text.size() - 1)));
        CHECK_FALSE(validator.take(text.substr(text.size() - 1)));
        CHECK_FALSE(validator.take("a"));
        CHECK_FALSE(validator.is_complete());
    }
}

TEST_CASE("a bad byte is found wherever it stands in a block") {
    for (std::size_t size = 1; size <= 70; ++size) {
        for (std::size_t i = 0; i < size; ++i) {
            std::string text(size, 'a');
            CHECK(is_ascii(text));
            text[i] = '\xff';
            CHECK_FALSE(is_valid_utf8(text));
            CHECK_FALSE(is_ascii(text));
        }
    }
}

TEST_CASE("property: a text is as valid in pieces as it is whole") {
    CHECK(rc::check("valid text", [](std::size_t piece) {
        const auto points = *rc::gen::container<std::vector<unsigned>>(
            rc::gen::oneOf(rc::gen::inRange(0U, 0x80U), rc::gen::inRange(0x80U, 0xd800U),
                           rc::gen::inRange(0xe000U, 0x110000U)));
        std::string text;
        for (const unsigned point : points) {
            text += encoded(point);
        }
        RC_ASSERT(is_valid_utf8(text));
        RC_ASSERT(is_valid_in_pieces(text, piece % 7 + 1));
    }));
    CHECK(rc::check("any bytes", [](const std::string& text, std::size_t piece) {
        RC_ASSERT(is_valid_utf8(text) == is_valid_in_pieces(text, piece % 7 + 1));
    }));
}

}  // namespace
}  // namespace muster::wire
