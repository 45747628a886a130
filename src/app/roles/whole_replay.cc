#include "app/roles/whole_replay.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "app/roles/recorded_message.h"
#include "app/roles/recorder.h"

namespace muster::roles {
namespace {

/// The recording on its way past, and what was found so far. Shared by the one who feeds the
/// machines and the one who listens to them.
struct Course {
    const EntrySource& next;
    ReplayLimits limits;
    ReplayReport report{};
    std::optional<Error> error{};
    bool is_over = false;  ///< nothing more to read, or nothing more worth reading

    // Returns the next entry; nothing when it is over.
    std::optional<Entry> read() {
        if (is_over) {
            return std::nullopt;
        }
        auto bytes = next();
        if (!bytes) {
            return fail(std::move(bytes.error()));
        }
        if (!*bytes) {
            is_over = true;
            return std::nullopt;
        }
        ++report.entries;
        auto entry = parse_entry(**bytes);
        if (!entry) {
            return fail(std::move(entry.error()));
        }
        return *std::move(entry);
    }

    std::optional<Entry> fail(Error why) {
        why.detail = fmt::format("entry {}: {}", report.entries, why.detail);
        error = std::move(why);
        is_over = true;
        return std::nullopt;
    }

    void differ(std::string recorded, std::string replayed) {
        report.difference = Difference{report.entries, std::move(recorded), std::move(replayed)};
        is_over = true;
    }

    void look_at(const actor::Message& message) {
        if (has_come_to(limits, message)) {
            reach_limit();
        }
    }

    void reach_limit() {
        report.is_stopped = !limits.reached || !limits.reached();
        limits = {};
    }
};

/// Holds what the machines say against the recording.
class Comparer final : public Recorder {
public:
    explicit Comparer(Course& course) : course_(course) {}

    void turn(Instant /*now*/, WallTime /*wall*/, std::uint64_t outputs) override {
        outputs_ = outputs;
    }
    [[nodiscard]] std::uint64_t outputs() const noexcept { return outputs_; }

    // What enters comes from the recording itself.
    void event(const gateway::Event& /*event*/) override {}
    void arrived(const actor::Message& /*message*/) override {}
    void time_passed() override {}

    void sent(const actor::Message& message) override {
        const auto entry = course_.read();
        if (!entry) {
            return;
        }
        ++course_.report.compared;
        const auto* recorded = std::get_if<SentEntry>(&*entry);
        if (recorded == nullptr) {
            course_.differ(in_words(*entry), in_words(message));
        } else if (recorded->bytes != encoder_.encode(message)) {
            const bool is_same_kind = in_words(*entry) == in_words(message);
            course_.differ(in_words(*entry),
                           in_words(message) + (is_same_kind ? ", with other contents" : ""));
        } else {
            course_.look_at(message);
        }
    }

    [[nodiscard]] bool wants_snapshots() override { return false; }
    void snapshot(BucketId /*bucket*/, std::string_view /*state*/) override {}

private:
    Course& course_;
    MessageEncoder encoder_;
    std::uint64_t outputs_ = 0;
};

/// Feeds the machines.
class Feeder {
public:
    Feeder(ShardMachine& machine, Course& course, const Comparer& comparer)
        : machine_(machine), course_(course), comparer_(comparer) {}

    void take(const Entry& entry) {
        std::visit([this](const auto& one) { feed(one); }, entry);
    }

private:
    void feed(const TurnEntry& turn) {
        machine_.outputs.clear();
        machine_.departures.clear();
        machine_.begin_turn(turn.now, turn.wall);
        course_.report.now = turn.now;
        ++course_.report.turns;
        ++course_.report.compared;
        if (comparer_.outputs() != turn.outputs) {
            course_.differ(fmt::format("turn {} put out other bytes", course_.report.turns - 1),
                           "these");
        }
    }
    void feed(const EventEntry& event) {
        auto decoded = decode_event(event.bytes);
        if (!decoded) {
            static_cast<void>(course_.fail(decoded.error()));
            return;
        }
        machine_.step(decoded->event());
    }
    void feed(const ArrivedEntry& arrived) {
        auto decoded = decode_message(arrived.bytes);
        if (!decoded) {
            static_cast<void>(course_.fail(decoded.error()));
            return;
        }
        course_.look_at(*decoded);
        machine_.step(*std::move(decoded));
    }
    void feed(const SentEntry& sent) { course_.differ(in_words(Entry{sent}), "nothing"); }
    void feed(const TimePassedEntry& /*passed*/) { machine_.step(); }
    void feed(const SnapshotEntry& snapshot) {
        ++course_.report.compared;
        const actor::Bucket* bucket = machine_.buckets().find(snapshot.bucket);
        if (bucket == nullptr || bucket->save(course_.report.now) != snapshot.state) {
            course_.differ(in_words(Entry{snapshot}), "another state");
        }
    }

    ShardMachine& machine_;
    Course& course_;
    const Comparer& comparer_;
};

}  // namespace

WholeReplay::WholeReplay(ShardId shard, std::shared_ptr<const Site> site, std::uint64_t seed)
    : machine_(shard, std::move(site), seed) {}

Result<ReplayReport> WholeReplay::run(const EntrySource& next, const ReplayLimits& limits) {
    Course course{next, limits};
    auto owned = std::make_unique<Comparer>(course);
    const Comparer& comparer = *owned;
    machine_.record_to(std::move(owned));
    Feeder feeder(machine_, course, comparer);
    while (const auto entry = course.read()) {
        if (course.limits.entry && course.report.entries >= *course.limits.entry) {
            course.reach_limit();
            if (course.report.is_stopped) {
                --course.report.entries;  // It has not been taken.
                break;
            }
        }
        feeder.take(*entry);
        if (course.report.is_stopped) {
            break;
        }
    }
    machine_.record_to(nullptr);
    if (course.error) {
        return tl::unexpected(*std::move(course.error));
    }
    return std::move(course.report);
}

}  // namespace muster::roles
