#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "bench/bench.h"
#include "bench/report.h"
#include "bench/task.h"
#include "bench/usage.h"
#include "shell/runtime/descriptor.h"

namespace muster::bench {
namespace {

// A process may have 20,000 descriptors where this has to run.
constexpr std::uint32_t connections_per_process = 18'000;

constexpr double overload = 1.2;
constexpr double calm = 0.5;
constexpr double cool_down_seconds = 5;
constexpr auto search_patience = std::chrono::seconds{40};
constexpr std::uint64_t good_p99_us = 100'000;

Result<Report> run_part(const Task& task) {
    switch (task.options.work) {
        case Work::fanout:
        case Work::rooms: return run_load(task);
        case Work::state: return run_state(task);
        case Work::storm: return run_storm(task);
        case Work::idle: return run_idle(task);
        case Work::logins: return run_logins(task);
        case Work::creates: return run_creates(task);
    }
    return failure(ErrorCode::refused, "no such work");
}

/// Memory that this process and its children share.
class SharedMemory {
public:
    SharedMemory()
        : at_(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0)) {
        if (at_ != MAP_FAILED) {
            shared_ = new (at_) Shared;
        }
    }
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    ~SharedMemory() {
        if (at_ != MAP_FAILED) {
            munmap(at_, sizeof(Shared));
        }
    }

    [[nodiscard]] Shared* get() const noexcept { return shared_; }

private:
    void* at_;
    Shared* shared_ = nullptr;
};

struct Child {
    pid_t pid = -1;
    runtime::Descriptor answers;
};

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            return;
        }
        bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(0, written)));
    }
}

std::string read_all(int fd) {
    std::string bytes(64 * 1024, '\0');
    std::size_t size = 0;
    for (;;) {
        bytes.resize(size + 64 * 1024);
        const auto taken = read(fd, bytes.data() + size, bytes.size() - size);
        if (taken <= 0 && !(taken < 0 && errno == EINTR)) {
            bytes.resize(size);
            return bytes;
        }
        size += static_cast<std::size_t>(std::max<ssize_t>(0, taken));
    }
}

// A part in a process of its own. Its answer: '+' and the report, or '-' and what went wrong.
Result<Child> begin_child(const Task& task) {
    int ends[2];
    if (pipe(ends) != 0) {
        return failure(ErrorCode::limit, "no pipe");
    }
    Child child{fork(), runtime::Descriptor(ends[0])};
    if (child.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        child.answers.close();
        const auto report = run_part(task);
        if (!report) {
            task.shared->has_failed = true;
        }
        write_all(ends[1], report ? '+' + to_bytes(*report) : '-' + report.error().detail);
        _exit(0);
    }
    close(ends[1]);
    if (child.pid < 0) {
        return failure(ErrorCode::limit, "cannot fork");
    }
    return child;
}

Result<Report> run_in_processes(const Task& task) {
    std::fflush(nullptr);
    std::vector<Child> children;
    for (std::uint32_t part = 0; part < task.parts; ++part) {
        Task own = task;
        own.part = part;
        auto child = begin_child(own);
        if (!child) {
            task.shared->has_failed = true;
            break;
        }
        children.push_back(std::move(*child));
    }
    Report all;
    std::string trouble = children.size() < task.parts ? "no process for a part" : "";
    for (const Child& child : children) {
        const std::string answer = read_all(child.answers.fd());
        waitpid(child.pid, nullptr, 0);
        if (!answer.starts_with('+')) {
            // The others only say that somebody else has failed.
            const std::string why = answer.empty() ? "a part has died" : answer.substr(1);
            trouble = trouble.empty() || trouble.starts_with("another") ? why : trouble;
            task.shared->has_failed = true;
            continue;
        }
        const auto part = from_bytes(std::string_view(answer).substr(1));
        if (!part) {
            trouble = part.error().detail;
            continue;
        }
        add(all, *part);
    }
    if (!trouble.empty()) {
        return failure(ErrorCode::refused, trouble);
    }
    all.options = task.options;
    all.processes = task.parts;
    return all;
}

