#include "bench/task.h"

#include <cstdio>

#include "bench/usage.h"

namespace muster::bench {

Result<void> meet(const Task& task, Swarm& swarm, std::size_t number) {
    ++task.shared->arrived.at(number);
    const std::int64_t give_up_at = now_us() + join_patience / Duration{1};
    while (task.shared->arrived.at(number) < task.parts) {
        swarm.turn(std::chrono::milliseconds{5});
        if (task.shared->has_failed || now_us() > give_up_at) {
            return failure(ErrorCode::refused, "another part of the run has failed");
        }
    }
    return {};
}

void Meter::begin(const Task& task) {
    own_ = own_cpu_seconds();
    server_ = task.part == 0 ? cpu_seconds(task.options.server_pid).value_or(-1) : -1;
    began_us_ = now_us();
}

void Meter::end(const Task& task, Counts& counts) const {
    counts.seconds += static_cast<double>(now_us() - began_us_) / 1e6;
    counts.generator_cpu_seconds += own_cpu_seconds() - own_;
    if (const auto server = cpu_seconds(task.options.server_pid); server && server_ >= 0) {
        counts.server_cpu_seconds =
            (counts.server_cpu_seconds < 0 ? 0 : counts.server_cpu_seconds) + *server - server_;
    }
}

void Progress::show(const Report& report) {
    if (!is_shown_ || now_us() - shown_us_ < 1'000'000) {
        return;
    }
    shown_us_ = now_us();
    const auto& times = report.latency_us.count() > 0 ? report.latency_us : report.whole_us;
    std::fprintf(stderr, "\r%llu sent, %llu received, %llu counted, p50 %llu us   ",
                 static_cast<unsigned long long>(report.counts.sent),
                 static_cast<unsigned long long>(report.counts.received),
                 static_cast<unsigned long long>(report.counts.counted),
                 static_cast<unsigned long long>(times.percentile(50)));
}

}  // namespace muster::bench
