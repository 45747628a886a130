#include "cli/http_call.h"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "client/loopback_server.h"

namespace muster::cli {
namespace {

TEST_CASE("an admin address that is none is refused before anything is sent") {
    for (const char* address : {"", "ftp://h", "https://h", "h:port", "127.0.0.1:1/v1"}) {
        CAPTURE(address);
        const auto answer = http_call(address, "GET", "/healthz", {}, {});
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().code == ErrorCode::bad_settings);
        CHECK(answer.error().detail.find(address) != std::string::npos);
    }
}

TEST_CASE("an admin address at which nobody listens is told as host and port, in every form") {
    std::uint16_t port = 0;
    {
        const detail::LoopbackServer gone;
        port = gone.port();
    }
    const std::string shown = "127.0.0.1:" + std::to_string(port);
    for (const std::string& address : {shown, "ws://" + shown, "http://" + shown + "/"}) {
        CAPTURE(address);
        const auto answer = http_call(address, "GET", "/healthz", {}, {});
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().code == ErrorCode::upstream);
        CHECK(answer.error().detail == "cannot reach " + shown + ": Connection refused");
    }
}

TEST_CASE("a server that takes the call and says nothing is given up, and named") {
    const detail::LoopbackServer silent;  // Never pumped.
    const std::string shown = "127.0.0.1:" + std::to_string(silent.port());
    const auto answer = http_call(std::to_string(silent.port()), "GET", "/healthz", {}, {},
                                  std::chrono::milliseconds{50});
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == ErrorCode::upstream);
    CHECK(answer.error().detail == "no answer from " + shown + " within 0.05 s");
}

}  // namespace
}  // namespace muster::cli
