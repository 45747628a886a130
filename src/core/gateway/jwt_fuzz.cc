// Tokens come from outside. The input is tried as a token, and, where it has two lines, as header
// and payload of a token that is signed with our own key, so that the fuzzer gets past the
// signature.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "core/gateway/hmac.h"
#include "core/gateway/jwt.h"
#include "core/wire/base64.h"
#include "core/wire/names.h"

namespace {

using muster::ErrorCode;
using muster::WallTime;
using muster::gateway::TokenKeys;

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";
constexpr WallTime now{1'790'000'000'000};

// The key of the example in RFC 7515, appendix A.3.
constexpr std::string_view public_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
    "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
    "-----END PUBLIC KEY-----\n";

TokenKeys make_keys() {
    const muster::gateway::TokenScope scope{.audience = "game", .issuer = {}};
    TokenKeys keys;
    MUSTER_CHECK(keys.add_hs256("h", secret, scope).has_value());
    MUSTER_CHECK(keys.add_es256_public("e", public_key, scope).has_value());
    return keys;
}

void verify(const TokenKeys& keys, std::string_view token) {
    const auto claims = keys.verify(token, now);
    if (!claims) {
        MUSTER_CHECK(claims.error().code == ErrorCode::bad_token ||
                     claims.error().code == ErrorCode::token_expired);
        return;
    }
    MUSTER_CHECK(muster::wire::check_user_id(claims->user.text()).has_value());
    MUSTER_CHECK(claims->expires > now);
    MUSTER_CHECK(claims->issued_at.ms <= now.ms + TokenKeys::clock_skew_max.count());
    MUSTER_CHECK(claims->expires.ms - claims->issued_at.ms <= TokenKeys::lifetime_max.count());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const TokenKeys keys = make_keys();
    const std::string_view input{reinterpret_cast<const char*>(data), size};
    verify(keys, input);

    const std::size_t line_end = input.find('\n');
    if (line_end != std::string_view::npos) {
        using muster::wire::append_base64;
        using muster::wire::Base64;
        std::string token;
        append_base64(token, input.substr(0, line_end), Base64::url);
        token += '.';
        append_base64(token, input.substr(line_end + 1), Base64::url);
        const auto signature = muster::gateway::hmac_sha256(secret, token);
        token += '.';
        append_base64(token, muster::gateway::as_text(signature), Base64::url);
        verify(keys, token);
    }
    return 0;
}
