#include "core/user/user_queue.h"

#include <algorithm>
#include <utility>

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
                 queue::FenceReply{fence->connection, ctx.self(), queue::FenceReply::Kind::gone});
    } else if (const auto* content = std::get_if<queue::Read>(&message.body)) {
        ctx.send(actor::ServiceAddress{}, queue::ReadReply{content->request, nullptr});
    }
}

std::optional<Instant> UserQueue::overdue_at() const noexcept {
    if (!current_) {
        return std::nullopt;
    }
    return seen_at_ + settings_->silent_time;
}

void UserQueue::on_wake(actor::Context& ctx) {
    if (session_.value == 0) {
        return;
    }
    if (const auto overdue = overdue_at()) {
        if (*overdue <= ctx.now) {
            go_away(ctx);  // Its gateway shard is no more, or knows nothing of it.
        }
    } else if (seen_at_ + settings_->resume_time <= ctx.now) {
        end_session(ctx);
    } else {
        ctx.wake_at(seen_at_ + settings_->resume_time);
    }
}

// ---- Connections -----------------------------------------------------------------------------

void UserQueue::take(const Attach& attach, actor::Context& ctx) {
    const actor::GatewayAddress gateway{attach.connection.gateway};
    if (!current_ || current_->connection != attach.connection) {
        if (!note_attempt(attach)) {
            ctx.send(gateway, Stale{attach.connection});
            return;
        }
        if (last_cep_.inc.value == 0) {
            last_cep_.inc = ctx.next_inc();
        }
        ++last_cep_.counter;
        if (current_) {
            ctx.send(actor::GatewayAddress{current_->connection.gateway},
                     Kick{current_->connection, last_cep_});
        }
        current_ = Current{attach.connection, attach.cid};
        if (session_.value == 0) {
            begin_session(ctx);
        } else {
            // The connection fences the queues that it is told of. A join of the one before it may
            // still be under way: this follows right behind it.
            for (const auto& [queue, membership] : joined_) {
                if (membership.inc.value == 0) {
                    tell_presence(queue, true, ctx);
                }
            }
        }
    }
    seen_at_ = ctx.now;
    Attached attached{attach.connection, last_cep_, session_, {}};
    for (const auto& [queue, membership] : joined_) {
        if (membership.inc.value != 0) {
            attached.joined.push_back(Joined{queue, membership.inc});
        }
    }
    ctx.send(gateway, std::move(attached));
}

// Returns false for a late attempt of a connection that its own client has given up.
bool UserQueue::note_attempt(const Attach& attach) {
    const auto known = std::find_if(attempts_.begin(), attempts_.end(),
                                    [&](const LastAttempt& a) { return a.cid == attach.cid; });
    if (known != attempts_.end()) {
        if (attach.attempt_number <= known->number) {
            return false;
        }
        attempts_.erase(known);
    } else if (attempts_.size() == settings_->clients_max) {
        attempts_.erase(attempts_.begin());
    }
    attempts_.push_back(LastAttempt{attach.cid, attach.attempt_number});
    return true;
}

void UserQueue::take(const Detach& detach, actor::Context& ctx) {
    if (!current_ || last_cep_ != detach.cep) {
        return;  // It had lost already.
    }
    go_away(ctx);
}

void UserQueue::go_away(actor::Context& ctx) {
    current_.reset();
    seen_at_ = ctx.now;
    ctx.wake_at(ctx.now + settings_->resume_time);
}

void UserQueue::take(const Check& check, actor::Context& ctx) {
    using Standing = Checked::Standing;
    Checked checked{check.connection, Standing::other, last_cep_};
    if (current_ && current_->connection == check.connection) {
        checked.standing = Standing::current;
        seen_at_ = ctx.now;
    } else if (session_.value == 0 || (!current_ && check.cep == last_cep_)) {
        // It was given up for silent and is not told of anything any more: it must sign in anew.
        checked.standing = Standing::no_session;
    }
    ctx.send(actor::GatewayAddress{check.connection.gateway}, std::move(checked));
}

void UserQueue::begin_session(actor::Context& ctx) {
    session_ = SessionId{ctx.next_inc().value};
    for (const auto& [queue, membership] : joined_) {
        tell_presence(queue, true, ctx);
    }
}

