#include "shell/runtime/recording_format.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/crc32c.h"

namespace muster::runtime {
namespace {

constexpr std::size_t version_at = 8;
constexpr std::size_t shard_at = 12;
constexpr std::size_t boot_at = 16;
constexpr std::size_t segment_at = 24;
constexpr std::size_t first_entry_at = 32;
constexpr std::size_t head_bytes_at = 40;
constexpr std::size_t head_crc_at = 44;
constexpr std::size_t crc_at = 48;

// The files are little-endian. So are all machines that Muster runs on; another one needs a swap
// here.
static_assert(std::endian::native == std::endian::little);

}  // namespace

std::uint32_t load_u32(const char* at) noexcept {
    std::uint32_t number = 0;
    std::memcpy(&number, at, sizeof number);
    return number;
}

std::uint64_t load_u64(const char* at) noexcept {
    std::uint64_t number = 0;
    std::memcpy(&number, at, sizeof number);
    return number;
}

void store_u32(char* at, std::uint32_t number) noexcept { std::memcpy(at, &number, sizeof number); }
void store_u64(char* at, std::uint64_t number) noexcept { std::memcpy(at, &number, sizeof number); }

void publish_u64(char* at, std::uint64_t number) noexcept {
    // The other side is whoever reads the file. After a kill, all stores of the dead thread up to
    // some instruction are there and none after it; the release keeps compiler and processor from
    // moving an earlier one behind this.
    std::atomic_ref<std::uint64_t>{*reinterpret_cast<std::uint64_t*>(at)}.store(
        number, std::memory_order_release);
}

std::string encode(const SegmentHeader& header) {
    MUSTER_CHECK(header.head.size() <= recording_head_bytes_max);
    std::string bytes(first_frame_at(header.head.size()), '\0');
    char* const to = bytes.data();
    std::memcpy(to, recording_magic.data(), recording_magic.size());
    store_u32(to + version_at, recording_version);
    store_u32(to + shard_at, header.shard.value);
    store_u64(to + boot_at, header.boot.value);
    store_u64(to + segment_at, header.segment);
    store_u64(to + first_entry_at, header.first_entry);
    store_u32(to + head_bytes_at, static_cast<std::uint32_t>(header.head.size()));
    store_u32(to + head_crc_at, crc32c(header.head));
    store_u32(to + crc_at, crc32c(std::string_view{bytes}.substr(0, crc_at)));
    std::ranges::copy(header.head, to + segment_header_bytes);
    return bytes;
}

Result<std::optional<SegmentStart>> decode_segment_start(std::string_view bytes) {
    const std::string_view magic = bytes.substr(0, recording_magic.size());
    if (std::ranges::all_of(magic, [](char c) { return c == '\0'; })) {
        return std::nullopt;
    }
    if (magic != recording_magic.substr(0, magic.size())) {
        return failure(ErrorCode::not_a_recording);
    }
    if (bytes.size() >= shard_at && load_u32(bytes.data() + version_at) > recording_version) {
        return failure(ErrorCode::newer_recording);
    }
    if (bytes.size() < segment_header_bytes) {
        return std::nullopt;
    }
    const char* const from = bytes.data();
    const std::uint32_t shard = load_u32(from + shard_at);
    const std::uint32_t head_bytes = load_u32(from + head_bytes_at);
    if (load_u32(from + crc_at) != crc32c(bytes.substr(0, crc_at)) ||
        load_u32(from + version_at) != recording_version ||
        shard > std::numeric_limits<ShardId::rep>::max() || head_bytes > recording_head_bytes_max) {
        return failure(ErrorCode::damaged_recording);
    }
    SegmentStart start;
    start.header.shard = ShardId{static_cast<ShardId::rep>(shard)};
    start.header.boot = Boot{load_u64(from + boot_at)};
    start.header.segment = load_u64(from + segment_at);
    start.header.first_entry = load_u64(from + first_entry_at);
    start.head_bytes = head_bytes;
    start.head_crc = load_u32(from + head_crc_at);
    return start;
}

}  // namespace muster::runtime
