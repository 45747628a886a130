#include "core/queue/dice.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/wire/json_reader.h"

namespace muster::queue {
namespace {

std::string roll(std::string_view json, std::uint64_t seed = 1) {
    Rng rng(seed);
    const auto rolled = roll_dice(Payload(json), rng);
    REQUIRE(rolled.has_value());
    CHECK(rolled->format() == Format::json);
    return std::string(rolled->bytes());
}

bool is_refused(const Payload& request) {
    Rng rng(1);
    const auto rolled = roll_dice(request, rng);
    return !rolled && rolled.error().code == ErrorCode::bad_request;
}
bool is_refused(std::string_view json) { return is_refused(Payload(json)); }

// The numbers of `got`.
std::vector<std::uint64_t> got(const std::string& json) {
    wire::JsonReader reader(json);
    wire::JsonValue key{};
    wire::JsonValue value{};
    std::vector<std::uint64_t> numbers;
    REQUIRE(reader.enter_object());
    std::string scratch;
    scratch.reserve(json.size());
    while (reader.next_key(key)) {
        if (wire::to_text(key, scratch) != "got") {
            REQUIRE(reader.read(value));
            continue;
        }
        REQUIRE(reader.enter_array());
        while (reader.next_item()) {
            REQUIRE(reader.read(value));
            numbers.push_back(wire::to_uint(value).value());
        }
    }
    REQUIRE(reader.finish());
    return numbers;
}

TEST_CASE("dice add what was rolled and leave the rest as it was") {
    const auto json = roll(R"({"roll":"2d6"})");
    CHECK(json.starts_with(R"({"roll":"2d6","got":[)"));
    CHECK(got(json).size() == 2);
    CHECK(roll(R"({ "why" : {"got":1} , "roll":"1d2", "n":[1,{}] } )")
              .starts_with(R"({ "why" : {"got":1} , "roll":"1d2", "n":[1,{}] ,"got":[)"));
}

TEST_CASE("a die without a count is one die") { CHECK(got(roll(R"({"roll":"d20"})")).size() == 1); }

TEST_CASE("the name and value may be written with escapes") {
    CHECK(got(roll(R"({"\u0072oll":"2\u00646"})")).size() == 2);
    CHECK(is_refused(R"({"roll":"2d6","g\u006ft":[6,6]})"));
}

TEST_CASE("up to 100 dice of up to a million sides roll, and not one more") {
    CHECK(got(roll(R"({"roll":"100d1000000"})")).size() == 100);
    CHECK(is_refused(R"({"roll":"101d6"})"));
    CHECK(is_refused(R"({"roll":"1d1000001"})"));
    CHECK(is_refused(R"({"roll":"0d6"})"));
    CHECK(is_refused(R"({"roll":"1d1"})"));
    CHECK(is_refused(R"({"roll":"1d0"})"));
}

TEST_CASE("nobody brings what was rolled along") {
    CHECK(is_refused(R"({"roll":"2d6","got":[6,6]})"));
    CHECK(is_refused(R"({"got":null,"roll":"2d6"})"));
}

TEST_CASE("what is no roll is refused") {
    for (const auto* json :
         {"", "{", "{}", "[]", "7", "null", R"("2d6")", R"(["2d6"])", R"({"roll":6})",
          R"({"roll":"2d6"})x)", R"({"roll":"2d6","roll":"2d6"})", R"({"roll":"2d6")",
          R"({"roll":"2d6",})", R"({"roll":""})", R"({"roll":"d"})", R"({"roll":"2"})",
          R"({"roll":"2d"})", R"({"roll":"2d6d6"})", R"({"roll":" 2d6"})", R"({"roll":"+2d6"})",
          R"({"roll":"-2d6"})", R"({"roll":"2D6"})", R"({"roll":"2d6 "})", R"({"roll":"2.0d6"})",
          R"({"roll":"99999999999999999999d6"})", R"({"Roll":"2d6"})"}) {
        INFO(json);
        CHECK(is_refused(json));
    }
    CHECK(is_refused(Payload(R"({"roll":"2d6"})", Format::bytes)));
}

TEST_CASE("the same chance rolls the same") {
    CHECK(roll(R"({"roll":"100d1000000"})", 5) == roll(R"({"roll":"100d1000000"})", 5));
    CHECK(roll(R"({"roll":"100d1000000"})", 5) != roll(R"({"roll":"100d1000000"})", 6));
}

TEST_CASE("every side of a die comes up, and none beside them") {
    std::set<std::uint64_t> seen;
    Rng rng(3);
    for (int i = 0; i < 20; ++i) {
        const auto rolled = roll_dice(Payload(R"({"roll":"100d6"})"), rng);
        for (const auto number : got(std::string(rolled.value().bytes()))) {
            seen.insert(number);
        }
    }
    CHECK(seen == std::set<std::uint64_t>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("any bytes are rolled into good JSON or refused") {
    CHECK(rc::check([](const std::string& tail, std::uint64_t seed) {
        Rng rng(seed);
        const auto rolled = roll_dice(Payload(R"({"roll":"3d6")" + tail), rng);
        if (rolled) {
            RC_ASSERT(wire::validate_json(rolled->bytes()).has_value());
        }
    }));
}

}  // namespace
}  // namespace muster::queue
