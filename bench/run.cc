#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bench.h"
#include "bench/swarm.h"
#include "shell/runtime/clock.h"

namespace muster::bench {
namespace {

constexpr auto join_patience = std::chrono::seconds{120};
constexpr auto last_deliveries_patience = std::chrono::seconds{10};

std::uint64_t number_after(std::string_view text, std::string_view name, std::size_t from) {
    const auto at = text.find(name, from);
    std::uint64_t number = 0;
    if (at != std::string_view::npos) {
        std::from_chars(text.data() + at + name.size(), text.data() + text.size(), number);
    }
    return number;
}

std::int64_t now_us() { return runtime::monotonic_now().time_since_epoch().count(); }

/// CPU time of a process so far, in seconds.
std::optional<double> cpu_seconds(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) {
        return std::nullopt;
    }
    std::istringstream fields(text.substr(name_end + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) {
        fields >> skipped;
    }
    double user = 0;
    double system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::optional<double> resident_bytes(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
    double pages_all = 0;
    double pages_resident = 0;
    if (!(file >> pages_all >> pages_resident)) {
        return std::nullopt;
    }
    return pages_resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// One run: the swarm, who is in which room, and what has been counted.
class Run {
public:
    explicit Run(const Options& options) : swarm_(options.server) { report_.options = options; }

    Result<Report> operator()() {
        const double rss_before = resident_bytes(report_.options.server_pid).value_or(0);
        const std::int64_t began = now_us();
        if (auto connected = swarm_.connect(parts(), join_patience); !connected) {
            return tl::unexpected(connected.error());
        }
        report_.connect_seconds = static_cast<double>(now_us() - began) / 1e6;
        // Joins of others in the room are still on their way; they must not be counted as messages.
        settle();
        if (report_.options.work == Work::idle) {
            stay_idle(rss_before);
        } else {
            last_seq_.assign(swarm_.size(), 0);
            swarm_.on_text([this](std::uint32_t index, std::string_view text) { take(index, text); });
            load();
        }
        report_.disconnected = swarm_.disconnected();
        return report_;
    }

private:
    [[nodiscard]] std::uint32_t members() const {
        return report_.options.work == Work::fanout ? report_.options.clients
                                                    : report_.options.members;
    }

    [[nodiscard]] std::vector<Swarm::Part> parts() const {
        // Another run against the same server must not meet this one's rooms.
        const std::string run = std::to_string(getpid());
        std::vector<Swarm::Part> parts;
        for (std::uint32_t i = 0; i < report_.options.clients; ++i) {
            parts.push_back({"b" + run + "-" + std::to_string(i),
                             "/room/" + run + "-" + std::to_string(i / members())});
            queues_.push_back(parts.back().queue);
        }
        return parts;
    }

    void settle() {
        std::uint64_t texts = 1;
        swarm_.on_text([&](std::uint32_t, std::string_view) { ++texts; });
        while (texts > 0) {
            texts = 0;
            const std::int64_t until = now_us() + 300'000;
            while (now_us() < until) {
                swarm_.turn(std::chrono::milliseconds{20});
            }
        }
        swarm_.on_text({});
    }

    void stay_idle(double rss_before) {
        const auto cpu_before = cpu_seconds(report_.options.server_pid);
        const std::int64_t began = now_us();
        while (now_us() - began < report_.options.seconds * 1'000'000LL) {
            swarm_.turn(std::chrono::milliseconds{100});
            show_progress();
        }
        report_.seconds = static_cast<double>(now_us() - began) / 1e6;
        if (const auto rss = resident_bytes(report_.options.server_pid)) {
            report_.server_rss_bytes_per_client =
                (*rss - rss_before) / static_cast<double>(swarm_.size());
        }
        if (const auto cpu = cpu_seconds(report_.options.server_pid); cpu && cpu_before) {
            report_.server_cpu_seconds = *cpu - *cpu_before;
        }
    }

    void load() {
        const Options& options = report_.options;
        begin_us_ = now_us();
        const std::int64_t counting_from = begin_us_ + options.warmup_seconds * 1'000'000LL;
        const std::int64_t end = counting_from + options.seconds * 1'000'000LL;
        std::optional<double> cpu_before;
        while (now_us() < end) {
            if (!is_counting_ && now_us() >= counting_from) {
                is_counting_ = true;
                counting_began_us_ = now_us();
                cpu_before = cpu_seconds(options.server_pid);
            }
            const Duration wait = options.work == Work::fanout ? keep_window_full() : keep_rate();
            swarm_.turn(wait);
            show_progress();
        }
        const double counted_seconds = static_cast<double>(now_us() - counting_began_us_) / 1e6;
        report_.seconds = counted_seconds;
        is_counting_ = false;
        if (const auto cpu = cpu_seconds(options.server_pid);
            cpu && cpu_before && report_.counted > 0) {
            report_.server_cpu_seconds = *cpu - *cpu_before;
            report_.server_cpu_us_per_delivery =
                (*cpu - *cpu_before) * 1e6 / static_cast<double>(report_.counted);
        }
        const std::int64_t give_up_at = now_us() + last_deliveries_patience / Duration{1};
        while (report_.received < report_.expected && now_us() < give_up_at) {
            swarm_.turn(std::chrono::milliseconds{20});
        }
        report_.lost += report_.expected - std::min(report_.expected, report_.received);
    }

    // Fan-out, closed loop: as many messages under way as the window allows.
    Duration keep_window_full() {
        const std::uint64_t arrived = report_.received / swarm_.size();
        while (report_.sent - arrived < report_.options.window) {
            send(0, now_us());
        }
        return std::chrono::milliseconds{100};
    }

    // Rooms, open loop: every message has its time, whether the server keeps up or not.
    Duration keep_rate() {
        const double interval_us = 1e6 / report_.options.rate;
        const std::int64_t now = now_us();
        for (;;) {
            const auto due =
                begin_us_ + static_cast<std::int64_t>(static_cast<double>(report_.sent) * interval_us);
            if (due > now) {
                return Duration{std::min<std::int64_t>(due - now, 1'000)};
            }
            // Neighbours in time are in different rooms.
            const auto stride = static_cast<std::uint64_t>(members()) + 1;
            send(static_cast<std::uint32_t>(report_.sent * stride % swarm_.size()), due);
        }
    }

    void send(std::uint32_t sender, std::int64_t due_us) {
        message_.assign(R"({"op":"send","i":2,"q":")");
        message_ += queues_[sender];
        message_ += R"(","m":"chat","d":{"t":)";
        message_ += std::to_string(due_us);
        message_ += R"(,"p":")";
        const std::size_t head = 8 + std::to_string(due_us).size() + 6;
        message_.append(report_.options.payload_bytes > head + 2
                            ? report_.options.payload_bytes - head - 2
                            : 0,
                        'x');
        message_ += R"("}})";
        swarm_.send(sender, message_);
        ++report_.sent;
        report_.expected += members();
    }

    void take(std::uint32_t index, std::string_view text) {
        if (!text.starts_with(R"({"op":"msg")")) {
            if (text.starts_with(R"({"op":"err")") || text.starts_with(R"({"op":"retry")")) {
                ++report_.refused;
                report_.expected -= members();
            }
            return;
        }
        ++report_.received;
        const std::uint64_t seq = number_after(text, R"("seq":)", 16);
        std::uint64_t& last = last_seq_[index];
        if (last != 0 && seq != last + 1) {
            if (seq == last) {
                ++report_.doubled;
            } else if (seq < last) {
                ++report_.out_of_order;
            }
        }
        last = std::max(last, seq);
        if (is_counting_) {
            ++report_.counted;
            const auto due = static_cast<std::int64_t>(number_after(text, R"("d":{"t":)", 40));
            report_.latency_us.add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, now_us() - due)));
        }
    }

    void show_progress() {
        if (!report_.options.shows_progress || now_us() - shown_us_ < 1'000'000) {
            return;
        }
        shown_us_ = now_us();
        std::fprintf(stderr, "\r%llu sent, %llu received, p50 %llu us   ",
                     static_cast<unsigned long long>(report_.sent),
                     static_cast<unsigned long long>(report_.received),
                     static_cast<unsigned long long>(report_.latency_us.percentile(50)));
    }

    Swarm swarm_;
    Report report_;
    mutable std::vector<std::string> queues_;  // By client.
    std::vector<std::uint64_t> last_seq_;      // By client.
    std::string message_;
    std::int64_t begin_us_ = 0;
    std::int64_t counting_began_us_ = 0;
    std::int64_t shown_us_ = 0;
    bool is_counting_ = false;
};

}  // namespace

Result<Report> run(const Options& options) {
    Run run(options);
    auto report = run();
    if (options.shows_progress) {
        std::fprintf(stderr, "\r%60s\r", "");
    }
    return report;
}

}  // namespace muster::bench
