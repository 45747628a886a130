#include "core/wire/sha1.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

namespace muster::wire {
namespace {

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : sha1(bytes)) {
        text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    }
    return text;
}

TEST_CASE("SHA-1 has the known digests") {
    // From RFC 3174 section 7.3 and FIPS 180.
    CHECK(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    CHECK(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(hex(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST_CASE("SHA-1 is right for every length around a block's end") {
    // The digest of all digests of n letters `a`; computed with another implementation.
    std::string all;
    for (std::size_t size = 0; size <= 130; ++size) {
        all += hex(std::string(size, 'a'));
    }
    CHECK(hex(all) == "e9a26226834c1decc620e4a7df67e181b336a6b8");
}

}  // namespace
}  // namespace muster::wire
