#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

/// The inner loop of the JSON reader and writer. For these two only.
namespace muster::wire {

/// What a run of string bytes ended at, and whether a byte above 0x7f was near.
struct StringRun {
    const char* end;        ///< the first byte that needs care, or the end of the text
    bool may_be_non_ascii;  ///< true if the run has such a byte; may be true without one
};

/// Returns the run from `at` to the first quote, backslash or control character before `end`.
/// Cost: 8 bytes a step, by the usual arithmetic on words (Mycroft's test for a zero byte). Vector
///       instructions were measured to be no faster: most strings in a frame are short.
[[nodiscard]] inline StringRun find_special(const char* at, const char* end) noexcept {
    static_assert(std::endian::native == std::endian::little);
    constexpr std::uint64_t ones = 0x0101010101010101ULL;
    constexpr std::uint64_t tops = 0x8080808080808080ULL;
    std::uint64_t seen = 0;
    while (end - at >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        seen |= word;
        const std::uint64_t quotes = word ^ (ones * '"');
        const std::uint64_t backslashes = word ^ (ones * '\\');
        // The top bit of each byte that is hit. A borrow can mark bytes above a hit, never below.
        const std::uint64_t hits =
            (((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes) |
             ((word - ones * 0x20) & ~word)) &
            tops;
        if (hits != 0) {
            return {at + std::countr_zero(hits) / 8, (seen & tops) != 0};
        }
        at += 8;
    }
    for (; at != end; ++at) {
        const auto byte = static_cast<std::uint8_t>(*at);
        if (byte == '"' || byte == '\\' || byte < 0x20) {
            break;
        }
        seen |= byte;
    }
    return {at, (seen & tops) != 0};
}

}  // namespace muster::wire
