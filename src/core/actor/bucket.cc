#include "core/actor/bucket.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include "base/check.h"
#include "core/actor/saved_time.h"
#include "muster/log.pb.h"

namespace muster::actor {
namespace {

// Chance is a function of the bucket's seed and the input's place, so a replay draws the same.
Rng chance_at(std::uint64_t seed, Lsn lsn) { return Rng(Rng(seed ^ Rng(lsn).next()).next()); }

// An inc is (epoch of the lineage, counter); see GUARANTEES.md section 2.
constexpr unsigned counter_bits = 32;

tl::unexpected<Error> damaged(std::string what) {
    return failure(ErrorCode::bad_request, std::move(what));
}

}  // namespace

Bucket::Bucket(const BucketSettings& settings, const ActorFactory& factory)
    : settings_(settings),
      factory_(&factory),
      actors_(0, KeyedHash{settings.table_key}),
      latest_inc_{static_cast<std::uint64_t>(settings.epoch.value) << counter_bits} {}

void Bucket::deliver(const QueueName& name, Message message, Instant now, WallTime wall,
                     Outbox& outbox) {
    step(name, Event{std::move(message)}, now, wall, outbox);
}

void Bucket::wake_due(Instant now, WallTime wall, Outbox& outbox) {
    // It ends: what a step plans is later than `now`.
    while (!wakes_.empty() && wakes_.begin()->at <= now) {
        const QueueName name = wakes_.begin()->actor;
        step(name, Wake{}, now, wall, outbox);
    }
}

void Bucket::look_after(Instant now, WallTime wall, Outbox& outbox) {
    std::vector<QueueName> overdue;
    wants_looks_ = false;
    for (const auto& [name, slot] : actors_) {
        const auto at = slot.actor->overdue_at();
        wants_looks_ = wants_looks_ || at.has_value();
        if (at && *at <= now) {
            overdue.push_back(name);
        }
    }
    std::sort(overdue.begin(), overdue.end());
    for (const auto& name : overdue) {
        step(name, Wake{}, now, wall, outbox);
    }
}

std::optional<Instant> Bucket::next_wake() const noexcept {
    if (wakes_.empty()) {
        return std::nullopt;
    }
    return wakes_.begin()->at;
}

void Bucket::step(const QueueName& name, const Event& event, Instant now, WallTime wall,
                  Outbox& outbox) {
    ++lsn_;
    if (log_readers_ > 0) {
        keep(name, event, now, wall);
    }
    auto found = actors_.find(name);
    if (found == actors_.end()) {
        found = actors_.emplace(name, Slot{factory_->make(name)}).first;
    }
    if (std::holds_alternative<Wake>(event)) {
        plan_wake(*found, never);
    }
    Context ctx(found->first, now, wall, chance_at(settings_.seed, lsn_), latest_inc_, outbox);
    Actor& actor = *found->second.actor;
    actor.step(event, ctx);
    latest_inc_ = ctx.latest_inc();
    wants_looks_ = wants_looks_ || actor.overdue_at().has_value();
    if (actor.is_absent()) {
        plan_wake(*found, never);
        actors_.erase(found);
    } else if (const auto at = ctx.requested_wake(); at && *at < found->second.wake_at) {
        // Always later than this step, so that nobody can keep its shard busy at one moment.
        plan_wake(*found, std::max(*at, now + Duration{1}));
    }
}

bool LookTimes::pass_to(Instant now) noexcept {
    const std::int64_t tick = now.time_since_epoch() / step;
    const std::int64_t before = seen_.value_or(tick);
    // After a pause nobody has been heard of, because nobody was listened to: not looked now.
    const bool was_paused = tick - before > steps_missed_max;
    first_ = (was_paused ? tick : before) + 1;
    last_ = tick;
    seen_ = tick;
    return first_ <= last_;
}

bool LookTimes::includes(BucketId bucket) const noexcept {
    // Scattered, because the buckets of one shard have numbers that lie evenly apart.
    const std::int64_t group = (bucket.value * std::uint32_t{0x9e3779b1}) >> group_shift;
    const auto latest = last_ - (last_ - group + groups) % groups;  // Time of the group.
    return latest >= first_;
}

void Bucket::plan_wake(Actors::value_type& actor, Instant at) {
    auto& [name, slot] = actor;
    if (slot.wake_at != never) {
        wakes_.erase(PlannedWake{slot.wake_at, name});
    }
    slot.wake_at = at;
    if (slot.wake_at != never) {
        wakes_.insert(PlannedWake{slot.wake_at, name});
    }
}

void Bucket::keep(const QueueName& name, const Event& event, Instant now, WallTime wall) {
    if (log_.size() >= settings_.log_entries_max) {
        log_.pop();
    }
    log_.push(LogEntry{lsn_, now, wall, name, event});
}

void Bucket::collect_names(std::string_view prefix, std::string_view after, std::size_t count_max,
                           std::vector<QueueName>& first) const {
    if (count_max == 0) {
        return;
    }
    for (const auto& [name, slot] : actors_) {
        if (!name.text().starts_with(prefix) || name.text() <= after) {
            continue;
        }
        if (first.size() == count_max) {
            if (first.front() <= name) {
                continue;
            }
            std::pop_heap(first.begin(), first.end());
            first.pop_back();
        }
        first.push_back(name);
        std::push_heap(first.begin(), first.end());
    }
}

void Bucket::close_log() noexcept {
    MUSTER_CHECK(log_readers_ > 0);
    --log_readers_;
    if (log_readers_ == 0) {
        log_.clear();
    }
}

Result<std::vector<LogEntry>> Bucket::read_log(Lsn after) const {
    MUSTER_CHECK(log_readers_ > 0);
    const Lsn first_kept = log_.empty() ? lsn_ + 1 : log_.front().lsn;
    if (after + 1 < first_kept) {
        return failure(ErrorCode::limit, "the log begins after the entry that was asked for");
    }
    const auto begin = std::upper_bound(log_.begin(), log_.end(), after,
                                        [](Lsn lsn, const LogEntry& e) { return lsn < e.lsn; });
    return std::vector<LogEntry>(begin, log_.end());
}

void Bucket::replay(LogEntry entry, Outbox& outbox) {
    MUSTER_CHECK(entry.lsn == lsn_ + 1);
    step(entry.actor, entry.event, entry.now, entry.wall, outbox);
}

std::string Bucket::save(Instant now) const {
    proto::BucketSnapshot snapshot;
    snapshot.set_lsn(lsn_);
    snapshot.set_latest_inc(latest_inc_.value);
    snapshot.set_seed(settings_.seed);
    // Sorted, so that the same state is the same bytes.
    std::map<std::string_view, const Slot*> sorted;
    for (const auto& [name, slot] : actors_) {
        sorted.emplace(name.text(), &slot);
    }
    for (const auto& [name, slot] : sorted) {
        auto& saved = *snapshot.add_actors();
        saved.set_name(name.data(), name.size());
        slot->actor->save(now, *saved.mutable_state());
        if (slot->wake_at != never) {
            saved.set_wake_after_us(to_saved(slot->wake_at, now));
        }
    }
    return snapshot.SerializeAsString();
}

Result<Bucket> Bucket::restore(const BucketSettings& settings, const ActorFactory& factory,
                               Instant now, std::string_view snapshot) {
    proto::BucketSnapshot saved;
    if (snapshot.size() > std::size_t{std::numeric_limits<int>::max()} ||
        !saved.ParseFromArray(snapshot.data(), static_cast<int>(snapshot.size()))) {
        return damaged("the bucket snapshot is damaged");
    }
    if (saved.latest_inc() >> counter_bits != settings.epoch.value) {
        return damaged("the bucket snapshot is of another lineage");
    }
    BucketSettings continued = settings;
    continued.seed = saved.seed();
    Bucket bucket(continued, factory);
    bucket.lsn_ = saved.lsn();
    bucket.latest_inc_ = Inc{saved.latest_inc()};
    for (const auto& actor : saved.actors()) {
        const QueueName name(actor.name());
        auto restored = factory.restore(name, now, actor.state());
        if (restored == nullptr || restored->is_absent()) {
            return damaged("damaged state of " + actor.name());
        }
        bucket.wants_looks_ = bucket.wants_looks_ || restored->overdue_at().has_value();
        const auto [slot, is_new] = bucket.actors_.emplace(name, Slot{std::move(restored)});
        if (!is_new) {
            return damaged("two states of " + actor.name());
        }
        if (actor.has_wake_after_us()) {
            const auto at = from_saved(actor.wake_after_us(), now);
            if (!at) {
                return damaged("a wake of " + actor.name() + " is out of range");
            }
            bucket.plan_wake(*slot, *at);
        }
    }
    return bucket;
}

}  // namespace muster::actor
