#include "base/crc32c.h"

#include <cstddef>
#include <string>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster {
namespace {

std::string counting(char first, int step) {
    std::string bytes;
    for (int i = 0; i < 32; ++i) {
        bytes += static_cast<char>(first + i * step);
    }
    return bytes;
}

TEST_CASE("the CRC-32C of the vectors of RFC 3720 is the one that stands there") {
    for (const auto function : {&crc32c, &crc32c_by_tables}) {
        CHECK(function(std::string(32, '\0'), 0) == 0x8a9136aaU);
        CHECK(function(std::string(32, '\xff'), 0) == 0x62a8ab43U);
        CHECK(function(counting(0, 1), 0) == 0x46dd794eU);
        CHECK(function(counting(31, -1), 0) == 0x113fdb5cU);
        CHECK(function("123456789", 0) == 0xe3069283U);
        CHECK(function("", 0) == 0);
    }
}

TEST_CASE("the instruction and the tables give the same CRC, whole and in two parts") {
    CHECK(rc::check([](const std::string& bytes, std::size_t cut) {
        cut %= bytes.size() + 1;
        const std::string_view all = bytes;
        const std::uint32_t whole = crc32c_by_tables(all);
        RC_ASSERT(crc32c(all) == whole);
        RC_ASSERT(crc32c(all.substr(cut), crc32c(all.substr(0, cut))) == whole);
        RC_ASSERT(crc32c_by_tables(all.substr(cut), crc32c_by_tables(all.substr(0, cut))) == whole);
    }));
}

}  // namespace
}  // namespace muster
