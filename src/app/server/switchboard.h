#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/time.h"
#include "core/actor/messages.h"
#include "core/gateway/messages.h"
#include "core/gateway/slow_readers.h"
#include "shell/runtime/channel.h"
#include "shell/runtime/doorbell.h"

/// The channels between the threads of a server: every shard speaks with every other one and with
/// the service thread.
namespace muster::server {

/// The service thread asks a shard for its counters; the answer carries the same number.
struct ReadCounters {
    RequestId request;
};
/// The service thread asks a shard for names of actors.
struct ListNames {
    RequestId request;
    std::string prefix;
    std::string after;
    std::size_t count_max = 0;
};
/// Let the clients go; then say so, and serve the clients of other shards until EndShard.
struct StopShard {};
/// No shard has clients any more: end.
struct EndShard {};

using ToShard = std::variant<actor::Message, ReadCounters, ListNames, StopShard, EndShard>;

/// What a shard has counted, and how much it holds at the moment.
struct ShardReport {
    RequestId request;
    ShardId shard;
    gateway::Counters gateway;
    std::vector<gateway::SlowReader> slow_readers;
    std::uint64_t actors = 0;
    std::uint64_t sockets = 0;
    std::uint64_t accept_pauses = 0;
    std::uint64_t turns = 0;
    std::uint64_t ops_refused = 0;       ///< BUSY, because a channel was over its bounds
    std::uint64_t events_conflated = 0;  ///< on their way to another shard
};
struct NamesReport {
    RequestId request;
    std::vector<QueueName> names;
};
/// After StopShard: the last client has gone.
struct ShardDrained {
    ShardId shard;
};
struct ShardStopped {
    ShardId shard;
};

/// The shard's recording cannot go on.
struct RecordingFailed {
    ShardId shard;
    std::string reason;
};

/// What a shard's gateway has to say in the log.
struct ShardNote {
    gateway::Note note;
    std::string peer;  ///< the client's address; empty where it is gone
};

/// What a shard has to say in the log of itself.
struct ShardTrouble {
    enum class Kind : std::uint8_t {
        accept_paused,  ///< `why`
        accept_resumed,
        channel_full,  ///< `count` ops were refused since the last time
        late,          ///< `late_by`
    };
    ShardId shard;
    Kind kind;
    std::string_view why = {};  ///< lives for ever
    std::uint64_t count = 0;
    Duration late_by{};
};

using FromShard = std::variant<actor::Message, ShardReport, NamesReport, ShardNote, ShardTrouble,
                               RecordingFailed, ShardDrained, ShardStopped>;

/// All channels and doorbells. Each channel has one sender and one receiver; a sender rings the
/// receiver's bell once per batch.
class Switchboard {
public:
    explicit Switchboard(std::uint16_t shard_count);

    [[nodiscard]] std::uint16_t shard_count() const noexcept { return shard_count_; }

    /// The channel to `to`, from a shard or (index shard_count()) from the service thread.
    [[nodiscard]] runtime::Channel<ToShard>& to_shard(std::size_t from, ShardId to) noexcept {
        return *to_shards_[from * shard_count_ + to.value];
    }
    [[nodiscard]] runtime::Channel<FromShard>& to_service(ShardId from) noexcept {
        return *to_service_[from.value];
    }
    [[nodiscard]] runtime::Doorbell& bell_of(ShardId shard) noexcept { return bells_[shard.value]; }
    [[nodiscard]] runtime::Doorbell& bell_of_service() noexcept { return bells_[shard_count_]; }

private:
    std::uint16_t shard_count_;
    std::vector<std::unique_ptr<runtime::Channel<ToShard>>> to_shards_;
    std::vector<std::unique_ptr<runtime::Channel<FromShard>>> to_service_;
    std::vector<runtime::Doorbell> bells_;
};

}  // namespace muster::server
