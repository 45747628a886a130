#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"

namespace muster::runtime {

/// What the bytes of a segment, one file of a recording, mean. All numbers are little-endian.
///
/// A segment:  56 bytes  its header, below
///             head      opaque bytes, then zeros up to a multiple of 8
///             entries   one behind the other, each from a multiple of 8 on
///             8 bytes   an end mark; missing where the process died
///
/// A header:    0  magic       8 bytes; zero in a segment that is prepared but not begun
///              8  version     u32
///             12  shard       u32
///             16  boot        u64  which life of the process
///             24  segment     u64  counted from 0
///             32  first entry u64  its index in the recording, counted from 0
///             40  head bytes  u32
///             44  head CRC    u32
///             48  CRC         u32  of the 48 bytes before it
///             52  zero        u32
///
/// An entry:    0  length      u32
///              4  complement  u32  ~length: a damaged length is found before it is followed
///              8  CRC         u32  of the bytes
///             12  the bytes, then zeros up to a multiple of 8
///
/// An end mark is a length from EndMark::first on, with its complement, and nothing else.
///
/// The first 8 bytes of an entry are written last, in one store. Where they are zero, nothing more
/// was written: no change of one byte makes them so.
///
/// All CRCs are CRC-32C. A process may die at any instruction, so files only ever grow by whole
/// entries or are cut in the last one.
inline constexpr std::string_view recording_magic = "mustrec\n";
inline constexpr std::uint32_t recording_version = 1;
inline constexpr std::size_t segment_header_bytes = 56;
inline constexpr std::size_t frame_start_bytes = 8;  // Length and complement.
inline constexpr std::size_t frame_head_bytes = 12;
inline constexpr std::size_t end_mark_bytes = 8;
inline constexpr std::uint32_t recording_head_bytes_max = 1U << 24U;
inline constexpr std::uint32_t recording_entry_bytes_max = 1U << 30U;

/// How a segment ends.
enum class EndMark : std::uint32_t {
    continued = 0xffffffff,  ///< in the next segment
    closed = 0xfffffffe,     ///< the recording was ended in order
    stopped =
        0xfffffffd,  ///< the recording gave up: the disk was full, too slow, or an entry too big
    first = stopped,
};

struct SegmentHeader {
    ShardId shard;
    Boot boot;
    std::uint64_t segment = 0;
    std::uint64_t first_entry = 0;
    std::string head;
};

[[nodiscard]] constexpr std::uint64_t padded_to_8(std::uint64_t bytes) noexcept {
    return (bytes + 7) & ~std::uint64_t{7};
}

/// What an entry of `entry_bytes` takes in a file.
[[nodiscard]] constexpr std::uint64_t frame_bytes(std::uint64_t entry_bytes) noexcept {
    return padded_to_8(frame_head_bytes + entry_bytes);
}

/// Where the first entry stands.
[[nodiscard]] constexpr std::uint64_t first_frame_at(std::uint64_t head_bytes) noexcept {
    return segment_header_bytes + padded_to_8(head_bytes);
}

/// The first 8 bytes of an entry, or an end mark, as a number.
[[nodiscard]] constexpr std::uint64_t frame_start(std::uint32_t length) noexcept {
    return length | static_cast<std::uint64_t>(~length) << 32U;
}
[[nodiscard]] constexpr std::uint64_t frame_start(EndMark mark) noexcept {
    return frame_start(static_cast<std::uint32_t>(mark));
}

[[nodiscard]] std::uint32_t load_u32(const char* at) noexcept;
[[nodiscard]] std::uint64_t load_u64(const char* at) noexcept;
void store_u32(char* at, std::uint32_t number) noexcept;
void store_u64(char* at, std::uint64_t number) noexcept;

/// Writes 8 bytes in one store, which comes after all that this thread wrote before, also for who
/// sees only what a killed process has left. `at` is a multiple of 8.
void publish_u64(char* at, std::uint64_t number) noexcept;

/// Returns the bytes of a segment up to its first entry.
[[nodiscard]] std::string encode(const SegmentHeader& header);

/// The start of a segment, read but for the head.
struct SegmentStart {
    SegmentHeader header;  ///< without its head
    std::uint32_t head_bytes = 0;
    std::uint32_t head_crc = 0;
};

/// Reads the first bytes of a file, of which segment_header_bytes are enough. Returns nothing where
/// the segment was never begun: it is empty, zero, or was cut short within its header.
/// Errors: not_a_recording, newer_recording, damaged_recording; without a detail.
[[nodiscard]] Result<std::optional<SegmentStart>> decode_segment_start(std::string_view bytes);

}  // namespace muster::runtime
