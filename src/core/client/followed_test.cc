#include "core/client/followed.h"

#include <doctest/doctest.h>

namespace muster::client {
namespace {

using Follow = Followed::Follow;
using Place = Followed::Place;

// Of /room/1 everything is known up to (7,3).
Followed at_three(Follow follow) {
    wire::JoinedFrame joined;
    joined.at = {Inc{7}, 3};
    Followed queue;
    REQUIRE(queue.mirror.replace(joined));
    queue.begins_at(joined.at);
    queue.follow = follow;
    return queue;
}

// An application that has `request` under way.
void ask(Followed& queue, Request request) {
    OpLine::Op op;
    op.id = OpId{1};
    op.body = std::move(request);
    REQUIRE(queue.line.add(std::move(op)));
}

TEST_CASE("a live stream moves the cursor event by event, and anything else breaks it") {
    Followed queue = at_three(Follow::live);
    CHECK(queue.take(4, {}) == Place::next);
    CHECK(queue.take(9, 4) == Place::next);
    CHECK(queue.mirror.at() == Cursor{Inc{7}, 9});
    for (const Seq seq : {0U, 8U, 9U, 11U}) {
        CHECK(queue.take(seq, {}) == Place::breach);
    }
    CHECK(queue.take(12, 10) == Place::breach);
    CHECK(queue.mirror.at() == Cursor{Inc{7}, 9});
}

TEST_CASE("while resuming the cursor stays, and what was shown is not shown again") {
    for (const Follow follow : {Follow::resuming, Follow::asked}) {
        Followed queue = at_three(follow);
        CHECK(queue.take(5, 3) == Place::next);
        CHECK(queue.take(5, 3) == Place::unwanted);
        CHECK(queue.take(8, 7) == Place::unwanted);
        CHECK(queue.take(6, 5) == Place::next);
        CHECK(queue.mirror.at().seq == 3);
        queue.streamed = Inc{8};
        CHECK(queue.take(7, 6) == Place::unwanted);
    }
    CHECK(at_three(Follow::none).take(4, {}) == Place::unwanted);
}

TEST_CASE("who has parted is no member, is shown nothing, and wants what is still under way") {
    Followed queue = at_three(Follow::live);
    queue.is_member = queue.has_joined = queue.is_shown = true;
    CHECK(queue.is_wanted());
    ask(queue, Leave{});
    CHECK(queue.is_leaving());
    CHECK(queue.is_ending());
    queue.parted();
    CHECK_FALSE(queue.is_wanted());
    CHECK_FALSE(queue.is_shown);
    CHECK(queue.follow == Follow::none);
    ask(queue, Join{});
    CHECK_FALSE(queue.is_ending());
    CHECK(queue.is_wanted());
}

TEST_CASE("what was granted is asked for again, once, where the server does not say so any more") {
    Followed queue = at_three(Follow::none);
    queue.has_joined = queue.has_listened = true;
    for (int i = 0; i < 2; ++i) {
        queue.stay_listener();
        queue.stay_member();
        REQUIRE(queue.line.held().size() == 2);
    }
    CHECK(std::holds_alternative<Join>(queue.line.held()[0].body));
    CHECK(std::holds_alternative<Listen>(queue.line.held()[1].body));
}

}  // namespace
}  // namespace muster::client
