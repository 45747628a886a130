#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "base/sip_hash.h"
#include "shell/runtime/descriptor.h"

namespace muster::coord {

/// 32 secret bytes.
using SecretKey = std::array<std::uint8_t, 32>;

/// The folder in which a server keeps what must outlive it, open and ours alone.
///
/// Owns:       the lock on the folder: as long as this lives, no second server uses it.
/// Thread:     any, one at a time; opened once at the start, read afterwards.
/// Invariants: what is in it is secret to all but its owner; a file is written whole or not at
///             all; an epoch is never given twice, also over a loss of power.
/// Holds:      `lock`         names the process that holds the folder
///             `cluster.key`  32 random bytes in hex: places queues, signs resume tokens
///             `token.key`    the HS256 key with which `muster token` signs, as text
///             `admin.key`    the bearer text of the admin API; this and the one above are made
///                            anew when they are missing
///             `epoch`        how often a server has started here, in decimal
struct DataFolder {
    /// The `kid` of the tokens that are signed with token_key.
    static constexpr std::string_view own_token_key_id = "own";

    /// Opens the folder at `path`, or makes it with all that it holds, and counts the epoch up.
    /// Errors: bad_settings, which says what is wrong and what to do: missing rights, or rights for
    /// everybody; another server; a damaged file; a full disk. Nothing is half written then.
    [[nodiscard]] static Result<DataFolder> open(const std::string& path);

    /// Returns a key for one purpose, made from cluster.key: the same in each life of the folder,
    /// and none tells anything about another. HMAC-SHA-256 of the purpose.
    [[nodiscard]] SecretKey derive(std::string_view purpose) const;

    std::string path;
    HashKey bucket_key;      ///< places queues in buckets
    SecretKey resume_key{};  ///< signs resume tokens
    std::string token_key;   ///< the bytes themselves, not an encoding of them
    std::string admin_key;
    Epoch epoch;  ///< of this start; the first is 1

    SecretKey cluster_key{};
    runtime::Descriptor lock;
};

}  // namespace muster::coord
