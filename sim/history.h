#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/client/messages.h"

/// What a run leaves behind for its checkers (GUARANTEES.md section 8): who asked for what, what it
/// was told, what owners decided and showed, what readers saw. Plain values, so that a test can
/// write a history by hand.
namespace muster::sim {

/// The name of one request of an application, unique in a run. It stands in the payload of a send
/// or set, so an event tells whose it is. 0: nobody's that we know.
using RequestRef = std::uint64_t;

/// Numbers for names, in the order in which a run first used them.
using QueueIndex = std::uint32_t;
using UserIndex = std::uint32_t;
/// One life of one client program.
using LifeIndex = std::uint32_t;

/// One request of an application, and what it was told of it.
struct Asked {
    enum class Kind : std::uint8_t { send, set, other };
    RequestRef ref = 0;
    LifeIndex life = 0;
    QueueIndex queue = 0;
    Kind kind = Kind::other;
    Instant at;
    // The verdict.
    std::uint32_t verdict_count = 0;
    client::Outcome outcome = client::Outcome::ok;
    ErrorCode code = ErrorCode::protocol;
    Cursor told;  ///< ok: where it took effect, as far as that was said
    Instant told_at;
};

/// An owner has carried out an op for the first time, and it had an effect.
struct Applied {
    QueueIndex queue = 0;
    Cursor at;
    RequestRef ref = 0;
    UserIndex user = 0;
    Cep cep;
    bool is_server = false;
    bool is_message = false;
    std::uint32_t mount = 0;
    std::uint64_t order = 0;
};

/// Somebody showed what stands at one place of a queue.
struct Shown {
    enum class By : std::uint8_t { owner, reader };
    QueueIndex queue = 0;
    Cursor at;
    std::uint64_t hash = 0;
    By by = By::owner;
};

/// Somebody showed the whole state of a queue at one place.
struct Snapshot {
    enum class By : std::uint8_t { fold, owner, reader, end };
    QueueIndex queue = 0;
    Cursor at;
    std::uint64_t hash = 0;
    By by = By::owner;
};

/// An owner has sent something of this history: an OK, an event, a snapshot.
struct Emitted {
    QueueIndex queue = 0;
    Inc inc;
    Seq seq = 0;
    Cursor committed{};  ///< how far the queue was then; inc 0: it is gone
};

/// A queue has decided that somebody came to be a member, changed, or is none any more.
struct MemberChange {
    QueueIndex queue = 0;
    Cursor at;
    UserIndex user = 0;
    bool is_member = false;
    bool is_online = false;
    SessionId session;    ///< of a member: with which it was last on line; 0: never
    bool is_end = false;  ///< the queue itself is gone; `at` is nowhere
    std::uint64_t order = 0;
};

/// Somebody showed what stands at one place of a queue of one of its users.
struct MemberShown {
    QueueIndex queue = 0;
    Cursor at;
    UserIndex user = 0;
    bool is_member = false;
    bool is_online = false;
};

/// A user queue has begun or ended its user's session.
struct SessionChange {
    UserIndex user = 0;
    SessionId session;
    bool begins = false;
    bool is_by_backend = false;  ///< a Disconnect
    Duration away_for{};         ///< since its last connection went, by the owner's clock
    std::uint64_t order = 0;
};

/// What one reader was given of one queue, in the order in which it was given.
struct Read {
    enum class Kind : std::uint8_t {
        joined,
        reset,   ///< `is_unknown`: the one that may lead back
        event,   ///< prev -> seq
        gap,     ///< from … to of `mount` were lost
        parted,  ///< it reads no more: its own will, or the server's
    };
    LifeIndex life = 0;
    QueueIndex queue = 0;
    Kind kind = Kind::event;
    Cursor at;
    Seq prev = 0;
    bool is_unknown = false;
    bool is_replay = false;  ///< event: of what was missed; the `joined` behind it names the gaps
    std::uint32_t mount = 0;
    Seq from = 0;
    Seq to = 0;
};

/// A user queue has let a connection in.
struct Attached {
    UserIndex user = 0;
    Cep cep;
    ConnectionRef connection;
    SessionId session{};
    Cid cid{};
    std::uint64_t attempt = 0;  ///< of that client; 0: not known
};

/// A gateway has welcomed a connection: from here on it and the queues of its user count on the
/// fence.
struct Welcomed {
    UserIndex user = 0;
    Cep cep;
    struct Joined {
        QueueIndex queue = 0;
        Inc inc;
    };
    std::vector<Joined> joined;
    std::uint64_t order = 0;
};

/// How things stand after all faults were healed and all has come to rest.
struct Ending {
    struct Presence {
        UserIndex user = 0;
        bool is_online = false;
        friend bool operator==(const Presence&, const Presence&) = default;
    };
    struct Member {
        UserIndex user = 0;
        bool is_online = false;
        bool by_server = false;
        SessionId session;
    };
    struct Queue {
        QueueIndex queue = 0;
        Cursor at;  ///< of the owner; inc 0: there is none
        std::vector<Member> members{};
    };
    struct Reader {
        LifeIndex life = 0;
        QueueIndex queue = 0;
        Cursor at;
        std::vector<Presence> members{};
    };
    /// What a user queue says of its user.
    struct User {
        UserIndex user = 0;
        SessionId session;  ///< 0: none
        std::size_t connection_count = 0;
        std::vector<Welcomed::Joined> joined{};
    };
    struct Client {
        LifeIndex life = 0;
        UserIndex user = 0;
        bool is_online = false;
        bool is_superseded = false;
        std::size_t waiting_count = 0;
        std::vector<QueueIndex> member_of{};  ///< as it believes
    };
    std::vector<Queue> queues;
    std::vector<Reader> readers;
    std::vector<Client> clients;
    std::vector<User> users;
    std::uint64_t connections_welcome = 0;  ///< at all gateways
};

struct History {
    std::vector<Asked> asked;             ///< by ref - 1
    std::vector<bool> is_life_over;       ///< by LifeIndex: it was killed, and owes nothing
    std::vector<std::string> life_names;  ///< by LifeIndex, as the trace calls them; may be empty
    std::vector<Applied> applied;
    std::vector<Shown> shown;
    std::vector<Snapshot> snapshots;
    std::vector<Emitted> emitted;
    std::vector<Read> reads;
    std::vector<Attached> attached;
    std::vector<Welcomed> welcomed;
    std::vector<MemberChange> member_changes;  ///< in the order in which they were decided
    std::vector<MemberShown> members_shown;
    std::vector<SessionChange> sessions;  ///< in the order in which they were decided
    Duration resume_time{};               ///< T_resume of the run
    std::size_t connections_max = 1;      ///< of one user, at once
    std::vector<std::string> breaches;    ///< seen at once, by whoever stood beside it: "I13 …"
    Ending ending;

