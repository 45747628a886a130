#include "core/gateway/resume_token.h"

#include <limits>
#include <string>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/gateway/hmac.h"
#include "core/wire/base64.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

ClusterSecret secret_of(std::uint8_t first) {
    ClusterSecret secret;
    secret.bytes.fill(0x5a);
    secret.bytes[0] = first;
    return secret;
}

constexpr WallTime noon{1'790'000'000'000};

WallTime after(WallTime time, std::chrono::milliseconds span) {
    return WallTime{time.ms + span.count()};
}

ResumeToken sample() {
    return {.user = UserId{"alice"},
            .cid = {.high = 0x0123456789abcdefU, .low = 0xfedcba9876543210U},
            .session = SessionId{81},
            .issued_at = noon};
}

ResumeTokens::Bearer bearer_of(const ResumeToken& token) {
    return {.user = token.user, .cid = token.cid};
}

void check_refused(const Result<ResumeToken>& result, const std::string& detail) {
    CAPTURE(detail);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == ErrorCode::resume_refused);
    CHECK(result.error().detail == detail);
}

std::string decoded(std::string_view text) {
    std::string bytes;
    REQUIRE(wire::append_base64_decoded(bytes, text, wire::Base64::url));
    return bytes;
}

std::string encoded(std::string_view bytes) {
    std::string text;
    wire::append_base64(text, bytes, wire::Base64::url);
    return text;
}

const std::string user_letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@-";

rc::Gen<std::string> any_user() {
    return rc::gen::map(
        rc::gen::resize(60, rc::gen::container<std::string>(rc::gen::elementOf(user_letters))),
        [](const std::string& text) { return "u" + text.substr(0, 63); });
}

TEST_CASE("a resume token says again what it was issued for") {
    CHECK(rc::check("issue and check",
                    [](std::uint64_t high, std::uint64_t low, std::uint64_t session) {
                        const ResumeTokens tokens{secret_of(1)};
                        const ResumeToken token{.user = UserId{*any_user()},
                                                .cid = {.high = high, .low = low},
                                                .session = SessionId{session},
                                                .issued_at = noon};
                        const std::string text = tokens.issue(token);
                        RC_ASSERT(text.size() <= ResumeTokens::text_bytes_max);
                        const auto checked = tokens.check(text, bearer_of(token), noon);
                        RC_ASSERT(checked.has_value());
                        RC_ASSERT(*checked == token);
                    }));
    ResumeToken longest = sample();
    longest.user = UserId{std::string(64, 'z')};
    const ResumeTokens tokens{secret_of(1)};
    CHECK(tokens.issue(longest).size() == ResumeTokens::text_bytes_max);
    CHECK(tokens.check(tokens.issue(longest), bearer_of(longest), noon).has_value());
}

TEST_CASE("all gateways of a cluster issue the same text, another cluster another one") {
    CHECK(ResumeTokens{secret_of(1)}.issue(sample()) == ResumeTokens{secret_of(1)}.issue(sample()));
    CHECK(ResumeTokens{secret_of(1)}.issue(sample()) != ResumeTokens{secret_of(2)}.issue(sample()));
}

TEST_CASE("the form of a resume token does not change from one release to the next") {
    CHECK(ResumeTokens{secret_of(1)}.issue(sample()) ==
          "AQAAAaDEUGwAAAAAAAAAAFEBI0VniavN7_7cuph2VDIQYWxpY2WUkdAnyvExj0V3uGNxfS1H");
}

TEST_CASE("a forged resume token is refused: every single bit counts") {
    const ResumeTokens tokens{secret_of(1)};
    const std::string bytes = decoded(tokens.issue(sample()));
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        CAPTURE(bit);
        std::string forged = bytes;
        forged[bit / 8] =
            static_cast<char>(static_cast<unsigned char>(forged[bit / 8]) ^ (1U << (bit % 8)));
        check_refused(tokens.check(encoded(forged), bearer_of(sample()), noon),
                      "not issued by this cluster, or changed on its way");
    }
}

TEST_CASE("a resume token of another cluster is refused") {
    check_refused(ResumeTokens{secret_of(2)}.check(ResumeTokens{secret_of(1)}.issue(sample()),
                                                   bearer_of(sample()), noon),
                  "not issued by this cluster, or changed on its way");
}

TEST_CASE("a truncated resume token is refused, at whatever length") {
    const ResumeTokens tokens{secret_of(1)};
    const std::string text = tokens.issue(sample());
    for (std::size_t size = 0; size < text.size(); ++size) {
        CAPTURE(size);
        const auto result = tokens.check(text.substr(0, size), bearer_of(sample()), noon);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == ErrorCode::resume_refused);
    }
}

TEST_CASE("what is no resume token at all is refused") {
    const ResumeTokens tokens{secret_of(1)};
    const std::string text = tokens.issue(sample());
    for (const std::string& other :
         {std::string{}, std::string{"x"}, std::string(1000, 'A'), text + "A", text + "AAAA",
          text + "=", " " + text, text + "\n", std::string(text.size(), '/'),
          std::string(ResumeTokens::text_bytes_max + 1, 'A')}) {
        CAPTURE(other);
        const auto result = tokens.check(other, bearer_of(sample()), noon);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == ErrorCode::resume_refused);
    }
    CHECK(rc::check("any bytes", [&tokens](const std::string& bytes) {
        RC_ASSERT_FALSE(tokens.check(bytes, bearer_of(sample()), noon).has_value());
        RC_ASSERT_FALSE(tokens.check(encoded(bytes), bearer_of(sample()), noon).has_value());
    }));
}

