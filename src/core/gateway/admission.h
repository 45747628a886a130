#pragma once

#include <cstdint>
#include <optional>

#include "base/rate.h"
#include "base/rng.h"
#include "base/time.h"
#include "core/gateway/messages.h"

namespace muster::gateway {

/// How fast a gateway shard lets clients in (GUARANTEES.md 5.10). Who comes too early is told when
/// to come back: at random within the time that serving all who wait will take, so that a crowd
/// comes spread, and not all at once again.
///
/// Shape: for each kind a rate, and the time at which all whom it has sent away could have been
///        served. That only passes: whether they do come back need not be known.
/// Cost:  a few integer operations; a client that was sent away leaves nothing behind.
class Admission {
public:
    enum class Kind : std::uint8_t {
        login,
        resume,  ///< with a resume token: these have a rate of their own, and a higher one
    };

    /// Lets one in and returns nothing; or returns in which time it had better come back.
    [[nodiscard]] std::optional<Duration> admit(Kind kind, Instant now, const Limits& limits,
                                                Rng& rng) noexcept;

    /// Returns in which time a client of either kind had better come back, if none is let in now.
    [[nodiscard]] std::optional<Duration> refuses_all(Instant now, const Limits& limits,
                                                      Rng& rng) noexcept;

    /// Returns in which time a client had better come back that found too many before it who have
    /// not signed in yet.
    [[nodiscard]] static Duration after_crowd(Rng& rng) noexcept;

private:
    /// All of one kind.
    struct Line {
        RateMeter meter;
        Instant served_by{};  ///< the last one that was sent away
    };

    Line logins_;
    Line resumes_;
};

}  // namespace muster::gateway
