#include "core/ring/placement.h"

#include <bit>

#include "base/check.h"

namespace muster::ring {

Placement::Placement(const HashKey& cluster_key, std::uint32_t bucket_count,
                     std::uint16_t shard_count)
    : cluster_key_(cluster_key),
      bits_(static_cast<unsigned>(std::countr_zero(bucket_count))),
      shard_count_(shard_count) {
    MUSTER_CHECK(std::has_single_bit(bucket_count));
    MUSTER_CHECK(bits_ <= 20);
    MUSTER_CHECK(shard_count > 0);
}

BucketId Placement::bucket_of(std::string_view name) const noexcept {
    const std::uint64_t hash = sip_hash_24(cluster_key_, name);
    return BucketId{bits_ == 0 ? 0 : static_cast<std::uint32_t>(hash >> (64U - bits_))};
}

ShardId Placement::shard_of(BucketId bucket) const noexcept {
    return ShardId{static_cast<std::uint16_t>(bucket.value % shard_count_)};
}

}  // namespace muster::ring