    /// Returns the next place in the order of all that owners and gateways do.
    std::uint64_t next_order() noexcept { return ++order; }
    std::uint64_t order = 0;

    std::map<QueueIndex, Cursor> committed;  ///< how far each queue is at this moment

    std::vector<std::string> queue_names;
    std::vector<std::string> user_names;
    std::vector<std::string> mount_names;

    /// Returns what people call a life: "client3" where its name is known, else "life 7".
    [[nodiscard]] std::string life_name(LifeIndex life) const {
        return life < life_names.size() ? life_names[life] : "life " + std::to_string(life);
    }

    [[nodiscard]] QueueIndex queue(std::string_view name) { return index(queue_names, name); }
    [[nodiscard]] UserIndex user(std::string_view name) { return index(user_names, name); }
    [[nodiscard]] std::uint32_t mount(std::string_view name) { return index(mount_names, name); }

private:
    // A run has a handful of each: a walk is as fast as a table.
    static std::uint32_t index(std::vector<std::string>& names, std::string_view name) {
        for (std::uint32_t i = 0; i < names.size(); ++i) {
            if (names[i] == name) {
                return i;
            }
        }
        names.emplace_back(name);
        return static_cast<std::uint32_t>(names.size() - 1);
    }
};

}  // namespace muster::sim
