#include "core/wire/json_fields.h"

#include <cstddef>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

using namespace muster::wire;

TEST_CASE("every field is found by its name, and by no other") {
    for (std::size_t i = 0; i < field_count; ++i) {
        const auto field = static_cast<Field>(i);
        const std::string_view name = name_of(field);
        CAPTURE(name);
        CHECK(find_field(name) == field);
        CHECK(find_field(std::string{name} + "_") == std::nullopt);
        CHECK(find_field(std::string{name} + '\0') == std::nullopt);
        CHECK(find_field("_" + std::string{name}) == std::nullopt);
    }
    CHECK(find_field("") == std::nullopt);
    CHECK(name_of(Field::attempt) == "try");
    CHECK(name_of(Field::spread_ms) == "spread_ms");
    CHECK(name_of(Field::more) == "more");
}

TEST_CASE("decoded text and bytes stay where they are") {
    const std::string text = R"({"q":"\u0061","m":"\u0062","b":"\/\/\/\/\/\/\/\/","k":"\u0063"})";
    std::string memory = "left over";
    Scratch scratch{memory, text};
    FieldReader fields{scratch, text, json_depth_max};
    REQUIRE(fields.read());
    const std::string_view first = fields.text(Field::q);
    const auto data = fields.data();
    const std::string_view second = fields.text(Field::m);
    const std::string_view third = fields.text(Field::k);
    CHECK(fields.error() == nullptr);
    CHECK(first == "a");
    CHECK(second == "b");
    CHECK(third == "c");
    REQUIRE(data.has_value());
    CHECK(data->bytes == "\xff\xff\xff\xff\xff\xff");
}
