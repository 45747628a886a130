#pragma once

#include <cstdint>
#include <string_view>

namespace muster::wire {

/// Returns whether `text` is UTF-8: no overlong form, no surrogate, nothing above U+10FFFF, no
/// code point cut off at the end. One pass; ASCII goes 16 bytes at a time.
/// Source: RFC 3629 section 4.
[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

/// Returns whether all bytes are below 128. 16 bytes at a time.
[[nodiscard]] bool is_ascii(std::string_view text) noexcept;

/// Checks a text that arrives in pieces, which may part a code point.
///
/// Shape:      one byte of state.
/// Invariants: fails at the first byte that no continuation can mend, and stays failed.
class Utf8Validator {
public:
    /// Takes the next piece; returns false once the text cannot be valid any more.
    [[nodiscard]] bool take(std::string_view piece) noexcept;

    /// Returns whether all that came is valid and ends with a whole code point.
    [[nodiscard]] bool is_complete() const noexcept { return state_ == 0; }

private:
    std::uint8_t state_ = 0;
};

}  // namespace muster::wire
