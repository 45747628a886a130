// fanout and rooms: messages to all members of a room, in a closed loop or at an offered rate.
#include <algorithm>
#include <string>
#include <vector>

#include "bench/task.h"
#include "bench/usage.h"

namespace muster::bench {
namespace {

constexpr auto lone_pause_us = 100'000;

class Load {
public:
    explicit Load(const Task& task)
        : task_(task),
          shared_(*task.shared),
          options_(task.options),
          is_fanout_(options_.work == Work::fanout),
          swarm_(options_.server, task.part),
          ledger_(0, 1),
          progress_(task) {
        report_.options = options_;
    }

    Result<Report> operator()() {
        add_clients();
        const std::int64_t began = now_us();
        if (auto opened = swarm_.open_all(opening_max, join_patience); !opened) {
            return tl::unexpected(opened.error());
        }
        report_.counts.connect_seconds = static_cast<double>(now_us() - began) / 1e6;
        // Joins of others in the room are still on their way: they are no part of the load.
        swarm_.settle(std::chrono::seconds{20});
        swarm_.on_heard([this](std::uint32_t index, const Heard& heard) { take(index, heard); });
        if (auto met = meet(task_, swarm_, 0); !met) {
            return tl::unexpected(met.error());
        }
        if (task_.part == 0) {
            shared_.begin_us = now_us() + 10'000;
        }
        if (auto met = meet(task_, swarm_, 1); !met) {
            return tl::unexpected(met.error());
        }
        begin_us_ = shared_.begin_us;
        drive();
        if (auto drained = drain(); !drained) {
            return tl::unexpected(drained.error());
        }
        report_.counts.wrongs = ledger_.wrongs();
        report_.counts.disconnected = swarm_.disconnected();
        return report_;
    }

private:
    void add_clients() {
        const std::uint32_t members = is_fanout_ ? options_.clients : options_.members;
        const std::uint32_t rooms = (options_.clients + members - 1) / members;
        // A fan-out's one room is in all parts; of many rooms each is in one.
        const std::uint32_t first =
            is_fanout_ ? task_.share(options_.clients, task_.part)
                       : std::min(options_.clients, task_.share(rooms, task_.part) * members);
        const std::uint32_t end =
            is_fanout_ ? task_.share(options_.clients, task_.part + 1)
                       : std::min(options_.clients, task_.share(rooms, task_.part + 1) * members);
        for (std::uint32_t i = first; i < end; ++i) {
            rooms_.push_back(i / members);
            swarm_.add(make_conversation(
                options_.peer,
                Person{task_.user(i), task_.room(i / members), false, options_.numbers_ops}));
        }
        receivers_ = end - first;
        const std::uint32_t all_senders = is_fanout_ ? 1 : receivers_;
        senders_ = is_fanout_ && task_.part != 0 ? 0 : all_senders;
        if (sends_apart(options_.peer) && senders_ > 0) {
            publishers_ =
                options_.publishers == 0 ? senders_ : std::min(options_.publishers, senders_);
            for (std::uint32_t i = 0; i < publishers_; ++i) {
                swarm_.add(make_conversation(
                    options_.peer,
                    Person{task_.user(std::uint64_t{options_.clients} + first + i), {}, false}));
            }
        }
        members_ = members;
        numbers_.assign(all_senders, 0);
        ledger_ = Ledger(receivers_, is_fanout_ ? 1 : members);
    }

    // All parts keep one clock: the counting begins and ends for all at once.
    void drive() {
        const double rate =
            options_.rate * senders_ / std::max(1U, is_fanout_ ? 1U : options_.clients);
        const std::int64_t counting_from = begin_us_ + seconds_to_us(options_.warmup_seconds);
        const std::int64_t counting_to = counting_from + seconds_to_us(options_.seconds);
        const std::int64_t end = counting_to + seconds_to_us(options_.cool_down_seconds);
        due_us_ = static_cast<double>(begin_us_);
        Meter meter;
        for (std::int64_t now = now_us(); now < end; now = now_us()) {
            if (phase_ == Phase::warming && now >= counting_from) {
                phase_ = Phase::counting;
                meter.begin(task_);
            }
            if (phase_ == Phase::counting && now >= counting_to) {
                phase_ = Phase::cooling;
                meter.end(task_, report_.counts);
            }
            swarm_.turn(
                send_what_is_due(phase_ == Phase::cooling ? options_.cool_down_rate : rate));
            publish_progress();
        }
        if (phase_ == Phase::counting) {
            meter.end(task_, report_.counts);
        }
        phase_ = Phase::cooling;
    }

    [[nodiscard]] static std::int64_t seconds_to_us(double seconds) {
        return static_cast<std::int64_t>(seconds * 1e6);
    }

