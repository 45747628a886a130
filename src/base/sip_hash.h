#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster {

/// 128 secret bits. Whoever does not know them cannot choose names that collide.
struct HashKey {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
};

/// SipHash-2-4 (Aumasson, Bernstein): places queues in buckets, so it must never change.
[[nodiscard]] std::uint64_t sip_hash_24(const HashKey& key, std::string_view text) noexcept;

/// SipHash-1-3: for tables in memory that are keyed by names from outside.
[[nodiscard]] std::uint64_t sip_hash_13(const HashKey& key, std::string_view text) noexcept;

/// Hash functor for tables that are keyed from outside and searched by plain text. It is not
/// noexcept, though nothing in it throws: the library's tables keep the hash of each entry only where
/// computing it anew might throw, and without it every step along a chain hashes a name.
struct KeyedHash {
    using is_transparent = void;
    HashKey key;

    std::size_t operator()(std::string_view text) const { return sip_hash_13(key, text); }
    template <typename NameType>
        requires requires(const NameType& name) { name.text(); }
    std::size_t operator()(const NameType& name) const {
        return sip_hash_13(key, name.text());
    }
};

}  // namespace muster
