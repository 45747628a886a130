// Tokens that others made, and what others say of ours: RFC 7515 and libjwt.
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>
#include <jwt.h>  // libjwt

#include "core/gateway/jwt.h"
#include "core/gateway/jwt_test_bench.h"

namespace muster::gateway {
namespace {

using namespace jwt_test;

TEST_CASE("the signatures of the examples in RFC 7515 are right") {
    // Their payload has no sub, so it is refused for that, once the signature has been found right.
    const std::string missing_sub = "sub is missing, or not a text";
    std::string hs256_key;
    REQUIRE(wire::append_base64_decoded(
        hs256_key,
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        wire::Base64::url));
    TokenKeys keys_a1;
    REQUIRE(keys_a1.add_hs256("a1", hs256_key).has_value());
    const std::string token_a1 =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    CHECK(refusal(keys_a1, token_a1) == missing_sub);

    TokenKeys keys_a3;
    REQUIRE(
        keys_a3
            .add_es256_public("a3",
                              "-----BEGIN PUBLIC KEY-----\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
                              "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
                              "-----END PUBLIC KEY-----\n")
            .has_value());
    const std::string token_a3 =
        "eyJhbGciOiJFUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
        "pmWQxfKTUJqPP3-Kg6NU1Q";
    CHECK(refusal(keys_a3, token_a3) == missing_sub);
}

struct Peer {
    jwt_alg_t algorithm;
    std::string sign_key;
    std::string verify_key;
};

const unsigned char* raw(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string peer_token(const Peer& peer, const char* kid) {
    jwt_t* jwt = nullptr;
    REQUIRE(jwt_new(&jwt) == 0);
    REQUIRE(jwt_add_header(jwt, "kid", kid) == 0);
    REQUIRE(jwt_add_grant(jwt, "sub", "alice") == 0);
    REQUIRE(jwt_add_grant_int(jwt, "iat", now_s - 10) == 0);
    REQUIRE(jwt_add_grant_int(jwt, "exp", now_s + 600) == 0);
    REQUIRE(jwt_set_alg(jwt, peer.algorithm, raw(peer.sign_key),
                        static_cast<int>(peer.sign_key.size())) == 0);
    char* text = jwt_encode_str(jwt);
    REQUIRE(text != nullptr);
    std::string token = text;
    std::free(text);
    jwt_free(jwt);
    return token;
}

// Returns the user whom libjwt finds in `token`: "" where it refuses it.
std::string peer_user(const Peer& peer, const std::string& token) {
    jwt_t* jwt = nullptr;
    if (jwt_decode(&jwt, token.c_str(), raw(peer.verify_key),
                   static_cast<int>(peer.verify_key.size())) != 0) {
        return "";
    }
    CHECK(jwt_get_alg(jwt) == peer.algorithm);
    CHECK(jwt_get_grant_int(jwt, "iat") == now_s - 10);
    CHECK(jwt_get_grant_int(jwt, "exp") == now_s + 600);
    const char* user = jwt_get_grant(jwt, "sub");
    std::string found = user == nullptr ? "" : user;
    jwt_free(jwt);
    return found;
}

TEST_CASE("HS256 tokens of libjwt are good here, and ours there") {
    const Peer peer{.algorithm = JWT_ALG_HS256, .sign_key = secret, .verify_key = secret};
    const TokenKeys keys = keys_with_k1();
    const auto claims = keys.verify(peer_token(peer, "k1"), now);
    REQUIRE(claims.has_value());
    CHECK(*claims == alice);
    const auto ours = keys.sign("k1", alice);
    REQUIRE(ours.has_value());
    CHECK(peer_user(peer, *ours) == "alice");

    const Peer stranger{
        .algorithm = JWT_ALG_HS256, .sign_key = other_secret, .verify_key = other_secret};
    CHECK(refusal(keys, peer_token(stranger, "k1")) == bad_signature);
    CHECK(peer_user(stranger, *ours) == "");
}

TEST_CASE("ES256 tokens of libjwt are good here, and ours there") {
    const PemPair pair = make_p256();
    const Peer peer{
        .algorithm = JWT_ALG_ES256, .sign_key = pair.private_key, .verify_key = pair.public_key};
    TokenKeys keys;
    REQUIRE(keys.add_es256_private("e", pair.private_key).has_value());
    for (int round = 0; round < 50; ++round) {  // Short r and s come once in some hundred.
        const auto claims = keys.verify(peer_token(peer, "e"), now);
        REQUIRE(claims.has_value());
        CHECK(*claims == alice);
        const auto ours = keys.sign("e", alice);
        REQUIRE(ours.has_value());
        CHECK(peer_user(peer, *ours) == "alice");
    }
    const PemPair other = make_p256();
    const Peer stranger{
        .algorithm = JWT_ALG_ES256, .sign_key = other.private_key, .verify_key = other.public_key};
    CHECK(refusal(keys, peer_token(stranger, "e")) == bad_signature);
}

TEST_CASE("other algorithms of libjwt are refused here") {
    for (const jwt_alg_t algorithm : {JWT_ALG_HS384, JWT_ALG_HS512}) {
        const Peer peer{.algorithm = algorithm, .sign_key = secret, .verify_key = secret};
        CHECK(refusal(keys_with_k1(), peer_token(peer, "k1")) == bad_algorithm);
    }
    jwt_t* jwt = nullptr;
    REQUIRE(jwt_new(&jwt) == 0);
    REQUIRE(jwt_add_grant(jwt, "sub", "alice") == 0);
    REQUIRE(jwt_set_alg(jwt, JWT_ALG_NONE, nullptr, 0) == 0);
    char* text = jwt_encode_str(jwt);
    CHECK(refusal(keys_with_k1(), text) == bad_algorithm);
    std::free(text);
    jwt_free(jwt);
}

}  // namespace
}  // namespace muster::gateway
