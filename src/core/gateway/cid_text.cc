#include "core/gateway/cid_text.h"

#include <charconv>

#include <fmt/format.h>

namespace muster::gateway {

std::string to_text(const Cid& cid) { return fmt::format("{:016x}{:016x}", cid.high, cid.low); }

std::optional<Cid> parse_cid(std::string_view text) noexcept {
    const auto half = [](std::string_view digits) -> std::optional<std::uint64_t> {
        std::uint64_t value = 0;
        const char* end = digits.data() + digits.size();
        const auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
        return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
    };
    if (text.size() != 32) {
        return std::nullopt;
    }
    const auto high = half(text.substr(0, 16));
    const auto low = half(text.substr(16));
    return high && low ? std::optional(Cid{*high, *low}) : std::nullopt;
}

}  // namespace muster::gateway
