#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"
#include "base/sip_hash.h"

namespace muster::ring {

/// Where an actor lives: its bucket, by the hash of its name, and the shard of this process that
/// owns the bucket.
///
/// Shape:      2^bucket_bits buckets; bucket i holds the hashes whose top bits are i.
/// Thread:     immutable, so shards may share one.
/// Invariants: the same key and count give the same buckets for ever: SipHash-2-4 under the cluster
///             key, so that nobody outside can fill one bucket (row 53).
class Placement {
public:
    /// `bucket_count` is a power of two from 1 to 2^20; `shard_count` at least 1.
    Placement(const HashKey& cluster_key, std::uint32_t bucket_count, std::uint16_t shard_count);

    /// Returns the bucket of the actor `name`. One hash.
    [[nodiscard]] BucketId bucket_of(std::string_view name) const noexcept;

    /// Returns the shard that owns `bucket`. Neighbours are spread over the shards.
    [[nodiscard]] ShardId shard_of(BucketId bucket) const noexcept;

    [[nodiscard]] std::uint32_t bucket_count() const noexcept { return std::uint32_t{1} << bits_; }
    [[nodiscard]] std::uint16_t shard_count() const noexcept { return shard_count_; }

private:
    HashKey cluster_key_;
    unsigned bits_;
    std::uint16_t shard_count_;
};

}  // namespace muster::ring
