#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace muster::gateway {

/// The 32 bytes of an HMAC-SHA-256.
using Hmac = std::array<std::uint8_t, 32>;

/// Returns the HMAC-SHA-256 of `text` (RFC 2104, FIPS 180-4). Linear in its size.
[[nodiscard]] Hmac hmac_sha256(std::string_view key, std::string_view text) noexcept;

/// Returns whether `a` and `b` are the same bytes. Its time depends on their sizes alone, so it
/// does not tell a guesser how much of a guess was right.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

/// The bytes of `digest` as text, for base64 and comparisons. Points into `digest`.
[[nodiscard]] inline std::string_view as_text(const Hmac& digest) noexcept {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace muster::gateway
