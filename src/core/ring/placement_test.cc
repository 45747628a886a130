#include "core/ring/placement.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace muster::ring {
namespace {

std::vector<int> load_of(const Placement& placement, int names) {
    std::vector<int> load(placement.bucket_count());
    for (int i = 0; i < names; ++i) {
        ++load[placement.bucket_of("/room/" + std::to_string(i)).value];
    }
    return load;
}

TEST_CASE("a name has the same bucket for ever under one key") {
    const Placement placement({1, 2}, 4096, 2);
    // Written down on the first day: a change of these would lose every queue's place.
    CHECK(placement.bucket_of("/room/123") == placement.bucket_of(std::string("/room/123")));
    CHECK(Placement({1, 2}, 4096, 8).bucket_of("/room/123") == placement.bucket_of("/room/123"));
}

TEST_CASE("row 53: 100,000 names spread evenly over the buckets") {
    const auto load = load_of(Placement({7, 9}, 256, 1), 100'000);
    const auto [least, most] = std::minmax_element(load.begin(), load.end());
    CHECK(*least > 390 - 5 * 20);  // Mean 390.6, standard deviation 19.7.
    CHECK(*most < 391 + 5 * 20);
}

TEST_CASE("row 53: names that were chosen to fill one bucket spread evenly under another key") {
    const Placement known({1, 1}, 256, 1);
    const Placement secret({0x5eed, 0xfeed}, 256, 1);
    std::vector<int> load(secret.bucket_count());
    int chosen = 0;
    for (int i = 0; chosen < 2'000; ++i) {
        const std::string name = "/room/" + std::to_string(i);
        if (known.bucket_of(name).value == 0) {
            ++load[secret.bucket_of(name).value];
            ++chosen;
        }
    }
    CHECK(*std::max_element(load.begin(), load.end()) < 8 + 6 * 3);  // Mean 7.8.
}

TEST_CASE("buckets are shared evenly between shards") {
    const Placement placement({1, 2}, 4096, 3);
    std::vector<int> owned(3);
    for (std::uint32_t i = 0; i < placement.bucket_count(); ++i) {
        ++owned[placement.shard_of(BucketId{i}).value];
    }
    CHECK(*std::max_element(owned.begin(), owned.end()) -
              *std::min_element(owned.begin(), owned.end()) <=
          1);
}

TEST_CASE("one bucket holds everything") {
    const Placement placement({1, 2}, 1, 1);
    CHECK(placement.bucket_of("/anything").value == 0);
}

}  // namespace
}  // namespace muster::ring
