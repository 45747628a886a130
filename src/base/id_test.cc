#include "base/id.h"

#include <type_traits>
#include <unordered_set>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "base/ids.h"

namespace muster {
namespace {

template <typename A, typename B>
concept Comparable = requires(const A& a, const B& b) { a < b; };

TEST_CASE("ids of two kinds neither compare nor convert") {
    CHECK(Comparable<BucketId, BucketId>);
    CHECK_FALSE(Comparable<ConnectionId, SubId>);
    CHECK_FALSE(Comparable<ConnectionId, std::uint64_t>);
    CHECK_FALSE(std::is_convertible_v<Inc, SessionId>);
    CHECK_FALSE(std::is_convertible_v<std::uint64_t, Inc>);
}

TEST_CASE("an id is as small as its number, and 0 unless told otherwise") {
    CHECK(sizeof(ShardId) == 2);
    CHECK(sizeof(BucketId) == 4);
    CHECK(sizeof(Inc) == 8);
    CHECK(Inc{} == Inc{0});
}

TEST_CASE("ids are ordered and told apart as their numbers are") {
    CHECK(rc::check("as numbers", [](std::uint64_t a, std::uint64_t b) {
        RC_ASSERT((Inc{a} < Inc{b}) == (a < b));
        RC_ASSERT((Inc{a} == Inc{b}) == (a == b));
    }));
}

TEST_CASE("ids can be kept in a hash table") {
    std::unordered_set<BucketId> buckets;
    for (std::uint32_t i = 0; i < 100; ++i) {
        buckets.insert(BucketId{i % 10});
    }
    CHECK(buckets.size() == 10);
    CHECK(buckets.contains(BucketId{9}));
}

TEST_CASE("a cursor is compared as a pair: a younger history beats a bigger seq") {
    CHECK(Cursor{.inc = Inc{2}, .seq = 1} > Cursor{.inc = Inc{1}, .seq = 100});
    CHECK(Cursor{.inc = Inc{2}, .seq = 2} > Cursor{.inc = Inc{2}, .seq = 1});
    CHECK(Cursor{.inc = Inc{2}, .seq = 1} == Cursor{.inc = Inc{2}, .seq = 1});
}

TEST_CASE("a connection epoch grows across a loss of the user queue") {
    CHECK(Cep{.inc = Inc{2}, .counter = 1} > Cep{.inc = Inc{1}, .counter = 100});
    CHECK(Cep{.inc = Inc{2}, .counter = 2} > Cep{.inc = Inc{2}, .counter = 1});
}

}  // namespace
}  // namespace muster
