#include "core/wire/http_target.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/wire/utf8.h"

namespace muster::wire {
namespace {

// Returns the decoded path, or the refusal's status.
std::string decoded(std::string_view target) {
    std::string path = "left over";
    const auto query = decode_target(target, path);
    return query ? path : std::to_string(query.error().status);
}

TEST_CASE("a target gives its path decoded and its query as sent") {
    std::string path;
    CHECK(decode_target("/state/room/Z%C3%BCrich?wait=25&q=%20", path) == "wait=25&q=%20");
    CHECK(path == "/state/room/Zürich");
    CHECK(decode_target("/a+b", path) == "");
    CHECK(path == "/a+b");
    CHECK(decode_target("/?", path) == "");
    CHECK(path == "/");
    CHECK(decode_target("/a?b?c", path) == "b?c");
}

TEST_CASE("an encoded slash is a slash, and what was decoded is not decoded again") {
    CHECK(decoded("/state/-/m/a%2Fb") == "/state/-/m/a/b");
    CHECK(decoded("/%252e%252e/") == "/%2e%2e/");
    CHECK(decoded("/a//b/") == "/a//b/");
}

TEST_CASE("row 8: a path that climbs is answered 400, however it is written") {
    for (const char* bad : {"/../", "/..", "/a/../b", "/%2e%2e/", "/%2E%2e", "/.%2e/x", "/%2e./x",
                            "/./x", "/a/.", "/%2e", "/a%2f..%2fb", "/a/..%2f"}) {
        CAPTURE(std::string{bad});
        CHECK(decoded(bad) == "400");
    }
    CHECK(decoded("/.../..a/a..") == "/.../..a/a..");
}

TEST_CASE("row 8: %00 and other bytes that are no text are answered 400") {
    for (const char* bad : {"/%00", "/a%0a", "/%7f", "/%ff", "/%c0%ae%c0%ae/", "/%ed%a0%80", "/%c3",
                            "/%", "/%4", "/%zz", "/%+1", "/% 1", "/%u0041"}) {
        CAPTURE(std::string{bad});
        CHECK(decoded(bad) == "400");
    }
}

TEST_CASE("row 8: a path of 100 kB is answered 414") {
    CHECK(decoded("/" + std::string(100'000, 'a')) == "414");
    CHECK(decoded("/" + std::string(2047, 'a')).size() == 2048);
    CHECK(decoded("/" + std::string(2048, 'a')) == "414");
    CHECK(decoded("/?" + std::string(4000, 'a')) == "/");
}

TEST_CASE("a target that is no path is answered 400") {
    for (const char* bad : {"", "*", "a", "http://x/", "?a"}) {
        CHECK(decoded(bad) == "400");
    }
}

TEST_CASE("a query gives the first value of a name") {
    CHECK(query_value("wait=25&mounts=a,b&wait=3", "wait") == "25");
    CHECK(query_value("wait=25&mounts=a,b", "mounts") == "a,b");
    CHECK(query_value("a=b=c", "a") == "b=c");
    CHECK(query_value("flag&x=1", "flag") == "");
    CHECK(query_value("x=", "x") == "");
    CHECK_FALSE(query_value("await=1", "wait"));
    CHECK_FALSE(query_value("", "wait"));
    std::string value;
    REQUIRE(append_query_decoded(value, "a+b%2B%C3%BC"));
    CHECK(value == "a b+ü");
    CHECK_FALSE(append_query_decoded(value, "%0d"));
}

TEST_CASE("property: no target leads to an unsafe path") {
    CHECK(rc::check([] {
        const auto parts = *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(
            std::vector<std::string>{"/", ".", "..", "%2e", "%2F", "%", "2", "e", "%00", "%c3",
                                     "%bc", "a", "%25", "?", "+"}));
        std::string target = "/";
        for (const std::string& part : parts) {
            target += part;
        }
        std::string path;
        if (!decode_target(target, path)) {
            return;
        }
        RC_ASSERT(path.starts_with('/'));
        RC_ASSERT(is_valid_utf8(path));
        RC_ASSERT(path.find('\0') == std::string::npos);
        RC_ASSERT((path + "/").find("/../") == std::string::npos);
        RC_ASSERT((path + "/").find("/./") == std::string::npos);
    }));
}

}  // namespace
}  // namespace muster::wire
