// What the client's machine does with each frame of the server.
#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/rules.h"
#include "core/client/client.h"
#include "core/wire/names.h"

namespace muster::client {

namespace {

constexpr std::uint32_t ping_s_max = 30;  // Both sides give up after 35 s.

}  // namespace

Client::State Client::connecting_frame(const wire::ServerFrame& frame, Context& ctx) {
    if (const auto* hello = std::get_if<wire::HelloFrame>(&frame)) {
        welcome(*hello, ctx);
        return State::up;
    }
    if (const auto* bye = std::get_if<wire::ByeFrame>(&frame)) {
        return take(*bye, ctx);
    }
    if (std::holds_alternative<wire::PingFrame>(frame) ||
        std::holds_alternative<wire::ErrFrame>(frame)) {
        return State::connecting;
    }
    return breach(ctx, ErrorCode::protocol, "the server did not begin with hello");
}

void Client::welcome(const wire::HelloFrame& frame, Context& ctx) {
    up_since_ = ctx.now;
    last_heard_ = ctx.now;
    bad_token_count_ = 0;
    token_refusal_.reset();
    retry_after_ = Duration::zero();
    avoided_server_.reset();
    ping_interval_ =
        std::chrono::seconds{frame.ping_s == 0 ? 15U : std::min(frame.ping_s, ping_s_max)};
    plan_next_token(ctx);
    take_identity(frame, ctx);
    for (auto& [name, queue] : queues_) {
        queue.line.restart();
        if (role_ == Role::current) {
            queue.stay_member();
        }
    }
    tell_status(Status::online, ctx);
}

void Client::take_identity(const wire::HelloFrame& frame, Context& ctx) {
    if (!cid_.empty() && !frame.cid.empty() && cid_ != frame.cid) {
        forget_cid(ctx);  // The server made a new one: what is open under the old one is lost.
    }
    if (!frame.cid.empty()) {
        cid_ = frame.cid;
    }
    if (!frame.resume.empty()) {
        resume_ = frame.resume;
    }
    if (!frame.user.empty()) {
        user_ = frame.user;
    }
    if (role_ == Role::current && session_ != frame.session) {
        // Memberships end with their session; `joined` says which were there all the same.
        for (auto& [name, queue] : queues_) {
            queue.is_member = false;
        }
        session_ = frame.session;
    }
}

Client::State Client::up_frame(const wire::ServerFrame& frame, Context& ctx) {
    struct Visitor {
        Client& self;
        const wire::ServerFrame& whole;
        Context& ctx;

        State operator()(const wire::HelloFrame& hello) {  // The answer to `auth`.
            self.take_identity(hello, ctx);
            return State::up;
        }
        State operator()(const wire::JoinedFrame& one) { return self.take(whole, one, ctx); }
        State operator()(const wire::ResetFrame& one) { return self.take(whole, one, ctx); }
        State operator()(const wire::MsgFrame& one) { return self.take(whole, one, ctx); }
        State operator()(const wire::StateFrame& one) { return self.take_change(whole, one, ctx); }
        State operator()(const wire::MembersFrame& one) {
            return self.take_change(whole, one, ctx);
        }
        State operator()(const wire::MountChangeFrame& one) {
            return self.take_change(whole, one, ctx);
        }
        State operator()(const wire::OkFrame& one) { return self.take(one, ctx); }
        State operator()(const wire::ErrFrame& one) { return self.take(one, ctx); }
        State operator()(const wire::RetryFrame& one) { return self.take(one, ctx); }
        State operator()(const wire::RefusedFrame& one) { return self.take(one, ctx); }
        State operator()(const wire::GapFrame& one) { return self.pass_on(whole, one, ctx); }
        State operator()(const wire::StalledFrame& one) { return self.pass_on(whole, one, ctx); }
        State operator()(const wire::LeftFrame& one) { return self.take(whole, one, ctx); }
        State operator()(const wire::ByeFrame& one) { return self.take(one, ctx); }
        State operator()(const wire::HistoryFrame& one) { return self.take(one, ctx); }
        State operator()(const wire::PingFrame&) {
            self.send(frame_of(wire::ClientOp::pong), ctx);
            return State::up;
        }
        State operator()(const wire::PongFrame&) { return State::up; }
    };
    return std::visit(Visitor{*this, frame, ctx}, frame);
}

// ---- Streams -------------------------------------------------------------------------------

Client::State Client::take(const wire::ServerFrame& whole, const wire::JoinedFrame& frame,
                           Context& ctx) {
    auto at = queues_.find(frame.queue);
    if (at == queues_.end()) {
        // The backend made us a member of a queue of which nothing is known here.
        if (frame.request || queues_.size() >= queues_max || role_ == Role::superseded ||
            !wire::check_queue_name(frame.queue)) {
            return State::up;
        }
        at = queues_.emplace(QueueName{frame.queue}, Queue{}).first;
    }
    auto& [name, queue] = *at;
    queue.streamed = frame.at.inc;
    Op* const op = frame.request ? queue.line.find(*frame.request) : nullptr;
    // A member's stream ends with nothing but its membership.
    if (frame.request && op == nullptr && queue.follow != Follow::live && !frame.member) {
        if (queue.line.awaits_stream() || queue.line.has_unlisten()) {
            return State::up;  // Of a listen that was given up, and unlistened; ours is behind it.
        }
        if (!queue.is_wanted() && !queue.is_ending()) {
            stop_stream(name, queue, ctx);  // The second answer to a listen that was sent twice.
            return State::up;
        }
    }
    const Cursor cursor{queue.mirror.at().inc, queue.seen};
    const bool is_old = frame.at < cursor;
    if (is_old && !frame.request && queue.follow == Follow::asked) {
        queue.is_member =
            frame.member;  // That of our own join or listen, from farther on, is behind.
        return State::up;
    }
    // The stream of a member of which we had not said how far we have seen it; or a copy that is
    // not as far as replays that another gateway sent us, without the `joined` behind them.
    const bool is_from_cursor = !(frame.at < queue.mirror.at());
    if (is_old && !frame.request && (queue.follow == Follow::none || is_from_cursor)) {
        queue.is_member = frame.member;
        return give_socket_up(ctx, 1000, std::nullopt, "a queue was seen farther than it begins");
    }
    if (is_old && !frame.request) {
        return breach(ctx, ErrorCode::protocol,
                      fmt::format("{} was joined at an older place than it was left", name.text()));
    }
    if (role_ == Role::current && (!is_old || op != nullptr)) {
        queue.is_member = frame.member;
    }
    if (frame.request && frame.request == queue.unseen_join && frame.member) {
        queue.has_joined = true;
        queue.unseen_join = 0;
    }
    if (!is_old && role_ == Role::current) {
        queue.begins_at(frame.at);
        if (!queue.mirror.replace(frame)) {
            return breach(ctx, ErrorCode::frame_too_big, "a queue's state is too big to keep");
        }
        queue.line.bind(frame.at.inc);
        queue.is_shown = true;
        ctx.outbox.emplace_back(Deliver{&whole});
    }
    if (op != nullptr) {
        accepted(name, queue, *op, is_old ? std::nullopt : std::optional{frame.at}, ctx);
    } else if (!frame.request && role_ == Role::current) {
        queue.stay_member();
    }
    if (!queue.is_wanted() && !queue.is_ending() && queue.follow != Follow::none) {
        stop_stream(name, queue,
                    ctx);  // Who was a member, and is none any more, is let listen by a resume.
    }
    return State::up;
}

Client::State Client::take(const wire::ServerFrame& whole, const wire::ResetFrame& frame,
                           Context& ctx) {
    const auto found = queues_.find(frame.queue);
    if (found == queues_.end()) {
        return State::up;
    }
    const QueueName& name = found->first;
    Queue* const queue = &found->second;
    queue->streamed = frame.at.inc;
    const bool is_nothing_left = frame.at.inc.value == 0;
    const bool is_over = queue->follow == Follow::none && queue->line.has_unlisten();
    const bool is_streamed = queue->follow == Follow::live || queue->follow == Follow::resuming;
    if ((!queue->is_wanted() && !is_streamed) || is_over) {
        queue->follow = is_nothing_left ? Follow::none : queue->follow;
        if (is_nothing_left && !is_over) {
            tell_dropped(name, *queue, Lost::membership, ErrorCode::gone, {}, ctx);
        }
        return State::up;
    }
    const Cursor cursor{queue->mirror.at().inc, queue->seen};
    if (frame.at < cursor && frame.why != "unknown" && !is_nothing_left) {
        return breach(ctx, ErrorCode::protocol,
                      fmt::format("{} was reset to an older place", frame.queue));
    }
    queue->begins_at(frame.at);
    if (!queue->mirror.replace(frame)) {
        return breach(ctx, ErrorCode::frame_too_big, "a queue's state is too big to keep");
    }
    queue->line.bind(frame.at.inc);
    queue->is_shown = true;
    ctx.outbox.emplace_back(Deliver{&whole});
    if (frame.why == "deleted") {
        // Joining again could create it again, so that is for the application to decide.
        queue->parted();
        queue->has_listened = false;
    } else if (frame.why == "gone") {
        queue->is_member = false;
        queue->follow = is_nothing_left ? Follow::none : Follow::live;
        queue->stay_member();
        queue->stay_listener();
        if (!queue->is_wanted() && is_nothing_left) {
            tell_dropped(name, *queue, Lost::membership, ErrorCode::gone, {}, ctx);
        }
    }
    return State::up;
}

Client::State Client::take(const wire::ServerFrame& whole, const wire::MsgFrame& frame,
                           Context& ctx) {
    if (is_own_queue(frame.queue)) {
        // A message to the user itself. It comes without a join, and only reliable ones are
        // counted.
        if (frame.mail && *frame.mail <= mail_shown_) {
            if (*frame.mail <= mail_taken_) {
                acknowledge_mail(ctx);  // The first one was lost.
            }
            return State::up;
        }
        mail_shown_ = frame.mail.value_or(mail_shown_);
        ctx.outbox.emplace_back(Deliver{&whole});
        return State::up;
    }
    Queue* queue = find_queue(frame.queue);
    const Place place = queue == nullptr ? Place::unwanted : queue->take(frame.seq, frame.prev);
    if (place == Place::breach) {
        return breach(ctx, ErrorCode::protocol, fmt::format("a gap in {}", frame.queue));
    }
    if (place == Place::next) {
        ctx.outbox.emplace_back(Deliver{&whole});
    }
    return State::up;
}

template <typename Frame>
Client::State Client::take_change(const wire::ServerFrame& whole, const Frame& frame,
                                  Context& ctx) {
    Queue* queue = find_queue(frame.queue);
    const Place place = queue == nullptr ? Place::unwanted : queue->take(frame.seq, frame.prev);
    if (place == Place::breach) {
        return breach(ctx, ErrorCode::protocol, fmt::format("a gap in {}", frame.queue));
    }
    if (place == Place::unwanted) {
        return State::up;
    }
    if (!queue->mirror.apply(frame)) {
        return breach(ctx, ErrorCode::frame_too_big, "a queue's state is too big to keep");
    }
    ctx.outbox.emplace_back(Deliver{&whole});
    return State::up;
}

template <typename Frame>
Client::State Client::pass_on(const wire::ServerFrame& whole, const Frame& frame, Context& ctx) {
    const Queue* queue = find_queue(frame.queue);
    if (queue != nullptr && queue->follow != Follow::none) {
        ctx.outbox.emplace_back(Deliver{&whole});
    }
    return State::up;
}

Client::State Client::take(const wire::ServerFrame& whole, const wire::LeftFrame& frame,
                           Context& ctx) {
    Queue* queue = find_queue(frame.queue);
    if (queue == nullptr) {
        return State::up;
    }
    const bool is_told = queue->is_wanted() || queue->is_shown;
    queue->parted();
    queue->stay_listener();
    if (is_told) {
        ctx.outbox.emplace_back(Deliver{&whole});
    }
    return State::up;
}

Client::State Client::take(const wire::ByeFrame& frame, Context& ctx) {
    if (frame.spread_ms) {
        const auto longest = std::chrono::milliseconds{*frame.spread_ms};
        const auto drawn = ctx.rng.below(static_cast<std::uint64_t>(longest.count()) + 1);
        move_at_ = ctx.now + std::chrono::milliseconds{drawn};
        return state_;
    }
    bye_ = frame.code;
    bye_detail_ = frame.detail;
    retry_after_ = std::chrono::milliseconds{frame.retry_ms.value_or(0)};
    return state_;
}

// ---- Answers -------------------------------------------------------------------------------

Client::State Client::take(const wire::OkFrame& frame, Context& ctx) {
    if (const Found found = find_open(frame.request); found.op != nullptr) {
        std::optional<Cursor> at;
        if (frame.inc) {
            at = Cursor{*frame.inc, frame.seq.value_or(0)};
        } else if (frame.seq && found.op->inc.value != 0) {
            at = Cursor{found.op->inc, *frame.seq};
        }
        accepted(*found.name, *found.queue, *found.op, at, ctx);
    }
    return State::up;
}

Client::State Client::take(const wire::ErrFrame& frame, Context& ctx) {
    if (const Found found = find_open(frame.request); found.op != nullptr) {
        rejected(*found.name, *found.queue, *found.op, frame, ctx);
    }
    return State::up;
}

Client::State Client::take(const wire::RetryFrame& frame, Context& ctx) {
    const Found found = find_open(frame.request);
    if (found.op == nullptr) {
        return State::up;
    }
    const bool is_vain = found.op->intent == OpLine::Intent::fill &&
                         std::holds_alternative<Unlisten>(found.op->body);
    if (is_vain) {
        found.queue->line.settle(*found.op, ctx.now);  // It has ended nothing, as was wished since.
    } else {
        found.queue->line.push_back(*found.op, frame.code,
                                    std::chrono::milliseconds{frame.after_ms}, ctx.now);
    }
    return State::up;
}

Client::State Client::take(const wire::RefusedFrame& frame, Context& ctx) {
    const Found found = find_open(frame.request);
    if (found.op == nullptr) {
        return State::up;
    }
    const bool is_ask = found.op->number == 0;
    if (is_ask && (found.op->intent == OpLine::Intent::fill ||
                   (found.op->id.value == 0 && std::holds_alternative<Unlisten>(found.op->body)))) {
        found.queue->line.settle(*found.op, ctx.now);  // Nobody waits for it.
        return State::up;
    }
    // A join or listen of our own is not given up because one gateway is full: it is sent again.
    if (is_ask && found.op->id.value == 0) {
        found.queue->line.push_back(*found.op, ErrorCode::busy, Duration::zero(), ctx.now);
        return State::up;
    }
    if (found.op->id.value == 0 || !OpLine::refuse(*found.op, frame.attempt)) {
        return State::up;
    }
    tell(*found.op, Outcome::rejected, frame.code, {}, ctx);
    if (is_op(found.op->body) && rules_in_force.refusal_is_filled) {
        OpLine::withdraw(*found.op, OpLine::Intent::fill);
        not_wanted_any_more(*found.name, *found.queue, *found.op, frame.code, {}, ctx);
    } else {
        const Op op = found.queue->line.settle(*found.op, ctx.now);
        not_wanted_any_more(*found.name, *found.queue, op, frame.code, {}, ctx);
    }
    drop_hopeless(*found.queue, frame.code, ctx);
    return State::up;
}

Client::State Client::take(const wire::HistoryFrame& frame, Context& ctx) {
    if (const Found found = find_open(frame.request); found.op != nullptr) {
        ctx.outbox.emplace_back(DeliverHistory{found.op->id, &frame});
        accepted(*found.name, *found.queue, *found.op, std::nullopt, ctx);
    }
    return State::up;
}

}  // namespace muster::client
