#include "shell/admin/rules_json.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/units.h"

namespace muster::admin {
namespace {

using queue::MountKind;
using queue::MountRules;
using queue::RateLimit;
using queue::SlowPolicy;
using queue::WhoWrites;

constexpr Duration duration_max = std::chrono::hours{24 * 365};
constexpr std::uint64_t history_count_max = 10'000;
constexpr std::uint64_t keys_max = 1'024;

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
        rules.rate = rate ? RateLimit{rate->per_second, rate->burst} : RateLimit{};
    }
}

}  // namespace

Parsed<MountRules> parse_rules(std::string_view object, std::string pointer,
                               std::uint32_t payload_bytes_max) {
    Fields fields = Fields::of(object, std::move(pointer));
    MountRules rules;
    rules.payload_bytes_max = payload_bytes_max;
    if (fields.find("type") == nullptr) {
        fields.refuse_field("type", "message or state is needed", ErrorCode::bad_request);
    }
    rules.kind = parse_word(fields, "type", kinds, rules.kind);
    rules.write = parse_word(fields, "write", writers, rules.write);
    if (const auto text = fields.text("max_bytes")) {
        const auto bytes = parse_size(*text);
        if (!bytes || *bytes == 0 || *bytes > payload_bytes_max) {
            fields.refuse_field("max_bytes",
                                fmt::format("a size of at most {}, with its unit, is needed",
                                            size_text(payload_bytes_max)),
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
                       size_text(rules.payload_bytes_max));
    switch (rules.kind) {
        case MountKind::message:
            out += fmt::format(",\"history\":{},\"history_ttl\":\"{}\",\"slow\":\"{}\"",
                               rules.history_count_max, duration_text(rules.history_ttl),
                               word_of(slow_policies, rules.slow));
            if (rules.rate.per_second != 0) {
                out += fmt::format(",\"rate\":\"{}\"",
                                   rate_text(Rate{rules.rate.per_second, rules.rate.burst}));
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
    const auto duration = text ? muster::parse_duration(*text) : std::nullopt;
    if (!duration || *duration > duration_max) {
        fields.refuse_field(name, "a duration with its unit is needed: \"500ms\", \"30s\", \"10m\"",
                            ErrorCode::bad_request);
    }
    return duration.value_or(Duration{});
}

}  // namespace muster::admin
