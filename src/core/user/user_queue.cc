#include "core/user/user_queue.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/rules.h"

namespace muster::user {
namespace {

void forward(const queue::OpReply& reply, actor::Context& ctx) {
    if (const auto* connection = std::get_if<ConnectionRef>(&reply.reply_to.who)) {
        ctx.send(actor::GatewayAddress{connection->gateway}, reply);
    } else if (std::holds_alternative<RequestId>(reply.reply_to.who)) {
        ctx.send(actor::ServiceAddress{}, reply);
    }
}

}  // namespace

UserQueue::UserQueue(std::shared_ptr<const UserSettings> settings, UserId user)
    : settings_(std::move(settings)), user_(std::move(user)) {}

bool UserQueue::is_absent() const noexcept { return session_.value == 0 && joined_.empty(); }

void UserQueue::step(const actor::Event& event, actor::Context& ctx) {
    if (std::holds_alternative<actor::Wake>(event)) {
        on_wake(ctx);
        return;
    }
    const auto& message = std::get<actor::Message>(event);
    if (const auto* attach = std::get_if<Attach>(&message.body)) {
        take(*attach, ctx);
    } else if (const auto* detach = std::get_if<Detach>(&message.body)) {
        take(*detach, ctx);
    } else if (const auto* check = std::get_if<Check>(&message.body)) {
        take(*check, ctx);
    } else if (const auto* pass = std::get_if<Pass>(&message.body)) {
        take(*pass, message.from, ctx);
    } else if (const auto* reply = std::get_if<queue::OpReply>(&message.body)) {
        take(*reply, ctx);
    } else if (const auto* ended = std::get_if<QueueEnded>(&message.body)) {
        take(*ended);
    } else if (const auto* tell = std::get_if<Tell>(&message.body)) {
        take(*tell, ctx);
    } else if (const auto* disconnect = std::get_if<Disconnect>(&message.body)) {
        take(*disconnect, ctx);
    } else if (const auto* read = std::get_if<ReadUser>(&message.body)) {
        take(*read, ctx);
    } else {
        refuse(message, ctx);
    }
}

// What other queues take: nothing but a Pass changes a user queue from outside.
void UserQueue::refuse(const actor::Message& message, actor::Context& ctx) const {
    if (const auto* op = std::get_if<queue::Op>(&message.body)) {
        queue::OpReply reply = queue::reply_to(*op, ctx.self());
        reply.verdict.kind = queue::Verdict::Kind::rejected;
        reply.verdict.code = ErrorCode::forbidden;
        ctx.send(message.from, std::move(reply));
    } else if (const auto* subscribe = std::get_if<queue::Subscribe>(&message.body)) {
        ctx.send(actor::GatewayAddress{subscribe->gateway},
                 queue::SubscribeRefused{ctx.self(), subscribe->sub, ErrorCode::forbidden});
    } else if (const auto* fence = std::get_if<queue::Fence>(&message.body)) {
        ctx.send(actor::GatewayAddress{fence->connection.gateway},
                 queue::FenceReply{fence->connection, ctx.self(), fence->inc,
                                   queue::FenceReply::Kind::gone});
    } else if (const auto* content = std::get_if<queue::Read>(&message.body)) {
        ctx.send(actor::ServiceAddress{}, queue::ReadReply{content->request, nullptr});
    }
}

std::optional<Instant> UserQueue::overdue_at() const noexcept {
    std::optional<Instant> first;
    for_each_connection(
        [&](const Slot& slot) { first = std::min(first.value_or(slot.seen_at), slot.seen_at); });
    if (!first) {
        return std::nullopt;
    }
    return *first + settings_->silent_time;
}

void UserQueue::on_wake(actor::Context& ctx) {
    if (session_.value == 0) {
        return;
    }
    Instant away_since = first_slot_.seen_at;
    for (std::size_t i = 0; i < slot_count(); ++i) {
        if (slot(i).is_taken && slot(i).seen_at + settings_->silent_time <= ctx.now) {
            go_away(slot(i), ctx);  // Its gateway shard is no more, or knows nothing of it.
        }
        away_since = std::max(away_since, slot(i).seen_at);
    }
    if (connection_count() > 0) {
        return;
    }
    if (away_since + settings_->resume_time <= ctx.now) {
        end_session(ctx);
    } else {
        ctx.wake_at(away_since + settings_->resume_time);
    }
}

// ---- Slots -----------------------------------------------------------------------------------

template <typename Act>
void UserQueue::for_each_connection(Act act) const {
    if (first_slot_.is_taken) {
        act(first_slot_);
    }
    for (const Slot& slot : more_slots_) {
        if (slot.is_taken) {
            act(slot);
        }
    }
}

std::size_t UserQueue::connection_count() const noexcept {
    std::size_t count = 0;
    for_each_connection([&](const Slot&) { ++count; });
    return count;
}

UserQueue::Slot* UserQueue::slot_of(const ConnectionRef& connection) noexcept {
    for (std::size_t i = 0; i < slot_count(); ++i) {
        if (slot(i).is_taken && slot(i).ref() == connection) {
            return &slot(i);
        }
    }
    return nullptr;
}

// A client program comes back to its own slot. Else it gets one that is nobody's, or a new one, or
// that of a client that is away, or, where all are taken, the one that was taken first.
UserQueue::Slot& UserQueue::slot_for(Cid cid) {
    for (std::size_t i = 0; i < slot_count(); ++i) {
        if (slot(i).cid == cid) {
            return slot(i);
        }
    }
    const auto order = [](const Slot& slot) {
        return std::tuple(slot.is_taken, slot.cid != Cid{}, slot.cep.turn());
    };
    Slot* best = &first_slot_;
    for (std::size_t i = 1; i < slot_count(); ++i) {
        best = order(slot(i)) < order(*best) ? &slot(i) : best;
    }
    const std::size_t slots_max =
        settings_->logins == Logins::devices ? settings_->devices_max : std::size_t{1};
    if (best->cid != Cid{} && slot_count() < slots_max) {
        Slot added;
        added.cep = Cep::of_slot(first_slot_.cep.inc, static_cast<std::uint8_t>(slot_count()), 0);
        more_slots_.push(std::move(added));
        best = &slot(slot_count() - 1);
    }
    return *best;
}

// Larger than all before it, in any slot: so it also tells which slot was taken first.
Cep UserQueue::next_cep(const Slot& of) const noexcept {
    std::uint64_t turn = 0;
    for (std::size_t i = 0; i < slot_count(); ++i) {
        turn = std::max(turn, slot(i).cep.turn());
    }
    return Cep::of_slot(first_slot_.cep.inc, of.cep.slot(), turn + 1);
}

// All ceps of a lost user queue, whatever their slot, are smaller.
void UserQueue::take_inc(actor::Context& ctx) {
    if (first_slot_.cep.inc.value == 0) {
        first_slot_.cep.inc = rules_in_force.cep_names_inc ? ctx.next_inc() : Inc{1};
    }
}

// ---- Connections -----------------------------------------------------------------------------

void UserQueue::take(const Attach& attach, actor::Context& ctx) {
    const actor::GatewayAddress gateway{attach.connection.gateway};
    Slot* slot = slot_of(attach.connection);
    if (slot == nullptr) {
        if (is_late(attach)) {
            ctx.send(gateway, Stale{attach.connection});
            return;
        }
        slot = &slot_for(attach.cid);
        // The same client knows best whether its connection lives: it is let in.
        if (settings_->logins == Logins::oldest && slot->is_taken && slot->cid != attach.cid) {
            ctx.send(gateway, Stale{attach.connection, true});
            return;
        }
        note_attempt(attach);
        take_over(*slot, attach, ctx);
    }
    slot->seen_at = ctx.now;
    Attached attached{attach.connection, slot->cep, session_, {}};
    for (auto& [queue, membership] : joined_) {
        if (membership.is_settled()) {
            attached.joined.push_back(Joined{queue, membership.inc});
        } else {
            membership.inc = Inc{};  // So that it is told once the answers say it.
        }
    }
    ctx.send(gateway, std::move(attached));
}

void UserQueue::take_over(Slot& slot, const Attach& attach, actor::Context& ctx) {
    take_inc(ctx);
    slot.cep = next_cep(slot);
    if (slot.is_taken) {
        const bool is_same = slot.cid == attach.cid;
        ctx.send(actor::GatewayAddress{slot.gateway},
                 Kick{slot.ref(), slot.cep, false, is_same ? attach.address : SharedText()});
    }
    slot.take(attach.connection);
    slot.cid = attach.cid;
    if (session_.value == 0) {
        begin_session(slot.cep, ctx);
        return;
    }
    // The connection fences the queues that it is told of. A join of the one before it may still
    // be under way: this follows right behind it.
    for (const auto& [queue, membership] : joined_) {
        if (membership.inc.value == 0 || membership.joins_open != 0) {
            tell_presence(queue, true, slot.cep, ctx);
        }
    }
}

// Returns whether it is a late attempt of a connection that its own client has given up.
bool UserQueue::is_late(const Attach& attach) const {
    return std::any_of(attempts_.begin(), attempts_.end(), [&](const LastAttempt& last) {
        return last.cid == attach.cid && attach.attempt_number <= last.number &&
               rules_in_force.late_loses;
    });
}

void UserQueue::note_attempt(const Attach& attach) {
    std::erase_if(attempts_, [&](const LastAttempt& last) { return last.cid == attach.cid; });
    if (attempts_.size() == settings_->clients_max) {
        attempts_.erase(attempts_.begin());
    }
    attempts_.push_back(LastAttempt{attach.cid, attach.attempt_number});
}

void UserQueue::take(const Detach& detach, actor::Context& ctx) {
    for (std::size_t i = 0; i < slot_count(); ++i) {
        if (slot(i).is_taken && slot(i).cep == detach.cep) {
            go_away(slot(i), ctx);
            return;
        }
    }
    // It had lost already.
}

void UserQueue::go_away(Slot& slot, actor::Context& ctx) {
    slot.is_taken = false;
    slot.seen_at = ctx.now;
    if (connection_count() == 0) {
        ctx.wake_at(ctx.now + settings_->resume_time);
    }
}

void UserQueue::take(const Check& check, actor::Context& ctx) {
    using Standing = Checked::Standing;
    Checked checked{check.connection, Standing::no_session, check.cep};
    if (Slot* slot = slot_of(check.connection)) {
        checked.standing = Standing::current;
        checked.cep = slot->cep;
        slot->seen_at = ctx.now;
    } else if (session_.value != 0 && check.cep.slot() < slot_count()) {
        const Slot& lost = this->slot(check.cep.slot());
        checked.cep = lost.cep;
        // Else it was given up for silent, and nobody came after it. It is not told of anything any
        // more: it must sign in anew.
        if (lost.is_taken || check.cep != lost.cep) {
            checked.standing = Standing::other;
        }
    }
    ctx.send(actor::GatewayAddress{check.connection.gateway}, std::move(checked));
}

void UserQueue::begin_session(Cep cep, actor::Context& ctx) {
    session_ = SessionId{ctx.next_inc().value};
    for (const auto& [queue, membership] : joined_) {
        tell_presence(queue, true, cep, ctx);
    }
}

void UserQueue::end_session(actor::Context& ctx) {
    for (auto i = joined_.begin(); i != joined_.end();) {
        if (i->second.by_server) {
            tell_presence(i->first, false, first_slot_.cep, ctx);
            ++i;
        } else {
            leave_behind(i->first, ctx);
            i = joined_.erase(i);
        }
    }
    session_ = SessionId{};
    for (std::size_t i = 0; i < slot_count(); ++i) {
        slot(i).is_taken = false;
        slot(i).cid = {};
        slot(i).seen_at = {};
    }
    attempts_.clear();
}

void UserQueue::tell_presence(const QueueName& queue, bool is_online, Cep cep,
                              actor::Context& ctx) const {
    ctx.send(actor::ActorAddress{queue}, queue::Presence{user_, session_, is_online, cep});
}

void UserQueue::leave_behind(const QueueName& queue, actor::Context& ctx) const {
    queue::Op op;
    op.sender.user = user_;
    op.sender.is_server = true;
    op.body = queue::LeaveOp{user_, queue::LeaveReason::timeout};
    ctx.send(actor::ActorAddress{queue}, std::move(op));
}

// ---- Joins and leaves on their way -----------------------------------------------------------

void UserQueue::take(const Pass& pass, const actor::Address& from, actor::Context& ctx) {
    queue::Op op = pass.op;
    const Cep cep = op.sender.cep;
    const bool is_current =
        cep.slot() < slot_count() && slot(cep.slot()).is_taken && slot(cep.slot()).cep == cep;
    if (!op.sender.is_server && !is_current) {
        queue::OpReply reply = queue::reply_to(op, pass.queue);
        reply.verdict.kind = queue::Verdict::Kind::fenced;
        // Else it was given up for silent: it is nobody's loser, and must sign in anew.
        const bool has_lost =
            session_.value != 0 && cep.slot() < slot_count() && slot(cep.slot()).cep != cep;
        reply.verdict.code = has_lost ? ErrorCode::superseded : ErrorCode::session_lost;
        ctx.send(from, std::move(reply));
        return;
    }
    op.sender.session = session_;
    auto* join = std::get_if<queue::JoinOp>(&op.body);
    if (op.sender.is_server && join != nullptr) {
        // Whom the backend joins is fenced from the first moment on, also against connections that
        // a user queue before us let in.
        take_inc(ctx);
    }
    if (op.sender.is_server) {
        op.sender.cep = first_slot_.cep;
    }
    if (join != nullptr) {
        name_fences(*join, op.sender.cep);
        note_join(op, pass.queue);
    } else if (const auto noted = joined_.find(pass.queue); noted != joined_.end()) {
        ++noted->second.leaves_open;
    }
    ctx.send(actor::ActorAddress{pass.queue}, std::move(op));
}

// An op of an older connection may be on its way to where its user was no member until now.
void UserQueue::name_fences(queue::JoinOp& join, Cep of_sender) const {
    for (std::size_t i = 0; i < slot_count(); ++i) {
        if (slot(i).cep.inc.value != 0 && slot(i).cep != of_sender) {
            join.fences.push_back(slot(i).cep);
        }
    }
}

// Noted before it is passed on: whatever happens later, we know where we may be.
void UserQueue::note_join(queue::Op& op, const QueueName& queue) {
    auto noted = joined_.find(queue);
    if (noted == joined_.end()) {
        if (op.reject_with) {
            return;
        }
        if (joined_.size() >= settings_->joined_max) {
            op.reject_with = ErrorCode::limit;
            return;
        }
        noted = joined_.emplace(queue, Membership{}).first;
    }
    ++noted->second.joins_open;  // Also of one that was refused on its way: it is answered, too.
    noted->second.by_server = noted->second.by_server || (op.sender.is_server && !op.reject_with);
}

void UserQueue::take(const queue::OpReply& reply, actor::Context& ctx) {
    if (reply.what == queue::OpReply::What::other) {
        forward(reply, ctx);
        return;
    }
    note_standing(reply, ctx);
    forward(reply, ctx);
}

// Answers of a queue come in the order of its decisions, so the last one says how things stand.
void UserQueue::note_standing(const queue::OpReply& reply, actor::Context& ctx) {
    const bool is_join = reply.what == queue::OpReply::What::join;
    auto noted = joined_.find(reply.queue);
    const Inc before = noted == joined_.end() ? Inc{} : noted->second.inc;
    Membership now = noted == joined_.end() ? Membership{} : noted->second;
    std::uint32_t& open = is_join ? now.joins_open : now.leaves_open;
    open -= open != 0 ? 1 : 0;
    if (!reply.standing) {
        if (now.joins_open != 0) {
            noted->second = now;
            noted->second.inc = Inc{};  // A later join is still on its way.
        } else if (noted != joined_.end()) {
            joined_.erase(noted);
        }
    } else if (session_.value == 0 && !reply.standing->by_server) {
        // The session ended while the join was under way.
        leave_behind(reply.queue, ctx);
        if (noted != joined_.end()) {
            joined_.erase(noted);
        }
        return;
    } else {
        now.inc = reply.standing->inc;
        now.by_server = reply.standing->by_server;
        joined_.insert_or_assign(reply.queue, now);
    }
    const Inc after = reply.standing ? reply.standing->inc : Inc{};
    if (before != after) {
        tell_membership(reply, after, ctx);
    }
}

// Whose op it was learns it from the answer. `inc`: of what the user is in now; 0: in none.
void UserQueue::tell_membership(const queue::OpReply& reply, Inc inc, actor::Context& ctx) const {
    const auto* asker = reply.verdict.kind == queue::Verdict::Kind::ok
                            ? std::get_if<ConnectionRef>(&reply.reply_to.who)
                            : nullptr;
    for_each_connection([&](const Slot& slot) {
        if (asker == nullptr || *asker != slot.ref()) {
            ctx.send(actor::GatewayAddress{slot.gateway},
                     MembershipChanged{slot.ref(), reply.queue, inc.value != 0, reply.leave_reason,
                                       inc});
        }
    });
}

void UserQueue::take(const QueueEnded& ended) {
    const auto found = joined_.find(ended.queue);
    if (found == joined_.end() || ended.inc < found->second.inc) {
        return;
    }
    if (found->second.joins_open != 0) {
        found->second.inc = Inc{};
    } else {
        joined_.erase(found);
    }
}

// ---- The backend -----------------------------------------------------------------------------

void UserQueue::take(const Tell& tell, actor::Context& ctx) {
    queue::OpReply reply;
    reply.reply_to = tell.reply_to;
    reply.queue = ctx.self();
    reply.user = user_;
    if (connection_count() == 0) {
        reply.verdict.kind = queue::Verdict::Kind::rejected;
        reply.verdict.code = ErrorCode::user_offline;
    } else {
        ++told_;
        reply.verdict.at = Cursor{first_slot_.cep.inc, told_};
        for_each_connection([&](const Slot& slot) {
            ctx.send(actor::GatewayAddress{slot.gateway},
                     Told{slot.ref(), ctx.self(), told_, ctx.wall, tell.from, tell.data});
        });
    }
    forward(reply, ctx);
}

void UserQueue::take(const Disconnect& disconnect, actor::Context& ctx) {
    queue::OpReply reply;
    reply.reply_to = disconnect.reply_to;
    reply.queue = ctx.self();
    reply.user = user_;
    if (session_.value == 0) {
        reply.verdict.kind = queue::Verdict::Kind::rejected;
        reply.verdict.code = ErrorCode::user_offline;
    } else {
        for_each_connection([&](const Slot& slot) {
            ctx.send(actor::GatewayAddress{slot.gateway}, Kick{slot.ref(), slot.cep, true});
        });
        end_session(ctx);
    }
    forward(reply, ctx);
}

void UserQueue::take(const ReadUser& read, actor::Context& ctx) {
    UserReport report;
    report.request = read.request;
    report.is_known = !is_absent();
    report.is_online = session_.value != 0;
    report.connections = static_cast<std::uint32_t>(connection_count());
    report.session = session_;
    for (const auto& [queue, membership] : joined_) {
        report.joined.push_back(Joined{queue, membership.inc});
    }
    ctx.send(actor::ServiceAddress{}, std::move(report));
}

}  // namespace muster::user
