#include "shell/admin/rules_json.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace muster::admin {
namespace {

using queue::MountKind;
using queue::MountRules;
using queue::RateLimit;
using queue::SlowPolicy;
using queue::WhoWrites;

struct Unit {
    std::string_view name;
    std::uint64_t size;
};

// The biggest first, so that a text has the biggest that fits.
constexpr std::array<Unit, 5> time_units{{{"d", 86'400'000'000},
                                          {"h", 3'600'000'000},
                                          {"m", 60'000'000},
                                          {"s", 1'000'000},
                                          {"ms", 1'000}}};
constexpr std::array<Unit, 3> size_units{{{"MiB", 1024 * 1024}, {"KiB", 1024}, {"B", 1}}};

constexpr std::uint64_t duration_us_max = 365 * time_units[0].size;
constexpr std::uint32_t payload_bytes_max = 16 * 1024;
constexpr std::uint64_t history_count_max = 10'000;
constexpr std::uint64_t keys_max = 1'024;
constexpr std::uint32_t rate_max = 1'000'000;

/// Takes a number off the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc{}) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    return number;
}

std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                            std::uint64_t max) {
    const auto number = take_number(text);
    for (const Unit& unit : units) {
        if (number && unit.name == text && *number <= max / unit.size) {
            return *number * unit.size;
        }
    }
    return std::nullopt;
}

std::string quantity_text(std::uint64_t quantity, std::span<const Unit> units,
                          std::string_view zero) {
    if (quantity == 0) {
        return std::string{zero};
    }
    for (const Unit& unit : units) {
        if (quantity % unit.size == 0) {
            return fmt::format("{}{}", quantity / unit.size, unit.name);
        }
    }
    return fmt::format("{}{}", quantity / units.back().size, units.back().name);
}

/// Reads "5/s" or "5/s burst 20".
std::optional<RateLimit> parse_rate(std::string_view text) {
    constexpr std::string_view per_second = "/s";
    constexpr std::string_view burst_word = " burst ";
    const auto rate = take_number(text);
    if (!rate || !text.starts_with(per_second)) {
        return std::nullopt;
    }
    text.remove_prefix(per_second.size());
    auto burst = rate;
    if (text.starts_with(burst_word)) {
        text.remove_prefix(burst_word.size());
        burst = take_number(text);
    }
    if (!burst || !text.empty() || *rate == 0 || *burst == 0 || *rate > rate_max ||
        *burst > rate_max) {
        return std::nullopt;
    }
    return RateLimit{static_cast<std::uint32_t>(*rate), static_cast<std::uint32_t>(*burst)};
}

template <typename Value>
struct Word {
    std::string_view text;
    Value value;
};

constexpr std::array<Word<MountKind>, 2> kinds{
    {{"message", MountKind::message}, {"state", MountKind::state}}};
constexpr std::array<Word<WhoWrites>, 4> writers{{{"server", WhoWrites::server},
                                                  {"members", WhoWrites::members},
                                                  {"owner", WhoWrites::owner},
                                                  {"anyone", WhoWrites::anyone}}};
constexpr std::array<Word<SlowPolicy>, 2> slow_policies{
    {{"close", SlowPolicy::close}, {"drop", SlowPolicy::drop}}};

template <typename Value, std::size_t count>
Value parse_word(Fields& fields, std::string_view name, const std::array<Word<Value>, count>& words,
                 Value otherwise) {
    const auto text = fields.text(name);
    if (!text) {
        return otherwise;
    }
    std::string choices;
    for (const auto& word : words) {
        if (word.text == *text) {
            return word.value;
        }
        choices += choices.empty() ? "" : ", ";
        choices += word.text;
    }
    fields.refuse_field(name, "this is none of: " + choices, ErrorCode::bad_request);
    return otherwise;
}

template <typename Value, std::size_t count>
std::string_view word_of(const std::array<Word<Value>, count>& words, Value value) {
    for (const auto& word : words) {
        if (word.value == value) {
            return word.text;
        }
    }
    MUSTER_CHECK(false);
    return {};
}

void parse_message_rules(Fields& fields, MountRules& rules) {
    rules.history_count_max = static_cast<std::uint32_t>(
        fields.integer("history", 0, history_count_max).value_or(rules.history_count_max));
    rules.history_ttl = parse_duration(fields, "history_ttl", rules.history_ttl);
    rules.slow = parse_word(fields, "slow", slow_policies, rules.slow);
    rules.rolls_dice = fields.boolean("rolls_dice");
    if (const auto text = fields.text("rate")) {
        const auto rate = parse_rate(*text);
        if (!rate) {
            fields.refuse_field("rate", "a rate looks like \"5/s burst 20\"",
                                ErrorCode::bad_request);
        }
        rules.rate = rate.value_or(RateLimit{});
    }
}

}  // namespace

Parsed<MountRules> parse_rules(std::string_view object, std::string pointer) {
    Fields fields = Fields::of(object, std::move(pointer));
    MountRules rules;
    if (fields.find("type") == nullptr) {
        fields.refuse_field("type", "message or state is needed", ErrorCode::bad_request);
    }
    rules.kind = parse_word(fields, "type", kinds, rules.kind);
    rules.write = parse_word(fields, "write", writers, rules.write);
    if (const auto text = fields.text("max_bytes")) {
        const auto bytes = parse_quantity(*text, size_units, payload_bytes_max);
        if (!bytes || *bytes == 0) {
            fields.refuse_field("max_bytes", "a size of at most 16KiB, with its unit, is needed",
                                ErrorCode::bad_request);
        }
        rules.payload_bytes_max = static_cast<std::uint32_t>(bytes.value_or(0));
    }
    // The other kind's fields stay unasked for, so they are refused.
    switch (rules.kind) {
        case MountKind::message: parse_message_rules(fields, rules); break;
        case MountKind::state:
            rules.keys_max = static_cast<std::uint32_t>(
                fields.integer("keys_max", 1, keys_max).value_or(rules.keys_max));
            break;
    }
    if (auto good = fields.finish(); !good) {
        return refuse(std::move(good.error()));
    }
    return rules;
}

void append_rules(std::string& out, const MountRules& rules) {
    out += fmt::format("\"type\":\"{}\",\"write\":\"{}\",\"max_bytes\":\"{}\"",
                       word_of(kinds, rules.kind), word_of(writers, rules.write),
                       quantity_text(rules.payload_bytes_max, size_units, "0B"));
    switch (rules.kind) {
        case MountKind::message:
            out += fmt::format(",\"history\":{},\"history_ttl\":\"{}\",\"slow\":\"{}\"",
                               rules.history_count_max, duration_text(rules.history_ttl),
                               word_of(slow_policies, rules.slow));
            if (rules.rate.per_second != 0) {
                out += fmt::format(",\"rate\":\"{}/s burst {}\"", rules.rate.per_second,
                                   rules.rate.burst);
            }
            if (rules.rolls_dice) {
                out += ",\"rolls_dice\":true";
            }
            break;
        case MountKind::state: out += fmt::format(",\"keys_max\":{}", rules.keys_max); break;
    }
}

Duration parse_duration(Fields& fields, std::string_view name, Duration otherwise) {
    if (fields.find(name) == nullptr) {
        return otherwise;
    }
    const auto text = fields.text(name);
    const auto microseconds =
        text ? parse_quantity(*text, time_units, duration_us_max) : std::nullopt;
    if (!microseconds) {
        fields.refuse_field(name, "a duration with its unit is needed: \"500ms\", \"30s\", \"10m\"",
                            ErrorCode::bad_request);
    }
    return Duration{static_cast<Duration::rep>(microseconds.value_or(0))};
}

std::string duration_text(Duration duration) {
    return quantity_text(static_cast<std::uint64_t>(duration.count()), time_units, "0s");
}

}  // namespace muster::admin
