#include "shell/admin/pages.h"

#include <array>
#include <cstddef>

#include <doctest/doctest.h>

#include "shell/admin/fake_site.h"

namespace muster::admin {
namespace {

constexpr std::array<std::byte, 3> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
constexpr std::array<web::Asset, 2> assets{
    {{"/assets/a.js", "text/javascript", "\"e1\"", bytes.data(), bytes.data() + 2},
     {"/index.html", "text/html; charset=utf-8", "\"e2\"", bytes.data(), bytes.data() + 3}}};

}  // namespace

TEST_CASE("the console's pages are served as they lie in the program") {
    const auto first = page("/", std::nullopt, assets);
    REQUIRE(first.has_value());
    CHECK(first->status == 200);
    CHECK(first->content_type == "text/html; charset=utf-8");
    CHECK(first->body == "\x01\x02\x03");
    CHECK(header_of(*first, "Content-Encoding") == "gzip");
    CHECK(header_of(*first, "ETag") == "\"e2\"");
    CHECK(contains(header_of(*first, "Content-Security-Policy"), "frame-ancestors 'none'"));
    CHECK(page("/assets/a.js", std::nullopt, assets)->body.size() == 2);
}

TEST_CASE("a page that the browser has is not sent again") {
    const auto response = page("/", "\"e2\"", assets);
    CHECK(response->status == 304);
    CHECK(response->body.empty());
}

TEST_CASE("what is no page is left to the API") {
    CHECK_FALSE(page("/nothing", std::nullopt, assets).has_value());
    CHECK_FALSE(page("/assets/../index.html", std::nullopt, assets).has_value());
    CHECK_FALSE(page("", std::nullopt, assets).has_value());
    CHECK_FALSE(page("/", std::nullopt, {}).has_value());
}

}  // namespace muster::admin
