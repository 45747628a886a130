// logins and creates: what happens once for each user or room, as often as it goes.
#include <algorithm>
#include <string>
#include <vector>

#include "bench/task.h"
#include "bench/usage.h"

namespace muster::bench {
namespace {

std::uint64_t took_us(std::int64_t began_us) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, now_us() - began_us));
}

std::size_t window_of(const Task& task) { return std::max(1U, task.options.window / task.parts); }

/// Creates: clients that each make a room, join it, send, hear it and leave, again and again.
class Creates {
public:
    explicit Creates(const Task& task)
        : task_(task), swarm_(task.options.server, task.part), ledger_(0, 1), progress_(task) {
        report_.options = task.options;
    }

    Result<Report> operator()() {
        const Options& options = task_.options;
        count_ = static_cast<std::uint32_t>(window_of(task_));
        for (std::uint32_t i = 0; i < count_; ++i) {
            // Who may not send while it listens has a room of its own to sit in.
            const std::uint64_t id = std::uint64_t{task_.part} * 1'000'000 + i;
            swarm_.add(
                make_conversation(options.peer, Person{task_.user(id), idle_room(id), false}));
        }
        for (std::uint32_t i = 0; sends_apart(options.peer) && i < count_; ++i) {
            swarm_.add(make_conversation(options.peer, Person{task_.user(500'000 + i), {}, false}));
        }
        if (auto opened = swarm_.open_all(opening_max, join_patience); !opened) {
            return tl::unexpected(opened.error());
        }
        cycles_.resize(count_);
        ledger_ = Ledger(count_, 1);
        swarm_.settle(std::chrono::seconds{10});
        swarm_.on_heard([this](std::uint32_t index, const Heard& heard) { take(index, heard); });
        if (auto met = meet(task_, swarm_, 0); !met) {
            return tl::unexpected(met.error());
        }
        for (std::uint32_t i = 0; i < count_; ++i) {
            begin(i);
        }
        turn_for(options.warmup_seconds);
        is_counting_ = true;
        Meter meter;
        meter.begin(task_);
        turn_for(options.seconds);
        meter.end(task_, report_.counts);
        is_counting_ = false;
        is_ending_ = true;
        drain();
        report_.counts.wrongs = ledger_.wrongs();
        report_.counts.disconnected = swarm_.disconnected();
        if (auto met = meet(task_, swarm_, 1); !met) {
            return tl::unexpected(met.error());
        }
        return report_;
    }

private:
    struct Cycle {
        std::string room;
        std::uint64_t number = 0;
        std::int64_t began_us = 0;
        bool is_over = false;
    };

    // Redis: a connection without a subscription would not be one that listens.
    [[nodiscard]] std::string idle_room(std::uint64_t id) const {
        return sends_apart(task_.options.peer) ? task_.room(900'000'000 + id) : std::string();
    }

    void turn_for(double seconds) {
        const std::int64_t until = now_us() + static_cast<std::int64_t>(seconds * 1e6);
        while (now_us() < until) {
            swarm_.turn(std::chrono::milliseconds{10});
            progress_.show(report_);
        }
    }

    void begin(std::uint32_t index) {
        Cycle& cycle = cycles_[index];
        cycle.is_over = is_ending_;
        if (!is_ending_) {
            ++cycle.number;
            cycle.began_us = now_us();
            cycle.room = task_.room((std::uint64_t{task_.part} << 40U) +
                                    (std::uint64_t{index} << 24U) + cycle.number);
            swarm_.join(index, cycle.room);
        }
    }

    void take(std::uint32_t index, const Heard& heard) {
        if (index >= count_) {
            return;
        }
        Cycle& cycle = cycles_[index];
        switch (heard.kind) {
            case Heard::Kind::nothing: break;
            case Heard::Kind::joined:
                payload_.clear();
                append_stamp(payload_, Stamp{now_us(), index, 0, cycle.number},
                             task_.options.payload_bytes);
                swarm_.send(sends_apart(task_.options.peer) ? count_ + index : index, cycle.room,
                            payload_);
                ++report_.counts.sent;
                ++report_.counts.expected;
                break;
            case Heard::Kind::message:
                // Each room counts anew, so the server's numbers do not rise from one to the next.
                if (ledger_.take(index, index, read_stamp(heard.text), 0)) {
                    ++report_.counts.received;
                    swarm_.leave(index, cycle.room);
                }
                break;
            case Heard::Kind::left:
                if (is_counting_) {
                    ++report_.counts.counted;
                    report_.whole_us.add(took_us(cycle.began_us));
                }
                begin(index);
                break;
            case Heard::Kind::refused: ++report_.counts.refused; break;
        }
    }

    void drain() {
        const std::int64_t give_up_at = now_us() + last_deliveries_patience / Duration{1};
        const auto is_over = [](const Cycle& cycle) { return cycle.is_over; };
        while (!std::all_of(cycles_.begin(), cycles_.end(), is_over) && now_us() < give_up_at) {
            swarm_.turn(std::chrono::milliseconds{10});
        }
        report_.counts.lost = report_.counts.expected - report_.counts.received;
    }

    const Task& task_;
    Swarm swarm_;
    Ledger ledger_;
    Progress progress_;
    Report report_;
    std::uint32_t count_ = 0;
    std::vector<Cycle> cycles_;  // By client.
    std::string payload_;
    bool is_counting_ = false;
    bool is_ending_ = false;
};

}  // namespace

// Waves of clients connect, sign in and join; between them the wave is cut, which is not counted.
Result<Report> run_logins(const Task& task) {
    Report report;
    report.options = task.options;
    Progress progress(task);
    const std::uint32_t members = std::max(1U, task.options.members);
    const std::uint32_t first = task.share(task.options.clients, task.part);
    const std::uint32_t end = task.share(task.options.clients, task.part + 1);
    const std::int64_t until = now_us() + task.options.seconds * 1'000'000LL;
    for (std::uint64_t wave = 0; wave == 0 || now_us() < until; ++wave) {
        Swarm swarm(task.options.server, task.part);
        std::vector<std::int64_t> began(end - first, 0);
        for (std::uint32_t i = first; i < end; ++i) {
            const std::uint64_t id = wave * task.options.clients + i;
            swarm.add(make_conversation(task.options.peer,
                                        Person{task.user(id), task.room(id / members), false}));
        }
        swarm.on_heard([&](std::uint32_t index, const Heard& heard) {
            if (heard.kind == Heard::Kind::joined) {
                report.whole_us.add(took_us(began[index]));
            }
        });
        Meter meter;
        meter.begin(task);
        const std::size_t window = window_of(task);
        const std::int64_t give_up_at = now_us() + join_patience / Duration{1};
        std::uint32_t next = 0;
        while (swarm.up() < swarm.size()) {
            while (next < swarm.size() && next - swarm.up() < window) {
                began[next] = now_us();
                if (auto opened = swarm.open(next); !opened) {
                    return tl::unexpected(opened.error());
                }
                ++next;
            }
            swarm.turn(std::chrono::milliseconds{100});
            if (swarm.disconnected() > 0 || now_us() > give_up_at) {
                return failure(ErrorCode::refused,
                               "a client could not join: " + swarm.first_trouble());
            }
        }
        meter.end(task, report.counts);
        report.counts.counted += swarm.size();
        report.counts.expected += swarm.size();
        report.counts.received += swarm.size();
        for (std::uint32_t i = 0; i < swarm.size(); ++i) {
            swarm.cut(i);
        }
        // The server has to notice; that is no part of the next wave.
        const std::int64_t pause_until = now_us() + 300'000;
        while (now_us() < pause_until) {
            swarm.turn(std::chrono::milliseconds{50});
        }
        progress.show(report);
    }
    return report;
}

Result<Report> run_creates(const Task& task) { return Creates(task)(); }

}  // namespace muster::bench
