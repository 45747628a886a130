#include "shell/net/listener.h"

#include <string>

#include <doctest/doctest.h>

namespace muster::net {
namespace {

TEST_CASE("port 0 is any free port, and is told") {
    const auto listener = listen_on("127.0.0.1:0", {});
    REQUIRE(listener.has_value());
    CHECK(listener->port != 0);
    CHECK(listener->address == "127.0.0.1");
}

TEST_CASE("an occupied port is an error that names it") {
    const auto first = listen_on("127.0.0.1:0", {});
    REQUIRE(first.has_value());
    const std::string endpoint = "127.0.0.1:" + std::to_string(first->port);
    const auto second = listen_on(endpoint, {});
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == ErrorCode::cannot_listen);
    CHECK(second.error().detail.find(endpoint) != std::string::npos);
}

TEST_CASE("shards share a port; another server, that shares it with nobody, does not get it") {
    const auto first = listen_on("127.0.0.1:0", {.shares_port = true});
    REQUIRE(first.has_value());
    const std::string endpoint = "127.0.0.1:" + std::to_string(first->port);
    CHECK(listen_on(endpoint, {.shares_port = true}).has_value());
    CHECK_FALSE(listen_on(endpoint, {}).has_value());
}

TEST_CASE("what is no address is refused with an example") {
    for (const std::string_view endpoint :
         {"", "7400", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:74x", "[::1:74",
          "game.example.com:7400"}) {
        CAPTURE(endpoint);
        const auto listener = listen_on(endpoint, {});
        REQUIRE_FALSE(listener.has_value());
        CHECK(listener.error().code == ErrorCode::bad_settings);
    }
}

TEST_CASE("an address of another machine is refused") {
    const auto listener = listen_on("192.0.2.1:0", {});
    REQUIRE_FALSE(listener.has_value());
    CHECK(listener.error().code == ErrorCode::cannot_listen);
}

TEST_CASE("IPv6 is listened on as well") {
    const auto listener = listen_on("[::1]:0", {});
    REQUIRE(listener.has_value());
    CHECK(listener->address == "[::1]");
}

}  // namespace
}  // namespace muster::net
