// What a signed-in client asks for, and the answers that queues give.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/gateway/connection.h"
#include "core/gateway/replica.h"
#include "core/gateway/settings.h"
#include "core/wire/json_frames.h"
#include "core/wire/names.h"
#include "core/wire/proto_frames.h"

namespace muster::gateway {
namespace {

/// When to repeat a join that came while as many as may be were still open.
constexpr Duration join_wait = std::chrono::seconds{1};

Payload payload_of(const std::optional<wire::Data>& data) {
    return data ? Payload(data->bytes, data->format) : Payload();
}

// Where an op took effect; nothing of one of long ago, of which only that it was OK is known.
std::optional<Seq> seq_of(const queue::Verdict& verdict) {
    return verdict.at.seq == 0 ? std::nullopt : std::optional(verdict.at.seq);
}

// Frames that ask nothing of a queue.
bool is_request(wire::ClientOp op) {
    using enum wire::ClientOp;
    switch (op) {
        case join:
        case listen:
        case leave:
        case unlisten:
        case send:
        case set:
        case withdraw:
        case history: return true;
        case hello:
        case auth:
        case ack:
        case ping:
        case pong:
        case server_only:
        case unknown: break;
    }
    return false;
}

// Whether an op that has a number names the history that counts it (R2): sent again, it must not be
// done in the next one. A join may mean the present one, and so may what withdraws that.
bool names_its_history(const wire::ClientFrame& frame) {
    using enum wire::ClientOp;
    const bool must = frame.op == leave || frame.op == send || frame.op == set;
    return !must || !frame.number || frame.inc.value_or(Inc{}).value != 0;
}

// Why the frame cannot be what it says, or nothing.
std::string_view missing_field(const wire::ClientFrame& frame) {
    if (frame.queue.empty()) {
        return "q is missing";
    }
    if ((frame.op == wire::ClientOp::send || frame.op == wire::ClientOp::set ||
         frame.op == wire::ClientOp::history) &&
        frame.mount.empty()) {
        return "m is missing";
    }
    if (frame.op == wire::ClientOp::send && (!frame.data || frame.data->bytes.empty())) {
        return "d is missing";
    }
    if (frame.op == wire::ClientOp::withdraw && (!frame.number || !frame.inc)) {
        return "withdraw names n and inc of the op";
    }
    if (!names_its_history(frame)) {
        return "n goes with the inc that counts it; only join may name 0";
    }
    return {};
}

}  // namespace

void Connection::take_message(std::string_view bytes, Context& ctx) {
    ++ctx.counters.frames_in;
    if (state_ == State::attaching || state_ == State::fencing) {
        keep_early(bytes, ctx);
        return;
    }
    if (const auto parsed = parse(bytes, ctx); !parsed) {
        close(parsed.error().code, parsed.error().detail, ctx);
        return;
    }
    take_frame(ctx.work.frame, ctx);
}

// Reads a frame into the workspace.
Result<void> Connection::parse(std::string_view bytes, Context& ctx) const {
    if (is_json(encoding())) {
        return wire::parse_client_frame(bytes, ctx.work.unescaped, ctx.work.frame);
    }
    return wire::proto::parse_client_frame(bytes, ctx.work.frame);
}

// A client may send on before it knows that it is welcome; what it sends waits, bounded.
void Connection::keep_early(std::string_view bytes, Context& ctx) {
    SigningIn& kept = signing_in();
    kept.early_bytes += bytes.size() + sizeof(std::string);
    if (kept.early_bytes > ctx.settings.limits.frame_bytes_max) {
        close(ErrorCode::protocol, "too much was sent before the hello's answer", ctx);
        return;
    }
    kept.early_frames.emplace_back(bytes);
}

void Connection::take_frame(const wire::ClientFrame& frame, Context& ctx) {
    if (state_ == State::awaiting_hello && frame.op != wire::ClientOp::hello) {
        close(ErrorCode::protocol, "the first message is a hello", ctx);
        return;
    }
    if (is_request(frame.op)) {
        take_request(frame, ctx);
        return;
    }
    switch (frame.op) {
        case wire::ClientOp::hello:
            if (state_ == State::awaiting_hello) {
                take_hello(frame, ctx);
            } else {
                close(ErrorCode::protocol, "a connection says hello once", ctx);
            }
            break;
        case wire::ClientOp::auth:
            if (take_idle_frame(ctx)) {
                take_auth(frame, ctx);
            }
            break;
        case wire::ClientOp::ping:
            if (take_idle_frame(ctx) && outgoing_.waiting_count() == 0) {
                say(wire::PongFrame{}, ctx);
            }
            break;
        case wire::ClientOp::pong: static_cast<void>(take_idle_frame(ctx)); break;
        case wire::ClientOp::ack:
            if (state_ == State::resolving) {
                close(ErrorCode::protocol, "a resolve-only connection takes withdrawals", ctx);
            }
            break;  // Otherwise having come is all that it does.
        case wire::ClientOp::server_only:
            close(ErrorCode::abuse, "this is for servers to say", ctx);
            break;
        case wire::ClientOp::unknown:
            if (take_idle_frame(ctx)) {
                say_error(frame.request, ErrorCode::unsupported, {}, ctx);
            }
            break;
        case wire::ClientOp::join:
        case wire::ClientOp::listen:
        case wire::ClientOp::leave:
        case wire::ClientOp::unlisten:
        case wire::ClientOp::send:
        case wire::ClientOp::set:
        case wire::ClientOp::withdraw:
        case wire::ClientOp::history: break;  // Requests, all of them.
    }
}

void Connection::take_request(const wire::ClientFrame& frame, Context& ctx) {
    if (const auto missing = missing_field(frame); !missing.empty()) {
        close(ErrorCode::protocol, missing, ctx);
        return;
    }
    if (state_ == State::resolving && frame.op != wire::ClientOp::withdraw) {
        close(ErrorCode::protocol, "a resolve-only connection takes withdrawals", ctx);
        return;
    }
    ++ctx.counters.ops_in;
    const Limits& limits = ctx.settings.limits;
    if (limits.ops_per_second != 0) {
        if (const auto wait = ops_.take(ctx.now, limits.ops_per_second, limits.ops_burst)) {
            say_retry(frame.request, ErrorCode::busy, *wait, ctx);
            return;
        }
    }
    const auto queue = target_of(frame);
    if (!queue) {
        say_error(frame.request, queue.error().code, queue.error().detail, ctx);
        return;
    }
    if (frame.op == wire::ClientOp::listen) {
        listen(frame, *queue, ctx);
    } else if (frame.op == wire::ClientOp::unlisten) {
        const Following* followed = following(queue->text());
        if (followed != nullptr && !followed->is_member) {
            unfollow(*queue, ctx);
        }
        say_ok(frame.request, ctx);
    } else if (frame.op == wire::ClientOp::history) {
        take_history(frame, *queue, ctx);
    } else {
        send_op(frame, *queue, ctx);
    }
}

Result<QueueName> Connection::target_of(const wire::ClientFrame& frame) {
    if (const Following* followed = following(frame.queue)) {
        return followed->queue;  // The common case: no check, no copy.
    }
    if (const auto valid = wire::check_queue_name(frame.queue); !valid) {
        return tl::unexpected(valid.error());
    }
    if (wire::user_of_queue_name(frame.queue)) {
        return failure(ErrorCode::forbidden, "user queues are the server's to write to");
    }
    return QueueName(frame.queue);
}

void Connection::listen(const wire::ClientFrame& frame, const QueueName& queue, Context& ctx) {
    const Following* followed = following(queue.text());
    if (followed == nullptr && !has_room(queue, ctx)) {
        say_error(frame.request, ErrorCode::limit, {}, ctx);
        return;
    }
    follow(queue, frame.request, frame.cursor, followed != nullptr && followed->is_member, ctx);
}

void Connection::take_history(const wire::ClientFrame& frame, const QueueName& queue,
                              Context& ctx) {
    const Following* followed = following(queue.text());
    if (followed == nullptr) {
        say_error(frame.request, ErrorCode::not_member, "join or listen first", ctx);
        return;
    }
    Wish wish;
    wish.kind = Wish::Kind::history;
    wish.connection = id();
    wish.queue = queue;
    wish.request = frame.request;
    wish.mount = MountName(frame.mount);
    wish.before = frame.before;
    ctx.wishes.push_back(std::move(wish));
}

void Connection::send_op(const wire::ClientFrame& frame, const QueueName& queue, Context& ctx) {
    if (!open_op(frame, queue, ctx)) {
        return;
    }
    queue::Op op;
    op.sender.user = user_;
    op.sender.cid = cid_;
    op.sender.cep = cep_;
    op.sender.session = session_;
    op.reply_to = {ConnectionRef{ctx.shard, id()}, frame.request};
    op.number = frame.number.value_or(0);
    op.inc = frame.inc.value_or(Inc{});
    if (frame.op == wire::ClientOp::join) {
        send_join(frame, queue, std::move(op), ctx);
        return;
    }
    if (frame.op == wire::ClientOp::leave) {
        op.body = queue::LeaveOp{user_, queue::LeaveReason::left};
        if (op.number != 0) {
            Left& last = left(queue);
            last.asked = op.number;
            last.asked_inc = op.inc;
        }
        ctx.send(actor::ActorAddress{wire::user_queue_name(user_)},
                 user::Pass{queue, std::move(op)});
        return;
    }
    if (frame.op == wire::ClientOp::send) {
        op.body = queue::SendOp{MountName(frame.mount), payload_of(frame.data)};
    } else if (frame.op == wire::ClientOp::set) {
        op.body = queue::SetOp{
            MountName(frame.mount), {{Key(frame.key), payload_of(frame.data)}}, frame.if_seq};
        if (frame.key.size() <= wire::key_bytes_max && !wire::check_key(frame.key)) {
            op.reject_with = ErrorCode::bad_name;
        }
    } else {
        op.body = queue::WithdrawOp{};
    }
    ctx.send(actor::ActorAddress{queue}, std::move(op));
}

void Connection::send_join(const wire::ClientFrame& frame, const QueueName& queue, queue::Op op,
                           Context& ctx) {
    const std::size_t queues_max = ctx.settings.limits.queues_max;
    if (joining_.size() >= queues_max) {
        op_answered(queue);
        say_retry(frame.request, ErrorCode::busy, join_wait, ctx);
        return;
    }
    op.body = queue::JoinOp{user_, {}, {}};
    if (following(queue.text()) == nullptr && !has_room(queue, ctx)) {
        op.reject_with = ErrorCode::limit;
    } else {
        joining_.push(Joining{queue, frame.request, frame.cursor});
    }
    ctx.send(actor::ActorAddress{wire::user_queue_name(user_)}, user::Pass{queue, std::move(op)});
}

// ---- Answers ---------------------------------------------------------------------------------

void Connection::take(const queue::OpReply& reply, Context& ctx) {
    if (state_ != State::up && state_ != State::resolving) {
        return;
    }
    op_answered(reply.queue);
    const queue::Verdict& verdict = reply.verdict;
    const auto request = reply.reply_to.request;
    std::optional<Cursor> cursor;
    if (reply.what == queue::OpReply::What::join) {
        const auto joining = std::find_if(joining_.begin(), joining_.end(), [&](const Joining& j) {
            return j.queue == reply.queue && j.request == request;
        });
        if (joining != joining_.end()) {
            cursor = joining->cursor;
            joining_.erase(joining);
        }
    }
    switch (verdict.kind) {
        case queue::Verdict::Kind::ok:
            // A repeated join may be that of somebody who has been removed since.
            if (reply.what == queue::OpReply::What::join && reply.standing && !is_left(reply)) {
                follow(reply.queue, request, cursor, true, ctx, reply.standing->inc);
            } else {
                const bool is_end = ends_stream(reply);
                if (is_end) {
                    unfollow(reply.queue, ctx);
                }
                say(wire::OkFrame{request, seq_of(verdict), std::nullopt}, ctx);
                if (is_end && reply.standing) {
                    // A leave of long ago, sent again: somebody has joined the user since.
                    follow(reply.queue, std::nullopt, std::nullopt, true, ctx, reply.standing->inc);
                }
            }
            break;
        case queue::Verdict::Kind::rejected:
        case queue::Verdict::Kind::gone:
        case queue::Verdict::Kind::expired:
            say(wire::ErrFrame{request, verdict.code, verdict.detail, verdict.current}, ctx);
            break;
        case queue::Verdict::Kind::fenced: close(verdict.code, {}, ctx); break;
        case queue::Verdict::Kind::hole:
        case queue::Verdict::Kind::busy:
            say(wire::RetryFrame{request, verdict.code, verdict.retry_ms}, ctx);
            break;
        case queue::Verdict::Kind::protocol_error:
            close(ErrorCode::protocol, verdict.detail, ctx);
            break;
    }
}

Connection::Left& Connection::left(const QueueName& queue) {
    const auto found = std::find_if(left_.begin(), left_.end(),
                                    [&](const Left& left) { return left.queue == queue; });
    if (found != left_.end()) {
        return *found;
    }
    if (left_.size() == left_max) {
        left_.erase(left_.begin());
    }
    Left left;
    left.queue = queue;
    left_.push(std::move(left));
    return *(left_.end() - 1);
}

/// Returns whether a leave with a higher number has been answered already.
bool Connection::is_left(const queue::OpReply& reply) {
    return reply.number != 0 && std::any_of(left_.begin(), left_.end(), [&](const Left& left) {
               return left.queue == reply.queue && left.inc == reply.verdict.at.inc &&
                      reply.number <= left.answered;
           });
}

// A leave that was sent twice is answered twice; between the two its client may have begun another
// stream of the queue, which the second answer must not end. And one that was withdrawn too late is
// answered past the user queue first: before the joins that came before it.
bool Connection::ends_stream(const queue::OpReply& reply) {
    const bool is_leave = reply.what == queue::OpReply::What::leave;
    const bool is_withdrawn = reply.what == queue::OpReply::What::other && reply.number != 0 &&
                              std::any_of(left_.begin(), left_.end(), [&](const Left& left) {
                                  return left.queue == reply.queue && left.asked == reply.number &&
                                         left.asked_inc == reply.verdict.at.inc;
                              });
    if ((!is_leave && !is_withdrawn) || is_left(reply)) {
        return false;
    }
    if (reply.number != 0) {
        Left& known = left(reply.queue);
        known.inc = reply.verdict.at.inc;
        known.answered = reply.number;
    }
    return true;
}

void Connection::take(const user::MembershipChanged& changed, Context& ctx) {
    if (state_ == State::fencing) {
        // The list that came with ATTACHED is older than this.
        SigningIn& kept = signing_in();
        std::erase_if(kept.joined,
                      [&](const user::Joined& joined) { return joined.queue == changed.queue; });
        if (changed.is_member) {
            kept.joined.push_back({changed.queue, changed.inc});
            fence(kept.joined.back(), ctx);
        }
        return;
    }
    if (state_ != State::up) {
        return;
    }
    if (changed.is_member) {
        if (following(changed.queue.text()) == nullptr && !has_room(changed.queue, ctx)) {
            say(wire::LeftFrame{changed.queue.text(), "limit"}, ctx);  // As behind a hello.
            return;
        }
        follow(changed.queue, std::nullopt, std::nullopt, true, ctx, changed.inc);
        return;
    }
    if (following(changed.queue.text()) != nullptr) {
        unfollow(changed.queue, ctx);
        say(wire::LeftFrame{changed.queue.text(), text_of(changed.reason)}, ctx);
    }
}

void Connection::take(const user::Told& told, Context& ctx) {
    if (state_ == State::fencing) {
        SigningIn& kept = signing_in();
        const Limits& limits = ctx.settings.limits;
        kept.told_bytes += told.data.size();
        if (kept.told.size() >= limits.out_messages_max ||
            (!kept.told.empty() && kept.told_bytes > limits.out_bytes_max)) {
            const Outgoing::Excess excess{
                told.queue, MountName("mail"),
                fmt::format("more than {} messages or {} bytes wait", limits.out_messages_max,
                            limits.out_bytes_max)};
            ctx.missed.push_back(Missed{.connection = id(),
                                        .queue = excess.queue,
                                        .mount = excess.mount,
                                        .has_closed = true});
            close_slow(excess, ctx);
            return;
        }
        kept.told.push_back(told);
    } else if (state_ == State::up) {
        tell(told, ctx);
    }
}

void Connection::tell(const user::Told& told, Context& ctx) {
    wire::MsgFrame frame;
    frame.queue = told.queue.text();
    frame.mount = "mail";
    frame.seq = told.seq;
    frame.from = told.from.text();
    frame.time_ms = told.time.ms;
    frame.data = {told.data.bytes(), told.data.format()};
    say(frame, ctx);
}

void Connection::say_ok(std::optional<std::uint64_t> request, Context& ctx) {
    say(wire::OkFrame{request, std::nullopt, std::nullopt}, ctx);
}

void Connection::say_retry(std::optional<std::uint64_t> request, ErrorCode code, Duration after,
                           Context& ctx) {
    const auto after_ms = std::chrono::ceil<std::chrono::milliseconds>(after).count();
    say(wire::RetryFrame{request, code, static_cast<std::uint32_t>(after_ms)}, ctx);
}

void Connection::say_gone(const QueueName& queue, Context& ctx) {
    wire::ResetFrame reset;
    reset.queue = queue.text();
    reset.why = "gone";
    say(reset, ctx);
}

void Connection::say_error(std::optional<std::uint64_t> request, ErrorCode code,
                           std::string_view detail, Context& ctx) {
    say(wire::ErrFrame{request, code, detail, std::nullopt}, ctx);
}

}  // namespace muster::gateway
