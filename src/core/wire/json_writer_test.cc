#include "core/wire/json_writer.h"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/wire/json_reader.h"
#include "core/wire/utf8.h"

using namespace muster::wire;

namespace {

std::string quoted(std::string_view text) {
    std::string out;
    append_quoted(out, text);
    return out;
}

template <typename Number>
std::string written(Number number) {
    std::string out;
    append_number(out, number);
    return out;
}

}  // namespace

TEST_CASE("only what JSON forbids in strings is escaped") {
    CHECK(quoted("") == R"("")");
    CHECK(quoted("plain / text") == R"("plain / text")");
    CHECK(quoted("é€😀\x7f") == "\"é€😀\x7f\"");
    CHECK(quoted("\"\\\b\f\n\r\t") == R"("\"\\\b\f\n\r\t")");
    CHECK(quoted(std::string_view{"\0\x01\x1f", 3}) == R"("\u0000\u0001\u001f")");
}

TEST_CASE("an escape is written wherever it stands in a string") {
    for (std::size_t length = 1; length < 40; ++length) {
        for (std::size_t place = 0; place < length; ++place) {
            std::string text(length, 'x');
            text[place] = '"';
            const std::string expected = "\"" + std::string(place, 'x') + "\\\"" +
                                         std::string(length - place - 1, 'x') + "\"";
            CHECK(quoted(text) == expected);
        }
    }
}

TEST_CASE("bytes that are not UTF-8 are written as replacement characters") {
    CHECK(quoted("a\xff\x62") == "\"a\uFFFDb\"");
    CHECK(quoted("é\xc3\"") == "\"é\uFFFD\\\"\"");
    CHECK(quoted("\xed\xa0\x80😀") == "\"\uFFFD\uFFFD\uFFFD😀\"");
    CHECK(quoted("\xf0\x9f\x98") == "\"\uFFFD\uFFFD\uFFFD\"");
}

TEST_CASE("integers are written in decimal") {
    CHECK(written(std::uint64_t{0}) == "0");
    CHECK(written(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
    CHECK(written(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
}

TEST_CASE("bytes are written in padded base64") {
    std::string out;
    append_quoted_base64(out, "\xfb\xff?>");
    CHECK(out == R"("+/8/Pg==")");
}

TEST_CASE("what is written behind other text leaves it alone") {
    std::string out = "before";
    append_quoted(out, "\xff");
    append_number(out, std::uint64_t{7});
    append_quoted_base64(out, "");
    CHECK(out == "before\"\uFFFD\"7\"\"");
}

TEST_CASE("any string is valid JSON once written, and reads back as it was") {
    CHECK(rc::check("strings of any bytes", [] {
        const auto text = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
        const std::string json = quoted(text);
        JsonReader reader{json};
        JsonValue value;
        RC_ASSERT(reader.read(value));
        RC_ASSERT(reader.finish());
        std::string scratch;
        scratch.reserve(json.size());
        RC_ASSERT(to_text(value, scratch) == text || !is_valid_utf8(text));
    }));
}
