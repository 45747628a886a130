#include "base/sip_hash.h"

#include <highwayhash/sip_hash.h>

namespace muster {

std::uint64_t sip_hash_24(const HashKey& key, std::string_view text) noexcept {
    const highwayhash::HH_U64 words[2] = {key.low, key.high};
    return highwayhash::SipHash(words, text.data(), text.size());
}

std::uint64_t sip_hash_13(const HashKey& key, std::string_view text) noexcept {
    const highwayhash::HH_U64 words[2] = {key.low, key.high};
    return highwayhash::SipHash13(words, text.data(), text.size());
}

}  // namespace muster
