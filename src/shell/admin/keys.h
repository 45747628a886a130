#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster::admin {

/// What a caller may do; each role may do all that the ones before it may.
enum class Role : std::uint8_t { read, game_server, operate };

/// Returns "read", "game-server" or "operator".
[[nodiscard]] std::string_view role_name(Role role) noexcept;

using Digest = std::array<std::uint8_t, 32>;

/// Returns the SHA-256 of `text`.
[[nodiscard]] Digest digest_of(std::string_view text);

/// Who a caller is, and what of the site it sees.
struct Access {
    std::string name;  ///< of its key; for what is shown to people
    Role role = Role::read;
    std::string queue_prefix;  ///< its tenant's queues begin with this; empty: all of the site
};

/// The keys that open the admin API.
///
/// Shape:      digests only; a key itself is in memory no longer than its request.
/// Invariants: find() takes the same time for each text of one length, whatever the keys are.
class AdminKeys {
public:
    /// Adds a key. That it is long enough to resist guessing is for the settings to check.
    void add(std::string_view key, Access access);

    /// Returns whom `key` belongs to, or nullptr. Compares with every key, in constant time.
    [[nodiscard]] const Access* find(std::string_view key) const;

    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

private:
    struct Entry {
        Digest digest;
        Access access;
    };
    std::vector<Entry> entries_;
};

}  // namespace muster::admin
