#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/fifo.h"
#include "base/ids.h"
#include "base/name.h"
#include "base/payload.h"
#include "base/time.h"
#include "core/queue/template.h"

/// What a queue holds, and how one change alters it. The owner and every replica keep the same
/// Content and feed it the same events, so they hold the same (I6: state = fold of the events).
namespace muster::queue {

/// A user whom the queue knows.
struct Member {
    Payload info;       ///< a JSON object of the backend's, shown to all; empty = {}
    SharedText role;    ///< the backend's word; empty = none
    SessionId session;  ///< the session with which it was last seen online
    bool is_online = false;
    bool by_server = false;  ///< joined by the backend: stays while offline

    friend bool operator==(const Member&, const Member&) = default;
};

/// Why a member went.
enum class LeaveReason : std::uint8_t { left, timeout, kicked };

/// One key's new value; an empty one means that the key is deleted.
struct KeyChange {
    Key key;
    Payload value;
    friend bool operator==(const KeyChange&, const KeyChange&) = default;
};

struct MessagePosted {
    MountName mount;
    Payload data;
};
struct StateChanged {
    MountName mount;
    std::vector<KeyChange> changes;  ///< at least one; each key once
};
/// `user` joined or changed (there is a member), or went (there is none).
struct MemberChanged {
    UserId user;
    std::optional<Member> member;
    LeaveReason reason = LeaveReason::left;
    std::uint64_t count = 0;  ///< of members, after this
};
/// A mount came (there are rules) or went (there are none).
struct MountChanged {
    MountName mount;
    std::optional<MountRules> rules;
};

/// One change of a queue: takes exactly one seq. Immutable; history, replicas and backlogs share
/// it.
struct Event {
    Seq seq = 0;
    WallTime time;
    UserId from;  ///< empty: the server
    std::variant<MessagePosted, StateChanged, MemberChanged, MountChanged> body;
};
using EventPtr = std::shared_ptr<const Event>;

/// The present value of one key.
struct Entry {
    Payload value;
    Seq changed_at = 0;  ///< what `if` is compared with
};

/// One message that is still remembered, and when this process learnt of it (for its age).
struct Remembered {
    EventPtr event;
    Instant at;
};

/// One mount with what it holds.
struct Mount {
    MountRules rules;
    Seq added_at = 0;

    // state mounts
    std::map<Key, Entry, NameOrder> keys;
    std::size_t key_bytes = 0;  ///< of all keys and values

    // message mounts
    Fifo<Remembered> history;  ///< oldest first
    std::size_t history_bytes = 0;
    Seq forgotten_through = 0;  ///< all messages up to here may be missing from the history
};

/// All that a queue shows: mounts, keys, history, members, and its place.
///
/// Invariants: seq grows by one with each apply(); nothing else changes what readers see. Histories
///             are within their rules' count, bytes and (at the time of the last call) age.
class Content {
public:
    Cursor at;  ///< (inc, seq of the last event)
    std::shared_ptr<const Template> rules;
    std::map<MountName, Mount, NameOrder> mounts;
    std::map<UserId, Member, NameOrder> members;
    std::size_t info_bytes = 0;  ///< of all members

    /// Applies the next event; its seq must be at.seq + 1. O(log n) in keys or members.
    void apply(const EventPtr& event, Instant now, const Limits& limits);

    /// Forgets what is older than the mounts' history_ttl. Returns whether messages are left that
    /// will be one day.
    bool forget_old(Instant now);

    /// Returns the sum of all state mounts' bytes.
    [[nodiscard]] std::size_t state_bytes() const noexcept;
};

/// Returns the bytes that one key counts against the limits.
[[nodiscard]] std::size_t entry_bytes(const Key& key, const Payload& value) noexcept;

/// Returns the bytes that what the backend says of a member counts against the limits.
[[nodiscard]] std::size_t info_bytes(const Member& member) noexcept;

/// Returns the bytes that one message, a MessagePosted, counts against the limits.
[[nodiscard]] std::size_t message_bytes(const Event& event) noexcept;

/// Returns whether two contents show the same to every reader (ages and sharing aside).
[[nodiscard]] bool shows_same(const Content& a, const Content& b);

}  // namespace muster::queue
