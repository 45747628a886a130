#include "core/gateway/resume_token.h"

#include "base/check.h"
#include "core/gateway/hmac.h"
#include "core/wire/base64.h"
#include "core/wire/names.h"

namespace muster::gateway {
namespace {

constexpr char version = 1;
constexpr std::size_t number_size = 8;
constexpr std::size_t head_size = 1 + 4 * number_size;  // All before the user.
constexpr std::size_t signature_size = 16;
constexpr std::size_t token_bytes_min = head_size + 1 + signature_size;
constexpr std::size_t token_bytes_max = head_size + wire::user_id_bytes_max + signature_size;
static_assert((token_bytes_max * 4 + 2) / 3 == ResumeTokens::text_bytes_max);

// One secret serves two ends. What is hashed begins with its end, so that no hash of the one is
// ever one of the other.
constexpr std::string_view resume_purpose = "muster resume token\n";
constexpr std::string_view cid_purpose = "muster cid\n";

Hmac keyed_hash(const ClusterSecret& secret, std::string_view purpose, std::string_view text) {
    std::string whole{purpose};
    whole += text;
    return hmac_sha256({reinterpret_cast<const char*>(secret.bytes.data()), secret.bytes.size()},
                       whole);
}

void append_number(std::string& bytes, std::uint64_t number) {
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        bytes += static_cast<char>(number >> (shift - 8) & 0xffU);
    }
}

// The number that begins at `place`, counted in numbers; `bytes` must reach that far.
std::uint64_t number_at(std::string_view bytes, std::size_t place) {
    std::uint64_t number = 0;
    for (const char c : bytes.substr(place * number_size, number_size)) {
        number = number << 8U | static_cast<std::uint8_t>(c);
    }
    return number;
}

std::string signature_of(const ClusterSecret& secret, std::string_view body) {
    return std::string{as_text(keyed_hash(secret, resume_purpose, body)).substr(0, signature_size)};
}

tl::unexpected<Error> refused(std::string detail) {
    return failure(ErrorCode::resume_refused, std::move(detail));
}

}  // namespace

Cid derive_cid(const ClusterSecret& secret, const UserId& user, std::string_view nonce) {
    // The size before the user parts it from the nonce.
    MUSTER_CHECK(user.text().size() <= wire::user_id_bytes_max);
    std::string text{static_cast<char>(user.text().size())};
    text += user.text();
    text += nonce;
    const Hmac hash = keyed_hash(secret, cid_purpose, text);
    return Cid{.high = number_at(as_text(hash), 0), .low = number_at(as_text(hash), 1)};
}

std::string ResumeTokens::issue(const ResumeToken& token) const {
    MUSTER_CHECK(wire::check_user_id(token.user.text()).has_value());
    std::string bytes{version};
    append_number(bytes, static_cast<std::uint64_t>(token.issued_at.ms));
    append_number(bytes, token.session.value);
    append_number(bytes, token.cid.high);
    append_number(bytes, token.cid.low);
    bytes += token.user.text();
    bytes += signature_of(secret_, bytes);
    std::string text;
    wire::append_base64(text, bytes, wire::Base64::url);
    return text;
}

Result<ResumeToken> ResumeTokens::check(std::string_view text, const Bearer& bearer,
                                        WallTime now) const {
    std::string bytes;
    if (text.size() > text_bytes_max ||
        !wire::append_base64_decoded(bytes, text, wire::Base64::url) ||
        bytes.size() < token_bytes_min) {
        return refused("not a resume token");
    }
    const std::string_view body = std::string_view{bytes}.substr(0, bytes.size() - signature_size);
    const std::string_view signature = std::string_view{bytes}.substr(body.size());
    if (!equal_in_constant_time(signature, signature_of(secret_, body))) {
        return refused("not issued by this cluster, or changed on its way");
    }

    // From here on, it is one that we wrote.
    if (body.front() != version) {
        return refused("of another version of the server");
    }
    const std::string_view numbers = body.substr(1);
    ResumeToken token{.user = UserId{body.substr(head_size)},
                      .cid = Cid{.high = number_at(numbers, 2), .low = number_at(numbers, 3)},
                      .session = SessionId{number_at(numbers, 1)},
                      .issued_at = WallTime{static_cast<std::int64_t>(number_at(numbers, 0))}};
    if (bearer.user && token.user != *bearer.user) {
        return refused("of another user");
    }
    if (token.cid != bearer.cid) {
        return refused("of another cid");
    }
    const auto age_max = std::chrono::floor<std::chrono::milliseconds>(age_max_);
    if (token.issued_at.ms < now.ms - age_max.count()) {
        return refused("too old");
    }
    return token;
}

}  // namespace muster::gateway
