#include "shell/runtime/crowd.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

namespace muster::runtime {
namespace {

CrowdAddress v4(const char* text) {
    sockaddr_storage storage{};
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    address.sin_family = AF_INET;
    REQUIRE(inet_pton(AF_INET, text, &address.sin_addr) == 1);
    return crowd_address_of(storage);
}

CrowdAddress v6(const char* text) {
    sockaddr_storage storage{};
    auto& address = reinterpret_cast<sockaddr_in6&>(storage);
    address.sin6_family = AF_INET6;
    REQUIRE(inet_pton(AF_INET6, text, &address.sin6_addr) == 1);
    return crowd_address_of(storage);
}

TEST_CASE("a crowd counts all sockets, and those of each address") {
    Crowd crowd{HashKey{1, 2}};
    static_cast<void>(crowd.add(v4("192.0.2.1")));
    static_cast<void>(crowd.add(v4("192.0.2.2")));
    const auto third = crowd.add(v4("192.0.2.1"));
    CHECK(third.all == 3);
    CHECK(third.of_address == 2);
    crowd.remove(v4("192.0.2.1"));
    CHECK(crowd.count(v4("192.0.2.1")).of_address == 1);
    CHECK(crowd.count(v4("192.0.2.1")).all == 2);
    crowd.remove(v4("192.0.2.1"));
    CHECK(crowd.count(v4("192.0.2.1")).of_address == 0);
}

TEST_CASE("a /64 of IPv6 counts as one address") {
    CHECK(v6("2001:db8:1:2::1") == v6("2001:db8:1:2:ffff::9"));
    CHECK_FALSE(v6("2001:db8:1:2::1") == v6("2001:db8:1:3::1"));
}

TEST_CASE("an IPv4 address counts the same in both its forms, and is not its neighbour") {
    CHECK(v6("::ffff:192.0.2.1") == v4("192.0.2.1"));
    CHECK_FALSE(v6("::ffff:192.0.2.1") == v6("::ffff:192.0.2.2"));
}

TEST_CASE("shards count in one crowd at the same time") {
    Crowd crowd{HashKey{1, 2}};
    const auto come_and_go = [&crowd] {
        for (int i = 0; i < 5'000; ++i) {
            static_cast<void>(crowd.add(v4("192.0.2.1")));
            crowd.remove(v4("192.0.2.1"));
        }
    };
    std::vector<std::thread> shards;
    for (int i = 0; i < 4; ++i) {
        shards.emplace_back(come_and_go);
    }
    for (auto& shard : shards) {
        shard.join();
    }
    CHECK(crowd.count(v4("192.0.2.1")).all == 0);
    CHECK(crowd.count(v4("192.0.2.1")).of_address == 0);
}

}  // namespace
}  // namespace muster::runtime
