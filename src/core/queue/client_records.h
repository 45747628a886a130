#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "core/queue/verdict.h"

namespace muster::queue {

/// A client program of a user. A user's clients stand next to each other.
struct ClientKey {
    UserId user;
    Cid cid;
    friend auto operator<=>(const ClientKey&, const ClientKey&) = default;
};

/// What a queue remembers of one client's numbered ops, so that a repeated one takes effect once:
/// how far its numbers are decided, and the verdicts of the newest ones.
class ClientRecord {
public:
    ClientRecord() = default;

    /// A record that knows nothing of the numbers up to `highest` but that they are decided.
    explicit ClientRecord(OpNumber highest) noexcept : highest_(highest) {}

    /// All numbers up to here are decided.
    [[nodiscard]] OpNumber highest() const noexcept { return highest_; }

    /// Returns the verdict of `number`, or nullptr where it is not decided or too long ago.
    [[nodiscard]] const KeptVerdict* find(OpNumber number) const noexcept;

    [[nodiscard]] std::size_t kept_count() const noexcept { return ring_.size(); }

    /// Notes the verdict of the next number; keeps the newest `window` ones.
    void add(const KeptVerdict& verdict, std::size_t window);

private:
    OpNumber highest_ = 0;
    std::vector<KeptVerdict> ring_;
    std::uint32_t oldest_ = 0;  // Place of the oldest one in ring_.
};

/// The op records of all clients of a queue (the de-duplication ring of GUARANTEES.md 5.1).
///
/// Invariants: numbers of a client are decided densely. Records of members' clients are kept, at
///             least of the newest client of each. Of the others (their user is no member, or has a
///             newer client) at most `left_max` are: who was not heard of for longest goes first.
class ClientRecords {
public:
    /// Whose record it is: that decides how long it is kept.
    enum class Whose : std::uint8_t { member, stranger };

    ClientRecords(std::size_t window, std::size_t left_max)
        : window_(window), left_max_(left_max) {}

    [[nodiscard]] const ClientRecord* find(const ClientKey& client) const;

    /// Notes the verdict of the client's next number. A member's client that was not there, or was
    /// left, supersedes the user's other ones: they count as left.
    void decide(const ClientKey& client, const KeptVerdict& verdict, Whose whose);

    /// The user is no member any more: all its clients have left the queue.
    void user_left(const UserId& user);

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

    // ---- For snapshots ----

    /// Returns all records, in order.
    [[nodiscard]] std::vector<std::pair<ClientKey, const ClientRecord*>> all() const;

    /// Returns the clients that have left: the one to be forgotten first is the first.
    [[nodiscard]] std::vector<ClientKey> left() const;

    /// Puts back a record; false if it is there already.
    bool restore(const ClientKey& client, ClientRecord record);

    /// The client, which must have a record, has left after all that have left before; false if it
    /// has already.
    bool restore_left(const ClientKey& client);

private:
    struct Entry {
        ClientRecord record;
        std::uint64_t left_as = 0;  // 0: a member's client. Else its place in left_.
    };
    using Entries = std::map<ClientKey, Entry>;

    void mark_left(Entries::value_type& entry);
    void mark_all_left(const UserId& user, const Entries::value_type* but);
    void forget_too_many();

    std::size_t window_;
    std::size_t left_max_;
    Entries entries_;
    std::map<std::uint64_t, ClientKey> left_;
    std::uint64_t left_count_ = 0;  // Ever: the newest place in left_.
};

}  // namespace muster::queue
