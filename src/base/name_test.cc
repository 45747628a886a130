#include "base/name.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster {
namespace {

template <typename A, typename B>
concept Comparable = requires(const A& a, const B& b) { a == b; };

TEST_CASE("names of two kinds neither compare nor convert") {
    CHECK(Comparable<QueueName, QueueName>);
    CHECK_FALSE(Comparable<QueueName, UserId>);
    CHECK_FALSE(std::is_convertible_v<QueueName, UserId>);
    CHECK_FALSE(std::is_constructible_v<MountName, Key>);
    CHECK_FALSE(std::is_convertible_v<std::string_view, QueueName>);
}

TEST_CASE("a name compares with plain text, either way round") {
    const UserId alice{"alice"};
    CHECK(alice == "alice");
    CHECK("alice" == alice);
    CHECK(alice != std::string{"bob"});
    CHECK(alice < std::string_view{"bob"});
    CHECK(std::string_view{"aaron"} < alice);
    CHECK(UserId{}.empty());
}

TEST_CASE("names are ordered as their bytes are") {
    CHECK(rc::check("order of names", [](const std::string& a, const std::string& b) {
        RC_ASSERT((Key{a} <=> Key{b}) == (std::string_view{a} <=> b));
        RC_ASSERT((Key{a} <=> std::string_view{b}) == (std::string_view{a} <=> b));
        RC_ASSERT((Key{a} == Key{b}) == (a == b));
    }));
}

TEST_CASE("a table keyed by names is searched by plain text, without making a name") {
    CHECK(rc::check("find() by text", [](const std::map<std::string, int>& plain,
                                         const std::string& wanted) {
        std::map<Key, int, NameOrder> table;
        for (const auto& [key, value] : plain) {
            table.emplace(Key{key}, value);
        }
        RC_ASSERT(table.size() == plain.size());
        RC_ASSERT((table.find(std::string_view{wanted}) != table.end()) == plain.contains(wanted));
        for (const auto& [key, value] : plain) {
            const auto found = table.find(std::string_view{key});
            RC_ASSERT(found != table.end());
            RC_ASSERT(found->second == value);
        }
        RC_ASSERT(std::ranges::is_sorted(table, {},
                                         [](const auto& entry) { return entry.first.text(); }));
    }));
}

}  // namespace
}  // namespace muster
