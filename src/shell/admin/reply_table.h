#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/fifo.h"
#include "base/time.h"
#include "shell/admin/keys.h"
#include "shell/admin/request.h"

namespace muster::admin {

/// Remembers the replies of requests with an Idempotency-Key that no queue remembers itself
/// (disconnect, messages to users, batches), so that a repetition gets the same reply and is not
/// carried out again.
///
/// Limits:     `ttl`, entries_max and reply_bytes_max; beyond the last two the oldest is forgotten.
/// Invariants: a key belongs to its caller; two callers may use the same one.
class ReplyTable {
public:
    static constexpr Duration ttl = std::chrono::seconds{600};
    static constexpr std::size_t entries_max = 4'096;
    static constexpr std::size_t reply_bytes_max = std::size_t{8} * 1024 * 1024;

    /// A request that has begun under a key; finish() or give_up() ends it.
    using Ticket = std::uint64_t;

    struct Running {};    ///< the first request of this key has no answer yet
    struct OtherBody {};  ///< the key was used for another request
    using Begun = std::variant<Ticket, Response, Running, OtherBody>;

    /// Begins the request `body` (its digest) of `owner` under `key`, unless it is known.
    [[nodiscard]] Begun begin(const std::string& owner, const std::string& key, const Digest& body,
                              Instant now);

    /// Keeps the reply for repetitions.
    void finish(Ticket ticket, const Response& reply);

    /// Forgets the request, so that a repetition is carried out: it had no effect, or nobody knows.
    void give_up(Ticket ticket);

private:
    using Name = std::pair<std::string, std::string>;  // Owner and key.
    struct Entry {
        Ticket ticket = 0;
        Digest body{};
        std::optional<Response> reply;
    };
    struct Aged {
        Ticket ticket;
        Name name;
        Instant until;
    };

    void forget_old(Instant now);
    void forget_oldest();

    std::map<Name, Entry> entries_;
    std::map<Ticket, Name> running_;
    Fifo<Aged> by_age_;  // Also of what give_up() has forgotten: then the ticket does not fit.
    std::size_t reply_bytes_ = 0;
    Ticket last_ticket_ = 0;
};

}  // namespace muster::admin
