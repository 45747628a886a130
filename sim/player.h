#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "core/client/client.h"
#include "core/client/messages.h"
#include "core/gateway/jwt.h"
#include "sim/client_socket.h"
#include "sim/network.h"
#include "sim/schedule.h"
#include "sim/world.h"

namespace muster::sim {

/// One client program with its user in front: a client::Client with its socket and its clock, and
/// an application that writes down all it asks for and all it is told.
///
/// Invariants: one socket at most. Every request has its own ref, in order of asking.
class Player {
public:
    struct Place {
        std::size_t index = 0;  ///< among the players
        std::string user;
        std::size_t gateway_count = 1;
        Speech speech = Speech::proto_tcp;
        const gateway::TokenKeys* keys = nullptr;  ///< of its tokens; nullptr: it has a name
    };

    Player(World& world, Network& network, Place place, DriftingClock clock);

    // ---- What the user does ----

    /// Begins a new life, if there is none.
    void start();
    /// Wants to be on line again, after another client of the user took over.
    void come_back();
    /// The program is killed; its requests are owed nothing any more.
    void kill();
    void ask(std::string_view queue, client::Request request, std::size_t padding_bytes = 0);
    void give_up(std::uint64_t choice);
    /// From now on its application gives good tokens, and at once.
    void be_prompt() noexcept { is_prompt_ = true; }

    [[nodiscard]] bool is_alive() const noexcept { return client_ != nullptr; }
    [[nodiscard]] bool is_superseded() const noexcept {
        return is_alive() && client_->role() == client::Client::Role::superseded;
    }
    [[nodiscard]] const std::string& user() const noexcept { return place_.user; }
    [[nodiscard]] std::optional<Network::LineIndex> line() const noexcept { return line_; }

    /// Returns where `key` was last changed, as far as this client knows.
    [[nodiscard]] std::optional<Seq> changed_at(std::string_view queue, std::string_view mount,
                                                std::string_view key) const;

    // ---- What the network brings ----

    void opened(client::SocketId socket);
    void received(client::SocketId socket, const std::string& bytes);
    void closed(client::SocketId socket);

    /// Adds how this client stands to `ending`.
    void note_ending(const std::vector<std::string>& queues, Ending& ending) const;

private:
    void step(const client::Event& event);
    void act(const client::Action& action);
    void plan_wake();
    void fetch_token();
    void close_line(std::string_view last_words);
    void take_verdict(const client::Verdict& verdict);
    void note(const wire::ServerFrame& frame);
    void note_place(std::string_view queue, Read::Kind kind, Cursor at, bool is_unknown);
    void note_event(std::string_view queue, Seq seq, std::optional<Seq> prev);
    void note_gap(std::string_view queue, std::string_view mount, Seq from, Seq to);
    void part_from(std::string_view queue);

    World& world_;
    Network& network_;
    Place place_;
    DriftingClock clock_;
    Rng rng_;
    std::string name_;

    std::unique_ptr<client::Client> client_;
    LifeIndex life_ = 0;
    client::SocketId socket_;
    std::optional<Network::LineIndex> line_;
    std::unique_ptr<ClientSocket> wire_;
    std::unique_ptr<ClientSocket> last_wire_;
    Rng wire_rng_;
    Rng token_rng_;
    bool is_prompt_ = false;
    std::optional<Instant> wake_planned_;
    std::vector<RequestRef> open_;                // Without a verdict.
    std::map<RequestRef, std::string> partings_;  // Of these, those that end a stream; its queue.
    client::Outbox outbox_;
};

}  // namespace muster::sim
