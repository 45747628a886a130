#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/peers/tail.h"

namespace muster::bench {

/// Cuts Redis replies (RESP2) out of a stream of bytes: what a client meets who subscribes,
/// publishes and pings.
///
/// Owns:       a reply that has come in part; nothing between replies.
/// Invariants: the replies do not depend on how the input was cut. After an error the error
///             repeats.
/// Source:     redis.io, "Redis serialization protocol specification".
class RespReader {
public:
    static constexpr std::size_t parts_max = 4;
    static constexpr std::size_t reply_bytes_max = 1024 * 1024;

    struct Reply {
        enum class Kind : std::uint8_t { need_more, simple, error, integer, bulk, array };
        Kind kind = Kind::need_more;
        std::string_view text;  ///< of all but arrays; valid until the next call
        /// Of an array: its bulk strings and integers, as text.
        std::array<std::string_view, parts_max> parts;
        std::size_t part_count = 0;
    };

    /// Takes one reply off the front of `input`. Errors: bytes that are no reply, an array in an
    /// array or of more than parts_max, a reply above reply_bytes_max.
    [[nodiscard]] Result<Reply> next(std::span<char>& input);

private:
    Tail tail_;
    bool has_failed_ = false;
};

/// Appends a command as an array of bulk strings.
void append_command(std::string& out, std::initializer_list<std::string_view> words);

}  // namespace muster::bench