TEST_CASE("a resume token of another user or another cid is refused") {
    const ResumeTokens tokens{secret_of(1)};
    const std::string text = tokens.issue(sample());
    const Cid cid = sample().cid;
    check_refused(tokens.check(text, {.user = UserId{"bob"}, .cid = cid}, noon), "of another user");
    check_refused(tokens.check(text, {.user = UserId{"alic"}, .cid = cid}, noon),
                  "of another user");
    check_refused(
        tokens.check(text, {.user = UserId{"alice"}, .cid = {.high = cid.high, .low = cid.low + 1}},
                     noon),
        "of another cid");
    check_refused(
        tokens.check(text, {.user = UserId{"alice"}, .cid = {.high = cid.high + 1, .low = cid.low}},
                     noon),
        "of another cid");
}

TEST_CASE("where the user is not known yet, the resume token names the user") {
    const ResumeTokens tokens{secret_of(1)};
    const auto checked =
        tokens.check(tokens.issue(sample()), {.user = std::nullopt, .cid = sample().cid}, noon);
    REQUIRE(checked.has_value());
    CHECK(checked->user == "alice");
}

TEST_CASE("a resume token is good for 48 hours") {
    const ResumeTokens tokens{secret_of(1)};
    const std::string text = tokens.issue(sample());
    CHECK(tokens.check(text, bearer_of(sample()), after(noon, 48h)).has_value());
    check_refused(tokens.check(text, bearer_of(sample()), after(noon, 48h + 1ms)), "too old");
}

TEST_CASE("the age at which a resume token is too old can be set") {
    const ResumeTokens tokens{secret_of(1), 10s};
    const std::string text = tokens.issue(sample());
    CHECK(tokens.check(text, bearer_of(sample()), after(noon, 10s)).has_value());
    check_refused(tokens.check(text, bearer_of(sample()), after(noon, 10s + 1ms)), "too old");
}

TEST_CASE("a resume token from a gateway whose clock is ahead is taken") {
    const ResumeTokens tokens{secret_of(1)};
    CHECK(
        tokens.check(tokens.issue(sample()), bearer_of(sample()), after(noon, -5min)).has_value());
}

TEST_CASE("any time can be issued and compared") {
    const ResumeTokens tokens{secret_of(1)};
    for (const std::int64_t ms : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                  std::numeric_limits<std::int64_t>::max()}) {
        CAPTURE(ms);
        ResumeToken token = sample();
        token.issued_at = WallTime{ms};
        CHECK(tokens.check(tokens.issue(token), bearer_of(token), noon).has_value() == (ms > 0));
    }
}

TEST_CASE("a token of another version is refused, though it is signed") {
    const std::string bytes = decoded(ResumeTokens{secret_of(1)}.issue(sample()));
    std::string body = bytes.substr(0, bytes.size() - 16);
    const auto sign = [](const std::string& text) {
        const ClusterSecret secret = secret_of(1);
        const Hmac hash =
            hmac_sha256({reinterpret_cast<const char*>(secret.bytes.data()), secret.bytes.size()},
                        "muster resume token\n" + text);
        return encoded(text + std::string{as_text(hash).substr(0, 16)});
    };
    const ResumeTokens tokens{secret_of(1)};
    CHECK(tokens.check(sign(body), bearer_of(sample()), noon).has_value());
    body[0] = 2;
    check_refused(tokens.check(sign(body), bearer_of(sample()), noon),
                  "of another version of the server");
}

TEST_CASE("the same user and nonce are the same client on every gateway") {
    CHECK(derive_cid(secret_of(1), UserId{"alice"}, "nonce") ==
          derive_cid(secret_of(1), UserId{"alice"}, "nonce"));
    CHECK(derive_cid(secret_of(1), UserId{"alice"}, "nonce") ==
          Cid{.high = 0x283636c28517ed96, .low = 0x323a2385eb2e1790});
}

TEST_CASE("another user, nonce or cluster makes another client") {
    const Cid cid = derive_cid(secret_of(1), UserId{"alice"}, "nonce");
    CHECK(cid != derive_cid(secret_of(1), UserId{"bob"}, "nonce"));
    CHECK(cid != derive_cid(secret_of(1), UserId{"alice"}, "nonce2"));
    CHECK(cid != derive_cid(secret_of(2), UserId{"alice"}, "nonce"));
    CHECK(cid != derive_cid(secret_of(1), UserId{"alice"}, ""));
    // Where user ends and nonce begins counts, too: nobody becomes alice by another cut.
    CHECK(cid != derive_cid(secret_of(1), UserId{"alic"}, "enonce"));
    CHECK(cid != derive_cid(secret_of(1), UserId{"alicen"}, "once"));
    CHECK(rc::check("two clients", [](const std::string& a, const std::string& b) {
        const UserId user{*any_user()};
        const ClusterSecret secret = secret_of(1);
        RC_ASSERT((derive_cid(secret, user, a) == derive_cid(secret, user, b)) == (a == b));
    }));
}

}  // namespace
}  // namespace muster::gateway
