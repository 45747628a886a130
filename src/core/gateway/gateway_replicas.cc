// What the gateway does when a queue speaks: its replica moves on, and its followers hear of it.
#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/gateway/encode.h"
#include "core/gateway/gateway.h"

namespace muster::gateway {

void Gateway::publish(const queue::Published& published, Context& ctx) {
    Replica* replica = find(published.queue);
    if (replica == nullptr) {
        return;
    }
    switch (replica->apply(published, ctx)) {
        case Replica::Applied::old: return;
        case Replica::Applied::gap: replica->subscribe(ctx); return;
        case Replica::Applied::applied: break;
    }
    ++counters_.events_in;
    if (replica->listeners().empty()) {
        return;
    }
    PerEncoding<SharedText> frames;  // Made when the first listener needs it.
    const queue::SlowPolicy slow = replica->slow_policy(*published.event);
    for (const ConnectionId id : replica->listeners()) {
        const Held& listener = *held(id);
        Connection& connection = *listener.connection;
        SharedText& frame = frames[connection.encoding()];
        if (frame.empty()) {
            ++counters_.encodes;
            frame = encode_event(published.queue, *published.event, {}, connection.encoding(),
                                 ctx.work.encoded);
        }
        connection.put(Outgoing::Delivery{published.queue, published.event, frame, slow}, ctx);
        if (connection.state() == Connection::State::closed || connection.has_postponed() ||
            (connection.wants_turn() && !listener.is_kept_back)) {
            in_need_.push_back(id);
        }
    }
    for (const ConnectionId id : in_need_) {
        finish(id, ctx);
    }
    in_need_.clear();
}

void Gateway::synchronise(const queue::Subscribed& subscribed, Context& ctx) {
    Replica* replica = find(subscribed.queue);
    const Cursor before = replica == nullptr ? Cursor{} : replica->at();
    if (replica == nullptr || !replica->synchronise(subscribed)) {
        return;
    }
    if (replica->at() != before) {
        serve_again(*replica, before, ctx);
    }
    // Who joined an earlier history comes last: that must not end what the same connection is given
    // of this one, nor make it a member.
    const std::vector<Follower> waiting = replica->take_waiting();
    const Inc inc = replica->at().inc;
    const auto is_past = [inc](const Follower& follower) {
        return follower.joined.value != 0 && follower.joined < inc;
    };
    for (const auto& follower : waiting) {
        Connection* connection = is_past(follower) ? find(follower.connection) : nullptr;
        Following* followed =
            connection == nullptr ? nullptr : connection->served(replica->name().text());
        if (followed != nullptr) {
            followed->is_member = followed->is_sure || replica->has_member(connection->user());
        }
    }
    for (const bool past : {false, true}) {
        for (const auto& follower : waiting) {
            if (is_past(follower) == past) {
                serve(*replica, follower, ctx);
                finish(follower.connection, ctx);
            }
        }
    }
}

// After a gap, who was served before goes on from where the replica was.
void Gateway::serve_again(Replica& replica, Cursor before, Context& ctx) {
    // Encoded once: for members, and for the others.
    std::array<PerEncoding<std::optional<Welcome>>, 2> shared;
    for (const ConnectionId id : std::vector(replica.listeners())) {
        Connection& connection = *find(id);
        stop_serving(replica, connection);
        Following& followed = *connection.served(replica.name().text());
        if (before.inc != replica.at().inc) {
            // The membership of before has ended.
            followed.is_member = replica.has_member(connection.user());
            followed.is_sure = false;
        }
        const bool is_member = followed.is_member;
        const Follower follower{.connection = id,
                                .request = {},
                                .cursor = before,
                                .is_member = is_member,
                                .is_live = true};
        if (!replica.may_listen(is_member) || connection.postpones_welcomes()) {
            serve(replica, follower, ctx);
        } else {
            auto& welcome = shared[is_member ? 1 : 0][connection.encoding()];
            if (!welcome) {
                welcome = replica.welcome(follower, connection.encoding(), ctx);
            }
            hand_welcome(replica, follower, *welcome, ctx);
        }
        finish(id, ctx);
    }
}

void Gateway::refuse_waiting(const queue::SubscribeRefused& refused, Context& ctx) {
    Replica* replica = find(refused.queue);
    if (replica != nullptr && replica->sub() == refused.sub) {
        end(*replica, Cursor{}, "gone", refused.code, ctx);
    }
}

void Gateway::end(const queue::Ended& ended, Context& ctx) {
    Replica* replica = find(ended.queue);
    if (replica != nullptr && replica->sub() == ended.sub) {
        end(*replica, replica->at(), "deleted", ErrorCode::no_queue, ctx);
    }
}

void Gateway::end(Replica& replica, Cursor at, std::string_view why, ErrorCode code, Context& ctx) {
    const QueueName queue = replica.name();
    for (const ConnectionId id : replica.take_listeners()) {
        ++counters_.resets;
        find(id)->followed_ended(queue, at, why, ctx);
        finish(id, ctx);
    }
    std::vector<Wish> again;  // Granted by the next replica: not by this one, which is at its end.
    for (const auto& follower : replica.take_waiting()) {
        if (follower.joined.value != 0 && !follower.was_ahead) {
            // The join may be of a later history: its answer took another way. Asked again, from
            // now on, the queue cannot be behind it.
            Wish wish;
            wish.connection = follower.connection;
            wish.queue = queue;
            wish.request = follower.request;
            wish.cursor = follower.cursor;
            wish.joined = follower.joined;
            wish.was_ahead = true;
            again.push_back(std::move(wish));
        } else if (Connection* connection = find(follower.connection)) {
            // A join has taken effect: it cannot be rejected any more, but what it joined is gone.
            const bool has_joined = follower.joined.value != 0 && code == ErrorCode::no_queue;
            connection->follow_refused(queue, follower.request, has_joined ? ErrorCode::gone : code,
                                       false, ctx);
            finish(follower.connection, ctx);
        }
    }
    replicas_.erase(queue);
    --counters_.replicas;
    std::ranges::move(again, std::back_inserter(ctx.wishes));
}

}  // namespace muster::gateway
