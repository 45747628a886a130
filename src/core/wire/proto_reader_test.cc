#include "core/wire/proto_reader.h"

#include <cstdint>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "core/wire/proto_writer.h"

using namespace muster;
using namespace muster::wire;
using namespace muster::wire::proto;

namespace {

/// The problem of a message whose fields are all passed over; empty where it has none.
std::string problem_of(std::string_view bytes) {
    Problem problem;
    ProtoReader fields{bytes, problem};
    while (fields.next()) {
    }
    return problem.is_there() ? problem.error().detail : std::string{};
}

std::string number_field(std::string_view varint) { return "\x08" + std::string{varint}; }

}  // namespace

TEST_CASE("numbers are read as they were written, at every length") {
    for (unsigned bits = 0; bits <= 53; ++bits) {
        for (const std::uint64_t value :
             {(std::uint64_t{1} << bits) - 1, std::uint64_t{1} << bits}) {
            std::string bytes;
            ProtoWriter{bytes}.present_number(1, value);
            Problem problem;
            ProtoReader fields{bytes, problem};
            REQUIRE(fields.next());
            CHECK(fields.number() == 1);
            CHECK(fields.integer("n") == value);
            CHECK_FALSE(fields.next());
            CHECK_FALSE(problem.is_there());
        }
    }
}

TEST_CASE("a message within is as long as it says, at every length of its length") {
    for (const std::size_t size : {0, 1, 120, 125, 126, 127, 128, 16'380, 16'383, 16'384, 70'000}) {
        CAPTURE(size);
        std::string bytes;
        ProtoWriter writer{bytes};
        writer.message(300, [&] { writer.bytes(1, std::string(size, 'x')); });
        writer.present_number(2, std::uint64_t{7});
        Problem problem;
        ProtoReader fields{bytes, problem};
        REQUIRE(fields.next());
        CHECK(fields.number() == 300);
        ProtoReader within{fields.bytes("within"), problem};
        if (size != 0) {
            REQUIRE(within.next());
            CHECK(within.text("text") == std::string(size, 'x'));
        }
        CHECK_FALSE(within.next());
        REQUIRE(fields.next());
        CHECK(fields.integer("n") == 7);
        CHECK_FALSE(fields.next());
        CHECK_FALSE(problem.is_there());
    }
}

TEST_CASE("row 39: a varint of ten bytes is read, one of eleven or above 64 bits is not") {
    CHECK(problem_of(number_field(std::string(9, '\xff') + '\x01')).empty());
    CHECK(problem_of(number_field(std::string(9, '\x80') + '\0')).empty());
    CHECK(problem_of(number_field(std::string(9, '\xff') + '\x02')) == "a number is too long");
    CHECK(problem_of(number_field(std::string(10, '\x80') + '\x01')) == "a number is too long");
    CHECK(problem_of(number_field(std::string(60'000, '\x80'))) == "a number is too long");
}

TEST_CASE("row 39: what is cut off, too long, a group or of no type is refused") {
    using namespace std::string_view_literals;
    CHECK(problem_of("\x08"sv) == "the message is cut off");
    CHECK(problem_of("\x08\x80"sv) == "the message is cut off");
    CHECK(problem_of("\x80"sv) == "the message is cut off");
    CHECK(problem_of("\x0a"sv) == "the message is cut off");
    CHECK(problem_of("\x0a\x02x"sv) == "a length goes past the end");
    CHECK(problem_of("\x0a\xff\xff\xff\xff\x0f"sv) == "a length goes past the end");
    CHECK(problem_of("\x0a\x80\x80\x80\x80\x80\x01"sv) == "a number is too long");
    CHECK(problem_of("\x09\x01\x02\x03\x04\x05\x06\x07"sv) == "a length goes past the end");
    CHECK(problem_of("\x0d\x01\x02\x03"sv) == "a length goes past the end");
    CHECK(problem_of("\x0b\x0c"sv) == "a group");
    CHECK(problem_of("\x0c"sv) == "a group");
    CHECK(problem_of("\x0e"sv) == "a field has no type");
    CHECK(problem_of("\x0f"sv) == "a field has no type");
    CHECK(problem_of("\x00\x00"sv) == "a field has no number");
    CHECK(problem_of("\xf8\xff\xff\xff\x1f\x00"sv) == "a field has no number");
}

TEST_CASE("row 38: fields of every type and number are passed over") {
    using namespace std::string_view_literals;
    for (const std::string_view bytes :
         {""sv, "\x08\x01"sv, "\x09\x01\x02\x03\x04\x05\x06\x07\x08"sv, "\x0a\x00"sv,
          "\x0a\x03\xff\xff\xff"sv, "\x0d\x01\x02\x03\x04"sv, "\xf8\xff\xff\xff\x0f\x00"sv,
          "\x08\x01\x08\x01"sv}) {
        CHECK(problem_of(bytes) == "");
    }
}

TEST_CASE("a field of another type, out of bounds or given twice is a problem that names it") {
    const auto problem_with = [](std::string_view bytes, auto take) {
        Problem problem;
        ProtoReader fields{bytes, problem};
        while (fields.next()) {
            take(fields);
        }
        return problem.is_there() ? problem.error().detail : std::string{};
    };
    const auto integer = [](ProtoReader& fields) { fields.integer("n", 1, 5); };
    const auto text = [](ProtoReader& fields) { fields.text("q"); };
    CHECK(problem_with("\x08\x05", integer) == "");
    CHECK(problem_with("\x08\x06", integer) == "n: is out of its range");
    CHECK(problem_with(std::string_view("\x08\x00", 2), integer) == "n: is out of its range");
    CHECK(problem_with("\x0a\x01x", integer) == "n: must be a varint");
    CHECK(problem_with("\x08\x05\x08\x05", integer) == "n: stands twice");
    CHECK(problem_with("\x0a\x01x", text) == "");
    CHECK(problem_with("\x08\x05", text) == "q: must be of a length");
    CHECK(problem_with("\x0a\x01x\x0a\x01x", text) == "q: stands twice");
    CHECK(problem_with("\x0a\x02\xc3\x28", text) == "q: must be UTF-8");
}
