#include "core/wire/sha1.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace muster::wire {
namespace {

using Block = std::array<unsigned char, 64>;
using Digest = std::array<std::uint32_t, 5>;

void add_block(Digest& digest, const Block& block) noexcept {
    std::array<std::uint32_t, 80> words{};
    for (std::size_t i = 0; i < 16; ++i) {
        words[i] = std::uint32_t{block[4 * i]} << 24U | std::uint32_t{block[4 * i + 1]} << 16U |
                   std::uint32_t{block[4 * i + 2]} << 8U | std::uint32_t{block[4 * i + 3]};
    }
    for (std::size_t i = 16; i < 80; ++i) {
        words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    }
    auto [a, b, c, d, e] = digest;
    for (std::size_t i = 0; i < 80; ++i) {
        std::uint32_t mixed = 0;
        if (i < 20) {
            mixed = ((b & c) | (~b & d)) + 0x5a827999U;
        } else if (i < 40) {
            mixed = (b ^ c ^ d) + 0x6ed9eba1U;
        } else if (i < 60) {
            mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcU;
        } else {
            mixed = (b ^ c ^ d) + 0xca62c1d6U;
        }
        const std::uint32_t next = std::rotl(a, 5) + mixed + e + words[i];
        e = d;
        d = c;
        c = std::rotl(b, 30);
        b = a;
        a = next;
    }
    digest[0] += a;
    digest[1] += b;
    digest[2] += c;
    digest[3] += d;
    digest[4] += e;
}

}  // namespace

std::array<char, 20> sha1(std::string_view bytes) noexcept {
    Digest digest = {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U};
    const std::uint64_t bit_count = std::uint64_t{bytes.size()} * 8;

    Block block{};
    while (bytes.size() >= block.size()) {
        std::memcpy(block.data(), bytes.data(), block.size());
        add_block(digest, block);
        bytes.remove_prefix(block.size());
    }
    // The end: the rest, a 1 bit, zeros, and the length in the last eight bytes of a block.
    block.fill(0);
    bytes.copy(reinterpret_cast<char*>(block.data()), bytes.size());
    block[bytes.size()] = 0x80;
    if (bytes.size() >= 56) {
        add_block(digest, block);
        block.fill(0);
    }
    for (std::size_t i = 0; i < 8; ++i) {
        block[56 + i] = static_cast<unsigned char>(bit_count >> (56 - 8 * i));
    }
    add_block(digest, block);

    std::array<char, 20> result{};
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = static_cast<char>(digest[i / 4] >> (24 - 8 * (i % 4)));
    }
    return result;
}

}  // namespace muster::wire
