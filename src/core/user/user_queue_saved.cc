// How a user queue is written into a snapshot and read again.
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "core/actor/saved_time.h"
#include "core/user/user_queue.h"
#include "muster/log.pb.h"

namespace muster::user {

using actor::from_saved;
using actor::to_saved;
using State = proto::UserQueueState;

namespace {

void write(const UserQueue::Slot& slot, Instant now, State::Slot& saved) {
    saved.set_cep_counter(slot.cep.counter);
    if (slot.is_taken) {
        auto& current = *saved.mutable_current();
        current.set_gateway(slot.gateway.value);
        current.set_connection(slot.connection.value);
    }
    if (slot.cid != Cid{}) {
        auto& client = *saved.mutable_client();
        client.set_cid_high(slot.cid.high);
        client.set_cid_low(slot.cid.low);
        client.set_seen_at_us(to_saved(slot.seen_at, now));
    }
}

std::optional<UserQueue::Slot> read(const State::Slot& saved, Inc inc, Instant now) {
    UserQueue::Slot slot;
    slot.cep = Cep{inc, saved.cep_counter()};
    if (saved.has_current()) {
        const auto& current = saved.current();
        if (current.gateway() > std::numeric_limits<std::uint16_t>::max() || !saved.has_client()) {
            return std::nullopt;
        }
        slot.take({ShardId{static_cast<std::uint16_t>(current.gateway())},
                   ConnectionId{current.connection()}});
    }
    if (saved.has_client()) {
        const auto seen_at = from_saved(saved.client().seen_at_us(), now);
        slot.cid = Cid{saved.client().cid_high(), saved.client().cid_low()};
        if (!seen_at || slot.cid == Cid{}) {
            return std::nullopt;
        }
        slot.seen_at = *seen_at;
    }
    return slot;
}

}  // namespace

void UserQueue::save(Instant now, std::string& out) const {
    State saved;
    saved.set_cep_inc(first_slot_.cep.inc.value);
    saved.set_session(session_.value);
    for (std::size_t i = 0; i < slot_count() && first_slot_.cep.inc.value != 0; ++i) {
        write(slot(i), now, *saved.add_slots());
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
        joined.set_joins_open(membership.joins_open);
        joined.set_leaves_open(membership.leaves_open);
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
    session_ = SessionId{saved.session()};
    for (int i = 0; i < saved.slots_size(); ++i) {
        auto slot = read(saved.slots(i), Inc{saved.cep_inc()}, now);
        if (!slot || slot->cep.slot() != i) {
            return false;
        }
        if (i == 0) {
            first_slot_ = *slot;
        } else {
            more_slots_.push(*slot);
        }
    }
    bool is_in_use = false;
    for (std::size_t i = 0; i < slot_count(); ++i) {
        is_in_use = is_in_use || slot(i).cid != Cid{};
    }
    if (is_in_use != (session_.value != 0) || (saved.cep_inc() == 0) != (saved.slots_size() == 0)) {
        return false;
    }
    for (const auto& each : saved.attempts()) {
        attempts_.push_back({Cid{each.cid_high(), each.cid_low()}, each.number()});
    }
    for (const auto& each : saved.joined()) {
        const Membership membership{Inc{each.inc()}, each.by_server(), each.joins_open(),
                                    each.leaves_open()};
        const bool is_after = joined_.empty() || joined_.rbegin()->first < each.queue();
        if (!is_after || (membership.inc.value == 0 && membership.joins_open == 0)) {
            return false;
        }
        joined_.emplace_hint(joined_.end(), QueueName(each.queue()), membership);
    }
    told_ = saved.told();
    return !is_absent();
}

}  // namespace muster::user
