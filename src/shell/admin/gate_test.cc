#include "shell/admin/gate.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace muster::admin {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view good_key = "right-key-0123456789";

Gate closed_gate() {
    GateSettings settings;
    settings.keys.add(good_key, {.name = "game", .role = Role::game_server, .queue_prefix = ""});
    settings.keys.add("other-key-0123456789",
                      {.name = "ops", .role = Role::operate, .queue_prefix = ""});
    return Gate{std::move(settings)};
}

Gate open_gate() {
    GateSettings settings;
    settings.is_open = true;
    return Gate{std::move(settings)};
}

Request with_key(std::string_view key, Instant now = Instant{}, std::string peer = "192.0.2.1") {
    return Request{
        .method = "GET",
        .target = "/",
        .headers = {{"host", "admin.example.com"}, {"authorization", "Bearer " + std::string{key}}},
        .body = {},
        .peer = std::move(peer),
        .now = now};
}

Request from_page(std::string_view method, std::string_view host, std::string_view origin) {
    return Request{.method = std::string{method},
                   .target = "/",
                   .headers = {{"host", std::string{host}}, {"origin", std::string{origin}}},
                   .body = {},
                   .peer = "127.0.0.1",
                   .now = {}};
}

}  // namespace

TEST_CASE("a caller without a credential, with a wrong one, or with another scheme gets 401") {
    Gate gate = closed_gate();
    Request nobody = with_key("");
    nobody.headers.pop_back();
    CHECK(gate.admit(nobody).error().code == ErrorCode::no_access);
    CHECK(gate.admit(with_key("wrong-key-0123456789")).error().code == ErrorCode::no_access);
    CHECK(gate.admit(with_key("")).error().code == ErrorCode::no_access);
    Request basic = with_key(good_key);
    basic.headers.back().value = "Basic " + std::string{good_key};
    CHECK(gate.admit(basic).error().code == ErrorCode::no_access);
    CHECK(gate.admit(basic).error().headers.front().name == "WWW-Authenticate");
}

TEST_CASE("a right key says who calls and with which role; the scheme's case does not matter") {
    Gate gate = closed_gate();
    Request request = with_key(good_key);
    request.headers.back().value = "bearer " + std::string{good_key};
    const auto access = gate.admit(request);
    REQUIRE(access.has_value());
    CHECK(access->name == "game");
    CHECK(access->role == Role::game_server);
}

TEST_CASE("cookies and query strings are no credentials") {
    Gate gate = closed_gate();
    Request request = with_key(good_key);
    request.headers.back() = {"cookie", "key=" + std::string{good_key}};
    request.target = "/v1/queues?token=" + std::string{good_key};
    CHECK(gate.admit(request).error().code == ErrorCode::no_access);
}

TEST_CASE("an address that guesses keys is slowed down, and no other one is") {
    Gate gate = closed_gate();
    Instant now{std::chrono::hours{1}};
    for (std::uint32_t i = 0; i <= Gate::wrong_keys_burst; ++i) {
        CHECK(gate.admit(with_key("wrong", now)).error().code == ErrorCode::no_access);
    }
    const auto blocked = gate.admit(with_key(good_key, now));
    REQUIRE_FALSE(blocked.has_value());
    CHECK(blocked.error().code == ErrorCode::busy);
    CHECK(blocked.error().retry_after_ms == 1'000);
    CHECK(gate.admit(with_key(good_key, now, "192.0.2.2")).has_value());
    CHECK(gate.admit(with_key(good_key, now + 1s)).has_value());
    CHECK(gate.admit(with_key("wrong", now + 1s)).error().code == ErrorCode::no_access);
}

TEST_CASE("the table of addresses that guessed is bounded") {
    Gate gate = closed_gate();
    for (std::size_t i = 0; i < 2 * Gate::addresses_max; ++i) {
        CHECK_FALSE(gate.admit(with_key("wrong", Instant{}, std::to_string(i))).has_value());
    }
    CHECK(gate.admit(with_key(good_key)).has_value());
}

TEST_CASE("an open gate makes everybody an operator, but only under a name of this machine") {
    Gate gate = open_gate();
    for (const std::string_view host :
         {"localhost:7401", "LOCALHOST", "127.0.0.1:7401", "[::1]:7401", "127.1.2.3"}) {
        const Request request = from_page("GET", host, "http://x");
        CHECK(gate.check_origin(request).has_value());
        CHECK(gate.admit(request)->role == Role::operate);
    }
    for (const std::string_view host :
         {"evil.example.com", "localhost.example.com", "127.0.0.1.evil.com", "", "[::1", "10.0.0.1",
          "[::2]:7401"}) {
        CHECK(gate.check_origin(from_page("GET", host, "http://x")).error().code ==
              ErrorCode::forbidden);
    }
}

TEST_CASE("a page of another origin may read nothing and change nothing") {
    Gate gate = open_gate();
    for (const std::string_view origin :
         {"http://evil.example.com", "null", "http://localhost:5173",
          "http://localhost:7401.evil.com", ""}) {
        CHECK_FALSE(gate.check_origin(from_page("POST", "localhost:7401", origin)).has_value());
        CHECK_FALSE(gate.check_origin(from_page("PUT", "localhost:7401", origin)).has_value());
        CHECK_FALSE(gate.check_origin(from_page("DELETE", "localhost:7401", origin)).has_value());
    }
    CHECK(gate.check_origin(from_page("POST", "localhost:7401", "http://localhost:7401"))
              .has_value());

    Request request = from_page("POST", "localhost:7401", "http://localhost:7401");
    request.headers.push_back({"sec-fetch-site", "cross-site"});
    CHECK_FALSE(gate.check_origin(request).has_value());
    request.headers.back().value = "same-origin";
    CHECK(gate.check_origin(request).has_value());
}

TEST_CASE("a closed gate answers under any name") {
    Gate gate = closed_gate();
    CHECK(gate.check_origin(with_key(good_key)).has_value());
}

TEST_CASE("a digest is SHA-256") {
    const Digest digest = digest_of("abc");
    CHECK(digest[0] == 0xba);
    CHECK(digest[31] == 0xad);
}

}  // namespace muster::admin
