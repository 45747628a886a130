#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/roles/actors.h"
#include "base/rng.h"
#include "core/gateway/settings.h"
#include "core/queue/messages.h"
#include "core/ring/placement.h"
#include "sim/gateway_host.h"
#include "sim/network.h"
#include "sim/owner_host.h"
#include "sim/player.h"
#include "sim/post.h"
#include "sim/watched_actors.h"
#include "sim/world.h"

namespace muster::sim {

/// What a run tries besides what every run does; drawn from its seed, and nothing of it in one of
/// three.
struct Variety {
    bool speaks_all = false;  ///< some clients speak over WebSocket, in JSON or protobuf
    bool has_tokens = false;  ///< users sign in with tokens that end, not by name
    bool is_strict = false;   ///< gateways let in a few a second
    bool refuses = false;     ///< something before the gateways refuses ops now and then (R6)
    bool has_storms = false;  ///< many connections break at once, and again
    bool loses_kicks = false;
    bool loses_events = false;
    user::Logins logins = user::Logins::newest;
    std::size_t devices_max = 1;
};

/// How big a run is; drawn from its seed.
struct Shape {
    Variety variety{};
    std::size_t gateways = 2;
    std::size_t owners = 1;
    std::size_t players = 4;
    std::size_t users = 3;
    std::size_t rooms = 2;
};

/// One server with all its shards and clients, and the backend: every machine, and the wires
/// between them.
class Cluster {
public:
    Cluster(World& world, const Shape& shape);
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

    [[nodiscard]] std::size_t gateway_count() const noexcept { return gateways_.size(); }
    [[nodiscard]] std::size_t player_count() const noexcept { return players_.size(); }
    [[nodiscard]] GatewayHost& gateway(std::size_t index) { return *gateways_[index]; }
    [[nodiscard]] Player& player(std::size_t index) { return *players_[index]; }
    [[nodiscard]] const std::vector<std::string>& rooms() const noexcept { return rooms_; }
    [[nodiscard]] const std::vector<std::string>& users() const noexcept { return users_; }
    [[nodiscard]] Network& network() noexcept { return network_; }
    [[nodiscard]] Post& post() noexcept { return post_; }

    [[nodiscard]] Post::Endpoint gateway_endpoint(std::size_t index) const noexcept {
        return index;
    }
    [[nodiscard]] Post::Endpoint owner_endpoint(std::size_t index) const noexcept {
        return gateways_.size() + index;
    }
    [[nodiscard]] std::size_t owner_count() const noexcept { return owners_.size(); }

    [[nodiscard]] const Variety& variety() const noexcept { return variety_; }

    // ---- Faults that need several hands ----

    /// The gateway is gone, its clients are told or not; it comes again after `down_time`.
    void kill_gateway(std::size_t index, bool is_silent, Duration down_time);

    // ---- The backend ----

    /// Sends a message to the actor `name`, as the admin service does.
    void ask(std::string_view name, actor::Body body);
    void ask_op(std::string_view queue, queue::OpBody body);
    /// A message to each room, so that who has missed the last event sees that it has (R24).
    void post_everywhere();
    void ask_membership(std::string_view user, std::string_view queue, bool joins);

    /// Asks every owner how its queues stand, to be called when all is quiet; takes a moment.
    void note_ending();

private:
    void wire_up();
    void route(Post::Endpoint from, actor::Message message);
    void take_as_backend(const actor::Message& message);
    [[nodiscard]] Post::Endpoint backend_endpoint() const noexcept {
        return gateways_.size() + owners_.size();
    }

    World& world_;
    const Variety variety_;
    Rng rng_;
    gateway::TokenKeys keys_;
    ring::Placement placement_;
    roles::SiteActors actors_;
    WatchedActors watched_;
    Network network_;
    Post post_;
    std::vector<std::unique_ptr<GatewayHost>> gateways_;
    std::vector<std::unique_ptr<OwnerHost>> owners_;
    std::vector<std::unique_ptr<Player>> players_;
    std::vector<std::string> rooms_;
    std::vector<std::string> users_;
};

}  // namespace muster::sim
