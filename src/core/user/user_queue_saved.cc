// How a user queue is written into a snapshot and read again.
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "core/actor/saved_time.h"
#include "core/user/user_queue.h"
#include "muster/log.pb.h"

namespace muster::user {

using actor::from_saved;
using actor::to_saved;
using State = proto::UserQueueState;

void UserQueue::save(Instant now, std::string& out) const {
    State saved;
    saved.set_cep_inc(last_cep_.inc.value);
    saved.set_cep_counter(last_cep_.counter);
    saved.set_session(session_.value);
    if (current_) {
        auto& current = *saved.mutable_current();
        current.set_gateway(current_->connection.gateway.value);
        current.set_connection(current_->connection.connection.value);
        current.set_cid_high(current_->cid.high);
        current.set_cid_low(current_->cid.low);
    }
    if (session_.value != 0) {
        saved.set_seen_at_us(to_saved(seen_at_, now));
    }
    for (const auto& each : attempts_) {
        auto& attempt = *saved.add_attempts();
        attempt.set_cid_high(each.cid.high);
        attempt.set_cid_low(each.cid.low);
        attempt.set_number(each.number);
    }
    for (const auto& [queue, membership] : joined_) {
        auto& joined = *saved.add_joined();
        joined.set_queue(queue.text().data(), queue.text().size());
        joined.set_inc(membership.inc.value);
        joined.set_by_server(membership.by_server);
        joined.set_is_joining(membership.is_joining);
    }
    saved.set_told(told_);
    saved.AppendToString(&out);
}

std::unique_ptr<UserQueue> UserQueue::restore(std::shared_ptr<const UserSettings> settings,
                                              UserId user, Instant now, std::string_view state) {
    State saved;
    if (state.size() > std::size_t{std::numeric_limits<int>::max()} ||
        !saved.ParseFromArray(state.data(), static_cast<int>(state.size()))) {
        return nullptr;
    }
    auto queue = std::make_unique<UserQueue>(std::move(settings), std::move(user));
    return queue->read_saved(saved, now) ? std::move(queue) : nullptr;
}

bool UserQueue::read_saved(const State& saved, Instant now) {
    last_cep_ = Cep{Inc{saved.cep_inc()}, saved.cep_counter()};
    session_ = SessionId{saved.session()};
    if (saved.has_current()) {
        const auto& current = saved.current();
        if (current.gateway() > std::numeric_limits<std::uint16_t>::max()) {
            return false;
        }
        current_ = Current{{ShardId{static_cast<std::uint16_t>(current.gateway())},
                            ConnectionId{current.connection()}},
                           Cid{current.cid_high(), current.cid_low()}};
    }
    if (saved.has_seen_at_us()) {
        const auto seen_at = from_saved(saved.seen_at_us(), now);
        if (!seen_at) {
            return false;
        }
        seen_at_ = *seen_at;
    }
    const bool is_in_session = session_.value != 0;
    if (saved.has_seen_at_us() != is_in_session || (current_ && !is_in_session)) {
        return false;
    }
    for (const auto& each : saved.attempts()) {
        attempts_.push_back({Cid{each.cid_high(), each.cid_low()}, each.number()});
    }
    for (const auto& each : saved.joined()) {
        const Membership membership{Inc{each.inc()}, each.by_server(), each.is_joining()};
        const bool is_after = joined_.empty() || joined_.rbegin()->first < each.queue();
        if (!is_after || (membership.inc.value == 0 && !membership.is_joining)) {
            return false;
        }
        joined_.emplace_hint(joined_.end(), QueueName(each.queue()), membership);
    }
    told_ = saved.told();
    return !is_absent();
}

}  // namespace muster::user
