#include "app/setting_value.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/units.h"

using namespace muster;
using namespace muster::app;
using namespace std::chrono_literals;

namespace {

TomlValue text(std::string content) { return {.content = std::move(content)}; }
TomlValue untyped(std::string content) {
    return {.content = std::move(content), .is_untyped = true};
}
TomlValue number(std::int64_t content) { return {.content = content}; }

Parsed<Duration> duration(const TomlValue& value) { return as_duration(value, 0s, 24h * 365); }
Parsed<std::uint32_t> size(const TomlValue& value) { return as_size(value, 0, 1U << 30U); }

}  // namespace

TEST_CASE("durations carry a unit") {
    CHECK(duration(text("250ms")) == Duration{250ms});
    CHECK(duration(text("10m")) == Duration{10min});
    CHECK(duration(text("2s")) == Duration{2s});
    CHECK(duration(text("1h")) == Duration{1h});
    CHECK(duration(text("7d")) == Duration{24h * 7});
    CHECK(duration(text("0s")) == Duration{0s});
    for (const char* bad : {"", "10", "s", "10 m", "-1s", "+1s", "1.5s", "10min", "1m30s", "0x5s",
                            "99999999999999999999s", "18446744073709551615d", "366d"}) {
        CAPTURE(bad);
        CHECK_FALSE(duration(text(bad)));
    }
    CHECK_FALSE(duration(number(10)));
    CHECK(duration(number(10)).error().find("\"15s\"") != std::string::npos);
    CHECK(as_duration(text("1ms"), 1s, 1h).error() == "wants from 1s to 1h, not \"1ms\"");
}

TEST_CASE("sizes carry a unit, in powers of two") {
    CHECK(size(text("512B")) == 512);
    CHECK(size(text("4KiB")) == 4096);
    CHECK(size(text("1MiB")) == 1024 * 1024);
    CHECK(size(text("1GiB")) == 1024 * 1024 * 1024);
    for (const char* bad : {"", "4", "4K", "4kB", "4KB", "4kib", "-4KiB", "2GiB", "4 KiB",
                            "18446744073709551615GiB"}) {
        CAPTURE(bad);
        CHECK_FALSE(size(text(bad)));
    }
    CHECK_FALSE(size(number(4096)));
}

TEST_CASE("rates name what is possible in the long run and at once") {
    CHECK(as_rate(text("5/s burst 20")) == queue::RateLimit{.per_second = 5, .burst = 20});
    CHECK(as_rate(text("5/s")) == queue::RateLimit{.per_second = 5, .burst = 5});
    for (const char* bad : {"", "5", "5/m", "/s", "0/s", "5/s burst", "5/s burst 0", "5/s burst 2x",
                            "5/s  burst 20", "1000001/s", "5/s burst 99999999999"}) {
        CAPTURE(bad);
        CHECK_FALSE(as_rate(text(bad)));
    }
    CHECK_FALSE(as_rate(number(5)));
}

TEST_CASE("addresses to listen on are numbers, not names") {
    CHECK(as_address(text("127.0.0.1:7400")) == ListenAddress{.host = "127.0.0.1", .port = 7400});
    CHECK(as_address(text("localhost:0")) == ListenAddress{.host = "127.0.0.1", .port = 0});
    CHECK(as_address(text("[::1]:7400")) == ListenAddress{.host = "::1", .port = 7400});
    CHECK(as_address(text("[::]:65535"))->text() == "[::]:65535");
    for (const std::string_view bad :
         {"", "7400", ":7400", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
          "example.com:7400", "::1:7400", "[::1:7400", "[127.0.0.1]:7400", "1.2.3:7400",
          "127.0.0.1:7400 "}) {
        CAPTURE(bad);
        CHECK_FALSE(as_address(text(std::string{bad})));
    }
    CHECK_FALSE(as_address(text(std::string{"127.0.0.1\0:7400", 15})));
    CHECK_FALSE(as_address(number(7400)));
}

TEST_CASE("only loopback addresses are loopback addresses") {
    CHECK(as_address(text("127.8.9.1:1"))->is_loopback());
    CHECK(as_address(text("[::1]:1"))->is_loopback());
    CHECK_FALSE(as_address(text("0.0.0.0:1"))->is_loopback());
    CHECK_FALSE(as_address(text("[::]:1"))->is_loopback());
    CHECK_FALSE(as_address(text("[::ffff:10.0.0.1]:1"))->is_loopback());
}

