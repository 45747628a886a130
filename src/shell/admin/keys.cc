#include "shell/admin/keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <utility>

namespace muster::admin {

std::string_view role_name(Role role) noexcept {
    switch (role) {
        case Role::read: return "read";
        case Role::game_server: return "game-server";
        case Role::operate: return "operator";
    }
    return "";
}

Digest digest_of(std::string_view text) {
    Digest digest{};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return digest;
}

void AdminKeys::add(std::string_view key, Access access) {
    entries_.push_back(Entry{digest_of(key), std::move(access)});
}

const Access* AdminKeys::find(std::string_view key) const {
    const Digest digest = digest_of(key);
    const Access* found = nullptr;
    for (const Entry& entry : entries_) {  // To the end, also when it was the first.
        if (CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0) {
            found = &entry.access;
        }
    }
    return found;
}

}  // namespace muster::admin
