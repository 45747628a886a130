#include "core/gateway/jwt.h"

#include <cstdint>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <rapidcheck.h>

#include "core/gateway/jwt_test_bench.h"

namespace muster::gateway {
namespace {

using namespace jwt_test;

// ---- What is accepted --------------------------------------------------------------------------

TEST_CASE("a good HS256 token lets its user in") {
    const auto claims = keys_with_k1().verify(hs256_token(good_header, good_payload), now);
    REQUIRE(claims.has_value());
    CHECK(*claims == alice);
}

TEST_CASE("a token without kid is checked with the only key") {
    const std::string token = hs256_token(R"({"alg":"HS256"})", good_payload);
    TokenKeys keys = keys_with_k1();
    CHECK(refusal(keys, token) == "");
    REQUIRE(keys.add_hs256("k2", other_secret).has_value());
    CHECK(refusal(keys, token) == "kid is missing, and there is not exactly one key");
    CHECK(refusal(TokenKeys{}, token) == "kid is missing, and there is not exactly one key");
}

TEST_CASE("during a key rotation, tokens of both keys are good") {
    TokenKeys keys = keys_with_k1();
    REQUIRE(keys.add_hs256("k2", other_secret).has_value());
    CHECK(refusal(keys, hs256_token(good_header, good_payload)) == "");
    CHECK(refusal(keys, hs256_token(R"({"alg":"HS256","kid":"k2"})", good_payload, other_secret)) ==
          "");
    CHECK(refusal(keys, hs256_token(R"({"alg":"HS256","kid":"k2"})", good_payload)) ==
          bad_signature);
}

TEST_CASE("what we sign verifies, whoever the user is") {
    const TokenScope scope{.audience = "my \"game\"", .issuer = "https://auth.example.com/"};
    TokenKeys keys;
    const PemPair pair = make_p256();
    REQUIRE(keys.add_hs256("h", secret, scope).has_value());
    REQUIRE(keys.add_es256_private("e", pair.private_key, scope).has_value());
    const std::string letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@-";
    CHECK(rc::check("sign and verify", [&] {
        const auto tail =
            *rc::gen::resize(60, rc::gen::container<std::string>(rc::gen::elementOf(letters)));
        const auto age_s = *rc::gen::inRange<std::int64_t>(-60, 80'000);
        const auto rest_s = *rc::gen::inRange<std::int64_t>(1, 6'400);
        const Claims claims{.user = UserId{"u" + tail.substr(0, 63)},
                            .expires = WallTime{(now_s + rest_s) * 1000},
                            .issued_at = WallTime{(now_s - age_s) * 1000}};
        for (const std::string_view kid : {"h", "e"}) {
            if (rest_s + age_s < 1) {
                RC_ASSERT_FALSE(keys.sign(kid, claims).has_value());
                continue;
            }
            const auto token = keys.sign(kid, claims);
            RC_ASSERT(token.has_value());
            const auto verified = keys.verify(*token, now);
            RC_ASSERT(verified.has_value());
            RC_ASSERT(*verified == claims);
        }
    }));
}

TEST_CASE("an ES256 token is checked with the public half of its key") {
    const PemPair pair = make_p256();
    TokenKeys backend;
    TokenKeys server;
    REQUIRE(backend.add_es256_private("e", pair.private_key).has_value());
    REQUIRE(server.add_es256_public("e", pair.public_key).has_value());
    const auto token = backend.sign("e", alice);
    REQUIRE(token.has_value());
    CHECK(refusal(server, *token) == "");
    CHECK(refusal(backend, *token) == "");

    TokenKeys stranger;
    REQUIRE(stranger.add_es256_public("e", make_p256().public_key).has_value());
    CHECK(refusal(stranger, *token) == bad_signature);
}

// ---- Row 28, 29: the algorithm -----------------------------------------------------------------

TEST_CASE("a token cannot choose to be unsigned") {
    for (const std::string_view header :
         {R"({"alg":"none","kid":"k1"})", R"({"alg":"None","kid":"k1"})",
          R"({"alg":"NONE","kid":"k1"})", R"({"alg":"nOnE","kid":"k1"})",
          R"({"alg":"","kid":"k1"})", R"({"alg":null,"kid":"k1"})",
          R"({"alg":["HS256"],"kid":"k1"})", R"({"kid":"k1"})", R"({"alg":"none"})", R"({})"}) {
        CAPTURE(header);
        CHECK(refusal_of_header(header) == bad_algorithm);
        const std::string unsigned_token = base64url(header) + "." + base64url(good_payload) + ".";
        CHECK(refusal(keys_with_k1(), unsigned_token) == bad_algorithm);
    }
    CHECK(refusal(keys_with_k1(), base64url(good_header) + "." + base64url(good_payload) + ".") ==
          bad_signature);
}

TEST_CASE("a token cannot choose another algorithm than the one of its key") {
    for (const std::string_view algorithm : {"HS384", "HS512", "ES256", "RS256", "PS256", "EdDSA",
                                             "hs256", "HS256 ", "HS256\\u0000"}) {
        CAPTURE(algorithm);
        CHECK(refusal_of_header(fmt::format(R"({{"alg":"{}","kid":"k1"}})", algorithm)) ==
              bad_algorithm);
    }
}

TEST_CASE("a token signed by HMAC with a public key as the secret is refused") {
    const PemPair pair = make_p256();
    TokenKeys keys;
    REQUIRE(keys.add_es256_public("e", pair.public_key).has_value());
    for (const std::string_view header : {R"({"alg":"HS256","kid":"e"})", R"({"alg":"HS256"})"}) {
        CHECK(refusal(keys, hs256_token(header, good_payload, pair.public_key)) ==
              "alg is not that of the key: ES256");
    }
    CHECK(refusal(keys, hs256_token(R"({"alg":"ES256"})", good_payload, pair.public_key)) ==
          bad_signature);
    // Nor can the mistake be made in the settings.
    const auto added = TokenKeys{}.add_hs256("h", pair.public_key);
    REQUIRE_FALSE(added.has_value());
    CHECK(added.error().code == ErrorCode::bad_settings);
}

TEST_CASE("ES256 signatures of zeros, of another form and of another length are refused") {
    const PemPair pair = make_p256();
    TokenKeys keys;
    REQUIRE(keys.add_es256_private("e", pair.private_key).has_value());
    const auto good = keys.sign("e", alice);
    REQUIRE(good.has_value());
    const std::string text = good->substr(0, good->rfind('.') + 1);
    std::string signature;
    REQUIRE(wire::append_base64_decoded(signature, good->substr(text.size()), wire::Base64::url));
    REQUIRE(signature.size() == 64);
    CHECK(refusal(keys, text + base64url(signature)) == "");

    const std::string zeros(32, '\0');
    const std::string ones(32, '\xff');
    const std::string r = signature.substr(0, 32);
    const std::string s = signature.substr(32);
    const std::string der = "\x30\x44\x02\x20" + r + "\x02\x20" + s;
    for (const std::string& other :
         {zeros + zeros, zeros + s, r + zeros, ones + ones, r + ones, s + r, std::string{},
          signature.substr(0, 63), signature + '\0', std::string(72, '0'), der}) {
        CHECK(refusal(keys, text + base64url(other)) == bad_signature);
    }
}

// ---- Row 30: the key ---------------------------------------------------------------------------

TEST_CASE("a kid is only ever looked up in the table") {
    for (const std::string_view kid :
         {"", "k2", "K1", "k1 ", "k1\\u0000", "../../../../dev/null", "/etc/passwd",
          "https://evil.example.com/key", "k1' OR '1'='1", "k1;--", "*", "%s%s%s"}) {
        CAPTURE(kid);
        CHECK(refusal_of_header(fmt::format(R"({{"alg":"HS256","kid":"{}"}})", kid)) == bad_kid);
        // Also if it is signed with what such a path would hold: nothing.
        CHECK(
            refusal(keys_with_k1(), hs256_token(fmt::format(R"({{"alg":"HS256","kid":"{}"}})", kid),
                                                good_payload, "")) == bad_kid);
    }
    for (const std::string_view kid : {"1", "null", "true", "[\"k1\"]", "{\"k1\":1}"}) {
        CAPTURE(kid);
        CHECK(refusal_of_header(fmt::format(R"({{"alg":"HS256","kid":{}}})", kid)) == bad_kid);
    }
}

TEST_CASE("a token that brings its own key or names where to fetch one is refused") {
    for (const std::string_view name : {"jku", "jwk", "x5u", "x5c", "crit"}) {
        CAPTURE(name);
        for (const std::string_view value :
             {R"("https://evil.example.com/")", R"(["x"])", R"({"kty":"oct"})", "null"}) {
            CHECK(refusal_of_header(
                      fmt::format(R"({{"alg":"HS256","kid":"k1","{}":{}}})", name, value)) ==
                  "the header may not hold " + std::string{name});
        }
    }
}

TEST_CASE("headers that mean nothing to us are passed over") {
    CHECK(refusal_of_header(R"({"alg":"HS256","kid":"k1","typ":"at+jwt","x":{"y":[1,"z"]}})") ==
          "");
}

// ---- Row 31: times, audience, issuer -----------------------------------------------------------

TEST_CASE("a token is good until exp, to the millisecond") {
    const TokenKeys keys = keys_with_k1();
    const std::string token = hs256_token(good_header, good_payload);
    CHECK(refusal(keys, token, WallTime{(now_s + 600) * 1000 - 1}) == "");
    CHECK(refusal(keys, token, WallTime{(now_s + 600) * 1000}) == "expired");
    CHECK(refusal(keys, token, WallTime{(now_s + 100'000'000) * 1000}) == "expired");
}

TEST_CASE("a token that is expired and bad besides is bad") {
    const std::string payload =
        fmt::format(R"({{"sub":"alice","iat":{},"exp":{}}})", now_s - 100, now_s - 10);
    CHECK(refusal(keys_with_k1(), hs256_token(good_header, payload)) == "expired");
    CHECK(refusal(keys_with_k1(), hs256_token(good_header, payload, other_secret)) ==
          bad_signature);
    CHECK(refusal(keys_with_k1({.audience = "game", .issuer = {}}),
                  hs256_token(good_header, payload)) == "aud is missing or not ours");
}

TEST_CASE("a token needs exp and iat, as numbers of seconds") {
    const std::string no_exp = "exp is missing, or not a number of seconds";
    const std::string no_iat = "iat is missing, or not a number of seconds";
    CHECK(refusal_of_payload(fmt::format(R"({{"sub":"alice","iat":{}}})", now_s)) == no_exp);
    CHECK(refusal_of_payload(fmt::format(R"({{"sub":"alice","exp":{}}})", now_s + 1)) == no_iat);
    for (const std::string_view time :
         {"null", "true", "\"1790000100\"", "[1790000100]", "{}", "1e30", "-1e30", "1e400",
          "18446744073709551615", "9223372036854775807", "-9223372036854775808", "253402300800"}) {
        CAPTURE(time);
        const std::string found_exp =
            refusal_of_payload(fmt::format(R"({{"sub":"alice","iat":{},"exp":{}}})", now_s, time));
        CHECK((found_exp == no_exp || found_exp == bad_payload));
        const std::string found_iat = refusal_of_payload(
            fmt::format(R"({{"sub":"alice","iat":{},"exp":{}}})", time, now_s + 1));
        CHECK((found_iat == no_iat || found_iat == bad_payload));
    }
}

TEST_CASE("times may have fractions, as some libraries write them") {
    const auto claims = keys_with_k1().verify(
        hs256_token(good_header,
                    R"({"sub":"alice","iat":1789999990.25,"exp":1.7900006005e9,"nbf":0.5})"),
        now);
    REQUIRE(claims.has_value());
    CHECK(claims->issued_at == WallTime{1'789'999'990'250});
    CHECK(claims->expires == WallTime{1'790'000'600'500});
}

TEST_CASE("a token lives 24 hours at most") {
    const auto lifetime = [](std::int64_t iat, std::int64_t exp) {
        return refusal_of_payload(fmt::format(R"({{"sub":"alice","iat":{},"exp":{}}})", iat, exp));
    };
    const std::string too_long = "the lifetime (exp - iat) is above 24 h";
    CHECK(lifetime(now_s, now_s + 86'400) == "");
    CHECK(lifetime(now_s, now_s + 86'401) == too_long);
    CHECK(lifetime(0, now_s + 1) == too_long);
    CHECK(lifetime(-253'402'300'799, 253'402'300'799) == too_long);
}

TEST_CASE("an iat ahead of us cannot stretch a lifetime") {
    const auto issued = [](std::int64_t iat) {
        return refusal_of_payload(
            fmt::format(R"({{"sub":"alice","iat":{},"exp":{}}})", iat, iat + 86'400));
    };
    CHECK(issued(now_s + 60) == "");
    CHECK(issued(now_s + 61) == "iat is in the future: compare the clocks");
    CHECK(issued(now_s + 31'536'000) == "iat is in the future: compare the clocks");
}

TEST_CASE("a token is refused before nbf, with 60 s of leeway") {
    CHECK(refusal_of_payload(payload_with(fmt::format(R"(,"nbf":{})", now_s - 5))) == "");
    CHECK(refusal_of_payload(payload_with(fmt::format(R"(,"nbf":{})", now_s + 60))) == "");
    CHECK(refusal_of_payload(payload_with(fmt::format(R"(,"nbf":{})", now_s + 61))) ==
          "nbf is in the future");
    CHECK(refusal_of_payload(payload_with(R"(,"nbf":"now")")) == "nbf is not a number of seconds");
    CHECK(refusal_of_payload(payload_with(R"(,"nbf":null)")) == "nbf is not a number of seconds");
}

TEST_CASE("a token must be made for us, where an audience is configured") {
    const TokenKeys keys = keys_with_k1({.audience = "game", .issuer = {}});
    const auto found = [&keys](std::string_view more) {
        return refusal(keys, hs256_token(good_header, payload_with(more)));
    };
    CHECK(found(R"(,"aud":"game")") == "");
    CHECK(found(R"(,"aud":["other","game"])") == "");
    for (const std::string_view more :
         {"", R"(,"aud":"gam")", R"(,"aud":"Game")", R"(,"aud":"")", R"(,"aud":[])",
          R"(,"aud":["other"])", R"(,"aud":["game",1])", R"(,"aud":[["game"]])",
          R"(,"aud":{"game":"game"})", R"(,"aud":[{"game":"game"}])", R"(,"aud":null)",
          R"(,"x":{"aud":"game"})", R"(,"x":["game"])"}) {
        CAPTURE(more);
        CHECK(found(more) == "aud is missing or not ours");
    }
    CHECK(refusal_of_payload(payload_with(R"(,"aud":"whoever")")) == "");
}

TEST_CASE("a token must be made by the one we trust, where an issuer is configured") {
    const TokenKeys keys = keys_with_k1({.audience = {}, .issuer = "auth"});
    const auto found = [&keys](std::string_view more) {
        return refusal(keys, hs256_token(good_header, payload_with(more)));
    };
    CHECK(found(R"(,"iss":"auth")") == "");
    for (const std::string_view more : {"", R"(,"iss":"aut")", R"(,"iss":["auth"])",
                                        R"(,"iss":null)", R"(,"x":{"iss":"auth"})"}) {
        CAPTURE(more);
        CHECK(found(more) == "iss is missing or not the one we trust");
    }
}

// ---- Row 32: the form --------------------------------------------------------------------------

TEST_CASE("a token has three parts, neither more nor fewer") {
    const TokenKeys keys = keys_with_k1();
    const std::string good = hs256_token(good_header, good_payload);
    for (const std::string& token :
         {std::string{}, std::string{"."}, std::string{"abc"}, good.substr(0, good.rfind('.')),
          good + ".", good + ".x", "." + good, good + ".x.y", std::string{"a.b.c.d.e"}}) {
        CAPTURE(token);
        CHECK(refusal(keys, token) == bad_parts);
    }
    CHECK(refusal(keys, "..") == bad_header);
}

TEST_CASE("a token is base64url, in its only spelling") {
    const TokenKeys keys = keys_with_k1();
    const std::string good = hs256_token(good_header, good_payload);
    const std::size_t first = good.find('.');
    const std::size_t second = good.rfind('.');
    for (const std::string_view wrong : {"=", "==", "+", "/", " ", "\n", "%", "\xff"}) {
        CAPTURE(wrong);
        for (const std::size_t place :
             {std::size_t{0}, first, first + 1, second, second + 1, good.size()}) {
            std::string token = good;
            token.insert(place, wrong);
            CHECK(refusal(keys, token) == bad_base64);
        }
    }
    CHECK(refusal(keys, std::string{"a\0b.c.d", 7}) == bad_base64);
}

TEST_CASE("a token is 4 KiB at most") {
    const TokenKeys keys = keys_with_k1();
    const auto token_with = [](std::size_t filler_size) {
        return hs256_token(
            good_header, payload_with(fmt::format(R"(,"x":"{}")", std::string(filler_size, 'x'))));
    };
    const std::size_t fits = (4096 - token_with(0).size()) / 4 * 3;
    REQUIRE(token_with(fits).size() <= 4096);
    CHECK(refusal(keys, token_with(fits)) == "");
    REQUIRE(token_with(fits + 4).size() > 4096);
    CHECK(refusal(keys, token_with(fits + 4)) == "the token is longer than 4 KiB");
    CHECK(refusal(keys, std::string(1'000'000, '.')) == "the token is longer than 4 KiB");
}

TEST_CASE("no name stands twice in a token") {
    CHECK(refusal_of_payload(payload_with(R"(,"sub":"bob")")) == bad_payload);
    CHECK(refusal_of_payload(payload_with(R"(,"sub":"alice")")) == bad_payload);
    CHECK(refusal_of_payload(payload_with(R"(,"s\u0075b":"bob")")) == bad_payload);
    CHECK(refusal_of_payload(payload_with(R"(,"x":1,"x":2)")) == bad_payload);
    CHECK(refusal_of_payload(payload_with(R"(,"x":{"y":1,"y":2})")) == bad_payload);
    CHECK(refusal_of_payload(payload_with(R"(,"x":{"y":1},"z":{"y":{"y":[{"y":1},{"y":1}]}})")) ==
          "");
    CHECK(refusal_of_header(R"({"alg":"none","alg":"HS256","kid":"k1"})") == bad_header);
    CHECK(refusal_of_header(R"({"alg":"HS256","kid":"k1","\u0061lg":"HS256"})") == bad_header);
}

TEST_CASE("header and payload are one JSON object each") {
    std::string deep = "1";
    for (int i = 0; i < 16; ++i) {
        deep.insert(0, "[").append("]");
    }
    const std::string depth_16 =
        fmt::format(R"({{"alg":"HS256","kid":"k1","x":{}}})", deep.substr(1, deep.size() - 2));
    CHECK(refusal_of_header(depth_16) == "");
    const std::string depth_17 = fmt::format(R"({{"alg":"HS256","kid":"k1","x":{}}})", deep);
    for (const std::string& json : {std::string{},
                                    std::string{" "},
                                    std::string{"null"},
                                    std::string{"[]"},
                                    std::string{"1"},
                                    std::string{"1.5"},
                                    std::string{"-1"},
                                    std::string{"18446744073709551615"},
                                    std::string{"true"},
                                    std::string{"\"x\""},
                                    std::string{"{"},
                                    std::string{"{}}"},
                                    std::string{"{}{}"},
                                    std::string{"{}x"},
                                    std::string{"{\"a\":1,}"},
                                    std::string{"{'a':1}"},
                                    std::string{"{\"a\":NaN}"},
                                    std::string{"{\"a\":01}"},
                                    std::string{"{/**/}"},
                                    std::string{"{\"a\":\"\xff\"}"},
                                    std::string{"{\"a\":\"\\ud800\"}"},
                                    std::string{"{\"a\":\"\n\"}"},
                                    std::string{"\xef\xbb\xbf{}"},
                                    std::string{"{}\0", 3},
                                    std::string(1000, '['),
                                    depth_17}) {
        CAPTURE(json);
        CHECK(refusal_of_header(json) == bad_header);
        CHECK(refusal_of_payload(json) == bad_payload);
    }
}

TEST_CASE("sub is a valid user id") {
    const auto found = [](std::string_view sub) {
        return refusal_of_payload(
            fmt::format(R"({{"sub":{},"iat":{},"exp":{}}})", sub, now_s, now_s + 60));
    };
    const auto quoted = [](std::string_view text) { return fmt::format("\"{}\"", text); };
    CHECK(found(quoted("A-z_0.9:x@y")) == "");
    CHECK(found(quoted(std::string(64, 'u'))) == "");
    CHECK(found(quoted("\\u0061lice")) == "");
    for (const std::string& sub :
         {quoted(""), quoted(std::string(65, 'u')), quoted("a b"), quoted("a/b"), quoted("../x"),
          quoted("\xc3\xa4"), quoted("a\\u0000"), quoted("a\\n"), quoted("a'--")}) {
        CAPTURE(sub);
        CHECK(found(sub) == "sub is not a valid user id (1-64 of A-Z a-z 0-9 _ . : @ -)");
    }
    for (const std::string_view sub : {"null", "42", "[\"alice\"]", "{\"alice\":1}", "true"}) {
        CAPTURE(sub);
        CHECK(found(sub) == "sub is missing, or not a text");
    }
    CHECK(refusal_of_payload("{}") == "sub is missing, or not a text");
}

TEST_CASE("long texts with escapes are read whole") {
    std::string escaped;
    for (int i = 0; i < 150; ++i) {
        escaped += "\\u00e4x";
    }
    CHECK(refusal_of_payload(payload_with(fmt::format(R"(,"{0}":"{0}")", escaped))) == "");
    CHECK(refusal_of_header(fmt::format(R"({{"alg":"HS256","kid":"{}"}})", escaped)) == bad_kid);
}

TEST_CASE("a token with any one character changed is refused") {
    TokenKeys keys = keys_with_k1();
    REQUIRE(keys.add_es256_private("e", make_p256().private_key).has_value());
    for (const std::string_view kid : {"k1", "e"}) {
        const auto good = keys.sign(kid, alice);
        REQUIRE(good.has_value());
        for (std::size_t i = 0; i < good->size(); ++i) {
            std::string token = *good;
            token[i] = token[i] == 'A' ? 'B' : 'A';
            CAPTURE(i);
            CHECK(refusal(keys, token) != "");
            token[i] = '.';
            CHECK((token == *good || refusal(keys, token) != ""));
        }
    }
}

TEST_CASE("no bytes are taken for a token") {
    const TokenKeys keys = keys_with_k1();
    CHECK(rc::check("any bytes", [&keys](const std::string& a, const std::string& b,
                                         const std::string& c) {
        RC_ASSERT_FALSE(keys.verify(a, now).has_value());
        RC_ASSERT_FALSE(
            keys.verify(base64url(a) + "." + base64url(b) + "." + base64url(c), now).has_value());
        RC_ASSERT_FALSE(keys.verify(hs256_token(a, b), now).has_value());
        RC_ASSERT_FALSE(keys.verify(hs256_token(good_header, a), now).has_value());
    }));
}

TEST_CASE("a refused token leaves nothing in OpenSSL's list of errors, which TLS reads") {
    ERR_clear_error();
    TokenKeys keys;
    REQUIRE(keys.add_es256_private("e", make_p256().private_key).has_value());
    const auto good = keys.sign("e", alice);
    REQUIRE(good.has_value());
    const std::string text = good->substr(0, good->rfind('.') + 1);
    CHECK(refusal(keys, text + base64url(std::string(64, '\0'))) == bad_signature);
    CHECK(refusal(keys, text + base64url(std::string(64, '\x7f'))) == bad_signature);
    CHECK_FALSE(keys.add_es256_public("x", "no PEM").has_value());
    CHECK_FALSE(keys.add_es256_private("x", "no PEM").has_value());
    CHECK(ERR_peek_error() == 0);
}

}  // namespace
}  // namespace muster::gateway
