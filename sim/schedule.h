#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/time.h"

namespace muster::sim {

/// What will happen, and when: the one clock of a run, which only this moves.
///
/// Invariants: time never goes back. What is planned for the same moment happens in the order in
///             which it was planned, so a run is a function of its seed.
class Schedule {
public:
    using Task = std::function<void()>;

    /// Where every run begins: far from 0, so that nothing works by being 0.
    static constexpr Instant start{std::chrono::hours{1}};

    [[nodiscard]] Instant now() const noexcept { return now_; }

    /// Plans `task`; what lies in the past happens next.
    void at(Instant when, Task task);
    void in(Duration delay, Task task) { at(now_ + delay, std::move(task)); }

    /// Lets everything happen up to `end`, and moves the clock there.
    void run_until(Instant end);

    [[nodiscard]] std::uint64_t task_count() const noexcept { return task_count_; }

private:
    struct Planned {
        Instant when;
        std::uint64_t order = 0;
        Task task;
    };
    static bool is_later(const Planned& a, const Planned& b) noexcept {
        return a.when != b.when ? a.when > b.when : a.order > b.order;
    }

    Instant now_ = start;
    std::uint64_t task_count_ = 0;
    std::vector<Planned> planned_;  // A heap; the first of all is in front.
};

/// A clock of a machine, which goes a little too fast or too slow (GUARANTEES.md section 1: rates
/// differ by at most 1 %).
class DriftingClock {
public:
    /// `ppm`: by how many millionths it is fast. `origin`: what it shows at Schedule::start.
    DriftingClock(Instant origin, std::int64_t ppm) noexcept : origin_(origin), ppm_(ppm) {}

    [[nodiscard]] Instant local(Instant real) const noexcept {
        const std::int64_t passed = (real - Schedule::start).count();
        return origin_ + Duration{passed + passed * ppm_ / 1'000'000};
    }

    /// Returns the first real moment at which local() is at least `shown`.
    [[nodiscard]] Instant real(Instant shown) const noexcept {
        const std::int64_t passed = (shown - origin_).count();
        Instant at = Schedule::start + Duration{passed * 1'000'000 / (1'000'000 + ppm_)};
        while (local(at) < shown) {
            at += Duration{1};
        }
        return at;
    }

private:
    Instant origin_;
    std::int64_t ppm_;
};

}  // namespace muster::sim
