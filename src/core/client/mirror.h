#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/payload.h"
#include "core/wire/frames.h"

namespace muster::client {

/// What a client knows of one queue: its state mounts, its members, and up to where.
///
/// Invariants: equals the fold of the queue's events up to at(), as far as the server lists
/// members. Bounds:     bytes_max; what would grow beyond it is refused, and the mirror is then of
/// no use.
class Mirror {
public:
    /// Above what a server within its limits can send (1 MiB of state, 1,024 listed members).
    static constexpr std::size_t bytes_max = std::size_t{8} * 1024 * 1024;

    struct Entry {
        Payload value;
        std::optional<Seq> changed_at;  ///< nothing: before this client saw it change
    };
    struct Mount {
        bool is_state = false;
        std::map<Key, Entry, NameOrder> keys;
    };
    using Mounts = std::map<MountName, Mount, NameOrder>;
    using Members = std::map<UserId, Payload, NameOrder>;  ///< info: a JSON object

    [[nodiscard]] Cursor at() const noexcept { return at_; }
    [[nodiscard]] const Mounts& mounts() const noexcept { return mounts_; }
    [[nodiscard]] const Members& members() const noexcept { return members_; }

    /// Returns how many members there are, also those that are not listed.
    [[nodiscard]] std::uint64_t member_count() const noexcept { return member_count_; }

    /// Returns the entry of a key, or nullptr.
    [[nodiscard]] const Entry* find(std::string_view mount, std::string_view key) const;

    /// Replaces everything, as `joined` and `reset` say. False: too big.
    [[nodiscard]] bool replace(const wire::JoinedFrame& frame);
    [[nodiscard]] bool replace(const wire::ResetFrame& frame);

    /// Apply one event each, whose place the caller has checked. False: too big.
    [[nodiscard]] bool apply(const wire::StateFrame& frame);
    [[nodiscard]] bool apply(const wire::MembersFrame& frame);
    [[nodiscard]] bool apply(const wire::MountChangeFrame& frame);

    /// Moves on within the history.
    void move_to(Seq seq) noexcept { at_.seq = seq; }

private:
    [[nodiscard]] bool replace(Cursor at, const std::vector<wire::MountFrame>& mounts,
                               std::uint64_t member_count,
                               const std::vector<wire::MemberFrame>& who);
    void put(Mount& mount, const wire::KeyValue& change, std::optional<Seq> seq);
    void put_member(const wire::MemberFrame& member);
    [[nodiscard]] Mount& mount_called(std::string_view name);
    [[nodiscard]] bool fits() const noexcept { return bytes_ <= bytes_max; }

    Cursor at_;
    Mounts mounts_;
    Members members_;
    std::uint64_t member_count_ = 0;
    std::size_t bytes_ = 0;  // Of all names, keys, values and infos.
};

}  // namespace muster::client
