#include "core/gateway/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace muster::gateway {

Hmac hmac_sha256(std::string_view key, std::string_view text) noexcept {
    Hmac digest{};
    unsigned int size = 0;
    // An empty view may point nowhere, which HMAC would take for "the key of last time".
    const char* const key_bytes = key.empty() ? "" : key.data();
    const unsigned char* const made = HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()),
                                           reinterpret_cast<const unsigned char*>(text.data()),
                                           text.size(), digest.data(), &size);
    MUSTER_CHECK(made != nullptr);
    MUSTER_CHECK(size == digest.size());
    return digest;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace muster::gateway
