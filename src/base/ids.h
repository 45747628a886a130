#pragma once

#include <compare>
#include <cstdint>

#include "base/id.h"

namespace muster {

/// A thread with its event loop, counted from 0 within its process.
using ShardId = Id<struct ShardTag, std::uint16_t>;

/// All actors whose name hash starts with one prefix. 0 … bucket count - 1.
using BucketId = Id<struct BucketTag, std::uint32_t>;

/// One client socket on its gateway shard; never used again within a process's life.
using ConnectionId = Id<struct ConnectionTag, std::uint64_t>;

/// One life of one process: 64 bits of chance and start time.
using Boot = Id<struct BootTag, std::uint64_t>;

/// One subscription of a gateway shard to a queue. Drawn anew for each SUB, so that what answers an
/// older one is recognised and dropped.
using SubId = Id<struct SubTag, std::uint64_t>;

/// One request of the service thread (admin HTTP) to an actor.
using RequestId = Id<struct RequestTag, std::uint64_t>;

/// A user's time on line. Drawn like an Inc, so it only grows.
using SessionId = Id<struct SessionTag, std::uint64_t>;

/// One unbroken history of a queue: `epoch * 2^32 + create counter` of its bucket. A lost or newly
/// created queue has a new one; bigger is younger; 0 names "the present one" in requests.
using Inc = Id<struct IncTag, std::uint64_t>;

/// Who owns a bucket: +1 at every change (one process: +1 at every start).
using Epoch = Id<struct EpochTag, std::uint32_t>;

/// Place of a change in its queue; contiguous over all mounts, from 1. 0 = before the first.
using Seq = std::uint64_t;

/// Place of an input in its bucket's log; contiguous, from 1.
using Lsn = std::uint64_t;

/// The n-th op that a client issues to one queue inc: 1, 2, 3 … 0 = not numbered (HTTP callers and
/// clients that leave the numbers out).
using OpNumber = std::uint64_t;

/// What a reader has seen of a queue. Always compared as a pair.
struct Cursor {
    Inc inc;
    Seq seq = 0;
    friend auto operator<=>(const Cursor&, const Cursor&) = default;
};

/// Which of a user's connections is the current one; grows across a loss of the user queue. Where a
/// user may have several, each has a slot of its own, and only ceps of one slot may be compared.
struct Cep {
    static constexpr unsigned slot_shift = 56;

    Inc inc;
    std::uint64_t counter = 0;  ///< the slot in its top byte; below it the turn

    [[nodiscard]] static constexpr Cep of_slot(Inc inc, std::uint8_t slot,
                                               std::uint64_t turn) noexcept {
        return {inc, (std::uint64_t{slot} << slot_shift) | turn};
    }
    [[nodiscard]] constexpr std::uint8_t slot() const noexcept {
        return static_cast<std::uint8_t>(counter >> slot_shift);
    }
    /// Returns the how manieth of all the user's ceps it is.
    [[nodiscard]] constexpr std::uint64_t turn() const noexcept {
        return counter & ((std::uint64_t{1} << slot_shift) - 1);
    }
    friend auto operator<=>(const Cep&, const Cep&) = default;
};

/// One client program's identity for its operations; outlives connections.
struct Cid {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend auto operator<=>(const Cid&, const Cid&) = default;
};

/// Where a connection hangs.
struct ConnectionRef {
    ShardId gateway;
    ConnectionId connection;
    friend auto operator<=>(const ConnectionRef&, const ConnectionRef&) = default;
};

}  // namespace muster
