#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// Messages with their length in front, 4 bytes big-endian: how protobuf goes over plain TCP, for
/// both sides. A message's first byte is 0 (it is far below 16 MiB), an HTTP request's a letter, so
/// one port takes both.
namespace muster::wire {

inline constexpr std::size_t length_bytes = 4;

/// Writes the length of a message to `out`, which has room for length_bytes.
void write_length(char* out, std::size_t message_bytes) noexcept;

/// Appends a whole message with its length.
void append_length_frame(std::string& out, std::string_view message);

/// Makes messages of the bytes that a peer sends.
///
/// Owns:       nothing while messages lie whole in the input; of one that has come in part never
///             more than twice what came: a declared length alone takes nothing. Given back with
///             the step after its message.
/// Invariants: the steps do not depend on how the input was cut. After a length that is too big
///             nothing else follows.
class LengthDecoder {
public:
    struct Step {
        enum class Kind : std::uint8_t { need_more, message, too_big };
        Kind kind = Kind::need_more;
        /// Valid until the next call: a part of the input, or of the decoder's own memory.
        std::string_view message;
    };

    explicit LengthDecoder(std::uint32_t message_bytes_max) noexcept
        : message_bytes_max_(message_bytes_max) {}

    /// Takes bytes off the front of `input`. Call until it returns need_more: then all is taken.
    [[nodiscard]] Step next(std::span<char>& input);

    /// Returns how much memory is held at the moment; 0 between messages.
    [[nodiscard]] std::size_t buffered_bytes() const noexcept {
        return is_held_ ? message_.capacity() : 0;
    }

private:
    std::string message_;  // So far.
    std::array<unsigned char, length_bytes> header_{};
    std::uint32_t message_bytes_max_;
    std::uint8_t header_bytes_ = 0;
    bool is_held_ = false;       // message_ has memory.
    bool is_delivered_ = false;  // It was the last step's.
};

}  // namespace muster::wire
