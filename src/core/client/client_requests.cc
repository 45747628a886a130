// What the client's machine does with the requests of its application.
#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/result.h"
#include "core/client/client.h"
#include "core/wire/json_reader.h"
#include "core/wire/names.h"

namespace muster::client {

namespace {

constexpr std::size_t payload_bytes_max = 16 * 1024;

Result<void> check_payload(const Payload& payload) {
    if (payload.size() > payload_bytes_max) {
        return failure(ErrorCode::too_big, "a message or value is at most 16 KiB");
    }
    if (payload.format() == Format::json) {
        // It goes out as it stands, within a frame, where anything else would end the connection.
        return wire::validate_json(payload.bytes(), wire::json_depth_max - 1);
    }
    return {};
}

/// Says no to what every server would refuse, before it costs a number.
struct RequestChecker {
    Result<void> operator()(const Send& send) const {
        return wire::check_mount_name(send.mount.text()).and_then([&]() -> Result<void> {
            if (send.data.empty()) {
                return failure(ErrorCode::bad_request, "a message without a payload");
            }
            return check_payload(send.data);
        });
    }
    Result<void> operator()(const Set& set) const {
        return wire::check_mount_name(set.mount.text())
            .and_then([&] { return wire::check_key(set.key.text()); })
            .and_then([&]() -> Result<void> {
                return set.value.empty() ? Result<void>{} : check_payload(set.value);
            });
    }
    Result<void> operator()(const History& history) const {
        return wire::check_mount_name(history.mount.text());
    }
    template <typename Other>
    Result<void> operator()(const Other&) const {
        return {};
    }
};

bool is_same_key(const Request& a, const Request& b) {
    const auto* first = std::get_if<Set>(&a);
    const auto* second = std::get_if<Set>(&b);
    return first != nullptr && second != nullptr && first->mount == second->mount &&
           first->key == second->key && !first->if_seq && !second->if_seq;
}

std::optional<Cursor> since_of(const Request& request) {
    if (const auto* join = std::get_if<Join>(&request)) {
        return join->since;
    }
    const auto* listen = std::get_if<Listen>(&request);
    return listen != nullptr ? listen->since : std::nullopt;
}

wire::Data data_of(const Payload& payload) { return {payload.bytes(), payload.format()}; }

/// Writes what is asked for into a frame.
struct RequestWriter {
    wire::ClientFrame& frame;

