#include "base/sip_hash.h"

#include <highwayhash/sip_hash.h>

namespace muster {
namespace {

// The library copies the last bytes also where there are none, and no copy may be of nowhere.
const char* address_of(std::string_view text) noexcept {
    return text.data() == nullptr ? "" : text.data();
}

}  // namespace

std::uint64_t sip_hash_24(const HashKey& key, std::string_view text) noexcept {
    const highwayhash::HH_U64 words[2] = {key.low, key.high};
    return highwayhash::SipHash(words, address_of(text), text.size());
}

std::uint64_t sip_hash_13(const HashKey& key, std::string_view text) noexcept {
    const highwayhash::HH_U64 words[2] = {key.low, key.high};
    return highwayhash::SipHash13(words, address_of(text), text.size());
}

}  // namespace muster
