#include "client/server_address.h"

#include <doctest/doctest.h>

namespace muster::detail {
namespace {

TEST_CASE("a server's address names host, port and path") {
    CHECK(parse_server_address("ws://g1.example.com:8080/rt").value() ==
          ServerAddress{"g1.example.com", "8080", "/rt", "g1.example.com:8080"});
}

TEST_CASE("port and path have defaults") {
    for (const char* url : {"ws://127.0.0.1", "ws://127.0.0.1/", "ws://127.0.0.1:7400"}) {
        CHECK(parse_server_address(url).value() ==
              ServerAddress{"127.0.0.1", "7400", "/connect", "127.0.0.1:7400"});
    }
}

TEST_CASE("an IPv6 address stands in brackets") {
    CHECK(parse_server_address("ws://[::1]:7401").value() ==
          ServerAddress{"::1", "7401", "/connect", "[::1]:7401"});
    CHECK(parse_server_address("ws://[::1]").value().port == "7400");
}

TEST_CASE("an address may be written in every form in which addresses are seen") {
    for (const char* text : {"h", "h:7400", "h/", "h:7400/connect", "ws://h", "ws://h:7400/connect",
                             "http://h", "http://h:7400", "http://h:7400/"}) {
        CAPTURE(text);
        CHECK(parse_server_address(text).value() ==
              ServerAddress{"h", "7400", "/connect", "h:7400"});
    }
    CHECK(parse_server_address("[::1]").value().shown == "[::1]:7400");
}

TEST_CASE("a port that is not named is the one of the server that is meant") {
    for (const char* text : {"h", "ws://h", "http://h/"}) {
        CAPTURE(text);
        CHECK(parse_server_address(text, ServerAddress::admin_port).value().port == "7401");
    }
    CHECK(parse_server_address("h:80", ServerAddress::admin_port).value().port == "80");
}

TEST_CASE("digits alone are a port of this machine") {
    CHECK(parse_server_address("7455").value() ==
          ServerAddress{"127.0.0.1", "7455", "/connect", "127.0.0.1:7455"});
    CHECK(parse_server_address("7", ServerAddress::admin_port).value().shown == "127.0.0.1:7");
}

TEST_CASE("what is no address is refused with a reason") {
    for (const char* url :
         {"",           "ftp://a",        "://a",     "wss://a",      "https://a",
          "::1",        "http://",        "a:",       ":7400",        "ws://",
          "ws://:7400", "ws://a:",        "ws://a:0", "ws://a:65536", "ws://a:x",
          "ws://[::1",  "ws://[::1]7400", "ws://a b", "ws://u:p@a",   "ws://a/\r\nX: y",
          "0",          "65536"}) {
        CAPTURE(url);
        const auto address = parse_server_address(url);
        REQUIRE_FALSE(address.has_value());
        CHECK(address.error().code == ErrorCode::bad_settings);
        CHECK_FALSE(address.error().detail.empty());
    }
}

}  // namespace
}  // namespace muster::detail
