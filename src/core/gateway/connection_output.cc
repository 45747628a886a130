// How a connection puts frames out, and how it ends.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "core/gateway/connection.h"
#include "core/gateway/settings.h"
#include "core/wire/names.h"

namespace muster::gateway {
namespace {

std::string reason_text(ErrorCode code, std::string_view detail) {
    std::string text(label(code));
    text += ' ';
    text += describe(code).name;
    if (!detail.empty()) {
        text += ": ";
        text += detail;
    }
    return text;
}

// Other reasons are counted elsewhere, or nobody's fault.
void count_close(ErrorCode code, Counters& counters) {
    static constexpr std::array broken{ErrorCode::protocol, ErrorCode::hello_timeout,
                                       ErrorCode::framing,  ErrorCode::bad_utf8,
                                       ErrorCode::abuse,    ErrorCode::frame_too_big};
    if (code == ErrorCode::slow) {
        ++counters.closed_slow;
    } else if (code == ErrorCode::silent) {
        ++counters.closed_silent;
    } else if (code == ErrorCode::superseded) {
        ++counters.closed_superseded;
    } else if (std::find(broken.begin(), broken.end(), code) != broken.end()) {
        ++counters.closed_protocol;
    }
}

}  // namespace

void Connection::put(SharedText frame, Weight weight, Context& ctx) {
    if (state_ != State::closed) {
        check(outgoing_.put(std::move(frame), weight, ctx), {}, {}, ctx);
    }
}

void Connection::put(const Outgoing::Delivery& delivery, Context& ctx) {
    if (state_ != State::closed) {
        const auto* posted = std::get_if<queue::MessagePosted>(&delivery.event->body);
        check(outgoing_.put(delivery, ctx), delivery.queue,
              posted == nullptr ? MountName() : posted->mount, ctx);
    }
}

void Connection::put(const Outgoing::Snapshot& snapshot, Context& ctx) {
    if (state_ != State::closed) {
        check(outgoing_.put(snapshot, ctx), snapshot.queue, {}, ctx);
    }
}

void Connection::put_replay(const QueueName& queue, const queue::EventPtr& event, Seq prev,
                            Context& ctx) {
    if (state_ != State::closed) {
        outgoing_.put_replay(queue, event, prev, ctx);
    }
}

// Closes a connection for which too much waits; what came last is of `queue` and `mount`.
void Connection::check(Outgoing::Outcome outcome, const QueueName& queue, const MountName& mount,
                       Context& ctx) {
    if (outcome == Outgoing::Outcome::too_slow) {
        ctx.missed.push_back(
            Missed{.connection = id(), .queue = queue, .mount = mount, .has_closed = true});
        close_slow({queue, mount, outgoing_.limit_passed(ctx.settings.limits)}, ctx);
    }
}

void Connection::close_slow(const Outgoing::Excess& excess, Context& ctx) {
    ctx.note(Note{.kind = Note::Kind::slow,
                  .connection = id(),
                  .user = user_,
                  .detail = excess.limit,
                  .queue = excess.queue,
                  .mount = excess.mount});
    close(ErrorCode::slow, excess.limit, ctx);
}

void Connection::close(ErrorCode code, std::string_view detail, Context& ctx) {
    count_close(code, ctx.counters);
    if (code == ErrorCode::abuse) {
        ctx.note(Note::Kind::abuse, id(), user_, detail);
    }
    if (state_ == State::awaiting_request) {
        end(SharedText{}, ctx);  // HTTP has no frame that says why.
        return;
    }
    if (encoding() == Encoding::proto_tcp) {
        wire::ByeFrame bye;
        bye.code = code;
        bye.detail = detail;
        end(encode(bye, encoding(), ctx.work.encoded), ctx);
        return;
    }
    std::string frame;
    wire::append_close(frame, wire::close_code_of(code), reason_text(code, detail));
    end(SharedText(frame), ctx);
}

void Connection::end(SharedText last_bytes, Context& ctx) {
    part(ctx);
    ctx.counters.bytes_out += last_bytes.size();
    ctx.outputs.push_back(Output{id(), std::move(last_bytes), true});
}

// Everybody who knows of the connection is told that it is gone.
void Connection::part(Context& ctx) {
    if (state_ == State::up) {
        --ctx.counters.users_online;
    }
    outgoing_.tell_missed(ctx);
    if (cep_.inc.value != 0) {
        ctx.send(actor::ActorAddress{wire::user_queue_name(user_)}, user::Detach{user_, cep_});
    }
    for (const auto& followed : following_) {
        Wish wish;
        wish.kind = Wish::Kind::unfollow;
        wish.connection = id();
        wish.queue = followed.queue;
        ctx.wishes.push_back(std::move(wish));
    }
    --ctx.counters.connections_open;
    become(State::closed);
}

}  // namespace muster::gateway
