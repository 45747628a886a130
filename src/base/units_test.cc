#include "base/units.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <string_view>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a duration is a number and a unit, with nothing between or around") {
    CHECK(parse_duration("7us") == Duration{7us});
    CHECK(parse_duration("250ms") == Duration{250ms});
    CHECK(parse_duration("2s") == Duration{2s});
    CHECK(parse_duration("10m") == Duration{10min});
    CHECK(parse_duration("1h") == Duration{1h});
    CHECK(parse_duration("7d") == Duration{24h * 7});
    CHECK(parse_duration("0s") == Duration{0});
    for (const std::string_view bad :
         {"", "10", "s", "10 m", " 1s", "1s ", "-1s", "+1s", "1.5s", "10min", "1m30s", "0x5s", "2M",
          "99999999999999999999s", "18446744073709551615d", "9223372036854775808us"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_duration(bad));
    }
    CHECK(parse_duration("9223372036854775807us") == Duration::max());
}

TEST_CASE("a size is a number and a unit, in powers of 1,024") {
    CHECK(parse_size("512B") == 512);
    CHECK(parse_size("4KiB") == 4'096);
    CHECK(parse_size("1MiB") == 1'048'576);
    CHECK(parse_size("5GiB") == 5'368'709'120);
    for (const std::string_view bad : {"", "4", "4K", "4kB", "4KB", "4kib", "-4KiB", "4 KiB",
                                       "4KiB ", "18446744073709551615GiB"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_size(bad));
    }
}

TEST_CASE("a rate says what is possible in the long run and at once") {
    CHECK(parse_rate("5/s burst 20") == Rate{5, 20});
    CHECK(parse_rate("5/s") == Rate{5, 5});
    CHECK(parse_rate("1000000/s") == Rate{rate_max, rate_max});
    for (const std::string_view bad :
         {"", "5", "5/m", "/s", "0/s", "5/s burst", "5/s burst 0", "5/s burst 2x", "5/s  burst 20",
          "5/s burst 20 ", "5/sburst 1", "1000001/s", "5/s burst 1000001", "-5/s"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_rate(bad));
    }
}

TEST_CASE("quantities are written in the biggest unit that leaves no rest") {
    CHECK(duration_text(10min) == "10m");
    CHECK(duration_text(90s) == "90s");
    CHECK(duration_text(24h) == "1d");
    CHECK(duration_text(1500ms) == "1500ms");
    CHECK(duration_text(1us) == "1us");
    CHECK(duration_text(0s) == "0s");
    CHECK(size_text(65'536) == "64KiB");
    CHECK(size_text(65'537) == "65537B");
    CHECK(size_text(0) == "0B");
    CHECK(rate_text({5, 5}) == "5/s");
    CHECK(rate_text({5, 20}) == "5/s burst 20");
}

TEST_CASE("what is written is read as the same") {
    CHECK(rc::check("durations", [] {
        const auto us =
            *rc::gen::inRange<std::int64_t>(0, std::numeric_limits<std::int64_t>::max());
        const auto unit = *rc::gen::element<std::int64_t>(1, 1'000, 1'000'000, 60'000'000);
        const Duration wanted{us / unit * unit};
        RC_ASSERT(parse_duration(duration_text(wanted)) == wanted);
    }));
    CHECK(rc::check("sizes", [] {
        const auto wanted = *rc::gen::inRange<std::uint64_t>(0, 1ULL << 40U) *
                            *rc::gen::element<std::uint64_t>(1, 1'024);
        RC_ASSERT(parse_size(size_text(wanted)) == wanted);
    }));
    CHECK(rc::check("rates", [] {
        const Rate wanted{*rc::gen::inRange<std::uint32_t>(1, rate_max + 1),
                          *rc::gen::inRange<std::uint32_t>(1, rate_max + 1)};
        RC_ASSERT(parse_rate(rate_text(wanted)) == wanted);
    }));
}

}  // namespace
}  // namespace muster
