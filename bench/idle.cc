// idle: what a user costs who is there and does nothing.
#include <algorithm>

#include "bench/task.h"
#include "bench/usage.h"

namespace muster::bench {

Result<Report> run_idle(const Task& task) {
    Report report;
    report.options = task.options;
    const auto before = task.part == 0 ? resident_bytes(task.options.server_pid) : std::nullopt;
    Swarm swarm(task.options.server, task.part);
    if (auto met = meet(task, swarm, 0); !met) {
        return tl::unexpected(met.error());
    }
    const std::uint32_t members = std::max(1U, task.options.members);
    for (std::uint32_t i = task.share(task.options.clients, task.part);
         i < task.share(task.options.clients, task.part + 1); ++i) {
        swarm.add(make_conversation(task.options.peer,
                                    Person{task.user(i), task.room(i / members), false}));
    }
    const std::int64_t began = now_us();
    if (auto opened = swarm.open_all(opening_max, join_patience); !opened) {
        return tl::unexpected(opened.error());
    }
    report.counts.connect_seconds = static_cast<double>(now_us() - began) / 1e6;
    swarm.settle(std::chrono::seconds{20});
    if (auto met = meet(task, swarm, 1); !met) {
        return tl::unexpected(met.error());
    }
    Meter meter;
    meter.begin(task);
    Progress progress(task);
    const std::int64_t until = now_us() + task.options.seconds * 1'000'000LL;
    while (now_us() < until) {
        swarm.turn(std::chrono::milliseconds{100});
        progress.show(report);
    }
    meter.end(task, report.counts);
    if (const auto after = resident_bytes(task.options.server_pid); after && before) {
        report.counts.server_bytes_per_client = (*after - *before) / task.options.clients;
    }
    report.counts.disconnected = swarm.disconnected();
    if (auto met = meet(task, swarm, 2); !met) {
        return tl::unexpected(met.error());
    }
    return report;
}

}  // namespace muster::bench
