#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/time.h"
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

    /// Returns the verdict of `number`, or nothing where it is not decided or too long ago.
    [[nodiscard]] std::optional<KeptVerdict> find(OpNumber number) const noexcept;

    /// How many verdicts are known with all that they say, and of how many numbers before these
    /// only the outcome.
    [[nodiscard]] std::size_t kept_count() const noexcept { return ring_.size(); }
    [[nodiscard]] std::size_t outcome_count() const noexcept {
        return outcomes_ == nullptr ? 0 : outcomes_->size();
    }

    /// Notes the verdict of the next number; keeps the newest `window` ones.
    void add(const KeptVerdict& verdict, std::size_t window);

    /// Keeps of all verdicts only whether they were OK: from now on find() gives an OK without its
    /// place, and KeptVerdict::Kind::forgotten for what was rejected.
    void compact();

    /// Puts back outcomes of the numbers before those that were added; false: of too many.
    bool restore_outcomes(std::vector<bool> newest_first);

    /// Which of its user's slots (see Cep) the client has.
    [[nodiscard]] std::uint8_t slot() const noexcept { return slot_; }
    void set_slot(std::uint8_t slot) noexcept { slot_ = slot; }

private:
    OpNumber highest_ = 0;
    std::vector<KeptVerdict> ring_;
    std::uint32_t oldest_ = 0;  // Place of the oldest one in ring_.
    std::uint8_t slot_ = 0;
    std::unique_ptr<std::vector<bool>>
        outcomes_;  // Of the numbers before the ring's, newest first.
};

/// The op records of all clients of a queue (the de-duplication ring of GUARANTEES.md 5.1).
///
/// Invariants: numbers of a client are decided densely. Records of members' clients are kept, at
///             least of the newest client in each slot of each. Of the others (their user is no
///             member, or has a newer client there) at most `left_max` are: who was not heard of
///             for longest goes first. Of who was not heard of for `full_time` only outcomes are
///             kept, of who was not for `ttl` nothing.
class ClientRecords {
public:
    /// Whose record it is: that decides how long it is kept.
    enum class Whose : std::uint8_t { member, stranger };

    /// How long all of a client's verdicts are known after it has left.
    static constexpr Duration full_time = std::chrono::seconds{600};

    ClientRecords(std::size_t window, std::size_t left_max, Duration ttl)
        : window_(window), left_max_(left_max), ttl_(ttl) {}

    [[nodiscard]] const ClientRecord* find(const ClientKey& client) const;

    /// Notes the verdict of the client's next number. A member's client that was not there, or was
    /// left, supersedes the user's other ones in its slot: they count as left.
    void decide(const ClientKey& client, const KeptVerdict& verdict, Whose whose, std::uint8_t slot,
                Instant now);

    /// The user is no member any more: all its clients have left the queue.
    void user_left(const UserId& user, Instant now);

    /// Lets those age who have left. Returns when there is more to do, if ever.
    std::optional<Instant> age(Instant now);

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

    // ---- For snapshots ----

    /// Returns all records, in order.
    [[nodiscard]] std::vector<std::pair<ClientKey, const ClientRecord*>> all() const;

    /// A client that has left, and when it was last heard of.
    struct Left {
        ClientKey client;
        Instant at;
        friend bool operator==(const Left&, const Left&) = default;
    };

    /// Returns the clients that have left: the one to be forgotten first is the first.
    [[nodiscard]] std::vector<Left> left() const;

    /// Puts back a record; false if it is there already.
    bool restore(const ClientKey& client, ClientRecord record);

    /// The client, which must have a record, has left after all that have left before; false if it
    /// has already.
    bool restore_left(const ClientKey& client, Instant at);

private:
    struct Entry {
        ClientRecord record;
        std::uint64_t left_as = 0;  // 0: a member's client. Else its place in left_.
    };
    using Entries = std::map<ClientKey, Entry>;

    void mark_left(Entries::value_type& entry, Instant now);
    void supersede_others(const Entries::value_type& newest, Instant now);
    void forget_too_many();
    void forget_first();

    std::size_t window_;
    std::size_t left_max_;
    Entries entries_;
    Duration ttl_;
    std::map<std::uint64_t, Left> left_;
    std::uint64_t left_count_ = 0;     // Ever: the newest place in left_.
    std::uint64_t compact_up_to_ = 0;  // Places up to here are of compact records.
};

}  // namespace muster::queue
