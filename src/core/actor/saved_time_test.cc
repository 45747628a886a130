#include "core/actor/saved_time.h"

#include <chrono>
#include <limits>

#include <doctest/doctest.h>

namespace muster::actor {
namespace {

using namespace std::chrono_literals;

constexpr Instant here{1000s};
constexpr Instant elsewhere{5s};

TEST_CASE("a time is read back as far from the reader's now as it was from the writer's") {
    CHECK(from_saved(to_saved(here + 7us, here), elsewhere) == elsewhere + 7us);
    CHECK(from_saved(to_saved(here - 7us, here), elsewhere) == elsewhere - 7us);
    CHECK(from_saved(to_saved(here, here), elsewhere) == elsewhere);
    CHECK(from_saved(to_saved(Instant{}, here), elsewhere) == elsewhere - 1000s);
}

TEST_CASE("a distance that no process can have written is damage") {
    CHECK(from_saved(saved_distance_max.count(), here).has_value());
    CHECK_FALSE(from_saved(saved_distance_max.count() + 1, here).has_value());
    CHECK(from_saved(-saved_distance_max.count(), here).has_value());
    CHECK_FALSE(from_saved(-saved_distance_max.count() - 1, here).has_value());
    CHECK_FALSE(from_saved(std::numeric_limits<std::int64_t>::max(), here).has_value());
    CHECK_FALSE(from_saved(std::numeric_limits<std::int64_t>::min(), here).has_value());
}

}  // namespace
}  // namespace muster::actor
