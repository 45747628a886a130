#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/name.h"
#include "base/time.h"

namespace muster::queue {

enum class MountKind : std::uint8_t { message, state };

/// Who may create a queue, or join it.
enum class WhoMay : std::uint8_t { server, anyone };

/// Who may listen to a queue without being its member.
enum class WhoListens : std::uint8_t { server, members, anyone };

/// Who may write to a mount. `owner`: a member, and only the key that is its own user id.
enum class WhoWrites : std::uint8_t { server, members, owner, anyone };

/// What happens to a listener that cannot keep up with a message mount.
enum class SlowPolicy : std::uint8_t { close, drop };

/// So many in the long run per second, so many at once. 0 per second = no limit.
struct RateLimit {
    std::uint32_t per_second = 0;
    std::uint32_t burst = 0;
    friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// The rules of one mount. Which of them mean something depends on the kind.
struct MountRules {
    MountKind kind = MountKind::message;
    WhoWrites write = WhoWrites::members;
    std::uint32_t payload_bytes_max = 16 * 1024;

    // message mounts
    std::uint32_t history_count_max = 100;
    Duration history_ttl = std::chrono::minutes{2};  ///< 0 = no limit by age
    RateLimit rate;                                  ///< per member
    SlowPolicy slow = SlowPolicy::close;
    bool rolls_dice = false;  ///< the queue adds "got":[3,5] to {"roll":"2d6"}

    // state mounts
    std::uint32_t keys_max = 1024;

    friend bool operator==(const MountRules&, const MountRules&) = default;
};

/// The rules for all queues whose name matches a pattern. SURFACES.md section 7.
struct Template {
    std::string match;  ///< `*` = one segment, `**` = the rest
    WhoMay create = WhoMay::server;
    WhoMay join = WhoMay::server;
    WhoListens listen = WhoListens::members;
    Duration idle_ttl = std::chrono::minutes{10};  ///< an empty queue goes away after this; 0 = never
    std::map<MountName, MountRules, NameOrder> mounts;

    friend bool operator==(const Template&, const Template&) = default;
};

/// Returns whether `pattern` matches the whole of `queue_name`, segment by segment: `*` any one
/// segment, a closing `**` the rest, which is at least one segment. Linear; no allocation.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view queue_name) noexcept;

/// All templates of a site. Immutable once built, so shards share one.
class TemplateTable {
public:
    explicit TemplateTable(std::vector<Template> templates);

    /// Returns the rules for `queue_name`: of the matching template with the longest pattern, or
    /// the closed default (the server alone creates and joins). Cost: one match per template.
    /// Longest: with most segments (`**` counts none), then with fewest `*`, then given first.
    [[nodiscard]] std::shared_ptr<const Template> find(std::string_view queue_name) const;

    /// Returns the template whose pattern is exactly `pattern`, or nullptr.
    [[nodiscard]] std::shared_ptr<const Template> by_pattern(std::string_view pattern) const;

private:
    std::vector<std::shared_ptr<const Template>> longest_first_;
    std::shared_ptr<const Template> closed_;
};

/// What a queue may hold (GUARANTEES.md section 4). One value for a whole site.
struct Limits {
    std::uint32_t members_max = 10'000;
    std::uint32_t mounts_max = 32;
    std::uint32_t state_bytes_max = 1024 * 1024;        ///< of all state mounts of a queue
    std::uint32_t history_bytes_max = 256 * 1024;       ///< of one message mount
    std::uint32_t key_bytes_max = 256;
    std::uint32_t payload_bytes_max = 16 * 1024;
    std::uint32_t left_clients_max = 4'096;             ///< op records of clients that have left
    Duration left_client_ttl = std::chrono::hours{24};  ///< how long those are kept
    std::uint32_t idempotency_keys_max = 4'096;         ///< per queue
    Duration idempotency_ttl = std::chrono::seconds{600};
    std::uint32_t op_window = 32;                       ///< unresolved numbers per client and queue

    friend bool operator==(const Limits&, const Limits&) = default;
};

}  // namespace muster::queue
