#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/rng.h"
#include "base/time.h"
#include "core/actor/actor.h"
#include "core/gateway/encode.h"
#include "core/gateway/messages.h"
#include "core/wire/deflate.h"
#include "core/wire/frames.h"
#include "core/wire/http_head.h"

namespace muster::gateway {

class Admission;
struct Settings;

/// What a connection asks of its gateway: things that need a replica.
struct Wish {
    enum class Kind : std::uint8_t { follow, unfollow, history };
    Kind kind = Kind::follow;
    ConnectionId connection;
    QueueName queue;
    std::optional<std::uint64_t> request;  ///< the client's `i`
    std::optional<Cursor> cursor;          ///< follow: what the client has seen
    Inc joined;                            ///< follow: see Follower
    bool was_ahead = false;                ///< follow: see Follower
    bool is_live = false;                  ///< follow: see Follower
    MountName mount;                       ///< history
    std::optional<Seq> before;             ///< history
};

/// What a connection did not get, or had to be closed for, because its client reads slowly.
struct Missed {
    ConnectionId connection;
    QueueName queue;  ///< empty: what waited was of no queue
    MountName mount;  ///< empty: members, snapshots
    std::uint64_t conflated = 0;
    std::uint64_t dropped = 0;
    bool has_closed = false;
};

/// Buffers that all connections of a shard share, because only one of them works at a time.
struct Workspace {
    EncodeSpace encoded;
    wire::Inflater inflater;
    std::string unescaped;
    std::string path;
    wire::ClientFrame frame;
    wire::RequestHead head;
};

/// Everything that a step in the gateway may know of the world, and where to ask for things to be
/// done. Lives for one step.
struct Context {
    Instant now;
    WallTime wall;
    std::uint64_t turn = 0;  ///< number of the loop turn: bounds what leaves in one
    ShardId shard;
    const Settings& settings;
    Rng& rng;
    actor::Outbox& messages;
    Outputs& outputs;
    std::vector<Wish>& wishes;
    std::vector<Missed>& missed;
    std::vector<Note>& notes;
    Counters& counters;
    Workspace& work;
    Admission& admission;

    void note(Note::Kind kind, ConnectionId connection, const UserId& user,
              std::string_view detail) {
        note(Note{kind, connection, user, std::string(detail), {}, {}});
    }
    void note(Note noted) {
        const auto same = std::ranges::find(notes, noted.kind, &Note::kind);
        if (is_counted(noted.kind) && same != notes.end()) {
            same->count += noted.count;
            return;
        }
        if (notes.size() < notes_max) {
            notes.push_back(std::move(noted));
        }
    }

    void send(actor::Address to, actor::Body body) {
        messages.push_back(
            actor::Message{actor::GatewayAddress{shard}, std::move(to), std::move(body)});
    }
};

}  // namespace muster::gateway
