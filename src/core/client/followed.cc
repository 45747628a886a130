#include "core/client/followed.h"

#include <utility>

namespace muster::client {

void Followed::begins_at(Cursor at) noexcept {
    follow = Follow::live;
    seen = at.seq;
}

Followed::Place Followed::take(Seq seq, std::optional<Seq> prev) {
    switch (follow) {
        case Follow::none: return Place::unwanted;
        case Follow::asked:
        case Follow::resuming: return take_while_resuming(seq, prev);
        case Follow::live: break;
    }
    const Seq last = mirror.at().seq;
    if (seq == 0 || prev.value_or(seq - 1) != last || seq <= last) {
        if (!line.awaits_stream()) {
            return Place::breach;
        }
        // We have ended that stream and begun another one in one breath; this is the new one.
        follow = Follow::asked;
        return take_while_resuming(seq, prev);
    }
    seen = seq;
    mirror.move_to(seq);
    return Place::next;
}

// The cursor waits for `joined`: only that says that nothing is missing before it. What does not
// follow is of a stream that we have ended, and comes again.
Followed::Place Followed::take_while_resuming(Seq seq, std::optional<Seq> prev) {
    const bool is_other = streamed.value != 0 && streamed != mirror.at().inc;
    if (is_other || seq <= seen || prev.value_or(seq - 1) > seen) {
        return Place::unwanted;
    }
    seen = seq;
    return Place::next;
}

void Followed::parted() noexcept {
    is_member = false;
    has_joined = false;
    unseen_join = 0;
    follow = Follow::none;
    is_shown = false;
}

void Followed::stream_ended() {
    follow = line.awaits_stream() ? Follow::asked : Follow::none;
    stay_listener();
}

void Followed::connection_ended() {
    line.pause();
    line.forget_vain_unlistens();
    follow = Follow::none;
    streamed = Inc{};
    unseen_join = 0;
}

void Followed::stay_member() {
    if (wants_to_join() && !is_member && !line.has_join()) {
        OpLine::Op op;
        op.body = Join{};
        line.held().push_front(std::move(op));  // Before what only members may do.
    }
}

void Followed::stay_listener() {
    if (wants_to_listen() && follow == Follow::none && !line.has_listen()) {
        OpLine::Op op;
        op.body = Listen{};
        line.held().push_front(std::move(op));
    }
}

}  // namespace muster::client
