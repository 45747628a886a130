// What a connection knows of the queues that it follows, and what it tells of them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/gateway/connection.h"
#include "core/gateway/replica.h"
#include "core/gateway/settings.h"

namespace muster::gateway {

Following* Connection::served(std::string_view queue) noexcept {
    const auto found = std::find_if(following_.begin(), following_.end(),
                                    [&](const Following& f) { return f.queue == queue; });
    return found == following_.end() ? nullptr : &*found;
}

Following* Connection::following(std::string_view queue) noexcept {
    Following* followed = served(queue);
    return followed != nullptr && followed->is_wanted ? followed : nullptr;
}

std::size_t Connection::wanted_count() const noexcept {
    return static_cast<std::size_t>(std::count_if(following_.begin(), following_.end(),
                                                  [](const Following& f) { return f.is_wanted; }));
}

bool Connection::has_room(const QueueName& queue, const Context& ctx) {
    std::vector<const QueueName*> joining;  // Each once, and what is not followed yet.
    for (const Joining& one : joining_) {
        const auto is_same = [&](const QueueName* other) { return *other == one.queue; };
        if (one.queue == queue) {
            return true;  // It has its place already.
        }
        if (following(one.queue.text()) == nullptr && std::ranges::none_of(joining, is_same)) {
            joining.push_back(&one.queue);
        }
    }
    return wanted_count() + joining.size() < ctx.settings.limits.queues_max;
}

void Connection::follow(const QueueName& queue, std::optional<std::uint64_t> request,
                        std::optional<Cursor> cursor, bool is_member, Context& ctx, Inc joined) {
    if (Following* followed = served(queue.text())) {
        followed->is_wanted = true;
        followed->is_member = followed->is_member || is_member;
    } else {
        Following entry;
        entry.queue = queue;
        entry.is_member = is_member;
        following_.push_back(std::move(entry));
    }
    Wish wish;
    wish.connection = id();
    wish.queue = queue;
    wish.request = request;
    wish.cursor = cursor;
    wish.joined = joined;
    ctx.wishes.push_back(std::move(wish));
}

// The client's will counts at once, also for what it says in the same breath; the gateway learns of
// it at the step's end. The stream ends here: the client's cursor stays where the last frame that
// left has moved it.
void Connection::unfollow(const QueueName& queue, Context& ctx) {
    Following* followed = following(queue.text());
    if (followed == nullptr) {
        return;
    }
    followed->is_wanted = false;
    followed->is_member = false;
    answer_overtaken(queue, ctx);
    Wish wish;
    wish.kind = Wish::Kind::unfollow;
    wish.connection = id();
    wish.queue = queue;
    ctx.wishes.push_back(std::move(wish));
}

// Whoever asked for what is dropped with the stream (a welcome that waits, or is only wished for)
// gets its answer all the same.
void Connection::answer_overtaken(const QueueName& queue, Context& ctx) {
    std::vector<std::uint64_t> requests = outgoing_.forget(queue, ctx);
    const auto is_overtaken = [&](const Wish& wish) {
        const bool is_it =
            wish.connection == id() && wish.queue == queue && wish.kind == Wish::Kind::follow;
        if (is_it && wish.request) {
            requests.push_back(*wish.request);
        }
        return is_it;
    };
    postponed_.erase_if(is_overtaken);
    std::erase_if(ctx.wishes, is_overtaken);
    for (const std::uint64_t request : requests) {
        say_ok(request, ctx);
    }
}

void Connection::unfollowed(const QueueName& queue) {
    std::erase_if(following_, [&](const Following& f) { return f.queue == queue && !f.is_wanted; });
}

// A stream that a gap has broken goes on before any other welcome of its queue, which would lead
// past what was missed without a word.
void Connection::postpone(Wish wish, Context& ctx) {
    const QueueName queue = wish.queue;
    const bool is_live = wish.is_live;
    const auto is_same = [&](const Wish& w) { return w.queue == queue; };
    std::optional<std::uint64_t> overtaken;
    if (std::count_if(postponed_.begin(), postponed_.end(), is_same) ==
        static_cast<std::ptrdiff_t>(Replica::welcomes_awaited_max)) {
        const auto oldest = std::find_if(postponed_.begin(), postponed_.end(),
                                         [&](const Wish& w) { return is_same(w) && !w.is_live; });
        overtaken = oldest->request;
        postponed_.erase(oldest);
    }
    postponed_.push(std::move(wish));
    if (is_live) {
        std::rotate(std::find_if(postponed_.begin(), postponed_.end(), is_same),
                    std::prev(postponed_.end()), postponed_.end());
    }
    if (overtaken) {
        say_ok(overtaken, ctx);
    }
}

Following* Connection::still_following(const QueueName& queue) {
    if (served(queue.text()) == nullptr) {
        Following entry;
        entry.queue = queue;
        following_.push_back(std::move(entry));
    }
    return following(queue.text());
}

void Connection::follow_refused(const QueueName& queue, std::optional<std::uint64_t> request,
                                ErrorCode code, bool was_live, Context& ctx) {
    const Following* followed = following(queue.text());
    const bool was_following = followed != nullptr;
    std::erase_if(following_, [&](const Following& f) { return f.queue == queue; });
    if (request) {
        say_error(request, code, {}, ctx);
    }
    if (was_live || (was_following && !request)) {
        say_gone(queue, ctx);
    }
}

void Connection::followed_ended(const QueueName& queue, Cursor at, std::string_view why,
                                Context& ctx) {
    std::erase_if(following_, [&](const Following& f) { return f.queue == queue; });
    answer_overtaken(queue, ctx);
    wire::ResetFrame reset;
    reset.queue = queue.text();
    reset.at = at;
    reset.why = why;
    say(reset, ctx);
}

}  // namespace muster::gateway
