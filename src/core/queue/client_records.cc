#include "core/queue/client_records.h"

#include <utility>

#include "base/check.h"

namespace muster::queue {

// ---- One client ------------------------------------------------------------------------------

const KeptVerdict* ClientRecord::find(OpNumber number) const noexcept {
    if (number > highest_ || highest_ - number >= ring_.size()) {
        return nullptr;
    }
    const std::size_t age = highest_ - number;  // 0 = the newest one
    return &ring_[(oldest_ + ring_.size() - 1 - age) % ring_.size()];
}

void ClientRecord::add(const KeptVerdict& verdict, std::size_t window) {
    ++highest_;
    if (ring_.size() < window) {
        MUSTER_CHECK(oldest_ == 0);  // It only turns once it is full, and stays full.
        ring_.push_back(verdict);
        return;
    }
    ring_[oldest_] = verdict;
    oldest_ = static_cast<std::uint32_t>((oldest_ + 1) % ring_.size());
}

// ---- All clients -----------------------------------------------------------------------------

const ClientRecord* ClientRecords::find(const ClientKey& client) const {
    const auto found = entries_.find(client);
    return found == entries_.end() ? nullptr : &found->second.record;
}

void ClientRecords::decide(const ClientKey& client, const KeptVerdict& verdict, Whose whose) {
    const auto [found, is_new] = entries_.try_emplace(client);
    Entry& entry = found->second;
    entry.record.add(verdict, window_);
    const bool was_left = entry.left_as != 0;
    switch (whose) {
        case Whose::member:
            if (was_left) {
                left_.erase(std::exchange(entry.left_as, 0));
            }
            if (was_left || is_new) {
                mark_all_left(client.user, &*found);
            }
            break;
        case Whose::stranger: mark_left(*found); break;
    }
    forget_too_many();
}

void ClientRecords::user_left(const UserId& user) {
    mark_all_left(user, nullptr);
    forget_too_many();
}

void ClientRecords::mark_left(Entries::value_type& entry) {
    auto& [client, kept] = entry;
    if (kept.left_as != 0) {
        left_.erase(kept.left_as);
    }
    kept.left_as = ++left_count_;
    left_.emplace(kept.left_as, client);
}

void ClientRecords::mark_all_left(const UserId& user, const Entries::value_type* but) {
    for (auto i = entries_.lower_bound(ClientKey{user, Cid{}});
         i != entries_.end() && i->first.user == user; ++i) {
        if (&*i != but && i->second.left_as == 0) {
            mark_left(*i);
        }
    }
}

void ClientRecords::forget_too_many() {
    while (left_.size() > left_max_) {
        entries_.erase(left_.begin()->second);
        left_.erase(left_.begin());
    }
}

std::vector<std::pair<ClientKey, const ClientRecord*>> ClientRecords::all() const {
    std::vector<std::pair<ClientKey, const ClientRecord*>> all;
    all.reserve(entries_.size());
    for (const auto& [client, entry] : entries_) {
        all.emplace_back(client, &entry.record);
    }
    return all;
}

std::vector<ClientKey> ClientRecords::left() const {
    std::vector<ClientKey> clients;
    clients.reserve(left_.size());
    for (const auto& [place, client] : left_) {
        clients.push_back(client);
    }
    return clients;
}

bool ClientRecords::restore(const ClientKey& client, ClientRecord record) {
    return entries_.emplace(client, Entry{std::move(record), 0}).second;
}

bool ClientRecords::restore_left(const ClientKey& client) {
    const auto found = entries_.find(client);
    MUSTER_CHECK(found != entries_.end());
    if (found->second.left_as != 0) {
        return false;
    }
    mark_left(*found);
    return true;
}

}  // namespace muster::queue
