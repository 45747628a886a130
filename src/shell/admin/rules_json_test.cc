#include "shell/admin/rules_json.h"

#include <chrono>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster::admin {
namespace {

using namespace std::chrono_literals;
using queue::MountKind;
using queue::MountRules;

std::string pointer_of(std::string_view object) {
    const auto rules = parse_rules(object, "/mounts/m", 16 * 1024);
    REQUIRE_FALSE(rules.has_value());
    return rules.error().pointer.value_or("none");
}

}  // namespace

TEST_CASE("mount rules are read in the words and units of the configuration file") {
    const auto chat = parse_rules(
        R"({"type":"message","write":"anyone","history":5,"history_ttl":"90s","max_bytes":"4KiB",
            "rate":"5/s burst 20","slow":"drop","rolls_dice":true})",
        {}, 16 * 1024);
    REQUIRE(chat.has_value());
    CHECK(chat->kind == MountKind::message);
    CHECK(chat->write == queue::WhoWrites::anyone);
    CHECK(chat->history_count_max == 5);
    CHECK(chat->history_ttl == 90s);
    CHECK(chat->payload_bytes_max == 4096);
    CHECK(chat->rate == queue::RateLimit{5, 20});
    CHECK(chat->slow == queue::SlowPolicy::drop);
    CHECK(chat->rolls_dice);

    const auto scores =
        parse_rules(R"({"type":"state","write":"owner","keys_max":7})", {}, 16 * 1024);
    REQUIRE(scores.has_value());
    CHECK(scores->kind == MountKind::state);
    CHECK(scores->write == queue::WhoWrites::owner);
    CHECK(scores->keys_max == 7);
}

TEST_CASE("payloads are as long as the server allows, where nothing or less is said") {
    const auto bytes = [](std::string_view object) {
        const auto rules = parse_rules(object, {}, 64 * 1024);
        return rules ? rules->payload_bytes_max : 0;
    };
    CHECK(bytes(R"({"type":"message"})") == 64 * 1024);
    CHECK(bytes(R"({"type":"message","max_bytes":"64KiB"})") == 64 * 1024);
    CHECK(bytes(R"({"type":"message","max_bytes":"1KiB"})") == 1024);
    CHECK(bytes(R"({"type":"message","max_bytes":"65KiB"})") == 0);
}

TEST_CASE("a rate without a burst allows as many at once as in a second") {
    const auto rules = parse_rules(R"({"type":"message","rate":"3/s"})", {}, 16 * 1024);
    REQUIRE(rules.has_value());
    CHECK(rules->rate == queue::RateLimit{3, 3});
}

TEST_CASE("mount rules that mean nothing are refused at their field") {
    CHECK(pointer_of(R"({})") == "/mounts/m/type");
    CHECK(pointer_of(R"({"type":"event"})") == "/mounts/m/type");
    CHECK(pointer_of(R"({"type":"state","write":"all"})") == "/mounts/m/write");
    CHECK(pointer_of(R"({"type":"state","history":5})") == "/mounts/m/history");
    CHECK(pointer_of(R"({"type":"message","keys_max":5})") == "/mounts/m/keys_max");
    CHECK(pointer_of(R"({"type":"state","keys_max":0})") == "/mounts/m/keys_max");
    CHECK(pointer_of(R"({"type":"state","keys_max":1025})") == "/mounts/m/keys_max");
    CHECK(pointer_of(R"({"type":"message","history":10001})") == "/mounts/m/history");
    CHECK(pointer_of(R"({"type":"message","histori":1})") == "/mounts/m/histori");
    CHECK(pointer_of("7") == "/mounts/m");
    for (const std::string text :
         {"2", "m", "2 m", "2M", "-2m", "1.5m", "", "366d", "2mm", "99999999999999999999s", "0"}) {
        CHECK(pointer_of(R"({"type":"message","history_ttl":")" + text + "\"}") ==
              "/mounts/m/history_ttl");
    }
    CHECK(pointer_of(R"({"type":"message","history_ttl":120})") == "/mounts/m/history_ttl");
    for (const std::string text : {"16", "17KiB", "0B", "1KB", "1kib", "1MiB"}) {
        CHECK(pointer_of(R"({"type":"state","max_bytes":")" + text + "\"}") ==
              "/mounts/m/max_bytes");
    }
    for (const std::string text : {"5", "5/m", "0/s", "5/s burst 0", "5/s burst", "5/s burst 20 ",
                                   "/s", "1000001/s", "5/sburst 1"}) {
        CHECK(pointer_of(R"({"type":"message","rate":")" + text + "\"}") == "/mounts/m/rate");
    }
}

TEST_CASE("rules that were shown can be sent again and mean the same") {
    rc::check([] {
        MountRules rules;
        rules.kind = *rc::gen::element(MountKind::message, MountKind::state);
        rules.write = *rc::gen::element(queue::WhoWrites::server, queue::WhoWrites::members,
                                        queue::WhoWrites::owner, queue::WhoWrites::anyone);
        rules.payload_bytes_max = *rc::gen::inRange<std::uint32_t>(1, 16 * 1024 + 1);
        if (rules.kind == MountKind::state) {
            rules.keys_max = *rc::gen::inRange<std::uint32_t>(1, 1025);
        } else {
            rules.history_count_max = *rc::gen::inRange<std::uint32_t>(0, 10'001);
            rules.history_ttl = std::chrono::milliseconds{*rc::gen::inRange(0, 100'000'000)};
            rules.slow = *rc::gen::element(queue::SlowPolicy::close, queue::SlowPolicy::drop);
            rules.rolls_dice = *rc::gen::arbitrary<bool>();
            if (*rc::gen::arbitrary<bool>()) {
                rules.rate.per_second = *rc::gen::inRange<std::uint32_t>(1, 1'000'001);
                rules.rate.burst = *rc::gen::inRange<std::uint32_t>(1, 1'000'001);
            }
        }
        std::string shown = "{";
        append_rules(shown, rules);
        shown += "}";
        const auto again = parse_rules(shown, {}, 16 * 1024);
        RC_ASSERT(again.has_value());
        RC_ASSERT(*again == rules);
    });
}

}  // namespace muster::admin
