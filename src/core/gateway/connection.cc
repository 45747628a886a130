#include "core/gateway/connection.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <variant>

#include <fmt/format.h>

#include "base/check.h"
#include "base/sip_hash.h"
#include "core/gateway/settings.h"
#include "core/wire/names.h"

namespace muster::gateway {
namespace {

// Returns whether a connection may go from one state to the other.
bool may_follow(Connection::State next, Connection::State now) {
    using enum Connection::State;
    switch (now) {
        case awaiting_request: return next == awaiting_hello || next == closed;
        case awaiting_hello: return next == attaching || next == resolving || next == closed;
        case attaching: return next == fencing || next == closed;
        case fencing: return next == up || next == closed;
        case up:
        case resolving: return next == closed;
        case closed: break;
    }
    return false;
}

// A server holds very many connections, and of their addresses it only wants to know whether
// another one is the same. Nobody without the secret can find one that passes for it.
std::uint32_t address_hash(std::string_view address, const ClusterSecret& secret) {
    HashKey key;
    static_assert(sizeof key <= sizeof secret.bytes);
    std::memcpy(&key, secret.bytes.data(), sizeof key);
    return static_cast<std::uint32_t>(sip_hash_13(key, address));
}

/// A turn that comes later than that is not one of a busy machine.
constexpr Duration late_min = std::chrono::seconds{1};

/// What a timer may be early or late without a meaning.
Duration timer_slack(const Limits& limits) { return limits.ping_interval / 16; }

}  // namespace

Connection::Connection(const Opened& opened, Context& ctx)
    : since_(ctx.now),
      decoder_(std::in_place_type<wire::WebSocketDecoder>, wire::WebSocketDecoder::Side::server,
               ctx.settings.limits.frame_bytes_max),
      outgoing_(opened.connection) {
    signing_in().address = SharedText(opened.peer);
    address_hash_ = address_hash(opened.peer, ctx.settings.secret);
    ++ctx.counters.connections_opened;
    ++ctx.counters.connections_open;
}

void Connection::become(State next) {
    MUSTER_CHECK(may_follow(next, state_));
    state_ = next;
}

// ---- Time and the socket ---------------------------------------------------------------------

Instant Connection::deadline(const Limits& limits) const noexcept {
    switch (state_) {
        case State::awaiting_request: return since_ + limits.handshake_time;
        case State::awaiting_hello: return since_ + limits.hello_time;
        case State::attaching:
        case State::fencing:
            return std::min(since_ + limits.attach_time,
                            signing_in_->asked_at + limits.ask_again_after);
        case State::up:
            return std::min({token_ends_, outgoing_.too_old_at(limits),
                             since_ + (is_ping_open_ ? limits.dead_after : limits.ping_interval)});
        case State::resolving: return since_ + limits.resolve_time;
        case State::closed: break;
    }
    return Instant::max();
}

void Connection::time_passed(Context& ctx) {
    const Limits& limits = ctx.settings.limits;
    // The answer to a ping, one round trip later, puts off the next one: so that this does not part
    // it from the check, a ping that is nearly due goes now.
    const bool is_ping_due = state_ == State::up && !is_ping_open_ && is_ping_near(ctx);
    if (is_ping_due || ctx.now >= deadline(limits)) {
        do_what_is_due(ctx);
    }
    if (state_ == State::up) {
        ctx.send(actor::ActorAddress{wire::user_queue_name(user_)},
                 user::Check{{ctx.shard, id()}, cep_});
    }
}

void Connection::do_what_is_due(Context& ctx) {
    const Limits& limits = ctx.settings.limits;
    switch (state_) {
        case State::awaiting_request: end(SharedText{}, ctx); break;
        case State::awaiting_hello: close(ErrorCode::hello_timeout, {}, ctx); break;
        case State::attaching:
        case State::fencing:
            if (ctx.now < since_ + limits.attach_time) {
                ask(ctx);
            } else {
                close(ErrorCode::overload, "the sign-in took too long", ctx);
            }
            break;
        case State::resolving:
            close(ErrorCode::drain, "resolve-only connections are short", ctx);
            break;
        case State::up:
            if (ctx.now >= token_ends_) {
                close(ErrorCode::token_expired, {}, ctx);
            } else if (outgoing_.is_too_old(ctx)) {
                ctx.missed.push_back(
                    Missed{.connection = id(), .queue = {}, .mount = {}, .has_closed = true});
                close_slow(outgoing_.oldest(limits), ctx);
            } else {
                look_after_silence(ctx);
            }
            break;
        case State::closed: break;
    }
}

bool Connection::is_ping_near(const Context& ctx) const noexcept {
    const Limits& limits = ctx.settings.limits;
    return ctx.now - since_ >= limits.ping_interval - timer_slack(limits);
}

void Connection::look_after_silence(Context& ctx) {
    const Limits& limits = ctx.settings.limits;
    const Instant dead_at = since_ + limits.dead_after;
    if (is_ping_open_ && ctx.now < dead_at) {
        return;
    }
    // Much later than that: it is the server that stood still (a suspended machine), and the answer
    // may lie in the socket. So it is asked once more.
    if (is_ping_open_ && ctx.now - dead_at <= std::max(timer_slack(limits), late_min)) {
        close(ErrorCode::silent, {}, ctx);
    } else if (is_ping_near(ctx)) {
        // Who is asked late has no less time for the answer.
        since_ = std::max(since_, ctx.now - limits.ping_interval);
        is_ping_open_ = true;
        owes_ping_ = outgoing_.is_blocked();  // Who does not read need not be asked yet.
        if (!owes_ping_) {
            say(wire::PingFrame{}, ctx);
        }
    }
}

void Connection::receive(std::span<char> bytes, Context& ctx) {
    ctx.counters.bytes_in += bytes.size();
    if (state_ == State::up) {
        since_ = ctx.now;
        is_ping_open_ = false;
    }
    if (state_ == State::awaiting_request) {
        receive_request(bytes, ctx);
    } else {
        receive_frames(bytes, ctx);
    }
}

void Connection::receive_frames(std::span<char> bytes, Context& ctx) {
    std::visit([&](auto& decoder) { receive_from(decoder, bytes, ctx); }, decoder_);
}

void Connection::receive_from(wire::LengthDecoder& decoder, std::span<char> bytes, Context& ctx) {
    using Kind = wire::LengthDecoder::Step::Kind;
    while (state_ != State::closed) {
        const auto step = decoder.next(bytes);
        switch (step.kind) {
            case Kind::need_more: return;
            case Kind::message: take_message(step.message, ctx); break;
            case Kind::too_big:
                close(ErrorCode::frame_too_big, "the message is too big", ctx);
                break;
        }
    }
}

void Connection::receive_from(wire::WebSocketDecoder& decoder, std::span<char> bytes,
                              Context& ctx) {
    while (state_ != State::closed) {
        const auto step = decoder.next(bytes);
        if (!step) {
            close(step.error().code, step.error().why, ctx);
            return;
        }
        using Kind = wire::WebSocketDecoder::Step::Kind;
        switch (step->kind) {
            case Kind::need_more: return;
            case Kind::text:
            case Kind::binary:
                if ((step->kind == Kind::text) != is_json(encoding())) {
                    close(ErrorCode::protocol,
                          is_json(encoding()) ? "muster.v1.json speaks in text frames"
                                              : "muster.v1.proto speaks in binary frames",
                          ctx);
                } else if (step->is_deflated) {
                    take_deflated(step->payload, ctx);
                } else {
                    take_message(step->payload, ctx);
                }
                break;
            case Kind::ping:
                // A client that does not read gets no second pong behind the first.
                if (take_idle_frame(ctx) && outgoing_.waiting_count() == 0) {
                    std::string pong;
                    wire::append_server_frame(pong, wire::WebSocketOpcode::pong, step->payload);
                    put(SharedText(pong), Weight::normal, ctx);
                }
                break;
            case Kind::pong: static_cast<void>(take_idle_frame(ctx)); break;
            case Kind::close: {
                std::string echo;
                wire::append_close(echo, step->close_code, {});
                end(SharedText(echo), ctx);
                break;
            }
        }
    }
}

// Frames that ask for nothing are counted: a flood of them is abuse. Returns false where it is one.
bool Connection::take_idle_frame(Context& ctx) {
    const Limits& limits = ctx.settings.limits;
    if (pings_.take(ctx.now, limits.pings_per_second, limits.pings_burst)) {
        close(ErrorCode::abuse, "too many pings", ctx);
        return false;
    }
    return true;
}

void Connection::socket_closed(Context& ctx) {
    if (state_ != State::closed) {
        part(ctx);
    }
}

void Connection::take(const user::Kick& kick, Context& ctx) {
    if (state_ != State::fencing && state_ != State::up) {
        return;  // While attaching, the answer decides.
    }
    if (kick.disconnected) {
        close(ErrorCode::session_lost, "the server has ended the session", ctx);
    } else if (cep_ < kick.winner) {
        const std::string_view other = kick.same_client_at.view();
        if (!other.empty() && address_hash(other, ctx.settings.secret) != address_hash_) {
            ctx.note(Note::Kind::second_address, id(), user_,
                     fmt::format("its client has come from {}", other));
        }
        close(ErrorCode::superseded, {}, ctx);
    }
}

void Connection::drained(Context& ctx) {
    outgoing_.drained(ctx);
    outgoing_.resume(ctx);
    if (std::exchange(owes_ping_, false) && is_ping_open_) {
        say(wire::PingFrame{}, ctx);
    }
}

bool Connection::wish_postponed(Context& ctx) {
    if (postponed_.empty() || postpones_welcomes() || state_ == State::closed) {
        return false;
    }
    std::ranges::move(postponed_.take(), std::back_inserter(ctx.wishes));
    return true;
}

void Connection::server_stopping(Duration spread, Context& ctx) {
    if (state_ != State::up) {
        server_stopped(ctx);
        return;
    }
    wire::ByeFrame bye;
    bye.code = ErrorCode::drain;
    bye.spread_ms = static_cast<std::uint32_t>(spread / std::chrono::milliseconds{1});
    say(bye, ctx);
}

void Connection::server_stopped(Context& ctx) {
    if (state_ != State::closed) {
        close(ErrorCode::drain, {}, ctx);
    }
}

}  // namespace muster::gateway
