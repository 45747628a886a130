#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "core/gateway/hmac.h"
#include "core/gateway/jwt.h"
#include "core/wire/base64.h"

/// Keys and tokens made by hand, for the tests of jwt.h.
namespace muster::gateway::jwt_test {

inline constexpr std::int64_t now_s = 1'790'000'000;
inline constexpr WallTime now{now_s * 1000};
inline const std::string secret = "a secret of thirty-two bytes ...";
inline const std::string other_secret = "another one of thirty-two bytes.";

/// A key of its own for each test, as a backend would keep it.
struct PemPair {
    std::string private_key;
    std::string public_key;
};

/// Returns what `write` puts into a BIO.
template <typename Write>
std::string pem_text(Write write) {
    BIO* bio = BIO_new(BIO_s_mem());
    REQUIRE(write(bio) == 1);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    std::string text(bytes, static_cast<std::size_t>(size));
    BIO_free(bio);
    return text;
}

/// Returns both halves of `key`, and frees it.
inline PemPair pem_of(EVP_PKEY* key) {
    REQUIRE(key != nullptr);
    PemPair pair{
        .private_key = pem_text([key](BIO* bio) {
            return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
        }),
        .public_key = pem_text([key](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key); })};
    EVP_PKEY_free(key);
    return pair;
}

inline PemPair make_p256() { return pem_of(EVP_EC_gen("P-256")); }

inline std::string base64url(std::string_view bytes) {
    std::string text;
    wire::append_base64(text, bytes, wire::Base64::url);
    return text;
}

/// Returns a token with any header and payload, rightly signed.
inline std::string hs256_token(std::string_view header, std::string_view payload,
                               std::string_view key = secret) {
    const std::string text = base64url(header) + "." + base64url(payload);
    return text + "." + base64url(as_text(hmac_sha256(key, text)));
}

inline const std::string good_header = R"({"alg":"HS256","typ":"JWT","kid":"k1"})";

/// A payload that is good at `now`, with `more` members at its end.
inline std::string payload_with(std::string_view more) {
    return fmt::format(R"({{"sub":"alice","iat":{},"exp":{}{}}})", now_s - 10, now_s + 600, more);
}
inline const std::string good_payload = payload_with("");

inline TokenKeys keys_with_k1(TokenScope scope = {}) {
    TokenKeys keys;
    REQUIRE(keys.add_hs256("k1", secret, std::move(scope)).has_value());
    return keys;
}

inline const Claims alice{.user = UserId{"alice"},
                          .expires = WallTime{(now_s + 600) * 1000},
                          .issued_at = WallTime{(now_s - 10) * 1000}};

/// Returns why `token` is refused: "" where it is not.
inline std::string refusal(const TokenKeys& keys, std::string_view token, WallTime at = now) {
    const auto claims = keys.verify(token, at);
    if (claims) {
        return "";
    }
    if (claims.error().code == ErrorCode::token_expired) {
        return "expired";
    }
    CHECK(claims.error().code == ErrorCode::bad_token);
    CHECK_FALSE(claims.error().detail.empty());
    return claims.error().detail;
}
inline std::string refusal_of_header(std::string_view header) {
    return refusal(keys_with_k1(), hs256_token(header, good_payload));
}
inline std::string refusal_of_payload(std::string_view payload) {
    return refusal(keys_with_k1(), hs256_token(good_header, payload));
}

// Why tokens are refused, in the words of verify().
inline const std::string bad_parts = "a token has three parts with dots between them";
inline const std::string bad_base64 = "a part is not base64url without padding";
inline const std::string bad_header = "the header is not one JSON object with each name once";
inline const std::string bad_payload = "the payload is not one JSON object with each name once";
inline const std::string bad_algorithm = "alg is not that of the key: HS256";
inline const std::string bad_kid = "no key has this kid";
inline const std::string bad_signature = "the signature is not that of the key";

}  // namespace muster::gateway::jwt_test
