#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

/// Quantities as people write them, in settings and in JSON: always with a unit, never with a
/// fraction, a sign or white space.
namespace muster {

/// So many a second in the long run, so many at once.
struct Rate {
    std::uint32_t per_second = 0;
    std::uint32_t burst = 0;
    friend bool operator==(const Rate&, const Rate&) = default;
};

/// The biggest of either number in a rate; the smallest is 1.
inline constexpr std::uint32_t rate_max = 1'000'000;

/// Reads "250ms"; units are us, ms, s, m, h, d. Returns nothing for anything else, and for what a
/// Duration cannot hold.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text) noexcept;

/// Reads "64KiB" as bytes; units are B, KiB, MiB, GiB, powers of 1,024.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

/// Reads "5/s burst 20"; "5/s" alone has a burst of 5.
[[nodiscard]] std::optional<Rate> parse_rate(std::string_view text) noexcept;

/// Write what is read back as the same, in the biggest unit that leaves no rest: "90s", "64KiB",
/// "5/s burst 20". Nothing is "0s" and "0B". `duration` is not negative.
[[nodiscard]] std::string duration_text(Duration duration);
[[nodiscard]] std::string size_text(std::uint64_t bytes);
[[nodiscard]] std::string rate_text(Rate rate);

}  // namespace muster
