#include "core/wire/json_reader.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace muster;
using namespace muster::wire;

namespace {

/// Reads all of `text` as one value; returns what was wrong.
JsonProblem problem_of(std::string_view text) {
    JsonReader reader{text};
    JsonValue value;
    reader.read(value);
    (void)reader.finish();
    return reader.problem();
}

JsonValue read_one(std::string_view text) {
    JsonReader reader{text};
    JsonValue value;
    REQUIRE(reader.read(value));
    REQUIRE(reader.finish());
    return value;
}

std::string text_of(std::string_view json) {
    std::string scratch;
    scratch.reserve(json.size());
    return std::string{to_text(read_one(json), scratch)};
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

TEST_CASE("the JSON reader takes every kind of value") {
    for (const std::string_view text : {"{}",
                                        "[]",
                                        " [ ] ",
                                        "{\"a\":1}",
                                        "\t{ \"a\" : [ 1 , 2 ] ,\r\n\"b\":null } ",
                                        "0",
                                        "-0",
                                        "-1",
                                        "10",
                                        "1.5",
                                        "1e5",
                                        "1E+5",
                                        "1e-5",
                                        "0.0e0",
                                        "1e308",
                                        "-1e308",
                                        "1e-400",
                                        "0e999",
                                        "true",
                                        "false",
                                        "null",
                                        "\"\"",
                                        "\"a\"",
                                        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                        "\"\\u00e9\"",
                                        "\"\\ud83d\\uDE00\"",
                                        "\"\\u0000\"",
                                        "\"\x7f\"",
                                        "\"é€😀\"",
                                        "[[],{},[{}]]"}) {
        CAPTURE(text);
        CHECK(problem_of(text) == JsonProblem::none);
    }
}

TEST_CASE("the JSON reader refuses what is not JSON, and says why") {
    struct Case {
        std::string_view text;
        JsonProblem problem;
    };
    using enum JsonProblem;
    for (const auto& [text, problem] : std::initializer_list<Case>{
             {"", unexpected_end},
             {"  ", unexpected_end},
             {"{", unexpected_end},
             {"[", unexpected_end},
             {"[1", unexpected_end},
             {"[1,", unexpected_end},
             {"{\"a\"", unexpected_end},
             {"{\"a\":", unexpected_end},
             {"{\"a\":1,", unexpected_end},
             {"\"", unexpected_end},
             {"\"abc", unexpected_end},
             {"\"a\\", unexpected_end},
             {"]", no_value},
             {"[,1]", no_value},
             {"[1,]", no_value},
             {"{\"a\":}", no_value},
             {"+1", no_value},
             {".5", no_value},
             {"NaN", no_value},
             {"Infinity", no_value},
             {"'a'", no_value},
             {"/**/1", no_value},
             {"\xef\xbb\xbf{}", no_value},  // A byte order mark.
             {"tru", bad_literal},
             {"nul", bad_literal},
             {"falsy", bad_literal},
             {"nan", bad_literal},
             {"-", bad_number},
             {"-a", bad_number},
             {"-Infinity", bad_number},
             {"01", bad_number},
             {"-01", bad_number},
             {"1.", bad_number},
             {"1.e5", bad_number},
             {"1e", bad_number},
             {"1e+", bad_number},
             {"1e400", number_too_big},
             {"-1e400", number_too_big},
             {"1.8e308", number_too_big},
             {"0.1e310", number_too_big},
             {"1e99999999999999999999", number_too_big},
             {"1e9223372036854775807", number_too_big},
             {"\"a\nb\"", control_character},
             {"\"\x1f\"", control_character},
             {std::string_view{"\"\0\"", 3}, control_character},
             {"\"\\x\"", bad_escape},
             {"\"\\u12\"", bad_escape},
             {"\"\\u12g4\"", bad_escape},
             {"\"\\U0041\"", bad_escape},
             {"\"\\ud83d\\u12\"", bad_escape},
             {std::string_view{"\"\\\0\"", 4}, bad_escape},
             {"\"\\ud83d\"", lone_surrogate},
             {"\"\\ud83dx\"", lone_surrogate},
             {"\"\\ude00\"", lone_surrogate},
             {"\"\\ud83d\\ud83d\"", lone_surrogate},
             {"\"\\ud83d\\n\"", lone_surrogate},
             {"\"\xff\"", bad_utf8},
             {"\"\xc0\x80\"", bad_utf8},
             {"\"\xed\xa0\x80\"", bad_utf8},
             {"\"\xe2\x82\"", bad_utf8},
             {"{\"\x80\":1}", bad_utf8},
             {"{a:1}", no_key},
             {"{1:1}", no_key},
             {"{,}", no_key},
             {"{\"a\":1,}", no_key},
             {"{\"a\" 1}", no_colon},
             {"{\"a\"}", no_colon},
             {"[1 2]", no_comma},
             {"{\"a\":1 \"b\":2}", no_comma},
             {"[1}", no_comma},
             {"{\"a\":1]", no_comma},
             {"1 2", trailing_bytes},
             {"{}{}", trailing_bytes},
             {"{}]", trailing_bytes},
             {std::string_view{"1\0", 2}, trailing_bytes},
         }) {
        CAPTURE(text);
        CHECK(describe(problem_of(text)) == describe(problem));
    }
}

TEST_CASE("a number that overflows a double is refused however it is written") {
    CHECK(problem_of(std::string(309, '9')) == JsonProblem::number_too_big);
    CHECK(problem_of("1" + std::string(400, '0')) == JsonProblem::number_too_big);
    CHECK(problem_of("1" + std::string(400, '0') + "e-200") == JsonProblem::none);
    CHECK(problem_of("0." + std::string(400, '0') + "1") == JsonProblem::none);
    CHECK(problem_of("0." + std::string(400, '0') + "1e800") == JsonProblem::number_too_big);
    CHECK(problem_of("0." + std::string(400, '0') + "1e-9223372036854775807") == JsonProblem::none);
    CHECK(problem_of("1e-99999999999999999999") == JsonProblem::none);
    CHECK(problem_of(std::string(308, '9')) == JsonProblem::none);
    CHECK(problem_of("1.7976931348623157e308") == JsonProblem::none);
}

TEST_CASE("JSON may nest 16 levels deep, not 17") {
    CHECK(problem_of(nested(16)) == JsonProblem::none);
    CHECK(problem_of(nested(17)) == JsonProblem::too_deep);
    CHECK(problem_of(std::string(100'000, '[')) == JsonProblem::too_deep);
    CHECK(problem_of("[" + nested(15) + "," + nested(15) + "]") == JsonProblem::none);
    CHECK(validate_json(nested(3), 3).has_value());
    CHECK_FALSE(validate_json(nested(4), 3).has_value());
}

TEST_CASE("a refused JSON text names the byte where it went wrong") {
    const auto result = validate_json(R"({"a":[1,2,x]})");
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == ErrorCode::bad_request);
    CHECK(result.error().detail == "JSON: no value at byte 10");
    CHECK(validate_json("\"ab\ncd\"").error().detail ==
          "JSON: a control character in a string at byte 3");
    CHECK(validate_json("[1,2] []").error().detail == "JSON: bytes after the value at byte 6");
}

TEST_CASE("the first problem stays, and nothing is found after it") {
    JsonReader reader{"[nope, 1, 2]"};
    JsonValue value;
    REQUIRE(reader.enter_array());
    REQUIRE(reader.next_item());
    CHECK_FALSE(reader.read(value));
    CHECK_FALSE(reader.next_item());
    CHECK_FALSE(reader.read(value));
    CHECK_FALSE(reader.enter_object());
    CHECK_FALSE(reader.finish());
    CHECK(reader.problem() == JsonProblem::bad_literal);
    CHECK(reader.problem_offset() == 1);
}

TEST_CASE("the JSON reader walks through objects and arrays and gives each value's own bytes") {
    JsonReader reader{R"( {"a" : [ 1 , {"x":2} ] , "b":"c" , "e" : {} } )"};
    JsonValue key;
    JsonValue value;
    std::vector<std::string> seen;
    REQUIRE(reader.enter_object());
    while (reader.next_key(key)) {
        seen.emplace_back(key.plain_text());
        if (key.plain_text() == "a") {
            REQUIRE(reader.enter_array());
            while (reader.next_item()) {
                REQUIRE(reader.read(value));
                seen.emplace_back(value.raw());
            }
            continue;
        }
        REQUIRE(reader.read(value));
        seen.emplace_back(value.raw());
    }
    CHECK(reader.finish());
    CHECK(seen == std::vector<std::string>{"a", "1", R"({"x":2})", "b", R"("c")", "e", "{}"});
}

TEST_CASE("stepping into a value of another kind is a problem") {
    JsonReader array{"{}"};
    CHECK_FALSE(array.enter_array());
    CHECK(array.problem() == JsonProblem::no_value);
    JsonReader object{"[]"};
    CHECK_FALSE(object.enter_object());
    CHECK(object.problem() == JsonProblem::no_value);
}

TEST_CASE("an integer is exact, without sign, fraction and exponent, and at most 2^53") {
    CHECK(to_uint(read_one("0")) == 0);
    CHECK(to_uint(read_one("17")) == 17);
    CHECK(to_uint(read_one("9007199254740992")) == json_integer_max);
    for (const std::string_view text :
         {"9007199254740993", "18446744073709551617", "-1", "-0", "1.0", "1e2", "10000000000000000",
          "\"1\"", "null", "true", "[]"}) {
        CAPTURE(text);
        CHECK_FALSE(to_uint(read_one(text)).has_value());
    }
    CHECK(to_int(read_one("-9007199254740992")) == -9007199254740992);
    CHECK(to_int(read_one("-1")) == -1);
    CHECK(to_int(read_one("5")) == 5);
    CHECK_FALSE(to_int(read_one("-9007199254740993")).has_value());
    CHECK_FALSE(to_int(read_one("-1.0")).has_value());
    CHECK_FALSE(to_int(read_one("\"-1\"")).has_value());
}

TEST_CASE("escapes become the characters that they stand for") {
    CHECK(text_of(R"("")").empty());
    CHECK(text_of(R"("plain")") == "plain");
    CHECK(text_of(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
    CHECK(text_of(R"("a\u0041\u00e9\u20AC\ud83d\ude00z")") == "aAé€😀z");
    CHECK(text_of(R"("\u007f\u0080\u07ff\u0800\uffff\ud800\udc00\udbff\udfff")") ==
          "\x7f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff");
    CHECK(text_of(R"("a\u0000b")") == std::string_view{"a\0b", 3});
}

TEST_CASE("a string without escapes is not copied") {
    const std::string_view json = R"("no copy é")";
    std::string scratch;
    const JsonValue value = read_one(json);
    CHECK(to_text(value, scratch).data() == json.data() + 1);
    CHECK(scratch.capacity() == std::string{}.capacity());
}

TEST_CASE("a byte that needs care is found wherever it stands in a string") {
    for (std::size_t length = 0; length < 40; ++length) {
        for (std::size_t place = 0; place < length; ++place) {
            std::string text = "\"" + std::string(length, 'x') + "\"";
            CHECK(read_one(text).raw() == text);
            text[place + 1] = '\x1f';
            CHECK(problem_of(text) == JsonProblem::control_character);
            text[place + 1] = '\x80';
            CHECK(problem_of(text) == JsonProblem::bad_utf8);
            text[place + 1] = '"';
            CHECK(problem_of(text) == JsonProblem::trailing_bytes);
        }
    }
}

TEST_CASE("what is cut off is never JSON") {
    const std::string_view text = R"({"a":[1.5e3,"x\u00e9\\",{"b":null}],"c":true})";
    REQUIRE(problem_of(text) == JsonProblem::none);
    for (std::size_t size = 0; size < text.size(); ++size) {
        CAPTURE(size);
        // Its own block, so that a sanitizer sees a step beyond the end.
        const std::vector<char> part{text.begin(),
                                     text.begin() + static_cast<std::ptrdiff_t>(size)};
        CHECK(problem_of({part.data(), part.size()}) != JsonProblem::none);
    }
}

TEST_CASE("integers are read as they were written") {
    CHECK(rc::check("integers up to 2^53", [] {
        const auto number = *rc::gen::inRange<std::uint64_t>(0, json_integer_max + 1);
        RC_ASSERT(to_uint(read_one(std::to_string(number))) == number);
    }));
}
