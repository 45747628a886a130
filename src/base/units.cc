#include "base/units.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <span>
#include <system_error>

#include <fmt/format.h>

namespace muster {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t size;
};

// The biggest first, so that a text has the biggest that fits.
constexpr std::array<Unit, 6> time_units{{{"d", 86'400'000'000},
                                          {"h", 3'600'000'000},
                                          {"m", 60'000'000},
                                          {"s", 1'000'000},
                                          {"ms", 1'000},
                                          {"us", 1}}};
constexpr std::array<Unit, 4> size_units{
    {{"GiB", 1U << 30U}, {"MiB", 1U << 20U}, {"KiB", 1U << 10U}, {"B", 1}}};

// Takes a number off the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text) noexcept {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                            std::uint64_t max) noexcept {
    const auto number = take_number(text);
    for (const Unit& unit : units) {
        if (number && unit.name == text && *number <= max / unit.size) {
            return *number * unit.size;
        }
    }
    return std::nullopt;
}

std::string quantity_text(std::uint64_t quantity, std::span<const Unit> units) {
    for (const Unit& unit : units) {
        if (quantity % unit.size == 0) {
            return fmt::format("{}{}", quantity / unit.size, unit.name);
        }
    }
    return {};  // Not reached: the smallest unit is 1.
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) noexcept {
    constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max());
    const auto us = parse_quantity(text, time_units, max);
    return us ? std::optional(Duration{static_cast<Duration::rep>(*us)}) : std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
    return parse_quantity(text, size_units, std::numeric_limits<std::uint64_t>::max());
}

std::optional<Rate> parse_rate(std::string_view text) noexcept {
    constexpr std::string_view per_second_word = "/s";
    constexpr std::string_view burst_word = " burst ";
    const auto per_second = take_number(text);
    if (!per_second || !text.starts_with(per_second_word)) {
        return std::nullopt;
    }
    text.remove_prefix(per_second_word.size());
    auto burst = per_second;
    if (text.starts_with(burst_word)) {
        text.remove_prefix(burst_word.size());
        burst = take_number(text);
    }
    if (!text.empty() || !burst || *per_second == 0 || *per_second > rate_max || *burst == 0 ||
        *burst > rate_max) {
        return std::nullopt;
    }
    return Rate{static_cast<std::uint32_t>(*per_second), static_cast<std::uint32_t>(*burst)};
}

std::string duration_text(Duration duration) {
    const auto us = static_cast<std::uint64_t>(duration.count());
    return us == 0 ? "0s" : quantity_text(us, time_units);
}

std::string size_text(std::uint64_t bytes) {
    return bytes == 0 ? "0B" : quantity_text(bytes, size_units);
}

std::string rate_text(Rate rate) {
    return rate.per_second == rate.burst
               ? fmt::format("{}/s", rate.per_second)
               : fmt::format("{}/s burst {}", rate.per_second, rate.burst);
}

}  // namespace muster
