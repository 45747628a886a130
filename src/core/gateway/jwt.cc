#include "core/gateway/jwt.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/check.h"
#include "core/gateway/hmac.h"
#include "core/wire/base64.h"
#include "core/wire/names.h"

namespace muster::gateway {
namespace {

using wire::Base64;

// ---- JSON: one object, of which only the members at the top matter ---------------------------

// What stands behind one name. A number is taken as a NumericDate (RFC 7519, section 2), a list as
// one of texts; `other` is all that no claim of ours may be.
struct Value {
    enum class Kind : std::uint8_t { text, time, texts, other };
    Kind kind = Kind::other;
    std::string text;
    WallTime time;
    std::vector<std::string> texts;
};
using Object = std::map<std::string, Value, std::less<>>;

constexpr std::size_t json_depth_max = 16;
constexpr std::int64_t latest_second = 253'402'300'799;  // The last one of the year 9999.

// Takes what Boost.JSON's parser finds, and refuses what it would let pass: a name that stands
// twice in one object (also where its second spelling uses escapes), and a root that is no object.
class ObjectReader {
public:
    using Text = boost::json::string_view;
    using Failure = boost::json::error_code;

    static constexpr std::size_t max_object_size = TokenKeys::token_bytes_max;
    static constexpr std::size_t max_array_size = TokenKeys::token_bytes_max;
    static constexpr std::size_t max_key_size = TokenKeys::token_bytes_max;
    static constexpr std::size_t max_string_size = TokenKeys::token_bytes_max;

    Object take() { return std::move(object_); }

    bool on_document_begin(Failure& /*failure*/) { return true; }
    bool on_document_end(Failure& /*failure*/) { return true; }

    bool on_object_begin(Failure& failure) {
        if (!open_.empty() && !put(Value{}, failure)) {
            return false;
        }
        open_.push_back({.is_object = true, .names = {}});
        return true;
    }
    bool on_object_end(std::size_t /*size*/, Failure& /*failure*/) {
        open_.pop_back();
        return true;
    }
    bool on_array_begin(Failure& failure) {
        Value list;
        list.kind = Value::Kind::texts;
        if (!put(std::move(list), failure)) {
            return false;
        }
        open_.push_back({.is_object = false, .names = {}});
        return true;
    }
    bool on_array_end(std::size_t /*size*/, Failure& /*failure*/) {
        open_.pop_back();
        return true;
    }

    bool on_key_part(Text part, std::size_t /*size*/, Failure& /*failure*/) {
        text_.append(part.data(), part.size());
        return true;
    }
    bool on_key(Text part, std::size_t /*size*/, Failure& failure) {
        text_.append(part.data(), part.size());
        if (!open_.back().names.insert(text_).second) {
            return refuse(failure);
        }
        if (open_.size() == 1) {
            name_ = text_;
        }
        text_.clear();
        return true;
    }
    bool on_string_part(Text part, std::size_t /*size*/, Failure& /*failure*/) {
        text_.append(part.data(), part.size());
        return true;
    }
    bool on_string(Text part, std::size_t /*size*/, Failure& failure) {
        Value value;
        value.kind = Value::Kind::text;
        value.text.swap(text_);
        value.text.append(part.data(), part.size());
        return put(std::move(value), failure);
    }

    bool on_number_part(Text /*part*/, Failure& /*failure*/) { return true; }
    bool on_int64(std::int64_t number, Text /*part*/, Failure& failure) {
        Value value;
        if (number >= -latest_second && number <= latest_second) {
            value.kind = Value::Kind::time;
            value.time.ms = number * 1000;
        }
        return put(std::move(value), failure);
    }
    bool on_uint64(std::uint64_t /*number*/, Text /*part*/, Failure& failure) {
        return put(Value{}, failure);  // Only what no int64 holds comes here: never a time.
    }
    bool on_double(double number, Text /*part*/, Failure& failure) {
        Value value;
        constexpr auto latest = static_cast<double>(latest_second);
        if (number >= -latest && number <= latest) {
            value.kind = Value::Kind::time;
            value.time.ms = static_cast<std::int64_t>(std::floor(number * 1000));
        }
        return put(std::move(value), failure);
    }
    bool on_bool(bool /*is_true*/, Failure& failure) { return put(Value{}, failure); }
    bool on_null(Failure& failure) { return put(Value{}, failure); }

