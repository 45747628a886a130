// state: members set their own key many times a second; who reads slowly gets the newest values.
#include <algorithm>
#include <string>
#include <vector>

#include "bench/task.h"
#include "bench/usage.h"

namespace muster::bench {
namespace {

// A slow listener's line: this much, once in so long.
constexpr std::size_t slow_bytes = 16 * 1024;
constexpr std::int64_t slow_every_us = 500'000;

class State {
public:
    explicit State(const Task& task)
        : task_(task),
          options_(task.options),
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
        swarm_.settle(std::chrono::seconds{20});
        swarm_.on_heard([this](std::uint32_t index, const Heard& heard) { take(index, heard); });
        if (auto met = meet(task_, swarm_, 0); !met) {
            return tl::unexpected(met.error());
        }
        drive();
        drain();
        report_.counts.wrongs = ledger_.wrongs();
        report_.counts.disconnected = swarm_.disconnected();
        if (auto met = meet(task_, swarm_, 1); !met) {
            return tl::unexpected(met.error());
        }
        return report_;
    }

private:
    void add_clients() {
        members_ = std::max(1U, options_.members);
        const std::uint32_t rooms = (options_.clients + members_ - 1) / members_;
        first_ = std::min(options_.clients, task_.share(rooms, task_.part) * members_);
        const std::uint32_t end =
            std::min(options_.clients, task_.share(rooms, task_.part + 1) * members_);
        for (std::uint32_t i = first_; i < end; ++i) {
            const std::uint32_t index = swarm_.add(make_conversation(
                options_.peer, Person{task_.user(i), task_.room(i / members_), true}));
            // Evenly among the rooms: one of each 100 / slow_percent.
            if (index * options_.slow_percent % 100 < options_.slow_percent) {
                swarm_.make_slow(index);
                slow_.push_back(index);
            }
            is_slow_.push_back(!slow_.empty() && slow_.back() == index);
        }
        numbers_.assign(swarm_.size(), 0);
        ledger_ = Ledger(swarm_.size(), members_);
    }

    [[nodiscard]] std::uint32_t in_room_of(std::uint32_t index) const {
        const auto size = static_cast<std::uint32_t>(swarm_.size());
        return std::min(members_, size - index / members_ * members_);
    }

    void drive() {
        const std::size_t size = swarm_.size();
        if (size == 0) {
            return;
        }
        begin_us_ = now_us();
        const std::int64_t counting_from =
            begin_us_ + static_cast<std::int64_t>(options_.warmup_seconds * 1e6);
        const std::int64_t end = counting_from + options_.seconds * 1'000'000LL;
        const double interval_us = 1e6 / (options_.rate * static_cast<double>(size));
        auto due_us = static_cast<double>(begin_us_);
        std::uint64_t turn = 0;
        Meter meter;
        for (std::int64_t now = begin_us_; now < end; now = now_us()) {
            if (!is_counting_ && now >= counting_from) {
                is_counting_ = true;
                meter.begin(task_);
            }
            for (; due_us <= static_cast<double>(now); due_us += interval_us) {
                set(static_cast<std::uint32_t>(turn++ % size), static_cast<std::int64_t>(due_us));
            }
            swarm_.turn(Duration{static_cast<std::int64_t>(
                std::clamp(due_us - static_cast<double>(now), 0.0, 1'000.0))});
            sip(slow_bytes);
            progress_.show(report_);
        }
        meter.end(task_, report_.counts);
        is_counting_ = false;
    }

    void sip(std::size_t bytes) {
        if (now_us() < next_sip_us_) {
            return;
        }
        next_sip_us_ = now_us() + slow_every_us;
        for (const std::uint32_t index : slow_) {
            swarm_.sip(index, bytes);
        }
    }

    void set(std::uint32_t index, std::int64_t due_us) {
        payload_.clear();
        append_stamp(
            payload_,
            Stamp{due_us, (first_ + index) / members_, index % members_, ++numbers_[index]},
            options_.payload_bytes);
        swarm_.send(index, task_.room((first_ + index) / members_), payload_);
        ++report_.counts.sent;
        report_.counts.expected += in_room_of(index);
    }

    void take(std::uint32_t index, const Heard& heard) {
        if (heard.kind == Heard::Kind::refused) {
            ++report_.counts.refused;
            report_.counts.expected -= in_room_of(index);
        }
        if (heard.kind != Heard::Kind::message) {
            return;
        }
        // A frame may carry the values of several keys.
        for (auto at = heard.text.find(R"({"t":)"); at != std::string_view::npos;
             at = heard.text.find(R"({"t":)", at + 1)) {
            const auto stamp = read_stamp(heard.text.substr(at));
            if (!ledger_.take(index, (first_ + index) / members_, stamp, heard.seq)) {
                continue;
            }
            ++report_.counts.received;
            if (is_counting_) {
                ++report_.counts.counted;
                if (!is_slow_[index]) {
                    report_.latency_us.add(static_cast<std::uint64_t>(
                        std::max<std::int64_t>(0, swarm_.read_at_us() - stamp->due_us)));
                }
            }
        }
    }

    // Returns how many listeners lack the last value of a key.
    [[nodiscard]] std::uint64_t missing() const {
        std::uint64_t count = 0;
        for (std::uint32_t index = 0; index < swarm_.size(); ++index) {
            const std::uint32_t first = index / members_ * members_;
            for (std::uint32_t sender = 0; sender < in_room_of(index); ++sender) {
                count += ledger_.last(index, sender) != numbers_[first + sender] ? 1 : 0;
            }
        }
        return count;
    }

    void drain() {
        const std::int64_t give_up_at = now_us() + last_deliveries_patience / Duration{1};
        while (missing() > 0 && now_us() < give_up_at) {
            swarm_.turn(std::chrono::milliseconds{20});
            next_sip_us_ = 0;
            sip(1024 * 1024);
        }
        Counts& counts = report_.counts;
        counts.lost = missing();
        counts.conflated =
            counts.expected - std::min(counts.expected, counts.received + counts.lost);
    }

    const Task& task_;
    const Options& options_;
    Swarm swarm_;
    Ledger ledger_;
    Progress progress_;
    Report report_;
    std::uint32_t members_ = 1;
    std::uint32_t first_ = 0;  // This part's first client among all.
    std::vector<std::uint32_t> slow_;
    std::vector<bool> is_slow_;           // By client.
    std::vector<std::uint64_t> numbers_;  // By client: the last one used.
    std::string payload_;
    std::int64_t begin_us_ = 0;
    std::int64_t next_sip_us_ = 0;
    bool is_counting_ = false;
};

}  // namespace

Result<Report> run_state(const Task& task) {
    if (!is_muster(task.options.peer)) {
        return failure(ErrorCode::refused, "only Muster keeps state");
    }
    return State(task)();
}

}  // namespace muster::bench