    // Returns how long nothing will have to be sent.
    Duration send_what_is_due(double rate) {
        if (senders_ == 0 || now_us() < begin_us_) {
            return std::chrono::milliseconds{task_.parts > 1 ? 1 : 10};
        }
        if (is_fanout_ && rate <= 0) {
            return options_.is_lone ? send_alone() : keep_window_full();
        }
        // Every message has its time, whether the server keeps up or not.
        const auto now = static_cast<double>(now_us());
        const double interval_us = 1e6 / std::max(rate, 0.001);
        for (; due_us_ <= now; due_us_ += interval_us) {
            // Neighbours in time are in different rooms.
            const std::uint64_t stride = std::uint64_t{members_} + 1;
            send(static_cast<std::uint32_t>(turn_++ * stride % senders_),
                 static_cast<std::int64_t>(due_us_));
        }
        return Duration{static_cast<std::int64_t>(std::clamp(due_us_ - now, 0.0, 1'000.0))};
    }

    // Returns how many messages all receivers of all parts have.
    [[nodiscard]] std::uint64_t whole() const {
        std::uint64_t least = shared_.sent;
        for (std::uint32_t part = 0; part < task_.parts; ++part) {
            const std::uint32_t receivers =
                task_.share(options_.clients, part + 1) - task_.share(options_.clients, part);
            least = std::min(least, receivers == 0 ? least : shared_.received.at(part) / receivers);
        }
        return least + shared_.refused;
    }

    Duration keep_window_full() {
        while (shared_.sent - std::min<std::uint64_t>(shared_.sent, whole()) < options_.window) {
            send(0, now_us());
        }
        return std::chrono::milliseconds{task_.parts > 1 ? 0 : 10};
    }

    Duration send_alone() {
        if (whole() < shared_.sent) {
            next_lone_us_ = now_us() + lone_pause_us;
        } else if (now_us() >= next_lone_us_) {
            next_lone_us_ = now_us() + lone_pause_us;
            send(0, now_us());
        }
        return std::chrono::milliseconds{1};
    }

    void send(std::uint32_t sender, std::int64_t due_us) {
        payload_.clear();
        append_stamp(
            payload_,
            Stamp{due_us, rooms_[sender], is_fanout_ ? 0 : sender % members_, ++numbers_[sender]},
            options_.payload_bytes);
        const std::uint32_t from = publishers_ == 0 ? sender : receivers_ + sender % publishers_;
        swarm_.send(from, task_.room(rooms_[sender]), payload_);
        ++report_.counts.sent;
        if (is_fanout_) {
            ++shared_.sent;
        } else {
            report_.counts.expected +=
                std::min(members_, receivers_ - sender / members_ * members_);
        }
    }

    void take(std::uint32_t index, const Heard& heard) {
        if (heard.kind == Heard::Kind::refused) {
            ++report_.counts.refused;
            if (is_fanout_) {
                ++shared_.refused;
            } else {
                report_.counts.expected -=
                    std::min(members_, receivers_ - index / members_ * members_);
            }
            return;
        }
        if (heard.kind != Heard::Kind::message) {
            return;
        }
        const auto stamp = read_stamp(heard.text);
        if (!ledger_.take(index, rooms_[std::min(index, receivers_ - 1)], stamp, heard.seq)) {
            return;
        }
        ++report_.counts.received;
        const std::int64_t now = swarm_.read_at_us();
        const auto latency =
            static_cast<std::uint64_t>(std::max<std::int64_t>(0, now - stamp->due_us));
        if (is_fanout_) {
            auto& arrivals = shared_.arrivals.at(stamp->number % Shared::arrivals_max);
            if (++arrivals == options_.clients) {
                arrivals = 0;
                report_.whole_us.add(latency);
            }
        }
        if (phase_ == Phase::counting) {
            ++report_.counts.counted;
            report_.latency_us.add(latency);
        }
        const auto slice =
            static_cast<std::size_t>(std::max<std::int64_t>(0, now - begin_us_) / Report::slice_us);
        if (slice >= report_.slices.size()) {
            report_.slices.resize(slice + 1);
        }
        report_.slices[slice].add(latency);
    }

    void publish_progress() {
        shared_.received.at(task_.part) = report_.counts.received;
        progress_.show(report_);
    }

    [[nodiscard]] bool has_all() const {
        const std::uint64_t expected =
            is_fanout_ ? (shared_.sent - shared_.refused) * receivers_ : report_.counts.expected;
        return report_.counts.received >= expected;
    }

    Result<void> drain() {
        if (auto met = meet(task_, swarm_, 2); !met) {  // Nobody sends any more.
            return met;
        }
        const std::int64_t give_up_at = now_us() + last_deliveries_patience / Duration{1};
        while (!has_all() && now_us() < give_up_at) {
            swarm_.turn(std::chrono::milliseconds{20});
        }
        if (is_fanout_) {
            report_.counts.expected = (shared_.sent - shared_.refused) * receivers_;
        }
        Counts& counts = report_.counts;
        counts.lost = counts.expected - std::min(counts.expected, counts.received);
        return meet(task_, swarm_, 3);
    }

    enum class Phase : std::uint8_t { warming, counting, cooling };

    const Task& task_;
    Shared& shared_;
    const Options& options_;
    bool is_fanout_;
    Swarm swarm_;
    Ledger ledger_;
    Progress progress_;
    Report report_;
    Phase phase_ = Phase::warming;
    std::uint32_t members_ = 1;
    std::uint32_t receivers_ = 0;         // Clients 0 … receivers_ - 1 of the swarm.
    std::uint32_t senders_ = 0;           // The first of them.
    std::uint32_t publishers_ = 0;        // After them, where sending needs its own connection.
    std::vector<std::uint32_t> rooms_;    // By client.
    std::vector<std::uint64_t> numbers_;  // By sender: the last one used.
    std::string payload_;
    std::int64_t begin_us_ = 0;
    std::int64_t next_lone_us_ = 0;
    double due_us_ = 0;
    std::uint64_t turn_ = 0;  // In the round of senders.
};

}  // namespace

Result<Report> run_load(const Task& task) { return Load(task)(); }

}  // namespace muster::bench
