#include "core/gateway/cid_text.h"

#include <string>

#include <doctest/doctest.h>

namespace muster::gateway {
namespace {

TEST_CASE("a cid is written as 32 hexadecimal digits and read back") {
    const Cid cid{0x0123456789abcdefULL, 0xfULL};
    CHECK(to_text(cid) == "0123456789abcdef000000000000000f");
    CHECK(parse_cid(to_text(cid)) == cid);
    CHECK(parse_cid(to_text(Cid{~0ULL, ~0ULL})) == Cid{~0ULL, ~0ULL});
    CHECK(parse_cid("0123456789ABCDEF000000000000000F") == cid);
}

TEST_CASE("nothing but 32 hexadecimal digits is a cid") {
    const std::string good(32, '0');
    CHECK(parse_cid(good) == Cid{});
    CHECK_FALSE(parse_cid("").has_value());
    CHECK_FALSE(parse_cid(good.substr(1)).has_value());
    CHECK_FALSE(parse_cid(good + "0").has_value());
    for (const std::string_view wrong : {"g", "-", "+", " ", "x"}) {
        for (const std::size_t at : {0U, 15U, 16U, 31U}) {
            std::string text = good;
            text.replace(at, 1, wrong);
            CHECK_FALSE(parse_cid(text).has_value());
        }
    }
}

}  // namespace
}  // namespace muster::gateway
