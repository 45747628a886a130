#include "core/gateway/replica.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/rules.h"
#include "core/gateway/encode.h"
#include "core/gateway/settings.h"

namespace muster::gateway {
namespace {

std::string_view reset_reason(const Cursor& seen, const Cursor& at) {
    return seen.inc < at.inc ? "gone" : "unknown";
}

}  // namespace

void Replica::subscribe(Context& ctx) {
    sub_ = SubId{ctx.rng.next()};
    state_ = State::syncing;
    ctx.send(actor::ActorAddress{name_}, queue::Subscribe{sub_, ctx.shard, at()});
}

void Replica::unsubscribe(Context& ctx) {
    ctx.send(actor::ActorAddress{name_}, queue::Unsubscribe{sub_, ctx.shard});
    state_ = State::cold;
    content_.reset();
    sub_ = SubId{};
}

bool Replica::synchronise(const queue::Subscribed& subscribed) {
    if (state_ != State::syncing || subscribed.sub != sub_ || subscribed.content->at < at()) {
        return false;
    }
    content_ = *subscribed.content;
    content_sub_ = sub_;
    state_ = State::live;
    return true;
}

Replica::Applied Replica::apply(const queue::Published& published, Context& ctx) {
    if (!content_ || published.sub != content_sub_ || published.inc != content_->at.inc ||
        published.event->seq <= content_->at.seq) {
        return Applied::old;
    }
    if (!rules_in_force.gaps_are_seen) {
        content_->at.seq = published.event->seq - 1;
    }
    if (published.event->seq != content_->at.seq + 1) {
        return state_ == State::live ? Applied::gap : Applied::old;  // It is being mended.
    }
    content_->apply(published.event, ctx.now, ctx.settings.queue_limits);
    return Applied::applied;
}

std::uint32_t Replica::add_listener(ConnectionId connection) {
    listeners_.push_back(connection);
    return static_cast<std::uint32_t>(listeners_.size() - 1);
}

std::optional<ConnectionId> Replica::remove_listener(std::uint32_t index) {
    const ConnectionId last = listeners_.back();
    listeners_[index] = last;
    listeners_.pop_back();
    return index < listeners_.size() ? std::optional(last) : std::nullopt;
}

std::optional<Follower> Replica::await_snapshot(const Follower& follower) {
    const auto is_same = [&](const Follower& f) { return f.connection == follower.connection; };
    std::optional<Follower> oldest;
    if (std::count_if(waiting_.begin(), waiting_.end(), is_same) ==
        static_cast<std::ptrdiff_t>(welcomes_awaited_max)) {
        const auto found = std::find_if(waiting_.begin(), waiting_.end(), is_same);
        oldest = *found;
        waiting_.erase(found);
    }
    waiting_.push_back(follower);
    return oldest;
}

std::vector<Follower> Replica::stop_waiting(ConnectionId connection) {
    std::vector<Follower> stopped;
    std::erase_if(waiting_, [&](const Follower& follower) {
        const bool is_same = follower.connection == connection;
        if (is_same) {
            stopped.push_back(follower);
        }
        return is_same;
    });
    return stopped;
}

bool Replica::has_member(const UserId& user) const {
    MUSTER_CHECK(content_.has_value());
    return content_->members.contains(user);
}

bool Replica::may_listen(bool is_member) const noexcept {
    MUSTER_CHECK(content_.has_value());
    return is_member || content_->rules->listen == queue::WhoListens::anyone;
}

queue::SlowPolicy Replica::slow_policy(const queue::Event& event) const noexcept {
    const auto* posted = std::get_if<queue::MessagePosted>(&event.body);
    if (posted == nullptr) {
        return queue::SlowPolicy::close;
    }
    const auto mount = content_->mounts.find(posted->mount);
    return mount == content_->mounts.end() ? queue::SlowPolicy::close : mount->second.rules.slow;
}

Welcome Replica::welcome(const Follower& follower, Encoding encoding, Context& ctx) {
    MUSTER_CHECK(content_.has_value());
    content_->forget_old(ctx.now);
    Welcome welcome;
    std::vector<std::string> infos;
    wire::JoinedFrame joined;
    joined.request = follower.request;
    joined.queue = name_.text();
    joined.member = follower.is_member;
    joined.at = content_->at;
    joined.mounts = mount_frames(*content_);
    joined.member_count = content_->members.size();
    joined.who = member_frames(*content_, ctx.settings.limits.listed_members_max, infos);

    const bool has_seen = follower.cursor.has_value() && follower.cursor->inc.value != 0;
    const bool is_same = follower.cursor && (follower.cursor->inc == content_->at.inc ||
                                             !rules_in_force.cursors_name_inc);
    const bool continues = has_seen && is_same && follower.cursor->seq <= content_->at.seq;
    for (auto& mount_frame : joined.mounts) {
        const queue::Mount& mount = content_->mounts.find(mount_frame.name)->second;
        wire::Resume resume;
        if (!has_seen) {
            resume.kind = wire::Resume::Kind::fresh;
        } else if (!continues || mount_frame.is_state) {
            resume.kind = wire::Resume::Kind::snapshot;
        } else {
            const Seq seen = follower.cursor->seq;
            for (const auto& remembered : mount.history) {
                if (remembered.event->seq > seen) {
                    welcome.replays.push_back({remembered.event, 0});
                    ++resume.count;
                }
            }
            resume.kind = wire::Resume::Kind::replayed;
            if (mount.forgotten_through > seen && mount.forgotten_through > mount.added_at) {
                resume = {wire::Resume::Kind::gap, 0, seen + 1, mount.forgotten_through};
                const wire::GapFrame gap{name_.text(), mount_frame.name, resume.from, resume.to};
                welcome.gaps.push_back(encode(gap, encoding, ctx.work.encoded));
            }
        }
        mount_frame.resume = resume;
    }
    if (welcome.replays.empty() && !follower.is_live) {
        welcome.gaps.clear();  // Nothing leads past them but `joined`, which names them itself.
    }
    std::sort(welcome.replays.begin(), welcome.replays.end(),
              [](const auto& a, const auto& b) { return a.event->seq < b.event->seq; });
    Seq prev = continues ? follower.cursor->seq : 0;
    for (auto& replay : welcome.replays) {
        replay.prev = std::exchange(prev, replay.event->seq);
    }
    if (has_seen && !continues) {
        wire::ResetFrame reset;
        reset.queue = name_.text();
        reset.at = content_->at;
        reset.why = reset_reason(*follower.cursor, content_->at);
        reset.mounts = joined.mounts;
        for (auto& mount_frame : reset.mounts) {
            mount_frame.resume.reset();
        }
        reset.member_count = joined.member_count;
        reset.who = joined.who;
        welcome.reset = encode(reset, encoding, ctx.work.encoded);
    }
    welcome.joined = encode(joined, encoding, ctx.work.encoded);
    return welcome;
}

SharedText Replica::history(const Wish& wish, Encoding encoding, Context& ctx) {
    MUSTER_CHECK(content_.has_value());
    content_->forget_old(ctx.now);
    const auto mount = content_->mounts.find(wish.mount);
    if (mount == content_->mounts.end() || mount->second.rules.kind != queue::MountKind::message) {
        wire::ErrFrame err;
        err.request = wish.request;
        err.code = mount == content_->mounts.end() ? ErrorCode::no_mount : ErrorCode::wrong_kind;
        return encode(err, encoding, ctx.work.encoded);
    }
    wire::HistoryFrame frame;
    frame.request = wish.request;
    frame.queue = name_.text();
    frame.mount = mount->first.text();
    const auto& history = mount->second.history;
    std::size_t bytes = 0;
    for (std::size_t i = history.size(); i-- > 0;) {
        const queue::Event& event = *history[i].event;
        if (wish.before && event.seq >= *wish.before) {
            continue;
        }
        const auto& posted = std::get<queue::MessagePosted>(event.body);
        bytes += posted.data.size() + 64;
        if (bytes > ctx.settings.limits.history_answer_bytes_max && !frame.items.empty()) {
            frame.more = true;
            break;
        }
        wire::MsgFrame item;
        item.seq = event.seq;
        item.from = event.from.text();
        item.time_ms = event.time.ms;
        item.data = {posted.data.bytes(), posted.data.format()};
        frame.items.push_back(item);
    }
    std::reverse(frame.items.begin(), frame.items.end());
    return encode(frame, encoding, ctx.work.encoded);
}

}  // namespace muster::gateway
