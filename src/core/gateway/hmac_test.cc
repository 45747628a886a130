#include "core/gateway/hmac.h"

#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

namespace muster::gateway {
namespace {

std::string hex(const Hmac& digest) {
    std::string text;
    for (const std::uint8_t byte : digest) {
        text += fmt::format("{:02x}", byte);
    }
    return text;
}

TEST_CASE("HMAC-SHA-256 gives the values of RFC 4231") {
    CHECK(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hex(hmac_sha256(std::string(20, '\xaa'), std::string(50, '\xdd'))) ==
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    CHECK(hex(hmac_sha256(std::string(131, '\xaa'),
                          "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("key and text may be empty") {
    CHECK(hex(hmac_sha256({}, {})) ==
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("bytes are equal in constant time when they are equal at all") {
    CHECK(rc::check("as operator==", [](const std::string& a, const std::string& b) {
        RC_ASSERT(equal_in_constant_time(a, b) == (a == b));
        RC_ASSERT(equal_in_constant_time(a, std::string{a}));
    }));
    CHECK(equal_in_constant_time({}, {}));
    CHECK_FALSE(equal_in_constant_time("a", "ab"));
}

}  // namespace
}  // namespace muster::gateway
