#include "base/payload.h"

#include <string>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster {
namespace {

TEST_CASE("a payload goes out as the bytes that came in, with their format") {
    CHECK(rc::check("bytes and format", [](const std::string& bytes, bool is_json) {
        const Format format = is_json ? Format::json : Format::bytes;
        const Payload payload{bytes, format};
        RC_ASSERT(payload.bytes() == bytes);
        RC_ASSERT(payload.size() == bytes.size());
        RC_ASSERT(payload.format() == format);
    }));
}

TEST_CASE("a payload is JSON where nothing else is said") {
    CHECK(Payload{"7"}.format() == Format::json);
}

TEST_CASE("payloads are equal when bytes and format are") {
    CHECK(Payload{"7"} == Payload{"7"});
    CHECK(Payload{"7"} != Payload{"8"});
    CHECK(Payload{"7"} != Payload{"7", Format::bytes});
}

TEST_CASE("the payload without bytes stands for no value") {
    CHECK(Payload{}.empty());
    CHECK(Payload{} == Payload{""});
    CHECK_FALSE(Payload{"null"}.empty());
}

TEST_CASE("a copy of a payload shares its bytes") {
    const Payload first{"{\"big\":true}"};
    const Payload second = first;  // NOLINT(performance-unnecessary-copy-initialization)
    CHECK(second.bytes().data() == first.bytes().data());
}

}  // namespace
}  // namespace muster
