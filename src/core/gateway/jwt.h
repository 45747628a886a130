#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/name.h"
#include "base/result.h"
#include "base/time.h"

namespace muster::gateway {

/// What a token says that was found good: who comes, and until when.
struct Claims {
    UserId user;         ///< `sub`
    WallTime expires;    ///< `exp`
    WallTime issued_at;  ///< `iat`
    friend bool operator==(const Claims&, const Claims&) = default;
};

/// For whom a key's tokens must be made, and by whom. An empty one is not looked at.
struct TokenScope {
    std::string audience;  ///< `aud`, or one of its entries
    std::string issuer;    ///< `iss`
};

/// The keys whose tokens (JWT, RFC 7519) let a user in, and what such a token must say.
///
/// Each key has a `kid` and one algorithm, HS256 or ES256. Both come from here alone: what a token
/// says of itself chooses at most one of these keys, and is refused where it wants anything else.
///
/// Thread:     immutable once built, so shards may share one (as std::shared_ptr<const TokenKeys>).
/// Invariants: every kid once; every secret has at least secret_bytes_min bytes, every ES256 key
///             is on the curve P-256.
/// Source:     RFC 7515, 7518 and 8725; GUARANTEES.md section 7, rows 28-32.
class TokenKeys {
public:
    static constexpr std::size_t token_bytes_max = 4096;
    static constexpr std::size_t secret_bytes_min = 32;
    static constexpr std::size_t kid_bytes_max = 128;

    /// How far the clock that signed may be ahead of ours (`iat`, `nbf`). `exp` has no leeway.
    static constexpr std::chrono::milliseconds clock_skew_max = std::chrono::seconds{60};
    static constexpr std::chrono::milliseconds lifetime_max = std::chrono::hours{24};

    /// Adds a key that makes and checks HS256 tokens.
    /// `kid`: 1 to kid_bytes_max bytes of printable ASCII without space, `"` and `\`.
    /// `scope`: what this key's tokens must say of whom they are for and by whom.
    /// Errors: bad_settings (kid bad or already there, secret too short, or a PEM file in its
    /// place).
    [[nodiscard]] Result<void> add_hs256(std::string_view kid, std::string_view secret,
                                         TokenScope scope = {});

    /// Adds a key that checks ES256 tokens, from `-----BEGIN PUBLIC KEY-----`.
    /// Errors: bad_settings (kid as above; not such a key, or not of the curve P-256).
    [[nodiscard]] Result<void> add_es256_public(std::string_view kid, std::string_view pem,
                                                TokenScope scope = {});

    /// Adds a key that makes and checks ES256 tokens, from an unencrypted private key in PEM.
    /// Errors: bad_settings, as above.
    [[nodiscard]] Result<void> add_es256_private(std::string_view kid, std::string_view pem,
                                                 TokenScope scope = {});

    [[nodiscard]] bool empty() const noexcept { return keys_.empty(); }

    /// Returns what `token` claims, if it is signed with one of our keys and good at `now`. A token
    /// without `kid` is checked with the only key, if there is exactly one.
    ///
    /// A pure function; nothing of the payload is looked at before the signature has been found
    /// right. Cost: some 10 us (HS256) or a quarter of a millisecond (ES256).
    /// Errors: token_expired where all is good but the time is over; otherwise bad_token. The
    /// detail names the rule that was broken and repeats nothing of the token.
    [[nodiscard]] Result<Claims> verify(std::string_view token, WallTime now) const;

    /// Returns a token with these claims (times in whole seconds) and the key's scope, which verify()
    /// accepts while it lasts. An empty `kid` names the only key. ES256 signatures hold chance: two
    /// calls give two texts.
    /// Errors: bad_settings (no such key, or only its public half is here); bad_request (user not a
    /// valid id, lifetime not in 1 s … lifetime_max).
    [[nodiscard]] Result<std::string> sign(std::string_view kid, const Claims& claims) const;

private:
    struct Key;
    using Keys = std::map<std::string, std::shared_ptr<const Key>, std::less<>>;

    [[nodiscard]] Result<void> add(std::string_view kid, Key key);
    [[nodiscard]] Result<const Key*> key_for(std::string_view header) const;

    Keys keys_;
};

}  // namespace muster::gateway
