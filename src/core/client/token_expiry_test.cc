#include "core/client/token_expiry.h"

#include <string>

#include <doctest/doctest.h>

#include "core/wire/base64.h"

namespace muster::client {
namespace {

std::string token_of(std::string_view claims) {
    std::string token = "e30.";
    wire::append_base64(token, claims, wire::Base64::url);
    return token + ".c2ln";
}

TEST_CASE("a token's end is read from its exp") {
    CHECK(token_expiry(token_of(R"({"sub":"alice","exp":1790000000,"iat":1})")) ==
          WallTime{1'790'000'000'000});
}

TEST_CASE("what is no token, or names no time, has no known end") {
    for (const char* text : {"", "a", "a.b", "..", "a.b.c", "e30.!!!.c"}) {
        CAPTURE(text);
        CHECK_FALSE(token_expiry(text));
    }
    for (const char* claims :
         {"", "{}", "[]", R"({"exp":"1790000000"})", R"({"exp":-1})", R"({"exp":1e9})",
          R"({"exp":99999999999})", R"({"exp":1790000000)", R"({"exp":1790000000}x)"}) {
        CAPTURE(claims);
        CHECK_FALSE(token_expiry(token_of(claims)));
    }
}

}  // namespace
}  // namespace muster::client
