#include "core/gateway/connection.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/rules.h"
#include "base/sip_hash.h"
#include "core/gateway/admission.h"
#include "core/gateway/cid_text.h"
#include "core/gateway/settings.h"
#include "core/wire/names.h"

namespace muster::gateway {
namespace {

constexpr std::uint32_t version_spoken = 1;

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

// Until when a token is good for the connection. Its `exp` is of the wall clock; looked at once.
Instant end_of_token(WallTime expires, const Context& ctx) {
    return ctx.now + std::chrono::milliseconds{expires.ms - ctx.wall.ms} +
           ctx.settings.limits.token_grace;
}

// A server holds very many connections, and of their addresses it only wants to know whether
// another one is the same. Nobody without the secret can find one that passes for it.
std::uint32_t address_hash(std::string_view address, const ClusterSecret& secret) {
    HashKey key;
    static_assert(sizeof key <= sizeof secret.bytes);
    std::memcpy(&key, secret.bytes.data(), sizeof key);
    return static_cast<std::uint32_t>(sip_hash_13(key, address));
}

// Names both sides' versions, and what to update.
std::string version_problem(const std::vector<std::uint32_t>& offered) {
    if (offered.empty()) {
        return "v must list the versions that the client speaks; this server speaks 1";
    }
    const std::uint32_t newest = *std::max_element(offered.begin(), offered.end());
    return fmt::format("this server speaks version {}, the client {}: update the {}",
                       version_spoken, newest, newest > version_spoken ? "server" : "client");
}

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
    if (is_ping_open_ && ctx.now - dead_at <= timer_slack(limits)) {
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

// ---- Sign-in ---------------------------------------------------------------------------------

Connection::SigningIn& Connection::signing_in() {
    if (signing_in_ == nullptr) {
        signing_in_ = std::make_unique<SigningIn>();
    }
    return *signing_in_;
}

void Connection::take_hello(const wire::ClientFrame& frame, Context& ctx) {
    if (std::find(frame.versions.begin(), frame.versions.end(), version_spoken) ==
        frame.versions.end()) {
        close(ErrorCode::protocol, version_problem(frame.versions), ctx);
        return;
    }
    if (!admit(frame.resume.empty() ? Admission::Kind::login : Admission::Kind::resume, ctx)) {
        return;
    }
    auto user = identify(frame, ctx);
    if (!user) {
        ++ctx.counters.logins_refused;
        ctx.note(Note::Kind::login_refused, id(), user_, user.error().detail);
        close(user.error().code, user.error().detail, ctx);
        return;
    }
    user_ = *std::move(user);
    ctx.outputs.push_back(Output{.connection = id(), .bytes = {}, .is_known = true});
    for (const auto& step : {identify_client(frame, ctx), keep_since(frame)}) {
        if (!step) {
            if (step.error().code == ErrorCode::resume_refused) {
                ctx.note(Note::Kind::login_refused, id(), user_, step.error().detail);
            }
            close(step.error().code, step.error().detail, ctx);
            return;
        }
    }
    since_ = ctx.now;
    if (frame.resolve) {
        become(State::resolving);
        say(wire::HelloFrame{version_spoken, user_.text(), session_, {}, to_text(cid_), 0}, ctx);
        return;
    }
    attach(ctx);
}

// Before any work for its token. Returns false for a client that is to come back later.
bool Connection::admit(Admission::Kind kind, Context& ctx) {
    const auto wait = ctx.admission.admit(kind, ctx.now, ctx.settings.limits, ctx.rng);
    if (!wait) {
        return true;
    }
    ++(kind == Admission::Kind::login ? ctx.counters.logins_put_off : ctx.counters.resumes_put_off);
    put_off(*wait, ctx);
    return false;
}

// Closes the connection of a client that is to come back in `wait`.
void Connection::put_off(Duration wait, Context& ctx) {
    static constexpr std::string_view why = "too many sign in at once";
    ctx.note(Note::Kind::put_off, id(), user_, why);
    const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    if (encoding() == Encoding::proto_tcp) {
        wire::ByeFrame bye;
        bye.code = ErrorCode::overload;
        bye.detail = why;
        bye.retry_ms = static_cast<std::uint32_t>(wait_ms);
        end(encode(bye, encoding(), ctx.work.encoded), ctx);
        return;
    }
    close(ErrorCode::overload, fmt::format("{}; retry_ms={}", why, wait_ms), ctx);
}

Result<UserId> Connection::identify(const wire::ClientFrame& frame, Context& ctx) {
    const std::string_view token =
        !frame.token.empty() ? frame.token : std::string_view(signing_in().query_token);
    if (token.empty()) {
        if (!ctx.settings.is_dev || frame.user.empty()) {
            return failure(ErrorCode::bad_token, "the hello has no token");
        }
        if (const auto valid = wire::check_user_id(frame.user); !valid) {
            return failure(ErrorCode::bad_token, valid.error().detail);
        }
        return UserId(frame.user);
    }
    auto claims = ctx.settings.token_keys.verify(token, ctx.wall);
    if (!claims) {
        return tl::unexpected(claims.error());
    }
    token_ends_ = end_of_token(claims->expires, ctx);
    return std::move(claims->user);
}

// Who the client program is: the one that a resume token names, or a new one.
Result<void> Connection::identify_client(const wire::ClientFrame& frame, Context& ctx) {
    signing_in().attempt_number = frame.attempt_number;
    if (frame.resume.empty()) {
        const std::string drawn = std::to_string(ctx.rng.next()) + std::to_string(ctx.rng.next());
        cid_ = derive_cid(ctx.settings.secret, user_, frame.nonce.empty() ? drawn : frame.nonce);
        return {};
    }
    const auto cid = parse_cid(frame.cid);
    if (!cid) {
        return failure(ErrorCode::resume_refused, "resume goes with the cid of the same hello");
    }
    const auto resumed = ResumeTokens(ctx.settings.secret, ctx.settings.limits.resume_age_max)
                             .check(frame.resume, {user_, *cid}, ctx.wall);
    if (!resumed) {
        return tl::unexpected(resumed.error());
    }
    cid_ = *cid;
    return {};
}

Result<void> Connection::keep_since(const wire::ClientFrame& frame) {
    for (const auto& since : frame.since) {
        if (const auto valid = wire::check_queue_name(since.queue); !valid) {
            return failure(ErrorCode::protocol, "since names a queue that cannot be");
        }
        signing_in().since.emplace_back(QueueName(since.queue), since.cursor);
    }
    return {};
}

void Connection::attach(Context& ctx) {
    become(State::attaching);
    ask(ctx);
}

// Asks for what is not answered yet, also again: the same connection gets the same answer.
void Connection::ask(Context& ctx) {
    signing_in().asked_at = ctx.now;
    if (state_ == State::attaching) {
        ctx.send(
            actor::ActorAddress{wire::user_queue_name(user_)},
            user::Attach{
                {ctx.shard, id()}, user_, cid_, signing_in().attempt_number, signing_in().address});
    }
    for (const auto& joined : signing_in().fences_open) {
        send_fence(joined, ctx);
    }
}

void Connection::take(const user::Attached& attached, Context& ctx) {
    if (state_ != State::attaching) {
        return;
    }
    cep_ = attached.cep;
    session_ = attached.session;
    signing_in().joined = attached.joined;
    signing_in().fences_open = attached.joined;
    become(State::fencing);
    ask(ctx);
    if (attached.joined.empty() || !rules_in_force.fence_first) {
        welcome(ctx);
    }
}

void Connection::fence(const user::Joined& joined, Context& ctx) {
    auto& open = signing_in().fences_open;
    std::erase_if(open, [&](const user::Joined& fence) { return fence.queue == joined.queue; });
    open.push_back(joined);
    send_fence(joined, ctx);
}

void Connection::send_fence(const user::Joined& joined, Context& ctx) const {
    ctx.send(actor::ActorAddress{joined.queue},
             queue::Fence{user_, cep_, joined.inc, {ctx.shard, id()}});
}

void Connection::take(const user::Stale& stale, Context& ctx) {
    if (state_ == State::attaching || state_ == State::fencing || state_ == State::up) {
        close(ErrorCode::superseded,
              stale.is_busy ? "busy: another connection of the user is there, and stays" : "", ctx);
    }
}

void Connection::take(const queue::FenceReply& reply, Context& ctx) {
    if (state_ != State::fencing) {
        return;
    }
    if (reply.kind == queue::FenceReply::Kind::overtaken) {
        close(ErrorCode::superseded, {}, ctx);
        return;
    }
    const auto answered = std::erase_if(signing_in().fences_open, [&](const user::Joined& fence) {
        return fence.queue == reply.queue && fence.inc == reply.inc;
    });
    if (answered == 0) {
        return;  // It was asked twice, and has answered twice; or of a history that is past.
    }
    if (reply.kind == queue::FenceReply::Kind::gone) {
        // Its membership went with it; a new history of that name is nothing that was joined.
        std::erase_if(signing_in().joined,
                      [&](const user::Joined& joined) { return joined.queue == reply.queue; });
        signing_in().gone.push_back(reply.queue);
    }
    if (signing_in().fences_open.empty()) {
        welcome(ctx);
    }
}

void Connection::welcome(Context& ctx) {
    const std::unique_ptr<SigningIn> kept = std::move(signing_in_);
    MUSTER_CHECK(kept != nullptr);
    become(State::up);
    since_ = ctx.now;
    is_ping_open_ = false;
    ++ctx.counters.users_online;
    say_hello(ctx);
    const auto cursor_of = [&](const QueueName& queue) -> std::optional<Cursor> {
        for (const auto& [seen, cursor] : kept->since) {
            if (seen == queue) {
                return cursor;
            }
        }
        return std::nullopt;
    };
    for (const auto& joined : kept->joined) {
        follow(joined.queue, std::nullopt, cursor_of(joined.queue), true, ctx, joined.inc);
    }
    for (const auto& queue : kept->gone) {
        if (!cursor_of(queue)) {
            say_gone(queue, ctx);  // The others are listened to, and see what there is.
        }
    }
    for (const auto& [queue, cursor] : kept->since) {
        if (following(queue.text()) != nullptr) {
            continue;
        }
        if (wanted_count() < ctx.settings.limits.queues_max) {
            follow(queue, std::nullopt, cursor, false, ctx);
        } else {
            say(wire::LeftFrame{queue.text(), "limit"}, ctx);
        }
    }
    for (const auto& told : kept->told) {
        tell(told, ctx);
    }
    for (const auto& text : kept->early_frames) {
        if (state_ == State::up) {
            take_message(text, ctx);
        }
    }
}

void Connection::take_auth(const wire::ClientFrame& frame, Context& ctx) {
    if (state_ == State::resolving) {
        close(ErrorCode::protocol, "a resolve-only connection takes withdrawals", ctx);
        return;
    }
    const auto claims = ctx.settings.token_keys.verify(frame.token, ctx.wall);
    if (!claims || claims->user != user_) {
        close(claims ? ErrorCode::bad_token : claims.error().code,
              claims ? "the token is another user's" : claims.error().detail, ctx);
        return;
    }
    token_ends_ = end_of_token(claims->expires, ctx);
    say_hello(ctx);
}

void Connection::say_hello(Context& ctx) {
    const std::string resume =
        ResumeTokens(ctx.settings.secret).issue(ResumeToken{user_, cid_, session_, ctx.wall});
    const std::string cid = to_text(cid_);
    wire::HelloFrame hello;
    hello.user = user_.text();
    hello.session = session_;
    hello.resume = resume;
    hello.cid = cid;
    hello.ping_s =
        static_cast<std::uint32_t>(ctx.settings.limits.ping_interval / std::chrono::seconds{1});
    say(hello, ctx);
}

void Connection::take(const user::Checked& checked, Context& ctx) {
    using Standing = user::Checked::Standing;
    if (state_ != State::up || !rules_in_force.check_decides) {
        return;
    }
    if (checked.standing == Standing::no_session) {
        close(ErrorCode::session_lost, {}, ctx);
    } else if (checked.standing == Standing::other && cep_ < checked.cep) {
        close(ErrorCode::superseded, {}, ctx);
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

}  // namespace muster::gateway