    void operator()(const Join&) const { frame.op = wire::ClientOp::join; }
    void operator()(const Leave&) const { frame.op = wire::ClientOp::leave; }
    void operator()(const Listen&) const { frame.op = wire::ClientOp::listen; }
    void operator()(const Unlisten&) const { frame.op = wire::ClientOp::unlisten; }
    void operator()(const Send& send) const {
        frame.op = wire::ClientOp::send;
        frame.mount = send.mount.text();
        frame.data = data_of(send.data);
    }
    void operator()(const Set& set) const {
        frame.op = wire::ClientOp::set;
        frame.mount = set.mount.text();
        frame.key = set.key.text();
        frame.if_seq = set.if_seq;
        if (!set.value.empty()) {
            frame.data = data_of(set.value);
        }
    }
    void operator()(const History& history) const {
        frame.op = wire::ClientOp::history;
        frame.mount = history.mount.text();
        frame.before = history.before;
    }
};

}  // namespace

// ---- From the application ------------------------------------------------------------------

void Client::take(const Submit& submit, Context& ctx) {
    Op op;
    op.id = submit.id;
    op.body = submit.request;
    const auto refuse = [&](ErrorCode code, std::string detail) {
        tell(op, Outcome::not_sent, code, std::move(detail), ctx);
    };
    if (closed_because_) {
        return refuse(*closed_because_, "the client is closed");
    }
    const auto checked = wire::check_queue_name(submit.queue.text()).and_then([&] {
        return std::visit(RequestChecker{}, submit.request);
    });
    if (!checked) {
        return refuse(checked.error().code, checked.error().detail);
    }
    auto at = queues_.find(submit.queue);
    if (at == queues_.end()) {
        // Numbers must not be forgotten while the cid lasts, so a new cid makes room.
        is_cid_worn_ = is_cid_worn_ || queues_.size() >= queues_max / 4 * 3;
        if (queues_.size() >= queues_max) {
            return refuse(ErrorCode::limit, "too many queues at once");
        }
        at = queues_.emplace(submit.queue, Queue{}).first;
    }
    Queue& queue = at->second;
    const bool needs_inc = is_op(op.body) && !std::holds_alternative<Join>(op.body);
    if (needs_inc && !queue.line.can_hope_for_inc() && !queue.is_wanted()) {
        return refuse(ErrorCode::not_member, "join or listen to the queue first");
    }
    if (state_ != State::up) {
        // Of a state, only the latest counts.
        auto& held = queue.line.held();
        const auto older = std::ranges::find_if(
            held, [&op](const Op& other) { return is_same_key(other.body, op.body); });
        if (older != held.end()) {
            tell(*older, Outcome::not_sent, ErrorCode::withdrawn,
                 "a newer value took its place before it could be sent", ctx);
            held.erase(older);
        }
    }
    if (submit.ttl) {
        op.deadline = ctx.now + *submit.ttl;
    }
    if (!queue.line.add(op)) {
        return refuse(ErrorCode::busy, "too many requests of this queue wait already");
    }
}

void Client::take(const GiveUp& give_up, Context& ctx) {
    constexpr std::string_view detail = "given up";
    for (auto& [name, queue] : queues_) {
        auto& held = queue.line.held();
        const auto waiting = std::ranges::find(held, give_up.id, &Op::id);
        if (waiting != held.end()) {
            const Op op = std::move(*waiting);
            held.erase(waiting);
            tell(op, Outcome::not_sent, ErrorCode::withdrawn, std::string{detail}, ctx);
            not_wanted_any_more(name, queue, op, ErrorCode::withdrawn, detail, ctx);
            return drop_hopeless(queue, ErrorCode::withdrawn, ctx);
        }
        auto& open = queue.line.open();
        const auto found = std::ranges::find(open, give_up.id, &Op::id);
        if (found == open.end()) {
            continue;
        }
        if (found->number != 0) {
            if (found->intent == OpLine::Intent::apply) {
                OpLine::withdraw(*found, OpLine::Intent::withdraw);
                not_wanted_any_more(name, queue, *found, ErrorCode::withdrawn, detail, ctx);
            }
            return;
        }
        return give_up_ask(name, queue, *found, ctx);
    }
}

void Client::give_up_ask(const QueueName& name, Queue& queue, Op& op, Context& ctx) {
    constexpr std::string_view detail = "given up";
    tell(op, Outcome::not_sent, ErrorCode::withdrawn, std::string{detail}, ctx);
    if (std::holds_alternative<Unlisten>(op.body) && op.attempts > 0) {
        OpLine::withdraw(op, OpLine::Intent::fill);
        op.is_due = false;
        return;  // It stays open: once it is done, what it ended begins again.
    }
    const bool begins_stream = std::holds_alternative<Listen>(op.body) && op.attempts > 0;
    if (begins_stream) {
        OpLine::withdraw(op, OpLine::Intent::fill);
        op.is_due = false;
        if (queue.is_wanted() || queue.is_ending()) {
            return;  // It stays open: its stream is wanted, or what is behind it ends it.
        }
    }
    const Op given_up = queue.line.settle(op, ctx.now);
    if (begins_stream) {
        // What comes of it is nobody's, and it must not meet a later one.
        stop_stream(name, queue, ctx);
    }
    not_wanted_any_more(name, queue, given_up, ErrorCode::withdrawn, detail, ctx);
    drop_hopeless(queue, ErrorCode::withdrawn, ctx);
}

// ---- Verdicts ------------------------------------------------------------------------------

void Client::accepted(const QueueName& name, Queue& queue, Op& op, std::optional<Cursor> at,
                      Context& ctx) {
    const std::optional<Inc> inc = at ? std::optional{at->inc} : std::nullopt;
    const Op done = queue.line.settle_ok(op, inc, ctx.now);
    if (done.id.value != 0 && done.intent != OpLine::Intent::fill) {
        ctx.outbox.emplace_back(
            Verdict{.id = done.id, .outcome = Outcome::ok, .at = at.value_or(Cursor{})});
    }
    if (std::holds_alternative<Join>(done.body)) {
        // If not, somebody has removed us since, or its `joined` is still to come.
        queue.has_joined = queue.is_member;
        queue.unseen_join = queue.is_member ? 0 : done.request;
        if (done.number != 0) {
            queue.last_join = done.number;
            queue.last_join_inc = inc.value_or(done.inc);
        }
    } else if (std::holds_alternative<Listen>(done.body)) {
        queue.has_listened = queue.has_listened || done.intent != OpLine::Intent::fill;
    } else if (std::holds_alternative<Leave>(done.body)) {
        left(queue, done, at);
    } else if (std::holds_alternative<Unlisten>(done.body)) {
        const bool is_given_up = done.intent == OpLine::Intent::fill;
        queue.has_listened = queue.has_listened && is_given_up;
        if (!queue.is_member) {
            if (done.id.value == 0) {
                tell_dropped(name, queue, Lost::stream, ErrorCode::not_member, {}, ctx);
            }
            queue.is_shown = queue.is_shown && is_given_up;
            queue.stream_ended();
        }
    }
    if (!queue.is_wanted() && !queue.is_ending() && queue.follow != Follow::none) {
        stop_stream(name, queue, ctx);
    }
    follow_no_more(name, queue, ctx);
}

void Client::left(Queue& queue, const Op& leave, std::optional<Cursor> at) {
    // Queues take a client's ops in their order: a later join of ours was accepted after this.
    const Inc inc = at ? at->inc : leave.inc;
    if (leave.number != 0 && leave.number < queue.last_join && inc == queue.last_join_inc) {
        return;
    }
    queue.has_joined = false;
    queue.unseen_join = 0;
    // Where we are a member later than that, somebody has joined us since.
    const bool is_of_long_ago = at && at->inc == queue.mirror.at().inc && queue.is_member &&
                                *at < queue.mirror.at() && queue.mirror.members().contains(user_);
    if (!is_of_long_ago) {
        queue.parted();
        queue.stream_ended();  // Also of who listened as well.
    }
}

void Client::rejected(const QueueName& name, Queue& queue, Op& op, const wire::ErrFrame& frame,
                      Context& ctx) {
    OpLine& line = queue.line;
    const bool is_gone = frame.code == ErrorCode::gone;
    const bool is_unguessed = frame.code == ErrorCode::expired && line.forget_guess(op);
    const bool is_expired = frame.code == ErrorCode::expired && !is_unguessed;
    const ErrorCode code = is_unguessed ? ErrorCode::withdrawn : frame.code;
    if ((is_gone && line.rebind_join(op, ctx.now)) ||
        (is_expired && line.renumber_guess(op, ctx.now))) {
        return;
    }
    const Op done = is_gone      ? line.settle_gone(op, ctx.now)
                    : is_expired ? line.settle(op, ctx.now)
                                 : line.settle_rejected(op, code, ctx.now);
    is_cid_worn_ = is_cid_worn_ || (is_expired && done.number != 0);
    if (done.id.value != 0 && done.intent != OpLine::Intent::fill) {
        ctx.outbox.emplace_back(
            Verdict{.id = done.id,
                    .outcome = is_gone || is_expired ? Outcome::unknown : Outcome::rejected,
                    .code = code,
                    .detail = std::string{frame.detail},
                    .current = frame.current});
    }
    if (!is_expired && done.intent == OpLine::Intent::apply) {
        not_wanted_any_more(name, queue, done, code, frame.detail, ctx);
    }
    follow_no_more(name, queue, ctx);
    drop_hopeless(queue, code, ctx);
}

/// A join or listen has failed: nobody wants any longer what it was to bring.
void Client::not_wanted_any_more(const QueueName& name, Queue& queue, const Op& op, ErrorCode code,
                                 std::string_view detail, Context& ctx) {
    if (std::holds_alternative<Join>(op.body) && op.id.value == 0) {
        queue.has_joined = false;
        if (!queue.wants_to_join()) {
            tell_dropped(name, queue, Lost::membership, code, detail, ctx);
        }
    } else if (std::holds_alternative<Listen>(op.body) && op.id.value == 0) {
        queue.has_listened = false;
        if (!queue.wants_to_listen()) {
            tell_dropped(name, queue, Lost::stream, code, detail, ctx);
        }
    }
    follow_no_more(name, queue, ctx);
    if (state_ == State::up && role_ == Role::current) {
        // What was granted before still stands; the failed one had taken its place.
        queue.stay_member();
        queue.stay_listener();
    }
}

/// Ends what is streamed, or was awaited and does not come, to somebody who does not want it.
void Client::follow_no_more(const QueueName& name, Queue& queue, Context& ctx) {
    const bool is_promised = queue.follow == Follow::asked && queue.line.awaits_stream();
    if (queue.follow == Follow::asked && !is_promised) {
        queue.follow = Follow::none;
    }
    if (queue.is_wanted() || queue.is_ending()) {
        return;  // What is to be left goes on until it is.
    }
    if (queue.follow == Follow::live) {
        stop_stream(name, queue, ctx);
    } else if (!is_promised) {
        // Not what a join brings that was given up: it may have been carried out.
        queue.follow = Follow::none;
        tell_dropped(name, queue, Lost::stream, ErrorCode::not_member, {}, ctx);
    }
}

/// Nobody wants the stream that the server has begun: it is told so, lest a later join or listen of
/// ours be taken for a second one to what we have seen.
void Client::stop_stream(const QueueName& name, Queue& queue, Context& ctx) {
    queue.follow = Follow::none;
    tell_dropped(name, queue, Lost::stream, ErrorCode::not_member, {}, ctx);
    if (state_ == State::up && role_ == Role::current && !queue.line.holds_unlisten()) {
        Op op;
        op.body = Unlisten{};
        queue.line.held().push_back(std::move(op));
    }
}

/// Once for each `joined` that was shown, unless the application itself is parting.
void Client::tell_dropped(const QueueName& name, Queue& queue, Lost lost, ErrorCode code,
                          std::string_view detail, Context& ctx) {
    const bool is_parting = lost == Lost::stream ? queue.is_ending() : queue.is_leaving();
    if (queue.is_shown && !is_parting) {
        ctx.outbox.emplace_back(Dropped{name, code, std::string{detail}});
    }
    queue.is_shown = false;
}

/// Ops without an inc to bind to would wait for ever once the join or listen before them failed.
void Client::drop_hopeless(Queue& queue, ErrorCode code, Context& ctx) {
    // Who is streamed to hears of the next inc without having to ask.
    while (state_ == State::up && queue.follow == Follow::none && queue.line.is_next_hopeless()) {
        tell(queue.line.held().front(), Outcome::not_sent, code, "the queue was not joined", ctx);
        queue.line.held().pop_front();
    }
}

void Client::expire_held(Context& ctx) {
    for (auto& [name, queue] : queues_) {
        auto& held = queue.line.held();
        for (std::size_t i = 0; i < held.size();) {
            if (!held[i].deadline || ctx.now < *held[i].deadline) {
                ++i;
                continue;
            }
            const Op op = std::move(held[i]);
            held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
            tell(op, Outcome::not_sent, ErrorCode::retry, "it could not be sent in time", ctx);
            not_wanted_any_more(name, queue, op, ErrorCode::retry, {}, ctx);
        }
    }
}

/// Nothing new will be sent: whatever has no number ends here.
void Client::drop_unsent(ErrorCode code, Context& ctx) {
    for (auto& [name, queue] : queues_) {
        auto& open = queue.line.open();
        for (auto* requests : {&open, &queue.line.held()}) {
            std::erase_if(*requests, [&](const Op& op) {
                if (op.number == 0) {
                    tell(op, Outcome::not_sent, code, {}, ctx);
                }
                return op.number == 0;
            });
        }
        queue.has_joined = queue.has_joined && queue.is_member;
    }
}

void Client::forget_cid(Context& ctx) {
    for (auto& [name, queue] : queues_) {
        queue.last_join = 0;
        for (const Op& op : queue.line.forget_numbers()) {
            tell(op, Outcome::unknown, ErrorCode::expired,
                 "the server does not know this client any more", ctx);
        }
    }
    cid_.clear();
    resume_.clear();
    is_cid_worn_ = false;
    make_nonce();
}

void Client::forget_idle_queues() {
    std::erase_if(queues_, [](const auto& item) {
        const Queue& queue = item.second;
        return !queue.is_wanted() && queue.line.is_idle();
    });
}

// ---- To the server -------------------------------------------------------------------------

void Client::send_due(Context& ctx) {
    for (auto& [name, queue] : queues_) {
        // What a resume brings says whether we are a member: whose stream an unlisten does not end.
        const bool is_resuming = queue.follow == Follow::resuming;
        for (Op& op : queue.line.open()) {
            if (op.is_due && !(is_resuming && std::holds_alternative<Unlisten>(op.body))) {
                send_op(name, queue, op, ctx);
            }
        }
        while (role_ == Role::current && !is_cid_worn_) {
            drop_hopeless(queue, ErrorCode::not_member, ctx);
            Op* next = queue.line.open_next(is_resuming);
            if (next == nullptr) {
                break;
            }
            send_op(name, queue, *next, ctx);
        }
    }
}

void Client::send_op(const QueueName& name, Queue& queue, Op& op, Context& ctx) {
    if (op.request == 0) {
        op.request = ++last_request_;
    }
    queue.line.sent(op, ctx.now);
    wire::ClientFrame frame;
    if (op.intent == OpLine::Intent::apply || op.number == 0) {
        std::visit(RequestWriter{frame}, op.body);
    } else {
        frame.op = wire::ClientOp::withdraw;
    }
    frame.request = op.request;
    frame.queue = name.text();
    if (op.number != 0) {
        frame.number = op.number;
        frame.inc = op.inc;
        frame.attempt = op.attempts;
    }
    const bool starts_stream =
        frame.op == wire::ClientOp::join || frame.op == wire::ClientOp::listen;
    if (starts_stream && queue.follow != Follow::live) {
        frame.cursor = queue.mirror.at().inc.value != 0 ? queue.mirror.at() : since_of(op.body);
        if (frame.cursor) {
            queue.follow = queue.follow == Follow::none ? Follow::asked : queue.follow;
            queue.seen = std::max(queue.seen, frame.cursor->seq);
        }
    }
    send(std::move(frame), ctx);
}

// What is about to be left goes on until then: without a cursor it would begin afresh. But the
// server follows no more than since_max queues, so what stays goes first.
void Client::name_cursors(wire::ClientFrame& hello) {
    for (const bool is_ending : {false, true}) {
        for (auto& [name, queue] : queues_) {
            const bool is_followed = queue.is_wanted() || queue.is_shown;
            const bool has_cursor = queue.mirror.at().inc.value != 0;
            if (is_followed && has_cursor && queue.is_ending() == is_ending &&
                hello.since.size() < since_max) {
                hello.since.push_back({name.text(), queue.mirror.at()});
                queue.follow = Follow::resuming;
            }
        }
    }
}

wire::ClientFrame Client::frame_of(wire::ClientOp op) {
    wire::ClientFrame frame;
    frame.op = op;
    return frame;
}

void Client::acknowledge_mail(Context& ctx) {
    wire::ClientFrame frame = frame_of(wire::ClientOp::ack);
    frame.acked_mail = mail_taken_;
    send(std::move(frame), ctx);
}

void Client::tell(const Op& op, Outcome outcome, ErrorCode code, std::string detail, Context& ctx) {
    if (op.id.value != 0 && op.intent != OpLine::Intent::fill) {
        ctx.outbox.emplace_back(
            Verdict{.id = op.id, .outcome = outcome, .code = code, .detail = std::move(detail)});
    }
}

// ---- Finding -------------------------------------------------------------------------------

Client::Found Client::find_open(std::optional<std::uint64_t> request) {
    if (request && *request != 0) {
        for (auto& [name, queue] : queues_) {
            if (Op* op = queue.line.find(*request)) {
                return {&name, &queue, op};
            }
        }
    }
    return {};
}

Client::Queue* Client::find_queue(std::string_view name) {
    const auto found = queues_.find(name);
    return found == queues_.end() ? nullptr : &found->second;
}

bool Client::has_open_ops() const {
    return std::ranges::any_of(queues_,
                               [](const auto& item) { return item.second.line.has_open_ops(); });
}

bool Client::is_own_queue(std::string_view name) const {
    return wire::user_of_queue_name(name) == std::optional<std::string_view>{user_};
}

}  // namespace muster::client
