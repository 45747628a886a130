#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/name.h"
#include "base/result.h"
#include "base/time.h"

namespace muster::gateway {

/// 32 secret bytes that all gateways of a cluster share. Whoever knows them can continue any user's
/// connection.
struct ClusterSecret {
    std::array<std::uint8_t, 32> bytes{};
};

/// Returns the identity of a client for its operations: of the same user and nonce always the same,
/// so that all attempts of one client until its WELCOME are one client; of others never the same,
/// so that no client can take another's. `nonce`: what the client sent, at most the size of a
/// frame. Source: GUARANTEES.md section 2, `cid`.
[[nodiscard]] Cid derive_cid(const ClusterSecret& secret, const UserId& user,
                             std::string_view nonce);

/// What a connection hands out at WELCOME, so that the next one of the same client can go on.
struct ResumeToken {
    UserId user;
    Cid cid;
    SessionId session;
    WallTime issued_at;
    friend bool operator==(const ResumeToken&, const ResumeToken&) = default;
};

/// Signs resume tokens and knows its own again.
///
/// Shape:  base64url of: version (1 byte, 1), issued_at (8, ms), session (8), cid (16), user
/// (1-64),
///         and 16 bytes of HMAC-SHA-256 over all of these. Numbers are big-endian. The reader
///         learns nothing that it did not know; it is not encrypted.
/// Thread: immutable, so shards may share one.
/// Source: GUARANTEES.md section 2 (`cid`) and section 7, row 34.
class ResumeTokens {
public:
    static constexpr Duration age_max_default = std::chrono::hours{48};  // 2 x T_dedup.

    /// The longest text that issue() makes.
    static constexpr std::size_t text_bytes_max = 151;

    explicit ResumeTokens(const ClusterSecret& secret, Duration age_max = age_max_default) noexcept
        : secret_(secret), age_max_(age_max) {}

    /// Returns the text for `token`, whose user must be a valid one. The same token gives the same
    /// text on every gateway.
    [[nodiscard]] std::string issue(const ResumeToken& token) const;

    /// Who presents a token. Without `user`, a token of any user is taken.
    struct Bearer {
        std::optional<UserId> user;
        Cid cid;
    };

    /// Returns what `text` holds if this cluster issued it, to this bearer, not too long ago. A
    /// token from the future is taken: the clock of the gateway that issued it was ahead.
    /// Cost: one HMAC; a text that is too long costs nothing. Constant time in the signature's
    /// bytes. Errors: resume_refused.
    [[nodiscard]] Result<ResumeToken> check(std::string_view text, const Bearer& bearer,
                                            WallTime now) const;

private:
    ClusterSecret secret_;
    Duration age_max_;
};

}  // namespace muster::gateway
