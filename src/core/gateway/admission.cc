#include "core/gateway/admission.h"

#include <algorithm>
#include <chrono>

namespace muster::gateway {
namespace {

/// A client that is sent away has a handshake before it again: sooner is not worth its while.
constexpr Duration shortest_line = std::chrono::milliseconds{200};

/// Nobody is told to stay away for longer than the one and a half of this.
constexpr Duration longest_line = std::chrono::minutes{3};

/// About as long as those who are before it have for their handshake.
constexpr Duration crowd_time = std::chrono::seconds{2};

// A half to one and a half of it.
Duration around(Duration time, Rng& rng) noexcept {
    return time / 2 + Duration{static_cast<Duration::rep>(
                          rng.below(static_cast<std::uint64_t>(time.count()) + 1))};
}

bool has_limit(std::uint32_t per_second) noexcept { return per_second != 0; }

}  // namespace

std::optional<Duration> Admission::admit(Kind kind, Instant now, const Limits& limits,
                                         Rng& rng) noexcept {
    const bool is_login = kind == Kind::login;
    Line& line = is_login ? logins_ : resumes_;
    const std::uint32_t per_second =
        is_login ? limits.logins_per_second : limits.resumes_per_second;
    const std::uint32_t burst = is_login ? limits.logins_burst : limits.resumes_burst;
    if (!has_limit(per_second) || !line.meter.take(now, per_second, burst)) {
        return std::nullopt;
    }
    const Duration one = Duration{std::chrono::seconds{1}} / per_second;
    line.served_by = std::min(std::max(line.served_by, now) + one, now + longest_line);
    return around(std::max(line.served_by - now, shortest_line), rng);
}

std::optional<Duration> Admission::refuses_all(Instant now, const Limits& limits,
                                               Rng& rng) noexcept {
    if (!has_limit(limits.logins_per_second) || !has_limit(limits.resumes_per_second)) {
        return std::nullopt;
    }
    RateMeter logins = logins_.meter;  // Asked, not taken.
    RateMeter resumes = resumes_.meter;
    if (!logins.take(now, limits.logins_per_second, limits.logins_burst) ||
        !resumes.take(now, limits.resumes_per_second, limits.resumes_burst)) {
        return std::nullopt;
    }
    return admit(Kind::resume, now, limits, rng);
}

Duration Admission::after_crowd(Rng& rng) noexcept { return around(crowd_time, rng); }

}  // namespace muster::gateway
