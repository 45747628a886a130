#include "core/gateway/outgoing.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "core/gateway/encode.h"
#include "core/gateway/settings.h"

namespace muster::gateway {
namespace {

std::uint32_t size_of(const queue::Event& event) {
    const auto* posted = std::get_if<queue::MessagePosted>(&event.body);
    return posted == nullptr ? 64 : static_cast<std::uint32_t>(posted->data.size() + 64);
}

// The cursor that a frame has to name: nothing where it is the one before it.
std::optional<Seq> not_before(Seq seq, Seq prev) {
    return prev + 1 == seq ? std::nullopt : std::optional(prev);
}

}  // namespace

bool Outgoing::has_room(std::size_t bytes, Context& ctx) noexcept {
    if (turn_ != ctx.turn && !is_blocked_) {
        turn_ = ctx.turn;
        turn_bytes_ = 0;
    }
    return !is_blocked_ &&
           (turn_bytes_ == 0 || turn_bytes_ + bytes <= ctx.settings.limits.out_bytes_max);
}

void Outgoing::put_out(SharedText frame, Context& ctx) {
    turn_bytes_ += static_cast<std::uint32_t>(frame.size());
    ctx.counters.bytes_out += frame.size();
    ctx.outputs.push_back(Output{connection_, std::move(frame)});
}

Outgoing::Outcome Outgoing::put(SharedText frame, Weight weight, Context& ctx) {
    Item item;
    item.frame = std::move(frame);
    item.weight = weight;
    return put_ready(std::move(item), ctx);
}

Outgoing::Outcome Outgoing::put(const Snapshot& snapshot, Context& ctx) {
    Item item;
    item.frame = snapshot.frame;
    item.weight = Weight::snapshot;
    item.queue = snapshot.queue;
    item.moves_to = snapshot.seq;
    item.request = snapshot.request;
    return put_ready(std::move(item), ctx);
}

Outgoing::Outcome Outgoing::put_ready(Item item, Context& ctx) {
    if (waiting_ == nullptr && has_room(item.frame.size(), ctx)) {
        put_out(std::move(item.frame), ctx);
        return Outcome::taken;
    }
    item.bytes = static_cast<std::uint32_t>(item.frame.size());
    item.since = ctx.now;
    push(std::move(item));
    return keep_within_bounds(ctx);
}

Outgoing::Outcome Outgoing::put(const Delivery& delivery, Context& ctx) {
    ++ctx.counters.deliveries;
    if (waiting_ == nullptr && has_room(delivery.frame.size(), ctx)) {
        put_out(delivery.frame, ctx);
        return Outcome::taken;
    }
    push_event(delivery, ctx);
    const auto* posted = std::get_if<queue::MessagePosted>(&delivery.event->body);
    if (is_blocked_ && posted != nullptr && delivery.slow == queue::SlowPolicy::drop) {
        while (!fits(ctx.settings.limits)) {
            if (!drop_oldest(delivery.queue, posted->mount, ctx)) {
                return Outcome::too_slow;  // It is not this mount that fills the buffer.
            }
        }
    }
    return keep_within_bounds(ctx);
}

void Outgoing::push_event(const Delivery& delivery, Context& ctx) {
    const queue::Event& event = *delivery.event;
    waiting().last_put_out.try_emplace(delivery.queue, event.seq - 1);
    Item item;
    item.queue = delivery.queue;
    item.event = delivery.event;
    item.bytes = size_of(event);
    item.since = ctx.now;
    if (const auto* changed = std::get_if<queue::StateChanged>(&event.body)) {
        MUSTER_CHECK(!changed->changes.empty());
        for (std::uint32_t i = 0; i < changed->changes.size(); ++i) {
            item.change_index = i;
            push_conflated(item,
                           {delivery.queue, std::string(changed->mount.text()),
                            std::string(changed->changes[i].key.text())},
                           ctx);
        }
    } else if (const auto* member = std::get_if<queue::MemberChanged>(&event.body)) {
        push_conflated(item, {delivery.queue, std::string(), std::string(member->user.text())},
                       ctx);
    } else {
        push(std::move(item));
    }
}

void Outgoing::put_replay(const QueueName& queue, const queue::EventPtr& event, Seq prev,
                          Context& ctx) {
    ++ctx.counters.replayed;
    if (waiting_ == nullptr && !is_blocked_) {
        SharedText frame = encode_event(queue, *event, {.prev = not_before(event->seq, prev)},
                                        encoding_, ctx.work.encoded);
        if (has_room(frame.size(), ctx)) {
            put_out(std::move(frame), ctx);
            return;
        }
    }
    // What waits of the queue already comes first: then the cursor is where that leads.
    waiting().last_put_out.try_emplace(queue, prev);
    Item item;
    item.weight = Weight::replay;
    item.queue = queue;
    item.event = event;
    item.bytes = size_of(*event);
    push(std::move(item));
}

Outgoing::Waiting& Outgoing::waiting() {
    if (waiting_ == nullptr) {
        waiting_ = std::make_unique<Waiting>();
    }
    return *waiting_;
}

void Outgoing::push(Item item) {
    Waiting& all = waiting();
    if (item.weight == Weight::snapshot) {
        ++all.snapshots;
    } else if (item.weight == Weight::normal && !item.is_conflated) {
        ++all.messages;
        all.bytes += item.bytes;
    }
    all.oldest = std::min(all.oldest, item.since);
    all.items.emplace_hint(all.items.end(), all.next_place++, std::move(item));
}

void Outgoing::push_conflated(Item item, ConflationKey key, Context& ctx) {
    Waiting& all = waiting();
    item.is_conflated = true;
    const auto [known, is_new] = all.conflated.try_emplace(std::move(key), all.next_place);
    if (!is_new) {
        ++ctx.counters.conflated;
        const auto* changed = std::get_if<queue::StateChanged>(&item.event->body);
        ++missed(item.queue, changed == nullptr ? MountName() : changed->mount).conflated;
        const auto older = all.items.find(known->second);
        item.since = older->second.since;
        all.items.erase(older);
        known->second = all.next_place;
    }
    push(std::move(item));
}

void Outgoing::erase(Items::iterator item) {
    Waiting& all = *waiting_;
    if (item->second.weight == Weight::snapshot) {
        --all.snapshots;
    } else if (item->second.weight == Weight::normal && !item->second.is_conflated) {
        --all.messages;
        all.bytes -= item->second.bytes;
    }
    all.items.erase(item);
}

// Returns false where nothing of the mount waits but the event that has just come: that must leave,
// because the next ones follow it.
bool Outgoing::drop_oldest(const QueueName& queue, const MountName& mount, Context& ctx) {
    Waiting& all = *waiting_;
    const auto newest = std::prev(all.items.end());
    for (auto i = all.items.begin(); i != newest; ++i) {
        const auto* posted = i->second.event == nullptr || i->second.weight != Weight::normal
                                 ? nullptr
                                 : std::get_if<queue::MessagePosted>(&i->second.event->body);
        if (posted == nullptr || i->second.queue != queue || posted->mount != mount) {
            continue;
        }
        ++ctx.counters.dropped;
        ++missed(queue, mount).dropped;
        const Seq seq = i->second.event->seq;
        const auto [gap, is_new] = all.gaps.try_emplace({queue, mount}, i->first);
        if (!is_new) {
            all.items.at(gap->second).gap_to = seq;
            erase(i);
            return true;
        }
        // The first lost message's place becomes that of the gap.
        Item mark;
        mark.weight = Weight::replay;
        mark.queue = queue;
        mark.gap_mount = mount;
        mark.gap_from = seq;
        mark.gap_to = seq;
        const Place place = i->first;
        erase(i);
        all.items.emplace(place, std::move(mark));
        return true;
    }
    return false;
}

bool Outgoing::fits(const Limits& limits) const noexcept {
    return waiting_ == nullptr || (waiting_->messages <= limits.out_messages_max &&
                                   waiting_->bytes <= limits.out_bytes_max &&
                                   waiting_->snapshots <= limits.out_snapshots_max &&
                                   waiting_->conflated.size() <= limits.out_keys_max);
}

std::string Outgoing::limit_passed(const Limits& limits) const {
    if (waiting_ != nullptr && waiting_->messages > limits.out_messages_max) {
        return fmt::format("more than {} messages wait", limits.out_messages_max);
    }
    if (waiting_ != nullptr && waiting_->bytes > limits.out_bytes_max) {
        return fmt::format("more than {} bytes wait", limits.out_bytes_max);
    }
    if (waiting_ != nullptr && waiting_->snapshots > limits.out_snapshots_max) {
        return fmt::format("more than {} snapshots wait", limits.out_snapshots_max);
    }
    return fmt::format("more than {} changed keys wait", limits.out_keys_max);
}

Outgoing::Excess Outgoing::oldest(const Limits& limits) const {
    Excess excess;
    excess.limit = fmt::format("something has waited for more than {} ms",
                               limits.out_time_max / std::chrono::milliseconds{1});
    if (waiting_ == nullptr || waiting_->items.empty()) {
        return excess;
    }
    const Item& item = std::ranges::min_element(waiting_->items, {}, [](const auto& at) {
                           return at.second.since;
                       })->second;
    excess.queue = item.queue;
    excess.mount = item.gap_mount;
    if (item.event != nullptr) {
        if (const auto* posted = std::get_if<queue::MessagePosted>(&item.event->body)) {
            excess.mount = posted->mount;
        } else if (const auto* changed = std::get_if<queue::StateChanged>(&item.event->body)) {
            excess.mount = changed->mount;
        }
    }
    return excess;
}

// Too much waits: then either the client is slow, or much has happened within one turn, which is
// not the client's fault.
Outgoing::Outcome Outgoing::keep_within_bounds(Context& ctx) {
    if (fits(ctx.settings.limits)) {
        return Outcome::taken;
    }
    if (is_blocked_) {
        return Outcome::too_slow;
    }
    while (waiting_ != nullptr) {
        put_out_first(ctx);
    }
    return Outcome::taken;
}

void Outgoing::resume(Context& ctx) {
    while (waiting_ != nullptr && has_room(waiting_->items.begin()->second.bytes, ctx)) {
        put_out_first(ctx);
    }
}

void Outgoing::put_out_first(Context& ctx) {
    const auto first = waiting_->items.begin();
    const Item& item = first->second;
    if (item.weight != Weight::normal) {
        waiting_->big_left_at = ctx.now;
    }
    if (item.event != nullptr) {
        put_out_event(first, ctx);
    } else if (!item.gap_mount.empty()) {
        put_out(encode(wire::GapFrame{item.queue.text(), item.gap_mount.text(), item.gap_from,
                                      item.gap_to},
                       encoding_, ctx.work.encoded),
                ctx);
        waiting_->gaps.erase({item.queue, item.gap_mount});
        erase(first);
    } else {
        if (item.moves_to) {
            waiting_->last_put_out.insert_or_assign(item.queue, *item.moves_to);
        }
        put_out(item.frame, ctx);
        erase(first);
    }
    if (waiting_->items.empty()) {
        end_waiting(ctx);
    }
}

// Puts out the event at `first`, with all of its keys that wait: they stand next to each other.
void Outgoing::put_out_event(Items::iterator first, Context& ctx) {
    Waiting& all = *waiting_;
    const QueueName queue = first->second.queue;
    const queue::EventPtr event = first->second.event;
    const auto* changed = std::get_if<queue::StateChanged>(&event->body);
    std::vector<std::uint32_t> indices;
    while (first != all.items.end() && first->second.event == event) {
        const auto next = std::next(first);
        if (changed != nullptr) {
            const std::uint32_t index = first->second.change_index;
            indices.push_back(index);
            all.conflated.erase({queue, std::string(changed->mount.text()),
                                 std::string(changed->changes[index].key.text())});
        } else if (const auto* member = std::get_if<queue::MemberChanged>(&event->body)) {
            all.conflated.erase({queue, std::string(), std::string(member->user.text())});
        }
        erase(first);
        first = next;
    }
    const auto last = all.last_put_out.find(queue);
    MUSTER_CHECK(last != all.last_put_out.end());
    const Seq prev = std::exchange(last->second, event->seq);
    ++ctx.counters.encodes;
    put_out(encode_event(queue, *event, {.prev = not_before(event->seq, prev), .changes = indices},
                         encoding_, ctx.work.encoded),
            ctx);
}

std::vector<std::uint64_t> Outgoing::forget(const QueueName& queue, Context& ctx) {
    std::vector<std::uint64_t> unanswered;
    if (waiting_ == nullptr) {
        return unanswered;
    }
    for (auto i = waiting_->items.begin(); i != waiting_->items.end();) {
        const auto next = std::next(i);
        if (i->second.queue == queue) {
            if (i->second.request) {
                unanswered.push_back(*i->second.request);
            }
            erase(i);
        }
        i = next;
    }
    std::erase_if(waiting_->conflated,
                  [&](const auto& entry) { return std::get<0>(entry.first) == queue; });
    std::erase_if(waiting_->gaps, [&](const auto& entry) { return entry.first.first == queue; });
    waiting_->last_put_out.erase(queue);
    if (waiting_->items.empty()) {
        end_waiting(ctx);
    }
    return unanswered;
}

bool Outgoing::is_too_old(const Context& ctx) noexcept {
    if (ctx.now < too_old_at(ctx.settings.limits)) {
        return false;
    }
    waiting_->oldest = Instant::max();
    for (const auto& [place, item] : waiting_->items) {
        waiting_->oldest = std::min(waiting_->oldest, item.since);
    }
    return ctx.now >= too_old_at(ctx.settings.limits);
}

Missed& Outgoing::missed(const QueueName& queue, const MountName& mount) {
    auto& all = waiting().missed;
    const auto known = std::ranges::find_if(
        all, [&](const Missed& m) { return m.mount == mount && m.queue == queue; });
    return known != all.end() ? *known
                              : all.emplace_back(Missed{
                                    .connection = connection_, .queue = queue, .mount = mount});
}

void Outgoing::tell_missed(Context& ctx) {
    if (waiting_ != nullptr) {
        std::ranges::move(waiting_->missed, std::back_inserter(ctx.missed));
        waiting_->missed.clear();
    }
}

void Outgoing::end_waiting(Context& ctx) {
    tell_missed(ctx);
    waiting_.reset();
}

std::size_t Outgoing::waiting_count() const noexcept {
    return waiting_ == nullptr ? 0 : waiting_->items.size();
}

}  // namespace muster::gateway
