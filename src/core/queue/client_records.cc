#include "core/queue/client_records.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace muster::queue {

// ---- One client ------------------------------------------------------------------------------

std::optional<KeptVerdict> ClientRecord::find(OpNumber number) const noexcept {
    if (number == 0 || number > highest_) {
        return std::nullopt;
    }
    const OpNumber age = highest_ - number;  // 0 = the newest one
    if (age < ring_.size()) {
        return ring_[(oldest_ + ring_.size() - 1 - age) % ring_.size()];
    }
    const OpNumber age_of_outcome = age - ring_.size();
    if (age_of_outcome >= outcome_count()) {
        return std::nullopt;
    }
    return (*outcomes_)[age_of_outcome]
               ? KeptVerdict{0, ErrorCode::protocol, KeptVerdict::Kind::ok}
               : KeptVerdict{0, ErrorCode::forbidden, KeptVerdict::Kind::forgotten};
}

void ClientRecord::add(const KeptVerdict& verdict, std::size_t window) {
    ++highest_;
    if (ring_.size() < window) {
        MUSTER_CHECK(oldest_ == 0);  // It only turns once it is full, and stays full.
        ring_.push_back(verdict);
        return;
    }
    outcomes_.reset();  // They are of numbers before the window.
    ring_[oldest_] = verdict;
    oldest_ = static_cast<std::uint32_t>((oldest_ + 1) % ring_.size());
}

void ClientRecord::compact() {
    if (ring_.empty()) {
        return;
    }
    auto outcomes = std::make_unique<std::vector<bool>>();
    const std::size_t window = std::max(ring_.size(), outcome_count());
    for (OpNumber number = highest_; number > 0 && outcomes->size() < window; --number) {
        const auto kept = find(number);
        if (!kept) {
            break;
        }
        outcomes->push_back(kept->kind == KeptVerdict::Kind::ok);
    }
    outcomes_ = std::move(outcomes);
    std::vector<KeptVerdict>().swap(ring_);
    oldest_ = 0;
}

bool ClientRecord::restore_outcomes(std::vector<bool> newest_first) {
    if (newest_first.empty()) {
        return true;
    }
    if (newest_first.size() > highest_ - ring_.size()) {
        return false;
    }
    outcomes_ = std::make_unique<std::vector<bool>>(std::move(newest_first));
    return true;
}

// ---- All clients -----------------------------------------------------------------------------

const ClientRecord* ClientRecords::find(const ClientKey& client) const {
    const auto found = entries_.find(client);
    return found == entries_.end() ? nullptr : &found->second.record;
}

void ClientRecords::decide(const ClientKey& client, const KeptVerdict& verdict, Whose whose,
                           std::uint8_t slot, Instant now) {
    const auto [found, is_new] = entries_.try_emplace(client);
    Entry& entry = found->second;
    entry.record.add(verdict, window_);
    const bool was_left = entry.left_as != 0;
    const bool has_moved = entry.record.slot() != slot;
    entry.record.set_slot(slot);
    switch (whose) {
        case Whose::member:
            if (was_left) {
                left_.erase(std::exchange(entry.left_as, 0));
            }
            if (was_left || is_new || has_moved) {
                supersede_others(*found, now);
            }
            break;
        case Whose::stranger: mark_left(*found, now); break;
    }
    forget_too_many();
}

void ClientRecords::user_left(const UserId& user, Instant now) {
    for (auto i = entries_.lower_bound(ClientKey{user, Cid{}});
         i != entries_.end() && i->first.user == user; ++i) {
        if (i->second.left_as == 0) {
            mark_left(*i, now);
        }
    }
    forget_too_many();
}

std::optional<Instant> ClientRecords::age(Instant now) {
    while (!left_.empty() && left_.begin()->second.at + ttl_ <= now) {
        forget_first();
    }
    std::optional<Instant> next;
    if (!left_.empty()) {
        next = left_.begin()->second.at + ttl_;
    }
    for (auto i = left_.upper_bound(compact_up_to_); i != left_.end(); ++i) {
        const Instant due = i->second.at + full_time;
        if (due > now) {
            return std::min(due, *next);
        }
        entries_.find(i->second.client)->second.record.compact();
        compact_up_to_ = i->first;
    }
    return next;
}

void ClientRecords::mark_left(Entries::value_type& entry, Instant now) {
    auto& [client, kept] = entry;
    if (kept.left_as != 0) {
        left_.erase(kept.left_as);
    }
    kept.left_as = ++left_count_;
    left_.emplace(kept.left_as, Left{client, now});
}

void ClientRecords::supersede_others(const Entries::value_type& newest, Instant now) {
    const UserId& user = newest.first.user;
    for (auto i = entries_.lower_bound(ClientKey{user, Cid{}});
         i != entries_.end() && i->first.user == user; ++i) {
        if (&*i != &newest && i->second.left_as == 0 &&
            i->second.record.slot() == newest.second.record.slot()) {
            mark_left(*i, now);
        }
    }
}

void ClientRecords::forget_too_many() {
    while (left_.size() > left_max_) {
        forget_first();
    }
}

void ClientRecords::forget_first() {
    entries_.erase(left_.begin()->second.client);
    left_.erase(left_.begin());
}

std::vector<std::pair<ClientKey, const ClientRecord*>> ClientRecords::all() const {
    std::vector<std::pair<ClientKey, const ClientRecord*>> all;
    all.reserve(entries_.size());
    for (const auto& [client, entry] : entries_) {
        all.emplace_back(client, &entry.record);
    }
    return all;
}

std::vector<ClientRecords::Left> ClientRecords::left() const {
    std::vector<Left> all;
    all.reserve(left_.size());
    for (const auto& [place, left] : left_) {
        all.push_back(left);
    }
    return all;
}

bool ClientRecords::restore(const ClientKey& client, ClientRecord record) {
    return entries_.emplace(client, Entry{std::move(record), 0}).second;
}

bool ClientRecords::restore_left(const ClientKey& client, Instant at) {
    const auto found = entries_.find(client);
    MUSTER_CHECK(found != entries_.end());
    if (found->second.left_as != 0) {
        return false;
    }
    mark_left(*found, at);
    return true;
}

}  // namespace muster::queue