TEST_CASE("numbers and truths may be texts where they come from a flag, and only there") {
    CHECK(as_count(number(5), 1, 10) == 5);
    CHECK(as_count(untyped("5"), 1, 10) == 5);
    CHECK(as_bool({.content = true}) == true);
    CHECK(as_bool(untyped("false")) == false);
    CHECK_FALSE(as_count(text("5"), 1, 10));
    CHECK_FALSE(as_bool(text("true")));
    CHECK_FALSE(as_bool(number(1)));
    CHECK_FALSE(as_bool(untyped("yes")));
    for (const char* bad : {"", "0", "11", "5x", " 5", "-5", "99999999999999999999"}) {
        CHECK_FALSE(as_count(untyped(bad), 1, 10));
    }
    CHECK_FALSE(as_count({.content = 5.0}, 1, 10));
}

TEST_CASE("texts have a limit and no control characters") {
    CHECK(as_text(text("caf\xc3\xa9")) == "caf\xc3\xa9");
    for (const std::string& bad :
         {std::string{}, std::string{"a\nb"}, std::string{"a\0b", 3}, std::string{"\x7f"},
          std::string{"\xff"}, std::string(1'025, 'x')}) {
        CHECK_FALSE(as_text(text(bad)));
    }
}

TEST_CASE("a list of texts is parted by commas where it comes from a flag") {
    using Texts = std::vector<std::string>;
    CHECK(as_texts({.content = TomlList{text("a"), text("b")}}) == Texts{"a", "b"});
    CHECK(as_texts({.content = TomlList{}}) == Texts{});
    CHECK(as_texts(untyped("a,b")) == Texts{"a", "b"});
    CHECK(as_texts(untyped("")) == Texts{});
    CHECK_FALSE(as_texts(text("a,b")));
    CHECK_FALSE(as_texts({.content = TomlList{text("a"), number(1)}}));
    CHECK_FALSE(as_texts(untyped("a,,b")));
}

TEST_CASE("what is written is read as the same") {
    CHECK(rc::check("durations", [] {
        const auto us = *rc::gen::inRange<std::int64_t>(0, 365LL * 24 * 3600 * 1'000'000);
        const auto unit = *rc::gen::element<std::int64_t>(1, 1'000, 1'000'000, 60'000'000);
        const Duration wanted{us / unit * unit};
        RC_ASSERT(duration(text(duration_text(wanted))) == wanted);
    }));
    CHECK(rc::check("sizes", [] {
        const auto wanted = *rc::gen::inRange<std::uint32_t>(0, 1U << 20U) *
                            *rc::gen::element<std::uint32_t>(1, 1024);
        RC_ASSERT(size(text(size_text(wanted))) == wanted);
    }));
    CHECK(rc::check("rates", [] {
        const queue::RateLimit wanted{.per_second = *rc::gen::inRange<std::uint32_t>(1, 1'000'000),
                                      .burst = *rc::gen::inRange<std::uint32_t>(1, 1'000'000)};
        RC_ASSERT(as_rate(text(rate_text(wanted))) == wanted);
    }));
}

TEST_CASE("a misspelt word finds the one that was meant") {
    const std::vector<std::string_view> known{"ping_interval", "dead_after", "max_connections",
                                              "handshake_time", "handshake_bytes_max"};
    CHECK(closest("ping_intervall", known) == "ping_interval");
    CHECK(closest("pings", known) == "ping_interval");
    CHECK(closest("connections_max", known) == "max_connections");
    CHECK(closest("maxconnections", known) == "max_connections");
    CHECK(closest("handshake_timeout", known) == "handshake_time");
    CHECK(closest("deadafter", known) == "dead_after");
    CHECK(closest("colour", known).empty());
    CHECK(closest("", known).empty());
    CHECK(closest(std::string(10'000, 'p'), known).empty());
}

TEST_CASE("a word that is none of the possible ones is refused with all of them") {
    constexpr std::array words{Word<int>{"one", 1}, Word<int>{"two", 2}, Word<int>{"three", 3}};
    CHECK(as_word(text("two"), words) == 2);
    CHECK(as_word(text("Two"), words).error() == R"(wants "one", "two" or "three", not "Two")");
    CHECK_FALSE(as_word(number(2), words));
}
