#include "core/wire/base64.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <optional>

namespace muster::wire {
namespace {

std::string encoded(std::string_view bytes, Base64 form) {
    std::string text;
    append_base64(text, bytes, form);
    return text;
}

std::optional<std::string> decoded(std::string_view text, Base64 form) {
    std::string bytes = "before";
    if (!append_base64_decoded(bytes, text, form)) {
        CHECK(bytes == "before");
        return std::nullopt;
    }
    return bytes.substr(6);
}

TEST_CASE("base64 has the examples of RFC 4648 section 10") {
    CHECK(encoded("", Base64::standard).empty());
    CHECK(encoded("f", Base64::standard) == "Zg==");
    CHECK(encoded("fo", Base64::standard) == "Zm8=");
    CHECK(encoded("foo", Base64::standard) == "Zm9v");
    CHECK(encoded("foob", Base64::standard) == "Zm9vYg==");
    CHECK(encoded("fooba", Base64::standard) == "Zm9vYmE=");
    CHECK(encoded("foobar", Base64::standard) == "Zm9vYmFy");
    CHECK(encoded("\xfb\xff\xfe", Base64::standard) == "+//+");
    CHECK(encoded("\xfb\xff\xfe", Base64::url) == "-__-");
    CHECK(encoded("f", Base64::url) == "Zg");
    CHECK(encoded("fo", Base64::url) == "Zm8");
}

TEST_CASE("base64 with wrong padding is refused") {
    for (const char* bad : {"Zg", "Zg=", "Zg===", "Zm8", "Zm9v=", "Zm9v==", "Zm9v====", "=",
                            "==", "====", "Z===", "Zg==Zg==", "Z", "Zm9vY"}) {
        CAPTURE(std::string{bad});
        CHECK_FALSE(decoded(bad, Base64::standard));
    }
    for (const char* bad : {"Zg==", "Zm8=", "Z", "Zm9vY", "="}) {
        CAPTURE(std::string{bad});
        CHECK_FALSE(decoded(bad, Base64::url));
    }
}

TEST_CASE("base64 with foreign characters is refused") {
    for (const char* bad : {"Zm9-", "Zm9_", "Zm 9", "Zm9v\n", "Zm9\n", "Zm\xc3\xa9", "Z=9v"}) {
        CAPTURE(std::string{bad});
        CHECK_FALSE(decoded(bad, Base64::standard));
    }
    CHECK_FALSE(decoded("Zm9+", Base64::url));
    CHECK_FALSE(decoded("Zm9/", Base64::url));
    CHECK_FALSE(decoded(std::string_view{"Zm\0v", 4}, Base64::url));
}

TEST_CASE("base64 with bits that belong to no byte is refused") {
    CHECK(decoded("Zg==", Base64::standard) == "f");
    CHECK_FALSE(decoded("Zh==", Base64::standard));
    CHECK(decoded("Zm8=", Base64::standard) == "fo");
    CHECK_FALSE(decoded("Zm9=", Base64::standard));
    CHECK_FALSE(decoded("Zh", Base64::url));
    CHECK_FALSE(decoded("Zm9", Base64::url));
}

TEST_CASE("property: what is encoded decodes to the same, and has no second spelling") {
    CHECK(rc::check([](const std::string& bytes, bool is_url) {
        const Base64 form = is_url ? Base64::url : Base64::standard;
        RC_ASSERT(decoded(encoded(bytes, form), form) == bytes);
    }));
    CHECK(rc::check([](bool is_url) {
        const Base64 form = is_url ? Base64::url : Base64::standard;
        const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(
            std::string{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="}));
        if (const auto bytes = decoded(text, form)) {
            RC_ASSERT(encoded(*bytes, form) == text);
        }
    }));
}

}  // namespace
}  // namespace muster::wire
