#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "core/actor/messages.h"
#include "sim/world.h"

namespace muster::sim {

/// The channels between gateway shards, owner shards and the backend: FIFO each, and each as slow
/// as it likes, so what goes two ways may overtake.
class Post {
public:
    /// A place that sends and takes messages.
    using Endpoint = std::size_t;
    using Take = std::function<void(actor::Message)>;

    Post(World& world, std::size_t endpoint_count);

    void take_at(Endpoint to, Take take) { endpoints_[to].take = std::move(take); }

    /// Carries `message` there, after all that was sent on the same channel before.
    void send(Endpoint from, Endpoint to, actor::Message message);

    /// How long a message takes at most, from now on.
    void set_delay_max(Duration delay) noexcept { delay_max_ = delay; }

    /// Nothing arrives on this channel before `until`.
    void stall(Endpoint from, Endpoint to, Instant until);

    /// From now on `loses` says of each message whether it gets lost.
    void set_losses(std::function<bool(const actor::Message&)> loses) { loses_ = std::move(loses); }

    /// The process at `endpoint` is gone: what is on its way to it is lost, and the last part of
    /// what it sent may be.
    void kill(Endpoint endpoint);

private:
    struct At {
        Take take;
        std::uint64_t life = 0;
    };
    struct Channel {
        Instant last_arrival{};
        // What was sent between the two is lost.
        Instant lost_from = Instant::max();
        Instant lost_to = Instant::min();
    };
    [[nodiscard]] Channel& channel(Endpoint from, Endpoint to) {
        return channels_[from * endpoints_.size() + to];
    }

    World& world_;
    Rng rng_;
    std::vector<At> endpoints_;
    std::vector<Channel> channels_;
    Duration delay_max_ = std::chrono::milliseconds{1};
    std::function<bool(const actor::Message&)> loses_;
};

}  // namespace muster::sim
