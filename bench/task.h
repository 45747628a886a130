#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "bench/bench.h"
#include "bench/report.h"
#include "bench/swarm.h"

namespace muster::bench {

/// What the processes of one run tell each other, in memory that they share.
///
/// Thread: every process has one; the two sides of each field are named with it.
struct Shared {
    static constexpr std::uint32_t parts_max = 32;
    static constexpr std::size_t arrivals_max = 65'536;

    std::array<std::atomic<std::uint32_t>, 8> arrived{};  ///< at a barrier; all count, all wait
    std::atomic<std::int64_t> begin_us = 0;               ///< the first part sets it, all read
    std::atomic<std::uint64_t> sent = 0;     ///< fanout: the first part counts, all read
    std::atomic<std::uint64_t> refused = 0;  ///< the same
    std::atomic<bool> has_failed = false;    ///< who fails sets it; who waits gives up
    /// fanout: what each part has received; the first part reads.
    std::array<std::atomic<std::uint64_t>, parts_max> received{};
    /// fanout: how many have message n, at n modulo the size; all count.
    std::array<std::atomic<std::uint32_t>, arrivals_max> arrivals{};
};

/// One process's part of a run.
struct Task {
    Options options;
    std::uint32_t part = 0;
    std::uint32_t parts = 1;
    Shared* shared = nullptr;
    std::string run;  ///< in the names of users and rooms, so that runs do not meet

    /// Returns where this part's share of `count` things begins; that of the next is its end.
    [[nodiscard]] std::uint32_t share(std::uint32_t count, std::uint32_t of_part) const {
        return static_cast<std::uint32_t>(std::uint64_t{count} * of_part / parts);
    }
    [[nodiscard]] std::string room(std::uint64_t number) const {
        return "/room/" + run + "-" + std::to_string(number);
    }
    [[nodiscard]] std::string user(std::uint64_t number) const {
        return "b" + run + "-" + std::to_string(number);
    }
};

/// Turns `swarm` until every part has come to barrier `number`. Errors: a part has failed.
[[nodiscard]] Result<void> meet(const Task& task, Swarm& swarm, std::size_t number);

/// CPU times between two moments of a run, for its report.
class Meter {
public:
    void begin(const Task& task);
    void end(const Task& task, Counts& counts) const;

private:
    double own_ = 0;
    double server_ = -1;
    std::int64_t began_us_ = 0;
};

/// Shows on stderr, once a second, how far a run is.
class Progress {
public:
    explicit Progress(const Task& task)
        : is_shown_(task.options.shows_progress && task.part == 0) {}
    void show(const Report& report);

private:
    bool is_shown_;
    std::int64_t shown_us_ = 0;
};

inline constexpr auto join_patience = std::chrono::seconds{120};
inline constexpr auto last_deliveries_patience = std::chrono::seconds{10};
/// As a front end would let them in: not all at once.
inline constexpr std::size_t opening_max = 400;

[[nodiscard]] Result<Report> run_load(const Task& task);  // fanout, rooms
[[nodiscard]] Result<Report> run_state(const Task& task);
[[nodiscard]] Result<Report> run_storm(const Task& task);
[[nodiscard]] Result<Report> run_idle(const Task& task);
[[nodiscard]] Result<Report> run_logins(const Task& task);
[[nodiscard]] Result<Report> run_creates(const Task& task);

}  // namespace muster::bench
