// Who a connection's client is: from its hello to the welcome, and whether it still counts.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/rules.h"
#include "core/gateway/admission.h"
#include "core/gateway/cid_text.h"
#include "core/gateway/connection.h"
#include "core/gateway/settings.h"
#include "core/wire/names.h"

namespace muster::gateway {
namespace {

constexpr std::uint32_t version_spoken = 1;

// Until when a token is good for the connection. Its `exp` is of the wall clock; looked at once.
Instant end_of_token(WallTime expires, const Context& ctx) {
    return ctx.now + std::chrono::milliseconds{expires.ms - ctx.wall.ms} +
           ctx.settings.limits.token_grace;
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

}  // namespace

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

}  // namespace muster::gateway
