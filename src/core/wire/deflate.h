#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "core/wire/websocket.h"

/// Messages of a WebSocket made smaller and whole again, each by itself: nothing of one message is
/// needed for the next ("no context takeover"), so that one frame fits many receivers and a
/// connection keeps nothing.
/// Source: RFC 7692 section 7.2; GUARANTEES.md section 7, row 25.
namespace muster::wire {

/// How far a Deflater looks back, as a power of two: what a peer must have room for to read it.
/// Most messages are shorter than these 4 KiB, and libraries that mind their memory ask for no
/// more.
inline constexpr int deflate_window_bits = 12;

/// Makes messages smaller.
///
/// Owns:       38 KiB from the first message on. One is enough for all connections of a shard.
/// Thread:     its owner's.
/// Invariants: the bytes depend on the message alone, not on those before it. (On zlib's version,
///             too: another one may find another form.)
class Deflater {
public:
    /// Below so many bytes too little is saved to be worth the time.
    static constexpr std::size_t message_bytes_min = 256;

    Deflater() noexcept;
    ~Deflater();
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;

    /// Appends `message` to `out`, made smaller. Returns false, with `out` as it was, where it does
    /// not get smaller.
    [[nodiscard]] bool append(std::string& out, std::string_view message);

private:
    struct Stream;
    std::unique_ptr<Stream> stream_;
};

/// Makes messages whole again.
///
/// Owns:       40 KiB from the first message on, and room for the biggest message so far. One is enough for all
///             connections of a shard.
/// Thread:     its owner's.
/// Invariants: what comes out depends on the message alone, not on those before it.
class Inflater {
public:
    Inflater() noexcept;
    ~Inflater();
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    /// Returns the message, valid until the next call. Is done once `bytes_max` are exceeded:
    /// neither time nor memory goes into more than one byte above them.
    /// Errors: too_big for that; bad_text (1007, as for other data that is not what its frame says)
    /// for bytes that are damaged, do not end where a block ends, or are cut into more blocks than
    /// anybody needs (each costs time, also an empty one). Does not look for UTF-8.
    [[nodiscard]] tl::expected<std::string_view, WebSocketError> inflate(std::string_view deflated,
                                                                         std::uint32_t bytes_max);

private:
    struct Stream;
    std::unique_ptr<Stream> stream_;
    std::string message_;
};

}  // namespace muster::wire
