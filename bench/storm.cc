// storm: all clients but one of each room are cut at once and come back at once; what was said in
// the meantime must reach each of them, once.
#include <algorithm>
#include <string>
#include <vector>

#include "bench/task.h"
#include "bench/usage.h"

namespace muster::bench {
namespace {

constexpr std::int64_t try_again_after_us = 100'000;
constexpr auto back_patience = std::chrono::seconds{60};

class Storm {
public:
    explicit Storm(const Task& task)
        : task_(task),
          options_(task.options),
          swarm_(options_.server, task.part),
          ledger_(0, 1),
          progress_(task) {
        report_.options = options_;
    }

    Result<Report> operator()() {
        members_ = std::max(2U, options_.members);
        const std::uint32_t rooms = (options_.clients + members_ - 1) / members_;
        first_ = std::min(options_.clients, task_.share(rooms, task_.part) * members_);
        const std::uint32_t end =
            std::min(options_.clients, task_.share(rooms, task_.part + 1) * members_);
        for (std::uint32_t i = first_; i < end; ++i) {
            swarm_.add(make_conversation(options_.peer,
                                         Person{task_.user(i), task_.room(i / members_), false}));
        }
        ledger_ = Ledger(swarm_.size(), 1);
        const std::int64_t began = now_us();
        if (auto opened = swarm_.open_all(opening_max, join_patience); !opened) {
            return tl::unexpected(opened.error());
        }
        report_.counts.connect_seconds = static_cast<double>(now_us() - began) / 1e6;
        swarm_.settle(std::chrono::seconds{20});
        swarm_.on_heard([this](std::uint32_t index, const Heard& heard) { take(index, heard); });
        // Parts begin together; each then has storms of its own for as long as the run lasts.
        if (auto met = meet(task_, swarm_, 0); !met) {
            return tl::unexpected(met.error());
        }
        const std::int64_t until = now_us() + options_.seconds * 1'000'000LL;
        do {
            if (auto came = one_storm(); !came) {
                return tl::unexpected(came.error());
            }
            progress_.show(report_);
        } while (now_us() < until);
        report_.counts.wrongs = ledger_.wrongs();
        report_.counts.lost =
            report_.counts.expected - std::min(report_.counts.expected, report_.counts.received);
        report_.counts.disconnected = swarm_.disconnected();
        if (auto met = meet(task_, swarm_, 1); !met) {
            return tl::unexpected(met.error());
        }
        return report_;
    }

private:
    [[nodiscard]] bool stays(std::uint32_t index) const { return index % members_ == 0; }

    Result<void> one_storm() {
        const auto size = static_cast<std::uint32_t>(swarm_.size());
        ++number_;
        Meter meter;
        meter.begin(task_);
        cut_at_us_ = now_us();
        for (std::uint32_t i = 0; i < size; ++i) {
            if (!stays(i)) {
                swarm_.cut(i);
            }
        }
        for (std::uint32_t i = 0; i < size; ++i) {
            if (stays(i)) {
                speak(i);
            }
        }
        const std::int64_t give_up_at = cut_at_us_ + back_patience / Duration{1};
        std::int64_t try_at = 0;
        while (swarm_.up() < size) {
            // Who is turned away tries again, as a client would, only sooner.
            if (now_us() >= try_at) {
                try_at = now_us() + try_again_after_us;
                for (std::uint32_t i = 0; i < size; ++i) {
                    if (swarm_.is_closed(i)) {
                        if (auto opened = swarm_.open(i); !opened) {
                            return opened;
                        }
                    }
                }
            }
            swarm_.turn(std::chrono::milliseconds{10});
            if (now_us() > give_up_at) {
                return failure(ErrorCode::refused,
                               std::to_string(size - swarm_.up()) +
                                   " did not come back: " + swarm_.first_trouble());
            }
        }
        report_.counts.back_seconds =
            std::max(report_.counts.back_seconds, static_cast<double>(now_us() - cut_at_us_) / 1e6);
        meter.end(task_, report_.counts);
        const std::int64_t last_at = now_us() + last_deliveries_patience / Duration{1};
        while (report_.counts.received < report_.counts.expected && now_us() < last_at) {
            swarm_.turn(std::chrono::milliseconds{10});
        }
        swarm_.settle(std::chrono::seconds{10});
        return {};
    }

    // One message to the room while the others are away.
    void speak(std::uint32_t index) {
        payload_.clear();
        const std::uint32_t room = (first_ + index) / members_;
        append_stamp(payload_, Stamp{now_us(), room, 0, number_}, options_.payload_bytes);
        swarm_.send(index, task_.room(room), payload_);
        ++report_.counts.sent;
        report_.counts.expected +=
            std::min(members_, static_cast<std::uint32_t>(swarm_.size()) - index);
    }

    void take(std::uint32_t index, const Heard& heard) {
        switch (heard.kind) {
            case Heard::Kind::joined:
                ++report_.counts.counted;
                report_.whole_us.add(static_cast<std::uint64_t>(now_us() - cut_at_us_));
                break;
            case Heard::Kind::message:
                if (ledger_.take(index, (first_ + index) / members_, read_stamp(heard.text),
                                 heard.seq)) {
                    ++report_.counts.received;
                }
                break;
            case Heard::Kind::refused: ++report_.counts.refused; break;
            case Heard::Kind::nothing:
            case Heard::Kind::left: break;
        }
    }

    const Task& task_;
    const Options& options_;
    Swarm swarm_;
    Ledger ledger_;
    Progress progress_;
    Report report_;
    std::uint32_t members_ = 2;
    std::uint32_t first_ = 0;   // This part's first client among all.
    std::uint64_t number_ = 0;  // Of the storm, and of what is said in it.
    std::int64_t cut_at_us_ = 0;
    std::string payload_;
};

}  // namespace

Result<Report> run_storm(const Task& task) {
    if (!is_muster(task.options.peer)) {
        return failure(ErrorCode::refused, "only Muster lets clients resume");
    }
    return Storm(task)();
}

}  // namespace muster::bench
