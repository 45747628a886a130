#include "app/server/pages.h"

#include <algorithm>

#include <doctest/doctest.h>

namespace muster::server {
namespace {

TEST_CASE("each page can be sent with and without gzip") {
    const auto pages = built_in_pages();
    for (const auto& page : pages) {
        INFO(page.path);
        CHECK(page.gzip.view().starts_with("\x1f\x8b"));
        CHECK_FALSE(page.plain.view().starts_with("\x1f\x8b"));
        CHECK(page.etag.starts_with("W/\""));  // One for two bodies: RFC 9110, 8.8.3.3.
    }
    const auto start =
        std::find_if(pages.begin(), pages.end(), [](const auto& page) { return page.path == "/"; });
    if (start != pages.end()) {  // A build without web/ has no pages.
        CHECK(start->plain.view().find("<!doctype html>") != start->plain.view().npos);
    }
}

}  // namespace
}  // namespace muster::server
