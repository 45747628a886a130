#include <chrono>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <openssl/rsa.h>

#include "core/gateway/jwt.h"
#include "core/gateway/jwt_test_bench.h"

namespace muster::gateway {
namespace {

using namespace jwt_test;

using namespace std::chrono_literals;

TEST_CASE("a key is refused with a reason that helps") {
    TokenKeys keys = keys_with_k1();
    const auto reason = [](const Result<void>& added) {
        REQUIRE_FALSE(added.has_value());
        CHECK(added.error().code == ErrorCode::bad_settings);
        return added.error().detail;
    };
    const PemPair pair = make_p256();
    const std::string not_public =
        "not a public key of the curve P-256 (-----BEGIN PUBLIC KEY-----)";
    const std::string not_private =
        "not an unencrypted private key of the curve P-256 (-----BEGIN PRIVATE KEY-----)";

    CHECK(reason(keys.add_hs256("k2", secret.substr(1))) ==
          "an HS256 secret needs at least 32 bytes");
    CHECK(reason(keys.add_hs256("k2", "")) == "an HS256 secret needs at least 32 bytes");
    CHECK(reason(keys.add_hs256("k1", secret)) == "two keys have the kid k1");
    CHECK(reason(keys.add_es256_public("k1", pair.public_key)) == "two keys have the kid k1");
    for (const std::string& kid :
         {std::string{}, std::string{"a b"}, std::string{"a\"b"}, std::string{"a\\b"},
          std::string{"\xc3\xa4"}, std::string(129, 'k'), std::string{"a\0b", 3}}) {
        CHECK(reason(keys.add_hs256(kid, secret)) ==
              "a kid is 1-128 printable characters, without space");
    }

    CHECK(reason(keys.add_es256_public("e", "")) == not_public);
    CHECK(reason(keys.add_es256_public("e", "rubbish")) == not_public);
    CHECK(reason(keys.add_es256_public("e", pair.private_key)) == not_public);
    CHECK(reason(keys.add_es256_private("e", pair.public_key)) == not_private);
    const PemPair p384 = pem_of(EVP_EC_gen("P-384"));
    CHECK(reason(keys.add_es256_public("e", p384.public_key)) == not_public);
    CHECK(reason(keys.add_es256_private("e", p384.private_key)) == not_private);
    const PemPair rsa = pem_of(EVP_RSA_gen(2048));
    CHECK(reason(keys.add_es256_public("e", rsa.public_key)) == not_public);
    EVP_PKEY* key = EVP_EC_gen("P-256");
    const std::string encrypted = pem_text([key](BIO* bio) {
        return PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(),
                                        reinterpret_cast<const unsigned char*>("password"), 8,
                                        nullptr, nullptr);
    });
    EVP_PKEY_free(key);
    CHECK(reason(keys.add_es256_private("e", encrypted)) == not_private);

    // None of these is in the table now.
    CHECK(refusal(keys, hs256_token(R"({"alg":"HS256"})", good_payload)) == "");
}

TEST_CASE("signing names the only key by itself, and needs its private half") {
    const PemPair pair = make_p256();
    TokenKeys keys;
    REQUIRE(keys.add_es256_public("e", pair.public_key).has_value());
    CHECK(keys.sign("", alice).error() ==
          Error{ErrorCode::bad_settings, "of this key only the public half is here"});
    CHECK(keys.sign("x", alice).error() == Error{ErrorCode::bad_settings, "no key has this kid"});
    REQUIRE(keys.add_hs256("h", secret).has_value());
    CHECK(keys.sign("", alice).error() == Error{ErrorCode::bad_settings, "no key has this kid"});
    CHECK(keys_with_k1().sign("", alice).has_value());
}

TEST_CASE("nothing is signed that would not be accepted") {
    const TokenKeys keys = keys_with_k1();
    Claims claims = alice;
    claims.user = UserId{"not/valid"};
    CHECK(keys.sign("k1", claims).error().code == ErrorCode::bad_request);
    const auto lifetime = [&keys](std::chrono::milliseconds span) {
        return keys
            .sign("k1", {.user = UserId{"alice"},
                         .expires = WallTime{now.ms + span.count()},
                         .issued_at = now})
            .has_value();
    };
    CHECK(lifetime(24h));
    CHECK(lifetime(1s));
    CHECK_FALSE(lifetime(24h + 1s));
    CHECK_FALSE(lifetime(0s));
    CHECK_FALSE(lifetime(-1h));
}

TEST_CASE("what we sign has the form of RFC 7519") {
    const auto token = keys_with_k1({.audience = "game", .issuer = "auth"}).sign("k1", alice);
    REQUIRE(token.has_value());
    const std::string payload =
        fmt::format(R"({{"sub":"alice","iat":{},"exp":{},"aud":"game","iss":"auth"}})", now_s - 10,
                    now_s + 600);
    CHECK(*token == hs256_token(good_header, payload));
}

}  // namespace
}  // namespace muster::gateway
