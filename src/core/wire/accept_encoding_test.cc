#include "core/wire/accept_encoding.h"

#include <doctest/doctest.h>

namespace muster::wire {
namespace {

TEST_CASE("gzip is accepted by who names it, or anything") {
    for (const auto* header : {"gzip", "gzip, deflate, br", "br;q=1.0, GZIP ; q=0.5", "x-gzip", "*",
                               "br, *;q=0.1", "deflate,gzip;q=0.001", "*;q=0, gzip", " \tgzip\t"}) {
        INFO(header);
        CHECK(accepts_gzip(header));
    }
}

TEST_CASE("gzip is not accepted by who does not name it, or refuses it") {
    for (const auto* header : {"", "identity", "br, deflate", "gzip;q=0", "gzip; Q=0.000", "*;q=0",
                               "*, gzip;q=0", "gzipped", "gzi", ",,;,", ";q=1", "br;gzip"}) {
        INFO(header);
        CHECK_FALSE(accepts_gzip(header));
    }
}

}  // namespace
}  // namespace muster::wire
