#include "app/roles/bucket_replay.h"

#include <utility>
#include <variant>

#include <fmt/format.h>

namespace muster::roles {

Result<ReplayReport> BucketReplay::run(const EntrySource& next, const ReplayLimits& limits) {
    limits_ = limits;
    report_ = {};
    while (!report_.difference && !report_.is_stopped) {
        auto bytes = next();
        if (!bytes) {
            return tl::unexpected(std::move(bytes.error()));
        }
        if (!*bytes) {
            break;
        }
        if (limits_.entry && report_.entries + 1 >= *limits_.entry) {
            reach_limit();
            if (report_.is_stopped) {
                break;
            }
        }
        ++report_.entries;
        auto taken = parse_entry(**bytes).and_then([this](const Entry& e) { return take(e); });
        if (!taken) {
            taken.error().detail =
                fmt::format("entry {}: {}", report_.entries, taken.error().detail);
            return tl::unexpected(std::move(taken.error()));
        }
    }
    return report_;
}

Result<void> BucketReplay::take(const Entry& entry) {
    if (const auto* turn = std::get_if<TurnEntry>(&entry)) {
        begin_turn(*turn);
    } else if (const auto* arrived = std::get_if<ArrivedEntry>(&entry)) {
        return take_message(arrived->bytes, true);
    } else if (const auto* sent = std::get_if<SentEntry>(&entry)) {
        return take_message(sent->bytes, false);
    } else if (const auto* snapshot = std::get_if<SnapshotEntry>(&entry)) {
        return take_snapshot(*snapshot);
    } else if (std::holds_alternative<TimePassedEntry>(entry)) {
        pass_time();
    } else {
        ++report_.skipped;  // An event of a socket.
    }
    return {};
}

void BucketReplay::begin_turn(const TurnEntry& turn) {
    for (const auto& [bucket, said] : said_) {
        if (!said.empty()) {
            const auto message = decode_message(said.front());
            differ("nothing more in this turn", in_words(*message));
        }
    }
    ++report_.turns;
    report_.now = turn.now;
    wall_ = turn.wall;
}

Result<void> BucketReplay::take_message(std::string_view bytes, bool is_from_outside) {
    auto message = decode_message(bytes);
    if (!message) {
        return tl::unexpected(std::move(message.error()));
    }
    if (has_come_to(limits_, *message)) {
        reach_limit();
    }
    const auto* from = std::get_if<actor::ActorAddress>(&message->from);
    if (!is_from_outside && from != nullptr) {
        const BucketId sender = site_->placement.bucket_of(from->name.text());
        if (buckets_.contains(sender)) {
            auto& said = said_[sender];
            ++report_.compared;
            if (said.empty()) {
                differ(in_words(*message), "nothing");
                return {};
            }
            const std::string replayed = said.pop();
            if (replayed != bytes) {
                differ(in_words(*message), in_words(*decode_message(replayed)));
                return {};
            }
        }
    }
    const auto* to = std::get_if<actor::ActorAddress>(&message->to);
    if (to == nullptr) {
        return {};
    }
    const QueueName name = to->name;
    const BucketId taker = site_->placement.bucket_of(name.text());
    const auto bucket = buckets_.find(taker);
    if (bucket == buckets_.end()) {
        ++report_.skipped;
        return {};
    }
    bucket->second.deliver(name, *std::move(message), report_.now, wall_, outbox_);
    expect(taker);
    return {};
}

void BucketReplay::pass_time() {
    const bool is_look_time = look_times_.pass_to(report_.now);
    for (auto& [id, bucket] : buckets_) {
        bucket.wake_due(report_.now, wall_, outbox_);
        if (is_look_time && bucket.wants_looks() && look_times_.includes(id)) {
            bucket.look_after(report_.now, wall_, outbox_);
        }
        expect(id);
    }
}

// What the bucket has just said must come in the recording, in this order.
void BucketReplay::expect(BucketId bucket) {
    for (const auto& message : outbox_) {
        said_[bucket].push(std::string(encoder_.encode(message)));
    }
    outbox_.clear();
}

Result<void> BucketReplay::take_snapshot(const SnapshotEntry& snapshot) {
    if (report_.turns == 0) {
        ++report_.skipped;  // Its times are distances from that of a turn which is not here.
        return {};
    }
    const auto known = buckets_.find(snapshot.bucket);
    if (known != buckets_.end()) {
        ++report_.compared;
        if (known->second.save(report_.now) != snapshot.state) {
            differ(in_words(Entry{snapshot}), "another state");
        }
        return {};
    }
    const actor::BucketSettings settings{.id = snapshot.bucket,
                                         .epoch = site_->buckets.epoch,
                                         .seed = 0,  // The snapshot's own is used.
                                         .table_key = site_->buckets.table_key};
    auto bucket = actor::Bucket::restore(settings, *site_->actors, report_.now, snapshot.state);
    if (!bucket) {
        return tl::unexpected(std::move(bucket.error()));
    }
    buckets_.emplace(snapshot.bucket, *std::move(bucket));
    return {};
}

void BucketReplay::reach_limit() {
    report_.is_stopped = !limits_.reached || !limits_.reached();
    limits_ = {};
}

void BucketReplay::differ(std::string recorded, std::string replayed) {
    if (!report_.difference) {
        report_.difference = Difference{report_.entries, std::move(recorded), std::move(replayed)};
    }
}

}  // namespace muster::roles
