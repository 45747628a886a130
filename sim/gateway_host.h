#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "core/actor/messages.h"
#include "core/gateway/gateway.h"
#include "core/gateway/settings.h"
#include "core/wire/length_frames.h"
#include "sim/network.h"
#include "sim/schedule.h"
#include "sim/world.h"

namespace muster::sim {

/// One gateway shard with its sockets: what the shell is to a gateway::Gateway. It can be paused
/// (and then sees late all that came meanwhile), killed, and started anew under the same shard.
///
/// Invariants: the machine is fed one event a turn; nothing reaches it while paused or dead. A
///             connection id never comes back. (Checked, I13:) nothing is put out for a blocked
///             connection but its end, and nothing after that.
class GatewayHost {
public:
    /// How much the kernel takes for one connection before it says no.
    static constexpr std::size_t kernel_bytes_max = std::size_t{64} * 1024;

    using Send = std::function<void(actor::Message)>;

    GatewayHost(World& world, Network& network, ShardId shard,
                std::shared_ptr<const gateway::Settings> settings, DriftingClock clock, Send send);

    [[nodiscard]] bool is_alive() const noexcept { return gateway_ != nullptr; }
    [[nodiscard]] bool accepts() const noexcept { return is_alive() && !refuses_; }

    // ---- What the network and the post bring ----

    void opened(Network::LineIndex line);
    void received(Network::LineIndex line, const std::string& bytes);
    void closed(Network::LineIndex line);
    void drains(Network::LineIndex line);
    void take(actor::Message message);

    // ---- Faults ----

    void start(std::uint64_t seed);
    void kill();
    void pause(Instant until);
    void refuse(bool refuses) noexcept { refuses_ = refuses; }
    /// From now on something before the machine refuses ops that come for the first time, one in
    /// sixteen: GUARANTEES.md 5.3 lets a gateway do so, ours does not yet.
    void refuse_ops(Rng chance) { refusals_ = chance; }
    void take_ops() noexcept { refusals_.reset(); }
    /// Asks its clients to go elsewhere.
    void drain();

    [[nodiscard]] const gateway::Counters& counters() const { return gateway_->counters(); }

private:
    struct Socket {
        ConnectionId connection;
        bool is_blocked = false;
        bool is_ended = false;
        bool is_known = false;                            ///< its first byte has come
        std::shared_ptr<wire::LengthDecoder> refusing{};  ///< of one over plain TCP
    };
    using Work = std::function<void(const gateway::Gateway::Step&)>;

    [[nodiscard]] std::string refuse_some(Network::LineIndex line, Socket& socket,
                                          std::string bytes);
    void turn(Work work);
    void flush();
    void put_out(const gateway::Output& output);
    void look_at_room(Network::LineIndex line);
    void plan_wake();
    void note_attached(const actor::Message& message);
    void note_welcome(ConnectionId connection);
    [[nodiscard]] ConnectionId new_connection();
    void forget(Network::LineIndex line);

    World& world_;
    Network& network_;
    ShardId shard_;
    std::shared_ptr<const gateway::Settings> settings_;
    DriftingClock clock_;
    Send send_;
    std::string name_;

    std::unique_ptr<gateway::Gateway> gateway_;
    std::uint64_t life_ = 0;
    std::uint64_t turn_ = 0;
    bool refuses_ = false;
    std::optional<Rng> refusals_;
    std::optional<Instant> paused_until_;
    std::deque<Work> kept_back_;  // While paused.
    std::optional<Instant> wake_planned_;

    std::uint64_t connection_count_ = 0;  // Ever: an id never comes back.
    std::vector<std::uint64_t> free_slots_;
    std::uint64_t slot_count_ = 0;
    std::map<Network::LineIndex, Socket> sockets_;
    std::map<ConnectionId, Network::LineIndex> lines_;
    std::map<ConnectionId, Welcomed> attached_;  // Not welcomed yet.

    actor::Outbox messages_;
    gateway::Outputs outputs_;
};

}  // namespace muster::sim
