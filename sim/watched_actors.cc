#include "sim/watched_actors.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "core/queue/queue.h"
#include "core/user/messages.h"
#include "core/wire/names.h"

namespace muster::sim {
namespace {

/// A queue, and what its members were after its last step.
class WatchedQueue final : public actor::Actor {
public:
    WatchedQueue(World& world, std::unique_ptr<queue::Queue> queue)
        : world_(world), queue_(std::move(queue)) {}

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

/// A user queue, and how its user stood after its last step.
class WatchedUser final : public actor::Actor {
public:
    WatchedUser(World& world, std::unique_ptr<actor::Actor> queue)
        : world_(world), queue_(std::move(queue)) {}

    void step(const actor::Event& event, actor::Context& ctx) override {
        const auto* message = std::get_if<actor::Message>(&event);
        const bool is_by_backend =
            message != nullptr && std::holds_alternative<user::Disconnect>(message->body);
        queue_->step(event, ctx);
        const user::UserReport report = ask(ctx);
        if (report.session != session_) {
            if (session_.value != 0) {
                note(ctx, false, is_by_backend);
            }
            session_ = report.session;
            if (session_.value != 0) {
                note(ctx, true, is_by_backend);
            }
        }
        if (report.connections > 0 || connections_ > 0) {
            away_since_ = ctx.now;
        }
        connections_ = report.connections;
    }

    [[nodiscard]] bool is_absent() const noexcept override { return queue_->is_absent(); }
    [[nodiscard]] std::optional<Instant> overdue_at() const noexcept override {
        return queue_->overdue_at();
    }
    void save(Instant now, std::string& out) const override { queue_->save(now, out); }

private:
    // The answer changes nothing and goes nowhere.
    [[nodiscard]] user::UserReport ask(const actor::Context& ctx) const {
        actor::Outbox answers;
        actor::Context aside(ctx.self(), ctx.now, ctx.wall, Rng(0), ctx.latest_inc(), answers);
        queue_->step(actor::Message{actor::ServiceAddress{}, actor::ActorAddress{ctx.self()},
                                    user::ReadUser{}},
                     aside);
        return std::get<user::UserReport>(answers.at(0).body);
    }

    void note(const actor::Context& ctx, bool begins, bool is_by_backend) const {
        History& history = world_.history;
        SessionChange change;
        change.user = history.user(ctx.self().text());
        change.session = session_;
        change.begins = begins;
        change.is_by_backend = is_by_backend;
        change.away_for = ctx.now - away_since_;
        change.order = history.next_order();
        world_.trace.line("session", "{} of {} {}", session_.value, ctx.self().text(),
                          begins ? "begins" : "ends");
        history.sessions.push_back(change);
    }

    World& world_;
    std::unique_ptr<actor::Actor> queue_;
    SessionId session_;
    std::uint32_t connections_ = 0;
    Instant away_since_{};
};

}  // namespace

std::unique_ptr<actor::Actor> WatchedActors::make(const QueueName& name) const {
    return watch(name, actors_.make(name));
}

std::unique_ptr<actor::Actor> WatchedActors::restore(const QueueName& name, Instant now,
                                                     std::string_view state) const {
    auto restored = actors_.restore(name, now, state);
    return restored == nullptr ? nullptr : watch(name, std::move(restored));
}

std::unique_ptr<actor::Actor> WatchedActors::watch(const QueueName& name,
                                                   std::unique_ptr<actor::Actor> actor) const {
    if (wire::user_of_queue_name(name.text())) {
        return std::make_unique<WatchedUser>(world_, std::move(actor));
    }
    std::unique_ptr<queue::Queue> queue(static_cast<queue::Queue*>(actor.release()));
    return std::make_unique<WatchedQueue>(world_, std::move(queue));
}

}  // namespace muster::sim
