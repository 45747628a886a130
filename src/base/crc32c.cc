#include "base/crc32c.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace muster {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // Castagnoli's, the lowest bit first.
constexpr std::size_t word_bytes = 8;

using Table = std::array<std::uint32_t, 256>;

// tables[k][b]: what byte b does to the CRC when k more bytes follow it in its word of eight.
constexpr std::array<Table, word_bytes> make_tables() {
    std::array<Table, word_bytes> tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? polynomial : 0);
        }
        tables[0][byte] = crc;
    }
    for (std::size_t k = 1; k < word_bytes; ++k) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t crc = tables[k - 1][byte];
            tables[k][byte] = (crc >> 8U) ^ tables[0][crc & 0xffU];
        }
    }
    return tables;
}
constexpr std::array<Table, word_bytes> tables = make_tables();

std::uint32_t step(std::uint32_t crc, char byte) noexcept {
    return (crc >> 8U) ^ tables[0][(crc ^ static_cast<unsigned char>(byte)) & 0xffU];
}

#if defined(__x86_64__)

bool has_instruction() noexcept {
    __builtin_cpu_init();
    return static_cast<bool>(__builtin_cpu_supports("sse4.2"));
}
const bool is_fast = has_instruction();  // Before main(): until then, the tables do it.

__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(
    std::string_view bytes, std::uint32_t before) noexcept {
    std::uint64_t crc = ~before;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= word_bytes; left -= word_bytes, at += word_bytes) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, word_bytes);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    auto rest = static_cast<std::uint32_t>(crc);
    for (; left > 0; --left, ++at) {
        rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(*at));
    }
    return ~rest;
}

#endif

}  // namespace

std::uint32_t crc32c_by_tables(std::string_view bytes, std::uint32_t before) noexcept {
    std::uint32_t crc = ~before;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    if constexpr (std::endian::native == std::endian::little) {
        for (; left >= word_bytes; left -= word_bytes, at += word_bytes) {
            std::uint64_t word = 0;
            std::memcpy(&word, at, word_bytes);
            word ^= crc;
            crc = 0;
            for (std::size_t k = 0; k < word_bytes; ++k) {
                crc ^= tables[word_bytes - 1 - k][(word >> (8 * k)) & 0xffU];
            }
        }
    }
    for (; left > 0; --left, ++at) {
        crc = step(crc, *at);
    }
    return ~crc;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) noexcept {
#if defined(__x86_64__)
    if (is_fast) {
        return crc32c_by_instruction(bytes, before);
    }
#endif
    return crc32c_by_tables(bytes, before);
}

}  // namespace muster
