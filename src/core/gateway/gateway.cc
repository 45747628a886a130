#include "core/gateway/gateway.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/rules.h"

namespace muster::gateway {
namespace {

/// When to ask again for what needs a welcome that has not come yet.
constexpr Duration welcome_wait = std::chrono::milliseconds{100};

/// The connection that an event of the sockets is about; nothing for all of them.
std::optional<ConnectionId> connection_of(const Event& event) {
    return std::visit(
        [](const auto& e) -> std::optional<ConnectionId> {
            if constexpr (requires { e.connection; }) {
                return e.connection;
            } else {
                return std::nullopt;
            }
        },
        event);
}

}  // namespace

Gateway::Gateway(ShardId shard, std::shared_ptr<const Settings> settings, std::uint64_t seed)
    : shard_(shard),
      settings_(std::move(settings)),
      rng_(seed),
      replicas_(0, KeyedHash{HashKey{rng_.next(), rng_.next()}}) {}

Context Gateway::context(const Step& at) {
    return Context{at.now,     at.wall, at.turn, shard_, *settings_, rng_,  at.messages,
                   at.outputs, wishes_, missed_, notes_, counters_,  work_, admission_};
}

// ---- Events ----------------------------------------------------------------------------------

void Gateway::step(const Event& event, const Step& at) {
    Context ctx = context(at);
    take_socket_event(event, ctx);
}

void Gateway::take_socket_event(const Event& event, Context& ctx) {
    if (const auto* opened = std::get_if<Opened>(&event)) {
        open(*opened, ctx);
        return;
    }
    if (std::holds_alternative<Stopping>(event)) {
        begin_to_stop(ctx);
        return;
    }
    const ConnectionId id = *connection_of(event);
    Connection* connection = find(id);
    if (connection == nullptr) {
        return;  // We have closed it; the socket's last words are late.
    }
    if (const auto* received = std::get_if<Received>(&event)) {
        connection->receive(received->bytes, ctx);
    } else if (std::holds_alternative<SocketClosed>(event)) {
        connection->socket_closed(ctx);
    } else if (std::holds_alternative<Blocked>(event)) {
        connection->blocked();
    } else if (std::holds_alternative<Drained>(event)) {
        connection->drained(ctx);
    }
    finish(id, ctx);
}

// Clients stay and are served until each goes by itself, at its own time within the spread.
void Gateway::begin_to_stop(Context& ctx) {
    const Limits& limits = settings_->limits;
    const auto clients = static_cast<std::int64_t>(counters_.users_online);
    const Duration spread = std::min(clients * limits.stop_spread_each, limits.stop_spread_max);
    closes_rest_at_ = ctx.now + spread + limits.stop_grace;
    for (std::size_t slot = 0; slot < connections_.size(); ++slot) {
        if (Connection* connection = connections_[slot].connection.get()) {
            const ConnectionId id = connection->id();
            connection->server_stopping(spread, ctx);
            finish(id, ctx);
        }
    }
}

void Gateway::close_rest(Context& ctx) {
    closes_rest_at_.reset();
    for (std::size_t slot = 0; slot < connections_.size(); ++slot) {
        if (Connection* connection = connections_[slot].connection.get()) {
            const ConnectionId id = connection->id();
            connection->server_stopped(ctx);
            finish(id, ctx);
        }
    }
}

void Gateway::step(const actor::Message& message, const Step& at) {
    Context ctx = context(at);
    take_message(message, ctx);
    grant_wishes(ctx);
}

void Gateway::take_message(const actor::Message& message, Context& ctx) {
    const actor::Body& body = message.body;
    if (const auto* published = std::get_if<queue::Published>(&body)) {
        publish(*published, ctx);
    } else if (const auto* reply = std::get_if<queue::OpReply>(&body)) {
        if (const auto* to = std::get_if<ConnectionRef>(&reply->reply_to.who)) {
            hand_to(*to, *reply, ctx);
        }
    } else if (const auto* subscribed = std::get_if<queue::Subscribed>(&body)) {
        synchronise(*subscribed, ctx);
    } else if (const auto* refused = std::get_if<queue::SubscribeRefused>(&body)) {
        refuse_waiting(*refused, ctx);
    } else if (const auto* ended = std::get_if<queue::Ended>(&body)) {
        end(*ended, ctx);
    } else if (const auto* attached = std::get_if<user::Attached>(&body)) {
        if (find(attached->connection.connection) == nullptr) {
            // It went while it was being attached: the user queue must not wait for it.
            ctx.send(message.from, user::Detach{UserId{}, attached->cep});
        }
        hand_to(attached->connection, *attached, ctx);
    } else if (const auto* stale = std::get_if<user::Stale>(&body)) {
        hand_to(stale->connection, *stale, ctx);
    } else if (const auto* checked = std::get_if<user::Checked>(&body)) {
        hand_to(checked->connection, *checked, ctx);
    } else if (const auto* kick = std::get_if<user::Kick>(&body)) {
        hand_to(kick->connection, *kick, ctx);
    } else if (const auto* changed = std::get_if<user::MembershipChanged>(&body)) {
        hand_to(changed->connection, *changed, ctx);
    } else if (const auto* told = std::get_if<user::Told>(&body)) {
        hand_to(told->connection, *told, ctx);
    } else if (const auto* fence = std::get_if<queue::FenceReply>(&body)) {
        hand_to(fence->connection, *fence, ctx);
    }
}

template <typename Answer>
void Gateway::hand_to(const ConnectionRef& to, const Answer& answer, Context& ctx) {
    if (Connection* connection = find(to.connection)) {
        connection->take(answer, ctx);
        finish(to.connection, ctx);
    }
}

void Gateway::step(const Step& at) {
    Context ctx = context(at);
    for (const ConnectionId id : std::exchange(kept_back_, {})) {
        if (Held* kept = held(id)) {
            kept->is_kept_back = false;
            kept->connection->resume_output(ctx);
            finish(id, ctx);
        }
    }
    while (!timers_.empty() && timers_.top().at <= ctx.now) {
        const Timer timer = timers_.top();
        timers_.pop();
        Held* waits = held(timer.connection);
        if (waits == nullptr || waits->timer_at != timer.at) {
            continue;
        }
        waits->timer_at = Instant::max();
        waits->connection->time_passed(ctx);
        finish(timer.connection, ctx);
    }
    if (closes_rest_at_ && *closes_rest_at_ <= ctx.now) {
        close_rest(ctx);
    }
    drop_idle_replicas(ctx);
}

std::optional<Instant> Gateway::next_wake() const noexcept {
    if (!kept_back_.empty()) {
        return Instant::min();
    }
    std::optional<Instant> next;
    if (!timers_.empty()) {
        next = timers_.top().at;
    }
    if (!idle_replicas_.empty()) {
        const Instant at = idle_replicas_.front().since + settings_->limits.replica_idle_time;
        next = next ? std::min(*next, at) : at;
    }
    if (closes_rest_at_) {
        next = next ? std::min(*next, *closes_rest_at_) : *closes_rest_at_;
    }
    return next;
}

// What every step of a connection ends with: its wishes, its timer, its end.
void Gateway::finish(ConnectionId id, Context& ctx) {
    Held* kept = held(id);
    do {
        grant_wishes(ctx);
    } while (kept != nullptr && kept->connection->wish_postponed(ctx));
    if (kept == nullptr) {
        return;
    }
    count_missed(ctx.now);
    const Connection& connection = *kept->connection;
    if (connection.state() == Connection::State::closed) {
        *kept = Held{};
        return;
    }
    if (connection.wants_turn() && !kept->is_kept_back) {
        kept->is_kept_back = true;
        kept_back_.push_back(id);
    }
    Instant at = connection.deadline(settings_->limits);
    if (connection.is_blocked()) {
        // Events that come to wait set no timer of their own.
        at = std::min(at, ctx.now + settings_->limits.out_time_max);
    }
    if (connection.state() == Connection::State::up) {
        at = std::min(at, ctx.now + settings_->limits.check_interval);
        if (!std::exchange(kept->is_up, true)) {
            kept->timer_at = Instant::max();  // That of the sign-in has nothing to do any more.
        }
    }
    if (at < kept->timer_at) {
        kept->timer_at = at;
        timers_.push(Timer{at, id});
    }
}

// By user, while it is known whose the connections are.
void Gateway::count_missed(Instant now) {
    for (const Missed& missed : missed_) {
        if (const Connection* connection = find(missed.connection)) {
            SlowReader& reader =
                slow_readers_.of(connection->user(), missed.queue, missed.mount, now);
            reader.conflated += missed.conflated;
            reader.dropped += missed.dropped;
            reader.closed += missed.has_closed ? 1 : 0;
        }
    }
    missed_.clear();
}

// ---- Followers -------------------------------------------------------------------------------

void Gateway::grant_wishes(Context& ctx) {
    // Granting may lead to further wishes (a follower that is too slow is closed).
    for (std::size_t i = 0; i < wishes_.size(); ++i) {
        const Wish wish = std::move(wishes_[i]);
        grant(wish, ctx);
    }
    wishes_.clear();
}

void Gateway::grant(const Wish& wish, Context& ctx) {
    Connection* connection = find(wish.connection);
    if (connection == nullptr) {
        return;
    }
    if (wish.kind == Wish::Kind::unfollow) {
        unfollow(*connection, wish.queue, ctx);
    } else if (connection->state() == Connection::State::closed) {
        return;  // It has wished and then been closed within one step.
    } else if (wish.kind == Wish::Kind::follow) {
        follow(wish, ctx);
    } else {
        answer_history(wish, *connection, ctx);
    }
}

void Gateway::answer_history(const Wish& wish, Connection& connection, Context& ctx) {
    const Following* followed = connection.following(wish.queue.text());
    if (followed == nullptr || !followed->is_live) {
        // Whether it may read at all is known with its welcome.
        connection.say_retry(wish.request, ErrorCode::retry, welcome_wait, ctx);
        return;
    }
    connection.put(find(wish.queue)->history(wish, connection.encoding(), ctx), Weight::normal,
                   ctx);
}

void Gateway::follow(const Wish& wish, Context& ctx) {
    auto& slot = replicas_[wish.queue];
    if (slot == nullptr) {
        slot = std::make_unique<Replica>(wish.queue);
        ++counters_.replicas;
    }
    const Follower follower{.connection = wish.connection,
                            .request = wish.request,
                            .cursor = wish.cursor,
                            .joined = wish.joined,
                            .was_ahead = wish.was_ahead,
                            .is_live = wish.is_live};
    if (slot->state() == Replica::State::live) {
        serve(*slot, follower, ctx);
        return;
    }
    await_snapshot(*slot, follower, ctx);
    if (slot->state() == Replica::State::cold) {
        slot->subscribe(ctx);
    }
}

void Gateway::await_snapshot(Replica& replica, const Follower& follower, Context& ctx) {
    const auto oldest = replica.await_snapshot(follower);
    if (oldest && oldest->request) {
        find(follower.connection)->say_ok(oldest->request, ctx);
    }
}

// Welcomes a follower: from then on it gets each event.
void Gateway::serve(Replica& replica, Follower follower, Context& ctx) {
    Connection* connection = find(follower.connection);
    Following* followed = connection == nullptr || connection->state() == Connection::State::closed
                              ? nullptr
                              : connection->still_following(replica.name());
    if (followed == nullptr) {
        note_idle(replica, ctx);
        return;  // It has changed its mind, or is gone.
    }
    if (follower.joined.value != 0 && follower.joined < replica.at().inc) {
        // What it has joined is gone, and this is another history of that name. If it has been led
        // there already, it goes on there.
        followed->is_member = followed->is_sure || replica.has_member(connection->user());
        if (!followed->is_live || !replica.may_listen(followed->is_member)) {
            refuse(replica, follower, ErrorCode::gone, ctx);
        } else if (follower.request) {
            connection->say_error(follower.request, ErrorCode::gone, {}, ctx);
        }
        return;
    }
    if (follower.joined.value != 0 && follower.joined == replica.at().inc) {
        followed->is_member = true;  // Though this copy may not have come so far.
        followed->is_sure = true;
    }
    follower.is_member = followed->is_member;
    if (!replica.may_listen(follower.is_member)) {
        refuse(replica, follower, ErrorCode::forbidden, ctx);
        return;
    }
    if (followed->is_live && follower.cursor) {
        follower.cursor = replica.at();  // It has, or will have, seen all: nothing comes twice.
    }
    const bool is_ahead =
        (follower.cursor && *follower.cursor > replica.at()) || follower.joined > replica.at().inc;
    if (is_ahead && !follower.was_ahead && rules_in_force.none_steps_back) {
        // Its last gateway was ahead of this one: nobody is stepped back (R23). If it is ahead of
        // the owner too, the owner has lost what it saw.
        follower.was_ahead = true;
        await_snapshot(replica, follower, ctx);
        if (replica.state() == Replica::State::live) {
            replica.subscribe(ctx);
        }
        return;
    }
    if (connection->postpones_welcomes()) {
        Wish wish;
        wish.connection = follower.connection;
        wish.queue = replica.name();
        wish.request = follower.request;
        wish.cursor = follower.cursor;
        wish.joined = follower.joined;
        wish.was_ahead = follower.was_ahead;
        wish.is_live = follower.is_live;
        connection->postpone(std::move(wish), ctx);
        note_idle(replica, ctx);
        return;
    }
    hand_welcome(replica, follower, replica.welcome(follower, connection->encoding(), ctx), ctx);
}

void Gateway::refuse(Replica& replica, const Follower& follower, ErrorCode code, Context& ctx) {
    Connection& connection = *find(follower.connection);
    const bool was_live = connection.following(replica.name().text())->is_live;
    stop_serving(replica, connection);
    connection.follow_refused(replica.name(), follower.request, code, was_live, ctx);
    note_idle(replica, ctx);
}

void Gateway::hand_welcome(Replica& replica, const Follower& follower, const Welcome& welcome,
                           Context& ctx) {
    Connection& connection = *find(follower.connection);
    const QueueName& queue = replica.name();
    const Seq seq = replica.at().seq;
    if (welcome.reset) {
        ++counters_.resets;
        connection.put(Outgoing::Snapshot{*welcome.reset, queue, seq, {}}, ctx);
    }
    for (const auto& gap : welcome.gaps) {
        connection.put(gap, Weight::normal, ctx);
    }
    for (const auto& replay : welcome.replays) {
        connection.put_replay(queue, replay.event, replay.prev, ctx);
    }
    connection.put(Outgoing::Snapshot{welcome.joined, queue, seq, follower.request}, ctx);
    Following& followed = *connection.following(queue.text());
    if (!followed.is_live && connection.state() != Connection::State::closed) {
        followed.is_live = true;
        followed.queue = queue;  // All listeners share one text.
        followed.listener_index = replica.add_listener(connection.id());
    }
}

// The connection gets no more events.
void Gateway::stop_serving(Replica& replica, Connection& connection) {
    Following* followed = connection.served(replica.name().text());
    if (followed == nullptr || !followed->is_live) {
        return;
    }
    const std::uint32_t index = followed->listener_index;
    MUSTER_CHECK(replica.listeners()[index] == connection.id());
    if (const auto moved = replica.remove_listener(index)) {
        find(*moved)->served(replica.name().text())->listener_index = index;
    }
    followed->is_live = false;
}

void Gateway::unfollow(Connection& connection, const QueueName& queue, Context& ctx) {
    Replica* replica = find(queue);
    if (replica != nullptr) {
        stop_serving(*replica, connection);
        for (const auto& waited : replica->stop_waiting(connection.id())) {
            if (waited.request) {
                connection.say_ok(waited.request, ctx);
            }
        }
        note_idle(*replica, ctx);
    }
    connection.unfollowed(queue);
}

void Gateway::note_idle(Replica& replica, Context& ctx) {
    if (!replica.is_followed()) {
        replica.note_idle(ctx.now);
        idle_replicas_.push(IdleReplica{ctx.now, replica.name()});
    }
}

void Gateway::drop_idle_replicas(Context& ctx) {
    while (!idle_replicas_.empty() &&
           idle_replicas_.front().since + settings_->limits.replica_idle_time <= ctx.now) {
        const IdleReplica idle = idle_replicas_.pop();
        Replica* replica = find(idle.queue);
        if (replica == nullptr || replica->is_followed() || replica->idle_since() != idle.since) {
            continue;
        }
        if (replica->state() != Replica::State::cold) {
            replica->unsubscribe(ctx);
        }
        replicas_.erase(idle.queue);
        --counters_.replicas;
    }
}

Gateway::Held* Gateway::held(ConnectionId id) noexcept {
    const std::size_t slot = slot_of(id);
    if (slot >= connections_.size()) {
        return nullptr;
    }
    Held& found = connections_[slot];
    return found.connection != nullptr && found.connection->id() == id ? &found : nullptr;
}

Connection* Gateway::find(ConnectionId id) noexcept {
    const Held* found = held(id);
    return found == nullptr ? nullptr : found->connection.get();
}

Replica* Gateway::find(const QueueName& queue) noexcept {
    const auto found = replicas_.find(queue);
    return found == replicas_.end() ? nullptr : found->second.get();
}

}  // namespace muster::gateway