Result<Report> run_once(const Options& options) {
    static int runs = 0;  // Another run against the same server must not meet this one's rooms.
    const SharedMemory memory;
    if (memory.get() == nullptr) {
        return failure(ErrorCode::limit, "no memory to share");
    }
    Task task{options, 0, options.processes, memory.get(),
              std::to_string(getpid()) + "." + std::to_string(++runs)};
    if (task.parts == 0) {
        const bool doubles = sends_apart(options.peer) && options.work == Work::rooms;
        task.parts = 1 + options.clients * (doubles ? 2 : 1) / connections_per_process;
    }
    task.parts = std::min({task.parts, Shared::parts_max, std::max(1U, options.clients)});
    return task.parts == 1 ? run_part(task) : run_in_processes(task);
}

Step step_of(const Report& report) {
    Step step;
    step.rate = report.options.rate;
    step.deliveries_per_second = report.per_second();
    step.p50_us = report.latency_us.percentile(50);
    step.p99_us = report.latency_us.percentile(99);
    // A generator that cannot offer the rate shows it in the latency: it counts from when it is
    // due.
    step.is_good = report.is_clean() && report.latency_us.count() > 0 && step.p99_us < good_p99_us;
    return step;
}

// Up by half until it is too much (twice: other work may have been in the way), then closer. Where
// the first rate is too much, down by half before. Ends with its time, at the best that it has.
Result<Report> search(Options options) {
    constexpr double steps_up = 1.5;
    constexpr int closer_count = 3;
    constexpr double rate_min = 100;
    const std::int64_t until = now_us() + search_patience / Duration{1};
    std::vector<Step> steps;
    Result<Report> best = failure(ErrorCode::refused, "even the lowest rate was too much");
    double good = 0;
    double bad = 0;
    const auto tries = [&](double rate) -> bool {
        options.rate = rate;
        for (int attempt = 0; attempt < 2; ++attempt) {
            auto report = run_once(options);
            if (!report) {
                continue;
            }
            steps.push_back(step_of(*report));
            if (steps.back().is_good) {
                best = std::move(report);
                return true;
            }
        }
        return false;
    };
    for (double rate = options.rate;
         (bad == 0 || good == 0) && rate >= rate_min && now_us() < until;
         rate = good > 0 ? rate * steps_up : rate / 2) {
        (tries(rate) ? good : bad) = rate;
    }
    for (int i = 0; good > 0 && bad > good && i < closer_count && now_us() < until; ++i) {
        const double rate = (good + bad) / 2;
        (tries(rate) ? good : bad) = rate;
    }
    if (best) {
        best->steps = std::move(steps);
    }
    return best;
}

// What is possible; then more than that for a while; then half of it: is all as before?
Result<Report> overload_run(Options options) {
    Options closed = options;
    closed.overloads = false;
    const auto possible = run_once(closed);
    if (!possible) {
        return possible;
    }
    const double messages = possible->per_second() / options.clients;
    options.rate = overload * messages;
    options.cool_down_rate = calm * messages;
    options.cool_down_seconds = cool_down_seconds;
    auto report = run_once(options);
    if (report) {
        report->capacity = possible->per_second();
        const double overload_end = options.warmup_seconds + options.seconds;
        report->recovery_seconds = recovery_after(
            report->slices, static_cast<std::size_t>(overload_end * 1e6 / Report::slice_us),
            good_p99_us);
    }
    return report;
}

}  // namespace

Options default_options(Work work) noexcept {
    Options options;
    options.work = work;
    switch (work) {
        case Work::fanout: options.window = 32; break;  // As many as a client may have under way.
        case Work::rooms: options.rate = 2'000; break;
        case Work::state:
            options.clients = 400;
            options.members = 50;
            options.rate = 20;
            break;
        case Work::storm:
            options.clients = 5'000;
            options.seconds = 3;
            break;
        case Work::idle: options.clients = 15'000; break;
        case Work::logins: options.clients = 5'000; break;
        case Work::creates: break;
    }
    return options;
}

Result<Report> run(const Options& options) {
    auto report = options.searches    ? search(options)
                  : options.overloads ? overload_run(options)
                                      : run_once(options);
    if (options.shows_progress) {
        std::fprintf(stderr, "\r%70s\r", "");
    }
    return report;
}

}  // namespace muster::bench
