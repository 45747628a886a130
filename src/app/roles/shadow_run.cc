#include "app/roles/shadow_run.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>

#include "app/roles/recorded_message.h"
#include "app/roles/recorder.h"
#include "base/fifo.h"

namespace muster::roles {
namespace {

std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed = 0) {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

ShadowWords outputs_in_words(std::uint64_t hash) {
    return {hash, "the bytes that the turn before put out"};
}

/// What is told of a run, and when it ends.
class Teller {
public:
    explicit Teller(const ShadowWish& wish) : wish_(wish), limits_(wish.limits) {}

    /// Before an entry is taken. False: it is not to be.
    bool begin_entry(bool is_input) {
        ++report.entries;
        if (is_input && limits_.entry && report.entries >= *limits_.entry) {
            --report.entries;
            report.is_stopped = true;
        }
        return !report.is_stopped;
    }
    void look_at(const actor::Message& message) {
        report.is_stopped = report.is_stopped || has_come_to(limits_, message);
    }
    void finish_input(std::uint64_t said) {
        ++report.inputs;
        if (wish_.tell) {
            wish_.tell({report.entries, said});
        }
    }
    void differ(std::uint64_t entry) {
        report.differs_at = report.differs_at == 0 ? entry : report.differs_at;
    }
    [[nodiscard]] bool is_explained() const {
        return wish_.explained != 0 && report.entries == wish_.explained;
    }
    [[nodiscard]] bool is_past_explained() const {
        return wish_.explained != 0 && report.entries > wish_.explained;
    }

    ShadowReport report;

private:
    const ShadowWish& wish_;
    ReplayLimits limits_;
};

/// Hears what the machines of a whole shard say.
class Listener final : public Recorder {
public:
    explicit Listener(Teller& teller) : teller_(teller) {}

    void turn(Instant /*now*/, WallTime /*wall*/, std::uint64_t outputs) override {
        begin(outputs);
    }
    void event(const gateway::Event& /*event*/) override {}
    void arrived(const actor::Message& /*message*/) override {}
    void time_passed() override {}
    void sent(const actor::Message& message) override {
        const std::string_view bytes = encoder_.encode(message);
        so_far_.push_back(hash_of(bytes, said()));
        if (teller_.is_explained()) {
            teller_.report.said.push_back({hash_of(bytes), in_words(message)});
        }
        teller_.look_at(message);
    }
    [[nodiscard]] bool wants_snapshots() override { return false; }
    void snapshot(BucketId /*bucket*/, std::string_view /*state*/) override {}

    void begin(std::uint64_t outputs) { so_far_.assign(1, outputs); }

    /// Hash of all that the present input caused.
    [[nodiscard]] std::uint64_t said() const { return so_far_.back(); }
    /// Of its first `count` messages; nothing where there were fewer.
    [[nodiscard]] std::optional<std::uint64_t> said_first(std::size_t count) const {
        return count < so_far_.size() ? std::optional(so_far_[count]) : std::nullopt;
    }

private:
    Teller& teller_;
    MessageEncoder encoder_;
    std::vector<std::uint64_t> so_far_{0};  // After each message, and before the first one.
};

class ShardShadow {
public:
    ShardShadow(const ShadowWish& wish, std::unique_ptr<ShardMachine> machine)
        : teller_(wish), machine_(std::move(machine)) {
        auto listener = std::make_unique<Listener>(teller_);
        listener_ = listener.get();
        machine_->record_to(std::move(listener));
    }

    /// Returns whether to go on.
    Result<bool> take(const Entry& entry) {
        if (const auto* sent = std::get_if<SentEntry>(&entry)) {
            static_cast<void>(teller_.begin_entry(false));
            take_recorded(*sent, entry);
            return true;
        }
        if (std::holds_alternative<SnapshotEntry>(entry)) {
            static_cast<void>(teller_.begin_entry(false));
            return true;
        }
        finish(true);
        if (teller_.report.is_stopped || !teller_.begin_entry(true) ||
            teller_.is_past_explained()) {
            return false;
        }
        input_ = teller_.report.entries;
        recorded_ = 0;
        recorded_count_ = 0;
        listener_->begin(0);
        if (teller_.is_explained()) {
            teller_.report.input = in_words(entry);
        }
        auto fed = std::visit([this](const auto& one) { return feed(one); }, entry);
        if (!fed) {
            return tl::unexpected(std::move(fed.error()));
        }
        teller_.finish_input(listener_->said());
        return true;  // Where it is to stop: once what was recorded of this input is read.
    }

    /// `is_whole`: all that was recorded of the last input is there now.
    void finish(bool is_whole) {
        if (is_whole && recorded_ != listener_->said()) {
            teller_.differ(input_);
        }
    }

    [[nodiscard]] Teller& teller() noexcept { return teller_; }

private:
    void take_recorded(const SentEntry& sent, const Entry& entry) {
        recorded_ = hash_of(sent.bytes, recorded_);
        ++recorded_count_;
        if (listener_->said_first(recorded_count_) != recorded_) {
            teller_.differ(input_);
        }
        if (teller_.report.input.empty()) {
            return;
        }
        teller_.report.recorded.push_back({hash_of(sent.bytes), in_words(entry)});
    }

    Result<void> feed(const TurnEntry& turn) {
        machine_->outputs.clear();
        machine_->departures.clear();
        machine_->begin_turn(turn.now, turn.wall);
        recorded_ = turn.outputs;
        if (recorded_ != listener_->said_first(0)) {
            teller_.differ(input_);
        }
        if (teller_.is_explained()) {
            teller_.report.said.push_back(outputs_in_words(*listener_->said_first(0)));
            teller_.report.recorded.push_back(outputs_in_words(turn.outputs));
        }
        return {};
    }
    Result<void> feed(const EventEntry& event) {
        return decode_event(event.bytes).map([this](RecordedEvent decoded) {
            machine_->step(decoded.event());
        });
    }
    Result<void> feed(const ArrivedEntry& arrived) {
        return decode_message(arrived.bytes).map([this](actor::Message message) {
            teller_.look_at(message);
            machine_->step(std::move(message));
        });
    }
    Result<void> feed(const TimePassedEntry& /*passed*/) {
        machine_->step();
        return {};
    }
    Result<void> feed(const SentEntry& /*sent*/) { return {}; }
    Result<void> feed(const SnapshotEntry& /*snapshot*/) { return {}; }

    Teller teller_;
    std::unique_ptr<ShardMachine> machine_;
    Listener* listener_ = nullptr;    // The machine owns it.
    std::uint64_t input_ = 0;         // The last one's entry.
    std::uint64_t recorded_ = 0;      // What the recording says that it caused, …
    std::size_t recorded_count_ = 0;  // … so many messages of it.
};

class BucketShadow {
public:
    BucketShadow(const ShadowWish& wish, const Site& site) : teller_(wish), site_(site) {}

    Result<bool> take(const Entry& entry) {
        if (const auto* turn = std::get_if<TurnEntry>(&entry)) {
            return begin_turn(*turn);
        }
        const bool is_input = !std::holds_alternative<SnapshotEntry>(entry);
        if (!teller_.begin_entry(is_input)) {
            return false;
        }
        Result<void> taken;
        if (const auto* arrived = std::get_if<ArrivedEntry>(&entry)) {
            taken = take_message(arrived->bytes, entry);
        } else if (const auto* sent = std::get_if<SentEntry>(&entry)) {
            taken = take_message(sent->bytes, entry);
        } else if (const auto* snapshot = std::get_if<SnapshotEntry>(&entry)) {
            taken = take_snapshot(*snapshot);
        } else if (std::holds_alternative<TimePassedEntry>(entry)) {
            pass_time(entry);
        }
        if (!taken) {
            return tl::unexpected(std::move(taken.error()));
        }
        return !teller_.report.is_stopped;
    }

    /// `is_whole`: all that was recorded of the turn is there now.
    void finish(bool is_whole) {
        const bool owes =
            std::ranges::any_of(said_, [](const auto& bucket) { return !bucket.second.empty(); });
        if (is_whole && owes) {
            leave_recording();  // It was to say more.
        }
    }

    [[nodiscard]] Teller& teller() noexcept { return teller_; }

private:
    Result<bool> begin_turn(const TurnEntry& turn) {
        finish(true);
        if (!teller_.begin_entry(true) || teller_.is_past_explained()) {
            return false;
        }
        has_turn_ = true;
        now_ = turn.now;
        wall_ = turn.wall;
        return true;
    }

    Result<void> take_message(std::string_view bytes, const Entry& entry) {
        auto message = decode_message(bytes);
        if (!message) {
            return tl::unexpected(std::move(message.error()));
        }
        teller_.look_at(*message);
        if (std::holds_alternative<SentEntry>(entry)) {
            take_recorded(*message, bytes);
        }
        const auto* to = std::get_if<actor::ActorAddress>(&message->to);
        if (to == nullptr || teller_.is_past_explained()) {
            return {};
        }
        const QueueName name = to->name;
        const BucketId taker = site_.placement.bucket_of(name.text());
        const auto bucket = buckets_.find(taker);
        if (bucket == buckets_.end()) {
            return {};
        }
        begin_input(taker, entry);
        bucket->second.deliver(name, *std::move(message), now_, wall_, outbox_);
        teller_.finish_input(hear(taker, 0));
        return {};
    }

    void pass_time(const Entry& entry) {
        if (teller_.is_past_explained()) {
            return;
        }
        begin_input(std::nullopt, entry);
        std::uint64_t said = 0;
        const bool is_look_time = look_times_.pass_to(now_);
        for (auto& [id, bucket] : buckets_) {
            bucket.wake_due(now_, wall_, outbox_);
            if (is_look_time && bucket.wants_looks() && look_times_.includes(id)) {
                bucket.look_after(now_, wall_, outbox_);
            }
            said = hear(id, said);
        }
        teller_.finish_input(said);
    }

    /// `taker`: which bucket takes the input; nothing: all.
    void begin_input(std::optional<BucketId> taker, const Entry& entry) {
        if (!teller_.is_explained()) {
            return;
        }
        teller_.report.input = in_words(entry);
        explained_ = taker;
        // What they have said before and the recording has not yet.
        for (const auto& [id, said] : said_) {
            owed_ += !taker || *taker == id ? said.size() : 0U;
        }
    }

    /// Takes what bucket `id` has just said into a hash.
    std::uint64_t hear(BucketId id, std::uint64_t hash) {
        for (const auto& message : outbox_) {
            const std::string_view bytes = encoder_.encode(message);
            hash = hash_of(bytes, hash);
            if (teller_.report.differs_at == 0) {
                said_[id].push(hash_of(bytes));
            }
            if (teller_.is_explained()) {
                teller_.report.said.push_back({hash_of(bytes), in_words(message)});
            }
        }
        outbox_.clear();
        return hash;
    }

    /// What a known bucket said then.
    void take_recorded(const actor::Message& message, std::string_view bytes) {
        const auto* from = std::get_if<actor::ActorAddress>(&message.from);
        if (from == nullptr) {
            return;
        }
        const BucketId sender = site_.placement.bucket_of(from->name.text());
        if (!buckets_.contains(sender)) {
            return;
        }
        const std::uint64_t hash = hash_of(bytes);
        if (!teller_.report.input.empty() && (!explained_ || *explained_ == sender)) {
            if (owed_ > 0) {
                --owed_;
            } else {
                teller_.report.recorded.push_back({hash, in_words(message)});
            }
        }
        if (teller_.report.differs_at == 0 && !teller_.is_past_explained()) {
            auto& said = said_[sender];
            if (said.empty() || said.pop() != hash) {
                leave_recording();
            }
        }
    }

    void leave_recording() {
        if (!teller_.is_past_explained()) {
            teller_.differ(teller_.report.entries);
        }
        said_.clear();
    }

    Result<void> take_snapshot(const SnapshotEntry& snapshot) {
        // Without a turn before it, its times mean nothing.
        if (!has_turn_ || buckets_.contains(snapshot.bucket)) {
            return {};
        }
        const actor::BucketSettings settings{.id = snapshot.bucket,
                                             .epoch = site_.buckets.epoch,
                                             .seed = 0,  // The snapshot's own is used.
                                             .table_key = site_.buckets.table_key};
        return actor::Bucket::restore(settings, *site_.actors, now_, snapshot.state)
            .map([&](actor::Bucket bucket) {
                buckets_.emplace(snapshot.bucket, std::move(bucket));
            });
    }

    Teller teller_;
    const Site& site_;
    std::map<BucketId, actor::Bucket> buckets_;
    /// Hashes of what each has said and the recording not yet, until the two part.
    std::map<BucketId, Fifo<std::uint64_t>> said_;
    MessageEncoder encoder_;
    actor::Outbox outbox_;
    actor::LookTimes look_times_;
    Instant now_{};
    WallTime wall_{};
    bool has_turn_ = false;
    std::optional<BucketId> explained_;  // Who took the explained input; nothing: all.
    std::size_t owed_ = 0;
};

template <typename Shadow>
Result<ShadowReport> run(const EntrySource& next, const ShadowWish& wish, Shadow&& shadow) {
    ShadowReport& report = shadow.teller().report;
    for (;;) {
        auto bytes = next();
        if (!bytes) {
            return tl::unexpected(std::move(bytes.error()));
        }
        if (!*bytes) {
            shadow.finish(wish.is_whole && wish.is_whole());
            break;
        }
        auto goes_on =
            parse_entry(**bytes).and_then([&](const Entry& e) { return shadow.take(e); });
        if (!goes_on) {
            goes_on.error().detail =
                fmt::format("entry {}: {}", report.entries, goes_on.error().detail);
            return tl::unexpected(std::move(goes_on.error()));
        }
        if (!*goes_on) {
            break;
        }
    }
    return std::move(report);
}

}  // namespace

Result<ShadowReport> run_shadow_of_shard(const EntrySource& next, const ShadowWish& wish,
                                         std::unique_ptr<ShardMachine> machine) {
    return run(next, wish, ShardShadow(wish, std::move(machine)));
}

Result<ShadowReport> run_shadow_of_buckets(const EntrySource& next, const ShadowWish& wish,
                                           const std::shared_ptr<const Site>& site) {
    return run(next, wish, BucketShadow(wish, *site));
}

}  // namespace muster::roles
