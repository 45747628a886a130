#include "shell/admin/reply_table.h"

namespace muster::admin {

ReplyTable::Begun ReplyTable::begin(const std::string& owner, const std::string& key,
                                    const Digest& body, Instant now) {
    forget_old(now);
    Name name{owner, key};
    const auto known = entries_.find(name);
    if (known != entries_.end()) {
        if (known->second.body != body) {
            return OtherBody{};
        }
        if (!known->second.reply) {
            return Running{};
        }
        return *known->second.reply;
    }
    while (by_age_.size() >= entries_max) {
        forget_oldest();
    }
    const Ticket ticket = ++last_ticket_;
    by_age_.push(Aged{ticket, name, now + ttl});
    running_.emplace(ticket, name);
    entries_.emplace(std::move(name), Entry{.ticket = ticket, .body = body, .reply = {}});
    return ticket;
}

void ReplyTable::finish(Ticket ticket, const Response& reply) {
    const auto running = running_.extract(ticket);
    if (running.empty()) {
        return;  // Forgotten meanwhile.
    }
    entries_.at(running.mapped()).reply = reply;
    reply_bytes_ += reply.body.size();
    while (reply_bytes_ > reply_bytes_max) {
        forget_oldest();
    }
}

void ReplyTable::give_up(Ticket ticket) {
    const auto running = running_.extract(ticket);
    if (!running.empty()) {
        entries_.erase(running.mapped());
    }
}

void ReplyTable::forget_old(Instant now) {
    while (!by_age_.empty() && by_age_.front().until <= now) {
        forget_oldest();
    }
}

void ReplyTable::forget_oldest() {
    const Aged oldest = by_age_.pop();
    running_.erase(oldest.ticket);
    const auto entry = entries_.find(oldest.name);
    if (entry != entries_.end() && entry->second.ticket == oldest.ticket) {
        reply_bytes_ -= entry->second.reply ? entry->second.reply->body.size() : 0;
        entries_.erase(entry);
    }
}

}  // namespace muster::admin
