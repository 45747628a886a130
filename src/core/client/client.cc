#include "core/client/client.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/check.h"
#include "core/client/token_expiry.h"

namespace muster::client {

namespace {

constexpr Duration token_retry = std::chrono::seconds{15};
constexpr std::uint32_t bad_tokens_max = 2;

/// Returns what a WebSocket close code of the server means; nothing where it says no more than that
/// the connection is over. Source: GUARANTEES.md 5.11.
std::optional<ErrorCode> reason_of(std::uint16_t close_code) noexcept {
    switch (close_code) {
        case 1001: return ErrorCode::drain;
        case 1002: return ErrorCode::framing;
        case 1007: return ErrorCode::bad_utf8;
        case 1008: return ErrorCode::abuse;
        case 1009: return ErrorCode::frame_too_big;
        case 1013: return ErrorCode::overload;
        case 4000: return ErrorCode::protocol;
        case 4001: return ErrorCode::bad_token;
        case 4002: return ErrorCode::token_expired;
        case 4003: return ErrorCode::superseded;
        case 4004: return ErrorCode::session_lost;
        case 4008: return ErrorCode::slow;
        case 4010: return ErrorCode::resume_refused;
        case 4013: return ErrorCode::upstream;
        default: return std::nullopt;
    }
}

/// Takes the text of a close apart: "M1001 bad_token: exp is missing" leaves "exp is missing" in
/// `detail`, and tells more exactly why than a close code that stands for several does.
std::optional<ErrorCode> take_code_from(std::string& detail) {
    const std::string_view text = detail;
    const std::size_t label_end = text.find(' ');
    const ErrorInfo* info = find_error(text.substr(0, label_end));
    if (info == nullptr || label_end == text.npos || !text.starts_with('M')) {
        return std::nullopt;
    }
    std::string_view rest = text.substr(label_end + 1);
    if (!rest.starts_with(info->name)) {
        return std::nullopt;
    }
    rest.remove_prefix(info->name.size());
    if (!rest.empty() && !rest.starts_with(": ")) {
        return std::nullopt;
    }
    detail = rest.empty() ? std::string{} : std::string{rest.substr(2)};
    return info->code;
}

/// Returns the wish in the text of a close, as `retry_ms=700`; 0 where there is none.
Duration retry_wish_of(std::string_view detail) {
    constexpr std::string_view label = "retry_ms=";
    const std::size_t at = detail.find(label);
    std::uint32_t wish_ms = 0;
    if (at != detail.npos) {
        const std::string_view digits = detail.substr(at + label.size());
        std::from_chars(digits.data(), digits.data() + digits.size(), wish_ms);
    }
    return std::chrono::milliseconds{wish_ms};
}

Duration random_up_to(Duration longest, Rng& rng) {
    const auto drawn = rng.below(static_cast<std::uint64_t>(longest.count()) + 1);
    return Duration{static_cast<Duration::rep>(drawn)};
}

}  // namespace

Client::Client(Settings settings) : settings_(std::move(settings)) {
    MUSTER_CHECK(settings_.server_count > 0);
}

void Client::step(const Event& event, Context& ctx) {
    if (const auto* submit = std::get_if<Submit>(&event)) {
        take(*submit, ctx);
    } else if (const auto* give_up = std::get_if<GiveUp>(&event)) {
        take(*give_up, ctx);
    } else if (std::holds_alternative<TimePassed>(event)) {
        expire_held(ctx);
    }
    switch (state_) {
        case State::closed: state_ = in_closed(event, ctx); break;
        case State::fetching_token: state_ = in_fetching_token(event, ctx); break;
        case State::idle: state_ = in_idle(event, ctx); break;
        case State::connecting: state_ = in_connecting(event, ctx); break;
        case State::up: state_ = in_up(event, ctx); break;
    }
    MUSTER_CHECK(socket_.has_value() == (state_ == State::connecting || state_ == State::up));
    // Last, so that nothing that a frame points into goes away before the outbox is read.
    if (state_ == State::up) {
        send_due(ctx);
    }
}

std::optional<Instant> Client::wake_at() const {
    std::optional<Instant> first;
    const auto consider = [&first](std::optional<Instant> at) {
        if (at && (!first || *at < *first)) {
            first = at;
        }
    };
    if (state_ == State::up) {
        consider(last_heard_ + silence_max);
        consider(last_said_ + ping_interval_);
        consider(move_at_);
        consider(next_token_at_);
    } else if (state_ != State::closed) {
        consider(deadline_);
    }
    for (const auto& [name, queue] : queues_) {
        consider(queue.line.retry_at());
        for (const Op& op : queue.line.held()) {
            consider(op.deadline);
        }
    }
    return first;
}

// ---- States --------------------------------------------------------------------------------

Client::State Client::in_closed(const Event& event, Context& ctx) {
    if (const auto* start = std::get_if<Start>(&event)) {
        be_current();
        chance_ = start->chance;
        bad_token_count_ = 0;
        failure_count_ = 0;
        if (nonce_.empty()) {
            make_nonce();
        }
        return connect(ctx);
    }
    if (const auto* fetched = std::get_if<TokenFetched>(&event)) {
        take_token(fetched->token, ctx);
    } else if (std::holds_alternative<Stop>(event)) {
        return stop(ctx);
    }
    return State::closed;
}

Client::State Client::in_fetching_token(const Event& event, Context& ctx) {
    if (const auto* fetched = std::get_if<TokenFetched>(&event)) {
        take_token(fetched->token, ctx);
        return open_socket(ctx);
    }
    if (const auto* failed = std::get_if<TokenFailed>(&event)) {
        if (failed->is_final) {
            // Why the last token is of no use says more than that there is no other.
            if (token_refusal_) {
                return refused_for_good(ctx, token_refusal_->code, token_refusal_->detail);
            }
            const bool has_ended = token_expires_ && ctx.now >= *token_expires_;
            return refused_for_good(
                ctx, has_ended ? ErrorCode::token_expired : ErrorCode::bad_token, failed->detail);
        }
        return wait(ctx, std::nullopt, "no token: " + failed->detail);
    }
    if (std::holds_alternative<TimePassed>(event) && ctx.now >= deadline_) {
        return wait(ctx, std::nullopt, "the application gave no token in time");
    }
    if (std::holds_alternative<Start>(event)) {
        be_current();
    } else if (std::holds_alternative<Stop>(event)) {
        return stop(ctx);
    }
    return State::fetching_token;
}

Client::State Client::in_idle(const Event& event, Context& ctx) {
    if (std::holds_alternative<TimePassed>(event) && ctx.now >= deadline_) {
        return connect(ctx);
    }
    if (std::holds_alternative<Start>(event)) {
        be_current();
        return connect(ctx);
    }
    if (const auto* fetched = std::get_if<TokenFetched>(&event)) {
        take_token(fetched->token, ctx);
    } else if (std::holds_alternative<Stop>(event)) {
        return stop(ctx);
    }
    return State::idle;
}

Client::State Client::in_connecting(const Event& event, Context& ctx) {
    if (const auto* opened = std::get_if<SocketOpened>(&event)) {
        if (opened->socket == socket_) {
            send_hello(ctx);
        }
    } else if (const auto* closed = std::get_if<SocketClosed>(&event)) {
        if (closed->socket == socket_) {
            return socket_closed(*closed, ctx);
        }
    } else if (const auto* received = std::get_if<FrameReceived>(&event)) {
        if (received->socket == socket_) {
            return connecting_frame(*received->frame, ctx);
        }
    } else if (const auto* garbage = std::get_if<GarbageReceived>(&event)) {
        if (garbage->socket == socket_) {
            return breach(ctx, ErrorCode::framing, garbage->detail);
        }
    } else if (const auto* fetched = std::get_if<TokenFetched>(&event)) {
        take_token(fetched->token, ctx);
    } else if (std::holds_alternative<Start>(event) && role_ == Role::superseded) {
        be_current();
        return reconnect_now(ctx);
    } else if (std::holds_alternative<TimePassed>(event) && ctx.now >= deadline_) {
        return give_socket_up(ctx, 1000, std::nullopt, "the server did not let us in in time");
    } else if (std::holds_alternative<Stop>(event)) {
        return stop(ctx);
    }
    return State::connecting;
}

Client::State Client::in_up(const Event& event, Context& ctx) {
    State next = State::up;
    if (const auto* received = std::get_if<FrameReceived>(&event)) {
        if (received->socket == socket_) {
            last_heard_ = ctx.now;
            next = up_frame(*received->frame, ctx);
        }
    } else if (const auto* heard = std::get_if<Heard>(&event)) {
        if (heard->socket == socket_) {
            last_heard_ = ctx.now;
        }
    } else if (const auto* closed = std::get_if<SocketClosed>(&event)) {
        if (closed->socket == socket_) {
            next = socket_closed(*closed, ctx);
        }
    } else if (const auto* garbage = std::get_if<GarbageReceived>(&event)) {
        if (garbage->socket == socket_) {
            next = breach(ctx, ErrorCode::framing, garbage->detail);
        }
    } else if (std::holds_alternative<TimePassed>(event)) {
        next = up_time_passed(ctx);
    } else if (const auto* fetched = std::get_if<TokenFetched>(&event)) {
        take_token(fetched->token, ctx);
        wire::ClientFrame auth = frame_of(wire::ClientOp::auth);
        auth.token = token_;
        send(std::move(auth), ctx);
    } else if (std::holds_alternative<TokenFailed>(event)) {
        next_token_at_ = ctx.now + token_retry;
    } else if (const auto* taken = std::get_if<MailTaken>(&event)) {
        mail_taken_ = std::max(mail_taken_, taken->mail);
        acknowledge_mail(ctx);
    } else if (std::holds_alternative<Start>(event) && role_ == Role::superseded) {
        be_current();
        next = reconnect_now(ctx);
    } else if (std::holds_alternative<Stop>(event)) {
        return stop(ctx);
    }
    if (next != State::up) {
        return next;
    }
    if (role_ == Role::superseded && !has_open_ops()) {
        ctx.outbox.emplace_back(CloseSocket{*socket_, 1000});
        connection_ended();
        return State::closed;
    }
    if (is_cid_worn_ && !has_open_ops()) {
        forget_cid(ctx);
        forget_idle_queues();
        return reconnect_now(ctx);
    }
    return State::up;
}

Client::State Client::up_time_passed(Context& ctx) {
    if (ctx.now >= last_heard_ + silence_max) {
        return give_socket_up(ctx, 1001, ErrorCode::silent, "nothing was heard for 35 s");
    }
    if (move_at_ && ctx.now >= *move_at_) {
        avoided_server_ = server_;
        return reconnect_now(ctx);
    }
    if (ctx.now >= last_said_ + ping_interval_) {
        send(frame_of(wire::ClientOp::ping), ctx);
    }
    if (next_token_at_ && ctx.now >= *next_token_at_) {
        next_token_at_ = ctx.now + token_timeout;
        ctx.outbox.emplace_back(FetchToken{});
    }
    for (auto& [name, queue] : queues_) {
        queue.line.time_passed(ctx.now);
    }
    return State::up;
}

// ---- The connection ------------------------------------------------------------------------

Client::State Client::connect(Context& ctx) {
    tell_status(session_.value == 0 ? Status::connecting : Status::resuming, ctx);
    if (needs_token(ctx)) {
        deadline_ = ctx.now + token_timeout;
        ctx.outbox.emplace_back(FetchToken{});
        return State::fetching_token;
    }
    return open_socket(ctx);
}

Client::State Client::open_socket(Context& ctx) {
    const std::size_t count = settings_.server_count;
    std::size_t index = 0;
    if (avoided_server_ && count > 1) {
        index = ctx.rng.below(count - 1);
        index += index >= *avoided_server_ ? 1 : 0;
    } else {
        index = ctx.rng.below(count);
    }
    server_ = index;
    avoided_server_ = index;  // Until it lets us in.
    socket_ = SocketId{++last_socket_.value};
    deadline_ = ctx.now + connect_timeout;
    ctx.outbox.emplace_back(OpenSocket{*socket_, index});
    return State::connecting;
}

Client::State Client::wait(Context& ctx, std::optional<ErrorCode> reason, std::string detail) {
    if (role_ == Role::superseded && !has_open_ops()) {
        return State::closed;
    }
    const Duration longest =
        std::min(back_off_max, back_off_first * (std::int64_t{1} << std::min(failure_count_, 6U)));
    const Duration delay = std::max(retry_after_, random_up_to(longest, ctx.rng));
    ++failure_count_;
    retry_after_ = Duration::zero();
    deadline_ = ctx.now + delay;
    tell_status(Status::offline, ctx, reason, std::move(detail), delay);
    return State::idle;
}

Client::State Client::reconnect_now(Context& ctx) {
    if (socket_) {
        ctx.outbox.emplace_back(CloseSocket{*socket_, 1000});
    }
    connection_ended();
    return connect(ctx);
}

Client::State Client::give_socket_up(Context& ctx, std::uint16_t close_code,
                                     std::optional<ErrorCode> reason, std::string detail) {
    ctx.outbox.emplace_back(CloseSocket{*socket_, close_code});
    return socket_closed({.socket = *socket_, .reason = reason, .detail = std::move(detail)}, ctx);
}

Client::State Client::breach(Context& ctx, ErrorCode reason, std::string detail) {
    return give_socket_up(ctx, 1002, reason, std::move(detail));
}

Client::State Client::socket_closed(const SocketClosed& closed, Context& ctx) {
    std::optional<ErrorCode> reason = closed.reason;
    std::string detail = closed.detail;
    if (!reason && bye_) {
        reason = bye_;
        detail = bye_detail_;
    } else if (!reason) {
        reason = reason_of(closed.close_code);
        if (const auto code = take_code_from(detail); code && closed.close_code != 0) {
            reason = code;
        }
    }
    retry_after_ = std::max({retry_after_, closed.retry_after, retry_wish_of(closed.detail)});
    if (move_at_) {
        // It went before our moment had come. All its clients are without a server now, and the
        // spread is what the others can take.
        reason = reason.value_or(ErrorCode::drain);
        retry_after_ = std::max(retry_after_, *move_at_ - ctx.now);
    }
    if (reason && sends_elsewhere(*reason)) {
        avoided_server_ = server_;
    }
    if (state_ == State::up && ctx.now - up_since_ >= steady_after) {
        failure_count_ = 0;
    }
    connection_ended();
    switch (reason.value_or(ErrorCode::silent)) {
        case ErrorCode::bad_token:
            is_token_bad_ = true;
            token_refusal_ = {ErrorCode::bad_token, detail};
            if (++bad_token_count_ >= bad_tokens_max || !settings_.user.empty()) {
                return refused_for_good(ctx, ErrorCode::bad_token, std::move(detail));
            }
            break;
        case ErrorCode::token_expired:
            is_token_bad_ = true;
            token_refusal_ = {ErrorCode::token_expired, detail};
            break;
        case ErrorCode::superseded: return be_superseded(ctx);
        case ErrorCode::session_lost:
            resume_.clear();  // A new login; the same nonce gives the same cid.
            break;
        case ErrorCode::resume_refused:
            forget_cid(ctx);
            avoided_server_.reset();  // The token is to blame, not the server.
            break;
        default: break;
    }
    return wait(ctx, reason, std::move(detail));
}

// Any other end says nothing against the server: where all are cut at once, as when it is started
// again, they must spread over all servers, and not all go to the only other one.
bool Client::sends_elsewhere(ErrorCode reason) noexcept {
    return reason == ErrorCode::drain || reason == ErrorCode::overload ||
           reason == ErrorCode::upstream || reason == ErrorCode::silent;
}

void Client::connection_ended() {
    socket_.reset();
    bye_.reset();
    bye_detail_.clear();
    move_at_.reset();
    next_token_at_.reset();
    for (auto& [name, queue] : queues_) {
        queue.connection_ended();
    }
}

void Client::be_current() {
    role_ = Role::current;
    closed_because_.reset();
}

Client::State Client::be_superseded(Context& ctx) {
    if (role_ == Role::superseded) {
        return wait(ctx, ErrorCode::superseded, {});
    }
    drop_unsent(ErrorCode::superseded, ctx);
    for (auto& [name, queue] : queues_) {
        for (Op& op : queue.line.open()) {
            if (op.intent == OpLine::Intent::apply) {
                OpLine::withdraw(op, OpLine::Intent::withdraw);
            }
        }
    }
    tell_status(Status::closed, ctx, ErrorCode::superseded);
    role_ = Role::superseded;
    closed_because_ = ErrorCode::superseded;
    failure_count_ = 0;
    return wait(ctx, ErrorCode::superseded, {});
}

Client::State Client::refused_for_good(Context& ctx, ErrorCode reason, std::string detail) {
    drop_unsent(reason, ctx);
    closed_because_ = reason;
    tell_status(Status::closed, ctx, reason, std::move(detail));
    return State::closed;
}

Client::State Client::stop(Context& ctx) {
    if (socket_) {
        ctx.outbox.emplace_back(CloseSocket{*socket_, 1000});
    }
    connection_ended();
    drop_unsent(ErrorCode::withdrawn, ctx);
    for (auto& [name, queue] : queues_) {
        queue.has_joined = false;
        queue.has_listened = false;
        queue.is_shown = false;
        for (Op& op : queue.line.open()) {
            tell(op, Outcome::unknown, ErrorCode::expired,
                 "the client was closed before the answer came", ctx);
            OpLine::withdraw(op, OpLine::Intent::fill);
        }
    }
    if (!closed_because_) {
        closed_because_ = ErrorCode::withdrawn;
        tell_status(Status::closed, ctx);
    }
    return State::closed;
}

void Client::send_hello(Context& ctx) {
    wire::ClientFrame hello = frame_of(wire::ClientOp::hello);
    hello.versions = {1};
    hello.token = token_;
    hello.user = settings_.user;
    if (resume_.empty()) {
        hello.nonce = nonce_;
    } else {
        hello.resume = resume_;
        hello.cid = cid_;
    }
    hello.attempt_number = ++attempt_number_;
    hello.resolve = role_ == Role::superseded;
    for (auto& [name, queue] : queues_) {
        if (!hello.resolve && !queue.is_wanted() && !queue.is_ending()) {
            // The backend's doing, which has ended with the session.
            tell_dropped(name, queue, Lost::membership, ErrorCode::session_lost, {}, ctx);
        }
    }
    if (!hello.resolve) {
        name_cursors(hello);
    }
    send(std::move(hello), ctx);
}

void Client::send(wire::ClientFrame frame, Context& ctx) {
    MUSTER_CHECK(socket_.has_value());
    last_said_ = ctx.now;
    ctx.outbox.emplace_back(SendFrame{*socket_, std::move(frame)});
}

// ---- Token and nonce -----------------------------------------------------------------------

bool Client::needs_token(const Context& ctx) const {
    if (!settings_.user.empty()) {
        return false;
    }
    return is_token_bad_ || (token_expires_ && ctx.now >= *token_expires_);
}

void Client::take_token(const std::string& token, Context& ctx) {
    token_ = token;
    is_token_bad_ = false;
    token_expires_.reset();
    if (const auto expiry = token_expiry(token)) {
        token_expires_ = ctx.now + std::chrono::milliseconds{expiry->ms - ctx.wall.ms};
    }
    plan_next_token(ctx);
}

void Client::plan_next_token(Context& ctx) {
    next_token_at_.reset();
    if (token_expires_) {
        const Duration left = *token_expires_ - ctx.now;
        // A token of a few seconds, or a clock that is ahead, must not keep us busy.
        next_token_at_ = ctx.now + std::max(left - std::min(token_margin, left / 4), token_retry);
    }
}

void Client::make_nonce() {
    ++nonce_count_;
    const std::string first = fmt::format("nonce {} a", nonce_count_);
    const std::string second = fmt::format("nonce {} b", nonce_count_);
    nonce_ =
        fmt::format("{:016x}{:016x}", sip_hash_24(chance_, first), sip_hash_24(chance_, second));
}

// ---- What the shell may look at ------------------------------------------------------------

const Mirror* Client::find(std::string_view queue) const {
    const auto found = queues_.find(queue);
    return found == queues_.end() ? nullptr : &found->second.mirror;
}

bool Client::is_member(std::string_view queue) const {
    const auto found = queues_.find(queue);
    return found != queues_.end() && found->second.is_member;
}

Client::Follow Client::follow(std::string_view queue) const {
    const auto found = queues_.find(queue);
    return found == queues_.end() ? Follow::none : found->second.follow;
}

std::size_t Client::waiting_count() const {
    std::size_t count = 0;
    for (const auto& [name, queue] : queues_) {
        const auto waits = [](const Op& op) {
            return op.id.value != 0 && op.intent != OpLine::Intent::fill;
        };
        count += static_cast<std::size_t>(std::ranges::count_if(queue.line.held(), waits));
        count += static_cast<std::size_t>(std::ranges::count_if(queue.line.open(), waits));
    }
    return count;
}

void Client::tell_status(Status status, Context& ctx, std::optional<ErrorCode> reason,
                         std::string detail, Duration retry_in) {
    if (role_ == Role::current) {  // The other one has been told that it is closed.
        ctx.outbox.emplace_back(StatusChanged{status, reason, std::move(detail), retry_in});
    }
}

}  // namespace muster::client