    // Never called: comments are not allowed by default.
    bool on_comment_part(Text /*part*/, Failure& /*failure*/) { return true; }
    bool on_comment(Text /*part*/, Failure& /*failure*/) { return true; }

private:
    struct Open {
        bool is_object;
        std::set<std::string> names;
    };

    static bool refuse(Failure& failure) {
        failure = boost::json::error::syntax;
        return false;
    }

    // Keeps a value where it belongs to a member at the top, or to a list that is one.
    bool put(Value value, Failure& failure) {
        if (open_.empty()) {
            return refuse(failure);
        }
        if (open_.size() == 1) {
            object_.insert_or_assign(name_, std::move(value));
        } else if (open_.size() == 2 && !open_.back().is_object) {
            Value& list = object_[name_];
            if (value.kind != Value::Kind::text) {
                list.kind = Value::Kind::other;
            }
            list.texts.push_back(std::move(value.text));
        }
        return true;
    }

    std::vector<Open> open_;  // The objects and lists that surround the next value.
    std::string text_;        // The parts so far of a name or text that came in parts.
    std::string name_;        // The member at the top that is being read.
    Object object_;
};

std::optional<Object> read_object(std::string_view json) {
    boost::json::parse_options options;
    options.max_depth = json_depth_max;
    boost::json::basic_parser<ObjectReader> parser{options};
    boost::json::error_code failed;
    const std::size_t read_size = parser.write_some(false, json.data(), json.size(), failed);
    if (failed || read_size != json.size()) {
        return std::nullopt;
    }
    return parser.handler().take();
}

const Value* member(const Object& object, std::string_view name, Value::Kind kind) {
    const auto found = object.find(name);
    return found != object.end() && found->second.kind == kind ? &found->second : nullptr;
}

// ---- OpenSSL -----------------------------------------------------------------------------------

template <auto free_it>
struct FreedBy {
    template <typename T>
    void operator()(T* it) const noexcept {
        free_it(it);
    }
};
using EvpKey = std::unique_ptr<EVP_PKEY, FreedBy<&EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreedBy<&EVP_MD_CTX_free>>;
using MemoryBio = std::unique_ptr<BIO, FreedBy<&BIO_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, FreedBy<&ECDSA_SIG_free>>;
using BigNumber = std::unique_ptr<BIGNUM, FreedBy<&BN_free>>;

// OpenSSL's errors of this scope leave no trace: the shard's TLS reads the same per-thread list.
class QuietErrors {
public:
    QuietErrors() { ERR_set_mark(); }
    ~QuietErrors() { ERR_pop_to_mark(); }
    QuietErrors(const QuietErrors&) = delete;
    QuietErrors& operator=(const QuietErrors&) = delete;
};

constexpr std::size_t coordinate_size = 32;                  // P-256: r and s.
constexpr std::size_t signature_size = 2 * coordinate_size;  // In a JWS they stand side by side.
constexpr std::size_t der_signature_bytes_max = 72;          // In DER, two signed integers.

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

bool is_p256(const EvpKey& key) {
    std::array<char, 32> curve{};
    std::size_t size = 0;
    return EVP_PKEY_is_a(key.get(), "EC") == 1 &&
           EVP_PKEY_get_group_name(key.get(), curve.data(), curve.size(), &size) == 1 &&
           std::string_view{curve.data(), size} == "prime256v1";
}

// r || s to DER. Fails for no 64 bytes: whether they are a signature is for OpenSSL to say.
std::vector<unsigned char> to_der(std::string_view raw) {
    MUSTER_CHECK(raw.size() == signature_size);
    const EcdsaSignature signature{ECDSA_SIG_new()};
    BigNumber r{BN_bin2bn(bytes_of(raw), coordinate_size, nullptr)};
    BigNumber s{BN_bin2bn(bytes_of(raw.substr(coordinate_size)), coordinate_size, nullptr)};
    MUSTER_CHECK(signature != nullptr && r != nullptr && s != nullptr);
    MUSTER_CHECK(ECDSA_SIG_set0(signature.get(), r.release(), s.release()) == 1);
    std::vector<unsigned char> der(der_signature_bytes_max);
    unsigned char* end = der.data();
    const int size = i2d_ECDSA_SIG(signature.get(), &end);
    MUSTER_CHECK(size > 0);
    der.resize(static_cast<std::size_t>(size));
    return der;
}

std::string from_der(const std::vector<unsigned char>& der) {
    const unsigned char* begin = der.data();
    const EcdsaSignature signature{d2i_ECDSA_SIG(nullptr, &begin, static_cast<long>(der.size()))};
    MUSTER_CHECK(signature != nullptr);
    std::array<unsigned char, signature_size> raw{};
    const BIGNUM* r = ECDSA_SIG_get0_r(signature.get());
    const BIGNUM* s = ECDSA_SIG_get0_s(signature.get());
    MUSTER_CHECK(BN_bn2binpad(r, raw.data(), coordinate_size) == coordinate_size);
    MUSTER_CHECK(BN_bn2binpad(s, raw.data() + coordinate_size, coordinate_size) == coordinate_size);
    return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

bool is_signed_es256(EVP_PKEY* key, std::string_view text, std::string_view signature) {
    if (signature.size() != signature_size) {
        return false;
    }
    const QuietErrors quiet;
    const std::vector<unsigned char> der = to_der(signature);
    const DigestContext context{EVP_MD_CTX_new()};
    MUSTER_CHECK(context != nullptr);
    MUSTER_CHECK(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1);
    return EVP_DigestVerify(context.get(), der.data(), der.size(), bytes_of(text), text.size()) ==
           1;
}

std::string sign_es256(EVP_PKEY* key, std::string_view text) {
    const DigestContext context{EVP_MD_CTX_new()};
    MUSTER_CHECK(context != nullptr);
    MUSTER_CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1);
    std::vector<unsigned char> der(der_signature_bytes_max);
    std::size_t size = der.size();
    MUSTER_CHECK(EVP_DigestSign(context.get(), der.data(), &size, bytes_of(text), text.size()) ==
                 1);
    der.resize(size);
    return from_der(der);
}

// Stands where OpenSSL would ask the terminal for the password of an encrypted key.
int refuse_password(char* /*password*/, int /*size*/, int /*is_writing*/, void* /*user*/) {
    return -1;
}

MemoryBio open_pem(std::string_view pem) {
    MemoryBio bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    MUSTER_CHECK(bio != nullptr);
    return bio;
}

// ---- The rules of a token ----------------------------------------------------------------------

constexpr std::string_view hs256 = "HS256";
constexpr std::string_view es256 = "ES256";

// Headers that name a key of the token's own choice, or rules that we would have to know. They are
// refused, not ignored: whoever sends them expects them to be followed.
constexpr auto refused_headers =
    std::to_array<std::string_view>({"crit", "jku", "jwk", "x5c", "x5u"});

// The three parts as they stand in the token, and what the signature is made of.
struct Parts {
    std::string_view header;
    std::string_view payload;
    std::string_view signature;
    std::string_view signed_text;
};

std::optional<Parts> split(std::string_view token) {
    const std::size_t first = token.find('.');
    if (first == std::string_view::npos) {
        return std::nullopt;
    }
    const std::size_t second = token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
        return std::nullopt;
    }
    return Parts{.header = token.substr(0, first),
                 .payload = token.substr(first + 1, second - first - 1),
                 .signature = token.substr(second + 1),
                 .signed_text = token.substr(0, second)};
}

std::optional<std::string> decoded(std::string_view base64) {
    std::string bytes;
    if (!wire::append_base64_decoded(bytes, base64, Base64::url)) {
        return std::nullopt;
    }
    return bytes;
}

bool is_kid(std::string_view kid) {
    return !kid.empty() && kid.size() <= TokenKeys::kid_bytes_max &&
           std::ranges::all_of(kid,
                               [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
}

bool is_for(const Object& claims, std::string_view audience) {
    if (const Value* one = member(claims, "aud", Value::Kind::text)) {
        return one->text == audience;
    }
    const Value* several = member(claims, "aud", Value::Kind::texts);
    return several != nullptr &&
           std::ranges::find(several->texts, audience) != several->texts.end();
}

tl::unexpected<Error> refused(std::string detail) {
    return failure(ErrorCode::bad_token, std::move(detail));
}

Result<Claims> check_claims(const Object& claims, const TokenScope& scope, WallTime now) {
    const Value* subject = member(claims, "sub", Value::Kind::text);
    if (subject == nullptr) {
        return refused("sub is missing, or not a text");
    }
    if (!wire::check_user_id(subject->text)) {
        return refused("sub is not a valid user id (1-64 of A-Z a-z 0-9 _ . : @ -)");
    }
    if (!scope.audience.empty() && !is_for(claims, scope.audience)) {
        return refused("aud is missing or not ours");
    }
    if (!scope.issuer.empty()) {
        const Value* issuer = member(claims, "iss", Value::Kind::text);
        if (issuer == nullptr || issuer->text != scope.issuer) {
            return refused("iss is missing or not the one we trust");
        }
    }

    const Value* expires = member(claims, "exp", Value::Kind::time);
    if (expires == nullptr) {
        return refused("exp is missing, or not a number of seconds");
    }
    const Value* issued_at = member(claims, "iat", Value::Kind::time);
    if (issued_at == nullptr) {
        return refused("iat is missing, or not a number of seconds");
    }
    if (expires->time.ms - issued_at->time.ms > TokenKeys::lifetime_max.count()) {
        return refused("the lifetime (exp - iat) is above 24 h");
    }
    // Without this, an iat far ahead would make any exp look near.
    const std::int64_t latest = now.ms + TokenKeys::clock_skew_max.count();
    if (issued_at->time.ms > latest) {
        return refused("iat is in the future: compare the clocks");
    }
    if (claims.contains("nbf")) {
        const Value* not_before = member(claims, "nbf", Value::Kind::time);
        if (not_before == nullptr) {
            return refused("nbf is not a number of seconds");
        }
        if (not_before->time.ms > latest) {
            return refused("nbf is in the future");
        }
    }
    if (now >= expires->time) {
        return failure(ErrorCode::token_expired);
    }
    return Claims{
        .user = UserId{subject->text}, .expires = expires->time, .issued_at = issued_at->time};
}

std::string encoded(const boost::json::object& object) {
    std::string text;
    wire::append_base64(text, boost::json::serialize(object), Base64::url);
    return text;
}

}  // namespace

// ---- TokenKeys ---------------------------------------------------------------------------------

struct TokenKeys::Key {
    TokenScope scope;
    std::string secret;  // HS256; empty: ES256.
    EvpKey pair;         // ES256; null: HS256.
    bool can_sign = false;

    [[nodiscard]] std::string_view algorithm() const { return pair == nullptr ? hs256 : es256; }

    [[nodiscard]] bool is_signed(std::string_view text, std::string_view signature) const {
        return pair == nullptr
                   ? equal_in_constant_time(as_text(hmac_sha256(secret, text)), signature)
                   : is_signed_es256(pair.get(), text, signature);
    }
    [[nodiscard]] std::string sign(std::string_view text) const {
        return pair == nullptr ? std::string{as_text(hmac_sha256(secret, text))}
                               : sign_es256(pair.get(), text);
    }
};

Result<void> TokenKeys::add(std::string_view kid, Key key) {
    if (!is_kid(kid)) {
        return failure(ErrorCode::bad_settings,
                       "a kid is 1-128 printable characters, without space");
    }
    if (keys_.contains(kid)) {
        return failure(ErrorCode::bad_settings, "two keys have the kid " + std::string{kid});
    }
    keys_.emplace(kid, std::make_shared<const Key>(std::move(key)));
    return {};
}

Result<void> TokenKeys::add_hs256(std::string_view kid, std::string_view secret,
                                  TokenScope scope) {
    if (secret.size() < secret_bytes_min) {
        return failure(ErrorCode::bad_settings, "an HS256 secret needs at least 32 bytes");
    }
    // A public key as the secret is a hole that everybody knows: everybody knows that key.
    if (secret.find("-----BEGIN ") != std::string_view::npos) {
        return failure(ErrorCode::bad_settings, "an HS256 secret is random bytes, not a PEM file");
    }
    return add(kid, Key{.scope = std::move(scope),
                        .secret = std::string{secret},
                        .pair = nullptr,
                        .can_sign = true});
}

Result<void> TokenKeys::add_es256_public(std::string_view kid, std::string_view pem,
                                         TokenScope scope) {
    const QuietErrors quiet;
    EvpKey key{PEM_read_bio_PUBKEY(open_pem(pem).get(), nullptr, refuse_password, nullptr)};
    if (key == nullptr || !is_p256(key)) {
        return failure(ErrorCode::bad_settings,
                       "not a public key of the curve P-256 (-----BEGIN PUBLIC KEY-----)");
    }
    return add(kid, Key{.scope = std::move(scope),
                        .secret = {},
                        .pair = std::move(key),
                        .can_sign = false});
}

Result<void> TokenKeys::add_es256_private(std::string_view kid, std::string_view pem,
                                          TokenScope scope) {
    const QuietErrors quiet;
    EvpKey key{PEM_read_bio_PrivateKey(open_pem(pem).get(), nullptr, refuse_password, nullptr)};
    if (key == nullptr || !is_p256(key)) {
        return failure(ErrorCode::bad_settings,
                       "not an unencrypted private key of the curve P-256 (-----BEGIN PRIVATE "
                       "KEY-----)");
    }
    return add(kid, Key{.scope = std::move(scope),
                        .secret = {},
                        .pair = std::move(key),
                        .can_sign = true});
}

Result<const TokenKeys::Key*> TokenKeys::key_for(std::string_view header) const {
    const std::optional<Object> names = read_object(header);
    if (!names) {
        return refused("the header is not one JSON object with each name once");
    }
    for (const std::string_view name : refused_headers) {
        if (names->contains(name)) {
            return refused("the header may not hold " + std::string{name});
        }
    }

    const Key* key = nullptr;
    if (names->contains("kid")) {
        const Value* kid = member(*names, "kid", Value::Kind::text);
        const auto found = kid == nullptr ? keys_.end() : keys_.find(kid->text);
        if (found == keys_.end()) {
            return refused("no key has this kid");
        }
        key = found->second.get();
    } else {
        if (keys_.size() != 1) {
            return refused("kid is missing, and there is not exactly one key");
        }
        key = keys_.begin()->second.get();
    }

    const Value* algorithm = member(*names, "alg", Value::Kind::text);
    if (algorithm == nullptr || algorithm->text != key->algorithm()) {
        return refused("alg is not that of the key: " + std::string{key->algorithm()});
    }
    return key;
}

Result<Claims> TokenKeys::verify(std::string_view token, WallTime now) const {
    if (token.size() > token_bytes_max) {
        return refused("the token is longer than 4 KiB");
    }
    const std::optional<Parts> parts = split(token);
    if (!parts) {
        return refused("a token has three parts with dots between them");
    }
    const std::optional<std::string> header = decoded(parts->header);
    const std::optional<std::string> payload = decoded(parts->payload);
    const std::optional<std::string> signature = decoded(parts->signature);
    if (!header || !payload || !signature) {
        return refused("a part is not base64url without padding");
    }

    const Result<const Key*> key = key_for(*header);
    if (!key) {
        return tl::unexpected<Error>(key.error());
    }
    if (!(*key)->is_signed(parts->signed_text, *signature)) {
        return refused("the signature is not that of the key");
    }

    const std::optional<Object> claims = read_object(*payload);
    if (!claims) {
        return refused("the payload is not one JSON object with each name once");
    }
    return check_claims(*claims, (*key)->scope, now);
}

Result<std::string> TokenKeys::sign(std::string_view kid, const Claims& claims) const {
    const auto found = kid.empty() && keys_.size() == 1 ? keys_.begin() : keys_.find(kid);
    if (found == keys_.end()) {
        return failure(ErrorCode::bad_settings, "no key has this kid");
    }
    const Key& key = *found->second;
    if (!key.can_sign) {
        return failure(ErrorCode::bad_settings, "of this key only the public half is here");
    }
    if (!wire::check_user_id(claims.user.text())) {
        return failure(ErrorCode::bad_request, "the user id is not valid");
    }
    const std::int64_t issued_at = claims.issued_at.ms / 1000;
    const std::int64_t expires = claims.expires.ms / 1000;
    const auto lifetime = std::chrono::seconds{expires - issued_at};
    if (lifetime < std::chrono::seconds{1} || lifetime > lifetime_max) {
        return failure(ErrorCode::bad_request, "a token lives between 1 s and 24 h");
    }

    const std::string_view user = claims.user.text();
    boost::json::object payload{{"sub", boost::json::string_view{user.data(), user.size()}},
                                {"iat", issued_at},
                                {"exp", expires}};
    if (!key.scope.audience.empty()) {
        payload["aud"] = key.scope.audience;
    }
    if (!key.scope.issuer.empty()) {
        payload["iss"] = key.scope.issuer;
    }
    const std::string_view algorithm = key.algorithm();
    std::string token =
        encoded({{"alg", boost::json::string_view{algorithm.data(), algorithm.size()}},
                 {"typ", "JWT"},
                 {"kid", found->first}});
    token += '.';
    token += encoded(payload);
    const std::string signature = key.sign(token);
    token += '.';
    wire::append_base64(token, signature, Base64::url);
    return token;
}

}  // namespace muster::gateway
