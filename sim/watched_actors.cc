#include "sim/watched_actors.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/check.h"
#include "core/actor/saved_time.h"
#include "core/queue/queue.h"
#include "core/user/messages.h"
#include "core/wire/names.h"
#include "muster/log.pb.h"

namespace muster::sim {
namespace {

/// A queue, and what its members were after its last step; or when it was restored.
class WatchedQueue final : public actor::Actor {
public:
    WatchedQueue(World& world, std::unique_ptr<queue::Queue> queue)
        : world_(world), queue_(std::move(queue)) {
        if (const auto& content = queue_->content()) {
            at_ = content->at;
            members_.insert(content->members.begin(), content->members.end());
        }
    }

    void step(const actor::Event& event, actor::Context& ctx) override {
        queue_->step(event, ctx);
        const auto& content = queue_->content();
        const Cursor at = content ? content->at : Cursor{};
        if (at == at_) {
            return;
        }
        if (at.inc != at_.inc) {
            end_history(ctx.self());
        }
        at_ = at;
        world_.history.committed[world_.history.queue(ctx.self().text())] = at;
        if (content) {
            note_changes(*content, ctx.self());
        }
    }

    [[nodiscard]] bool is_absent() const noexcept override { return queue_->is_absent(); }
    [[nodiscard]] std::optional<Instant> overdue_at() const noexcept override {
        return queue_->overdue_at();
    }
    void save(Instant now, std::string& out) const override { queue_->save(now, out); }

private:
    using Members = std::map<UserId, queue::Member, NameOrder>;

    void note_changes(const queue::Content& content, const QueueName& name) {
        for (auto known = members_.begin(); known != members_.end();) {
            if (content.members.contains(known->first)) {
                ++known;
            } else {
                note(name, known->first, nullptr, false);
                known = members_.erase(known);
            }
        }
        for (const auto& [user, member] : content.members) {
            const auto known = members_.find(user);
            if (known == members_.end() || known->second != member) {
                note(name, user, &member, false);
                members_.insert_or_assign(user, member);
            }
        }
    }

    void end_history(const QueueName& name) {
        for (const auto& [user, member] : std::exchange(members_, {})) {
            note(name, user, nullptr, true);
        }
    }

    void note(const QueueName& name, const UserId& user, const queue::Member* member,
              bool is_end) const {
        History& history = world_.history;
        MemberChange change;
        change.queue = history.queue(name.text());
        change.at = at_;
        change.user = history.user(fmt::format("/user/{}", user.text()));
        change.is_end = is_end;
        change.order = history.next_order();
        if (member != nullptr) {
            change.is_member = true;
            change.is_online = member->is_online;
            change.session = member->session;
        }
        world_.trace.line("member", "{} in {} at {}: {} {} session {}", user.text(), name.text(),
                          at_.seq, change.is_member ? "is in" : "is not in",
                          change.is_online ? "on line" : "off line", change.session.value);
        history.member_changes.push_back(change);
    }

    World& world_;
    std::unique_ptr<queue::Queue> queue_;
    Cursor at_;
    Members members_;
};

/// How a user stands.
struct Standing {
    SessionId session;
    std::uint32_t connections = 0;
    Instant away_since{};  ///< or when there was a connection for the last time
};

/// Asks a user queue of itself: that changes nothing, and the answer goes nowhere.
user::UserReport ask(actor::Actor& queue, const QueueName& self, Instant now, WallTime wall,
                     Inc latest_inc) {
    actor::Outbox answers;
    actor::Context aside(self, now, wall, Rng(0), latest_inc, answers);
    queue.step(actor::Message{actor::ServiceAddress{}, actor::ActorAddress{self}, user::ReadUser{}},
               aside);
    return std::get<user::UserReport>(answers.at(0).body);
}

/// `state` is that from which `queue` was restored.
Standing standing_of(actor::Actor& queue, const QueueName& self, Instant now,
                     std::string_view state) {
    const user::UserReport report = ask(queue, self, now, WallTime{}, Inc{});
    Standing standing{report.session, report.connections, Instant::min()};
    proto::UserQueueState saved;
    MUSTER_CHECK(saved.ParseFromString(std::string(state)));
    for (const auto& slot : saved.slots()) {
        const auto seen_at = actor::from_saved(slot.client().seen_at_us(), now);
        standing.away_since = std::max(standing.away_since, seen_at.value_or(Instant::min()));
    }
    return standing;
}

/// A user queue, and how its user stood after its last step; or when it was restored.
class WatchedUser final : public actor::Actor {
public:
    WatchedUser(World& world, std::unique_ptr<actor::Actor> queue, const Standing& standing)
        : world_(world), queue_(std::move(queue)), standing_(standing) {}

    void step(const actor::Event& event, actor::Context& ctx) override {
        const auto* message = std::get_if<actor::Message>(&event);
        const bool is_by_backend =
            message != nullptr && std::holds_alternative<user::Disconnect>(message->body);
        queue_->step(event, ctx);
        const user::UserReport report =
            ask(*queue_, ctx.self(), ctx.now, ctx.wall, ctx.latest_inc());
        if (report.session != standing_.session) {
            if (standing_.session.value != 0) {
                note(ctx, false, is_by_backend);
            }
            standing_.session = report.session;
            if (standing_.session.value != 0) {
                note(ctx, true, is_by_backend);
            }
        }
        if (report.connections > 0 || standing_.connections > 0) {
            standing_.away_since = ctx.now;
        }
        standing_.connections = report.connections;
    }

    [[nodiscard]] bool is_absent() const noexcept override { return queue_->is_absent(); }
    [[nodiscard]] std::optional<Instant> overdue_at() const noexcept override {
        return queue_->overdue_at();
    }
    void save(Instant now, std::string& out) const override { queue_->save(now, out); }

private:
    void note(const actor::Context& ctx, bool begins, bool is_by_backend) const {
        History& history = world_.history;
        SessionChange change;
        change.user = history.user(ctx.self().text());
        change.session = standing_.session;
        change.begins = begins;
        change.is_by_backend = is_by_backend;
        change.away_for = ctx.now - standing_.away_since;
        change.order = history.next_order();
        world_.trace.line("session", "{} of {} {}", standing_.session.value, ctx.self().text(),
                          begins ? "begins" : "ends");
        history.sessions.push_back(change);
    }

    World& world_;
    std::unique_ptr<actor::Actor> queue_;
    Standing standing_;
};

}  // namespace

std::unique_ptr<actor::Actor> WatchedActors::make(const QueueName& name) const {
    auto actor = actors_.make(name);
    if (wire::user_of_queue_name(name.text())) {
        return std::make_unique<WatchedUser>(world_, std::move(actor), Standing{});
    }
    return watch_queue(std::move(actor));
}

std::unique_ptr<actor::Actor> WatchedActors::restore(const QueueName& name, Instant now,
                                                     std::string_view state) const {
    auto actor = actors_.restore(name, now, state);
    if (actor == nullptr) {
        return nullptr;
    }
    if (wire::user_of_queue_name(name.text())) {
        const Standing standing = standing_of(*actor, name, now, state);
        return std::make_unique<WatchedUser>(world_, std::move(actor), standing);
    }
    return watch_queue(std::move(actor));
}

std::unique_ptr<actor::Actor> WatchedActors::watch_queue(
    std::unique_ptr<actor::Actor> actor) const {
    std::unique_ptr<queue::Queue> queue(static_cast<queue::Queue*>(actor.release()));
    return std::make_unique<WatchedQueue>(world_, std::move(queue));
}

}  // namespace muster::sim