void UserQueue::end_session(actor::Context& ctx) {
    for (auto i = joined_.begin(); i != joined_.end();) {
        if (i->second.by_server) {
            tell_presence(i->first, false, ctx);
            ++i;
        } else {
            leave_behind(i->first, ctx);
            i = joined_.erase(i);
        }
    }
    session_ = SessionId{};
    current_.reset();
    seen_at_ = {};
    attempts_.clear();
}

void UserQueue::tell_presence(const QueueName& queue, bool is_online, actor::Context& ctx) const {
    ctx.send(actor::ActorAddress{queue}, queue::Presence{user_, session_, is_online, last_cep_});
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
    if (!op.sender.is_server && (!current_ || op.sender.cep != last_cep_)) {
        queue::OpReply reply = queue::reply_to(op, pass.queue);
        reply.verdict.kind = queue::Verdict::Kind::fenced;
        reply.verdict.code = ErrorCode::superseded;
        ctx.send(from, std::move(reply));
        return;
    }
    op.sender.session = session_;
    if (op.sender.is_server) {
        op.sender.cep = last_cep_;  // Whom the backend joins is fenced from the first moment on.
    }
    if (std::holds_alternative<queue::JoinOp>(op.body) && !op.reject_with) {
        note_join(op, pass.queue);
    }
    ctx.send(actor::ActorAddress{pass.queue}, std::move(op));
}

// Noted before it is passed on: whatever happens later, we know where we may be.
void UserQueue::note_join(queue::Op& op, const QueueName& queue) {
    auto noted = joined_.find(queue);
    if (noted == joined_.end()) {
        if (joined_.size() >= settings_->joined_max) {
            op.reject_with = ErrorCode::limit;
            return;
        }
        noted = joined_.emplace(queue, Membership{}).first;
    }
    noted->second.is_joining = true;
    noted->second.by_server = noted->second.by_server || op.sender.is_server;
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
    const bool is_joining = noted != joined_.end() && noted->second.is_joining && !is_join;
    if (!reply.standing) {
        if (is_joining) {
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
        joined_.insert_or_assign(
            reply.queue, Membership{reply.standing->inc, reply.standing->by_server, is_joining});
    }
    // Whose op it was learns it from the answer.
    const auto* asker = std::get_if<ConnectionRef>(&reply.reply_to.who);
    const bool is_answered = current_ && asker != nullptr && *asker == current_->connection &&
                             reply.verdict.kind == queue::Verdict::Kind::ok;
    const Inc after = reply.standing ? reply.standing->inc : Inc{};
    if (before != after && !is_answered) {
        tell_membership(reply, after.value != 0, ctx);
    }
}

void UserQueue::tell_membership(const queue::OpReply& reply, bool is_member,
                                actor::Context& ctx) const {
    if (current_) {
        ctx.send(
            actor::GatewayAddress{current_->connection.gateway},
            MembershipChanged{current_->connection, reply.queue, is_member, reply.leave_reason});
    }
}

void UserQueue::take(const QueueEnded& ended) {
    const auto found = joined_.find(ended.queue);
    if (found == joined_.end() || ended.inc < found->second.inc) {
        return;
    }
    if (found->second.is_joining) {
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
    if (!current_) {
        reply.verdict.kind = queue::Verdict::Kind::rejected;
        reply.verdict.code = ErrorCode::user_offline;
    } else {
        ++told_;
        reply.verdict.at = Cursor{last_cep_.inc, told_};
        ctx.send(actor::GatewayAddress{current_->connection.gateway},
                 Told{current_->connection, ctx.self(), told_, ctx.wall, tell.from, tell.data});
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
        if (current_) {
            ctx.send(actor::GatewayAddress{current_->connection.gateway},
                     Kick{current_->connection, last_cep_, true});
        }
        end_session(ctx);
    }
    forward(reply, ctx);
}

void UserQueue::take(const ReadUser& read, actor::Context& ctx) {
    UserReport report;
    report.request = read.request;
    report.is_known = !is_absent();
    report.is_online = session_.value != 0;
    report.connections = current_ ? 1 : 0;
    report.session = session_;
    for (const auto& [queue, membership] : joined_) {
        report.joined.push_back(Joined{queue, membership.inc});
    }
    ctx.send(actor::ServiceAddress{}, std::move(report));
}

}  // namespace muster::user
