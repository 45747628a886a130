#include "shell/admin/json_body.h"

#include <string>

#include <doctest/doctest.h>

namespace muster::admin {
namespace {

std::string pointer_of(std::string_view text) {
    const auto checked = check_json(text);
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().code == ErrorCode::bad_request);
    CHECK_FALSE(checked.error().detail.empty());
    return checked.error().pointer.value_or("none");
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

TEST_CASE("sixteen levels of JSON are taken, and the seventeenth is refused with its place") {
    CHECK(check_json(nested(16)).has_value());
    CHECK(pointer_of(nested(17)) == "/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0");
    CHECK(pointer_of(R"({"a":)" + nested(16) + "}") == "/a/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0");
}

TEST_CASE("what is not strict JSON is refused with a pointer to the place") {
    CHECK(pointer_of(R"({"a":NaN})") == "/a");
    CHECK(pointer_of(R"({"a":[1,1e400]})") == "/a/1");
    CHECK(pointer_of(R"({"a":{"b":"\ud800"}})") == "/a/b");
    CHECK(pointer_of(R"({"a":1} x)").empty());
    CHECK(pointer_of(R"({"a":1}{)").empty());
    CHECK(pointer_of(R"({"a":1,})").empty());
    CHECK(pointer_of(R"({"a" 1})") == "/a");
    CHECK(pointer_of("").empty());
    CHECK(pointer_of("{\"a\":\"\x01\"}") == "/a");
    CHECK(pointer_of("{\"a\":\"\xff\"}") == "/a");
    CHECK(pointer_of(R"([1,2,{"x":tru}])") == "/2/x");
}

TEST_CASE("a name that stands twice in one object is refused at any depth, however it is spelt") {
    CHECK(pointer_of(R"({"a":1,"a":2})") == "/a");
    CHECK(pointer_of(R"({"a":1,"\u0061":2})") == "/a");
    CHECK(pointer_of(R"({"data":[0,{"x":{"b":1,"c":2,"b":3}}]})") == "/data/1/x/b");
    CHECK(pointer_of(R"({"a/b~":1,"a/b~":2})") == "/a~1b~0");
    CHECK(check_json(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]})").has_value());
    CHECK(check_json(R"({"a":"\",\"a\":","b":"}{"})").has_value());
}

TEST_CASE("a pointer through very long names is left out") {
    const std::string name(600, 'n');
    CHECK(pointer_of("{\"" + name + "\":nope}") == "none");
}

TEST_CASE("fields come out by name and type, and escapes are decoded") {
    Fields fields = Fields::of(R"({"t":"a\n\u00e9","i":17,"o":{"x": [1]},"y":true})");
    CHECK(fields.text("t") == "a\n\xc3\xa9");
    CHECK(fields.integer("i", 1, 20) == 17);
    CHECK(fields.object("o") == R"({"x": [1]})");
    CHECK(fields.boolean("y"));
    CHECK_FALSE(fields.text("absent").has_value());
    CHECK(fields.finish().has_value());
}

TEST_CASE("a field of another type, out of range or unknown is refused with its pointer") {
    const auto pointer = [](std::string_view text, auto&& get) {
        Fields fields = Fields::of(text, "/at");
        get(fields);
        const auto finished = fields.finish();
        REQUIRE_FALSE(finished.has_value());
        return *finished.error().pointer;
    };
    CHECK(pointer(R"({"a":1})", [](Fields& fields) { (void)fields.text("a"); }) == "/at/a");
    CHECK(pointer(R"({"a":"1"})", [](Fields& fields) { (void)fields.integer("a", 0, 9); }) ==
          "/at/a");
    CHECK(pointer(R"({"a":10})", [](Fields& fields) { (void)fields.integer("a", 0, 9); }) ==
          "/at/a");
    CHECK(pointer(R"({"a":1.0})", [](Fields& fields) { (void)fields.integer("a", 0, 9); }) ==
          "/at/a");
    CHECK(pointer(R"({"a":[]})", [](Fields& fields) { (void)fields.object("a"); }) == "/at/a");
    CHECK(pointer(R"({"a":0})", [](Fields& fields) { (void)fields.boolean("a"); }) == "/at/a");
    CHECK(pointer(R"({"a":"no user"})", [](Fields& fields) { (void)fields.user("a"); }) == "/at/a");
    CHECK(pointer(R"({"b":"?"})", [](Fields& fields) { (void)fields.payload(); }) == "/at/b");
    CHECK(pointer(R"({"b":""})", [](Fields& fields) { (void)fields.payload(); }) == "/at/b");
    CHECK(pointer(R"({})", [](Fields& fields) { (void)fields.payload(); }) == "/at");
    CHECK(pointer(R"({"typo":1})", [](Fields&) {}) == "/at/typo");
    CHECK(pointer(R"([1])", [](Fields&) {}) == "/at");
}

TEST_CASE("a payload is exactly the bytes that stand in the text") {
    Fields fields = Fields::of("{\"data\" :  {\"x\" : 1.50e1,\t\"y\":\"\\u0041\"}  }");
    const Payload payload = fields.payload();
    CHECK(payload.bytes() == "{\"x\" : 1.50e1,\t\"y\":\"\\u0041\"}");
    CHECK(payload.format() == Format::json);

    Fields binary = Fields::of(R"({"b":"AAH/"})");
    const Payload bytes = binary.payload();
    CHECK(bytes.bytes() == std::string_view("\x00\x01\xff", 3));
    CHECK(bytes.format() == Format::bytes);
}

}  // namespace muster::admin
