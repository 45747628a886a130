#include "core/queue/idempotency_table.h"

#include "base/check.h"

namespace muster::queue {

const IdempotencyTable::Kept* IdempotencyTable::find(const IdempotencyKey& key) const {
    const auto found = kept_.find(key);
    return found == kept_.end() ? nullptr : &found->second;
}

void IdempotencyTable::keep(const IdempotencyKey& key, std::uint64_t body_hash,
                            const KeptVerdict& verdict, Instant now) {
    const bool is_new = restore(key, Kept{body_hash, now + ttl_, verdict});
    MUSTER_CHECK(is_new);
    while (kept_.size() > count_max_) {
        forget_oldest();
    }
}

bool IdempotencyTable::restore(const IdempotencyKey& key, const Kept& kept) {
    if (!kept_.emplace(key, kept).second) {
        return false;
    }
    keys_.push(key);
    return true;
}

bool IdempotencyTable::forget_old(Instant now) {
    while (!keys_.empty() && kept_.find(keys_.front())->second.until <= now) {
        forget_oldest();
    }
    return !keys_.empty();
}

void IdempotencyTable::forget_oldest() { kept_.erase(keys_.pop()); }

}  // namespace muster::queue
