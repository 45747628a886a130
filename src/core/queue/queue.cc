#include "core/queue/queue.h"

#include <algorithm>
#include <utility>

#include "base/rules.h"
#include "core/wire/names.h"

namespace muster::queue {
namespace {

// Of how many of a client's numbers the verdicts are kept (R5).
std::uint32_t ring_size(const Limits& limits) noexcept {
    constexpr std::uint32_t too_small = 2;
    return rules_in_force.ring_spans_window ? limits.op_window : too_small;
}

}  // namespace

Queue::Queue(std::shared_ptr<const QueueSettings> settings)
    : settings_(std::move(settings)),
      clients_(ring_size(settings_->limits), settings_->limits.left_clients_max,
               settings_->limits.left_client_ttl),
      idempotent_(settings_->limits.idempotency_keys_max, settings_->limits.idempotency_ttl) {}

void Queue::step(const actor::Event& event, actor::Context& ctx) {
    if (std::holds_alternative<actor::Wake>(event)) {
        on_wake(ctx);
        return;
    }
    const auto& message = std::get<actor::Message>(event);
    if (const auto* op = std::get_if<Op>(&message.body)) {
        take(*op, message.from, ctx);
    } else if (const auto* subscribe = std::get_if<Subscribe>(&message.body)) {
        take(*subscribe, ctx);
    } else if (const auto* unsubscribe = std::get_if<Unsubscribe>(&message.body)) {
        take(*unsubscribe, ctx);
    } else if (const auto* fence = std::get_if<Fence>(&message.body)) {
        take(*fence, ctx);
    } else if (const auto* presence = std::get_if<Presence>(&message.body)) {
        take(*presence, ctx);
    } else if (const auto* read = std::get_if<Read>(&message.body)) {
        take(*read, ctx);
    }
    // Everything else is for another kind of actor: a late answer, say, to a name that was one.
}

// ---- Readers ---------------------------------------------------------------------------------

void Queue::take(const Subscribe& subscribe, actor::Context& ctx) {
    const actor::GatewayAddress gateway{subscribe.gateway};
    if (!content_) {
        ctx.send(gateway, SubscribeRefused{ctx.self(), subscribe.sub, ErrorCode::no_queue});
        return;
    }
    std::erase_if(subscribers_,
                  [&](const Subscriber& s) { return s.gateway == subscribe.gateway; });
    subscribers_.push_back(Subscriber{subscribe.gateway, subscribe.sub});
    idle_since_.reset();
    content_->forget_old(ctx.now);
    // Snapshot and subscription are one step (R21): nothing can come between them.
    ctx.send(gateway, Subscribed{ctx.self(), subscribe.sub, std::make_shared<Content>(*content_)});
}

void Queue::take(const Unsubscribe& unsubscribe, actor::Context& ctx) {
    const auto ended_count = std::erase_if(subscribers_, [&](const Subscriber& s) {
        return s.gateway == unsubscribe.gateway && s.sub == unsubscribe.sub;
    });
    if (ended_count > 0) {
        note_whether_empty(ctx);
    }
}

void Queue::take(const Fence& fence, actor::Context& ctx) {
    FenceReply reply{fence.connection, ctx.self(), fence.inc, FenceReply::Kind::fenced_in};
    if (!content_ || (fence.inc.value != 0 && fence.inc != content_->at.inc)) {
        reply.kind = FenceReply::Kind::gone;
    } else if (is_member(fence.user)) {
        if (is_fenced(fence.user, fence.cep)) {
            reply.kind = FenceReply::Kind::overtaken;
        }
        raise_fence(fence.user, fence.cep);
    }
    ctx.send(actor::GatewayAddress{fence.connection.gateway}, std::move(reply));
}

void Queue::take(const Presence& presence, actor::Context& ctx) {
    if (!content_) {
        return;
    }
    const auto found = content_->members.find(presence.user);
    if (found == content_->members.end()) {
        return;
    }
    raise_fence(presence.user, presence.cep);
    // A session's end that comes after the next one's beginning is late: sessions only grow.
    if (presence.session < found->second.session) {
        return;
    }
    Member member = found->second;
    member.session = presence.session;
    member.is_online = presence.is_online;
    if (member == found->second) {
        return;
    }
    Event event;
    event.from = presence.user;
    event.body = MemberChanged{presence.user, std::move(member), LeaveReason::left,
                               content_->members.size()};
    publish(std::move(event), ctx);
}

void Queue::take(const Read& read, actor::Context& ctx) {
    std::shared_ptr<const Content> copy;
    if (content_) {
        content_->forget_old(ctx.now);
        copy = std::make_shared<Content>(*content_);
    }
    ctx.send(actor::ServiceAddress{}, ReadReply{read.request, std::move(copy)});
}

// ---- Changes ---------------------------------------------------------------------------------

void Queue::begin(CreateOp definition, std::shared_ptr<const Template> rules, actor::Context& ctx) {
    definition_ = std::move(definition);
    content_.emplace();
    content_->at.inc = rules_in_force.lost_is_new ? ctx.next_inc() : Inc{1};
    content_->rules = std::move(rules);
    const auto add = [&](const MountName& name, const MountRules& mount) {
        Event event;
        event.body = MountChanged{name, mount};
        publish(std::move(event), ctx);
    };
    for (const auto& [name, mount] : content_->rules->mounts) {
        if (!definition_.mounts.contains(name)) {
            add(name, mount);
        }
    }
    for (const auto& [name, mount] : definition_.mounts) {
        add(name, mount);
    }
}

void Queue::publish(Event event, actor::Context& ctx) {
    event.seq = content_->at.seq + 1;
    event.time = ctx.wall;
    const EventPtr shared = std::make_shared<const Event>(std::move(event));
    content_->apply(shared, ctx.now, settings_->limits);
    for (const auto& subscriber : subscribers_) {
        ctx.send(actor::GatewayAddress{subscriber.gateway},
                 Published{ctx.self(), subscriber.sub, content_->at.inc, shared});
    }
    if (idle_since_) {
        idle_since_ = ctx.now;
    }
}

void Queue::remove_member(const UserId& user, LeaveReason reason, actor::Context& ctx) {
    fences_.erase(user);
    clients_.user_left(user, ctx.now);
    age_clients(ctx);
    // The rates stay: who leaves and joins again has not rested meanwhile.
    Event event;
    event.from = user;
    event.body = MemberChanged{user, std::nullopt, reason, content_->members.size() - 1};
    publish(std::move(event), ctx);
    note_whether_empty(ctx);
}

Queue::Fences::iterator Queue::find_fence(const UserId& member, std::uint8_t slot) {
    auto fence = fences_.lower_bound(member);
    for (; fence != fences_.end() && fence->first == member; ++fence) {
        if (fence->second.slot() == slot) {
            return fence;
        }
    }
    return fences_.end();
}

// Against a newer cep of its slot, and against all of a younger user queue.
bool Queue::is_fenced(const UserId& member, Cep cep) const {
    const auto fences = fences_.equal_range(member);
    return std::any_of(fences.first, fences.second, [cep](const auto& fence) {
        return cep.inc < fence.second.inc ||
               (cep.slot() == fence.second.slot() && cep < fence.second);
    });
}

void Queue::raise_fence(const UserId& member, Cep cep) {
    if (cep == Cep{}) {
        return;  // The server has joined somebody who was never on line.
    }
    const auto newest = find_fence(member, cep.slot());
    if (newest == fences_.end()) {
        fences_.emplace(member, cep);
    } else {
        newest->second = std::max(newest->second, cep);
    }
}

// ---- Time and the end ------------------------------------------------------------------------

Duration Queue::idle_ttl() const noexcept {
    return definition_.idle_ttl.value_or(content_->rules->idle_ttl);
}

void Queue::note_whether_empty(actor::Context& ctx) {
    if (!content_->members.empty() || !subscribers_.empty() || idle_ttl() <= Duration::zero()) {
        return;
    }
    idle_since_ = ctx.now;
    ctx.wake_at(*idle_since_ + idle_ttl());
}

void Queue::on_wake(actor::Context& ctx) {
    if (!content_) {
        return;
    }
    if (idle_since_) {
        if (*idle_since_ + idle_ttl() <= ctx.now) {
            end_history(ctx);
            return;
        }
        ctx.wake_at(*idle_since_ + idle_ttl());
    }
    age_clients(ctx);
    std::erase_if(rates_, [&](const auto& rate) { return rate.second.full_at() <= ctx.now; });
    const bool some_messages_age = content_->forget_old(ctx.now);
    const bool some_keys_age = idempotent_.forget_old(ctx.now);
    if (some_messages_age || some_keys_age || !rates_.empty()) {
        ctx.wake_at(ctx.now + tidy_interval);
    }
}

void Queue::age_clients(actor::Context& ctx) {
    if (const auto next = clients_.age(ctx.now)) {
        ctx.wake_at(*next);
    }
}

void Queue::end_history(actor::Context& ctx) {
    const Inc inc = content_->at.inc;
    for (const auto& subscriber : subscribers_) {
        ctx.send(actor::GatewayAddress{subscriber.gateway}, Ended{ctx.self(), subscriber.sub, inc});
    }
    for (const auto& [user, member] : content_->members) {
        ctx.send(actor::ActorAddress{wire::user_queue_name(user)},
                 user::QueueEnded{ctx.self(), inc});
    }
    vanish();
}

void Queue::vanish() {
    content_.reset();
    definition_ = CreateOp{};
    clients_ = ClientRecords(ring_size(settings_->limits), settings_->limits.left_clients_max,
                             settings_->limits.left_client_ttl);
    fences_.clear();
    rates_.clear();
    idempotent_ =
        IdempotencyTable(settings_->limits.idempotency_keys_max, settings_->limits.idempotency_ttl);
    subscribers_.clear();
    idle_since_.reset();
}

bool Queue::is_member(const UserId& user) const { return content_->members.contains(user); }

std::optional<Standing> Queue::standing_of(const UserId& user) const {
    if (!content_) {
        return std::nullopt;
    }
    const auto member = content_->members.find(user);
    if (member == content_->members.end()) {
        return std::nullopt;
    }
    return Standing{content_->at.inc, member->second.by_server};
}

}  // namespace muster::queue
