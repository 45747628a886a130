#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "base/fifo.h"
#include "base/name.h"
#include "base/shared_text.h"
#include "base/time.h"
#include "core/queue/verdict.h"

namespace muster::queue {

/// What one caller calls one of its ops: the `Idempotency-Key` of HTTP.
struct IdempotencyKey {
    UserId user;  ///< empty: the server. Users cannot guess each other's keys.
    SharedText text;
    friend auto operator<=>(const IdempotencyKey&, const IdempotencyKey&) = default;
};

/// The verdicts of ops that came with an Idempotency-Key, so that a repeated one takes effect once.
///
/// Invariants: a verdict is kept for `ttl`, but no more than `count_max` of them: the oldest goes
///             first, and its op could then take effect twice.
class IdempotencyTable {
public:
    IdempotencyTable(std::size_t count_max, Duration ttl) : count_max_(count_max), ttl_(ttl) {}

    /// An op as it is kept.
    struct Kept {
        std::uint64_t body_hash = 0;
        Instant until;
        KeptVerdict verdict;
    };

    /// Returns what is known of `key`, or nullptr.
    [[nodiscard]] const Kept* find(const IdempotencyKey& key) const;

    /// Notes the verdict of an op that find() does not know.
    void keep(const IdempotencyKey& key, std::uint64_t body_hash, const KeptVerdict& verdict,
              Instant now);

    /// Forgets what is older than `ttl`. Returns whether something is left.
    bool forget_old(Instant now);

    [[nodiscard]] std::size_t size() const noexcept { return kept_.size(); }

    /// Returns all keys, oldest first.
    [[nodiscard]] const Fifo<IdempotencyKey>& keys() const noexcept { return keys_; }

    /// Puts back, oldest first, what a snapshot has kept; false if the key is there already.
    bool restore(const IdempotencyKey& key, const Kept& kept);

private:
    void forget_oldest();

    std::size_t count_max_;
    Duration ttl_;
    std::map<IdempotencyKey, Kept> kept_;
    Fifo<IdempotencyKey> keys_;  // Of kept_, oldest first.
};

}  // namespace muster::queue
