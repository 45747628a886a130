#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/wire/http_head.h"

namespace muster::wire {

/// Returns the size that a chunk's first line gives: 1 to 8 hexadecimal digits and nothing else. No
/// sign, no `0x`, no white space, and nothing that could wrap around in a 64-bit computation.
/// Errors: 400. Source: RFC 9112 section 7.1; GUARANTEES.md section 7, row 5.
[[nodiscard]] HttpResult<std::uint32_t> parse_chunk_size(std::string_view digits) noexcept;

/// Takes a request's body off a stream of bytes and hands it out in parts, without a copy.
///
/// Shape:      28 bytes, no memory of its own: the caller collects the parts if it needs to.
/// Invariants: hands out at most `bytes_max`; what is not body (sizes, extensions, trailers) is at
///             most overhead_bytes_max and 16 bytes for each chunk. Takes no byte that belongs to
///             the next request. The sum of all parts does not depend on how the input was cut.
class BodyDecoder {
public:
    /// Most bytes of chunk extensions and trailers in a body. Both are read over, never used.
    static constexpr std::uint16_t overhead_bytes_max = 4096;

    struct Step {
        enum class Kind : std::uint8_t { need_more, part, done };
        Kind kind = Kind::need_more;
        std::string_view part;  ///< into the input; never empty
    };

    /// Reads the body that `head` announces. Errors: 413 where that is above `bytes_max`.
    [[nodiscard]] static HttpResult<BodyDecoder> of(const RequestHead& head,
                                                    std::uint32_t bytes_max) noexcept;

    /// Takes bytes off the front of `input`. Call until it returns need_more (with all of `input`
    /// taken) or done. Errors: 400, 413; the decoder is then of no use.
    [[nodiscard]] HttpResult<Step> next(std::string_view& input) noexcept;

private:
    enum class State : std::uint8_t {
        size,
        extension,
        size_newline,
        data,
        data_return,
        data_newline,
        trailer_start,
        trailer,
        trailer_newline,
        end_newline,
        plain,
        done
    };

    BodyDecoder(State state, std::uint32_t left, std::uint32_t bytes_left) noexcept
        : left_(left), bytes_left_(bytes_left), state_(state) {}

    [[nodiscard]] HttpResult<State> take(char c) noexcept;
    [[nodiscard]] HttpResult<State> begin_chunk() noexcept;

    std::uint32_t left_;        // Bytes to come of this chunk, or of a plain body.
    std::uint32_t bytes_left_;  // What bytes_max still allows.
    std::uint16_t overhead_bytes_ = 0;
    State state_;
    std::uint8_t digit_count_ = 0;
    std::array<char, 8> digits_{};
};

}  // namespace muster::wire
