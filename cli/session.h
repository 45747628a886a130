#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "muster/client.h"

namespace muster::cli {

/// One command's time on line: a client, polled until what the command waits for has happened.
///
/// Invariants: waits for a connection and for answers at most Target::patience, and not at all for
///             a server that refuses the connection, or us. Says on stderr why it gave up.
class Session {
public:
    /// Returns a session, or the exit code where the target's token cannot be read.
    explicit Session(const Target& target);
    Session(const Session&) = delete;  // The client's handler knows where it stands.
    Session& operator=(const Session&) = delete;

    [[nodiscard]] Queue queue(const std::string& name) { return client_->queue(name); }

    /// Polls until `done`, the target's patience is over, or the client is closed for good.
    /// Returns nothing when `done`, otherwise the exit code.
    [[nodiscard]] std::optional<int> wait_for(const std::function<bool()>& done);

    /// From here on Ctrl-C (or SIGTERM) ends the waits, with exit code 0.
    static void end_on_interrupt();

    /// Polls without an end, until `done`, an interrupt, or the client is closed for good.
    [[nodiscard]] int follow(const std::function<bool()>& done);

    /// Sets the queue's handler; commands that join set it here, as the session looks on.
    void on_joined(Queue& queue, std::function<void(const Joined&)> handler);

    /// Becomes a member (or only listens) and waits for the answer. The queue's on_joined has run
    /// when this returns nothing.
    [[nodiscard]] std::optional<int> join(Queue& queue);
    [[nodiscard]] std::optional<int> listen(Queue& queue);

    /// Leaves again, for as long as that takes but not longer than the patience. Who was a member
    /// before (the backend may have seen to it) stays one; so does who was interrupted off line.
    void leave(Queue& queue);

private:
    [[nodiscard]] std::optional<int> enter(Queue& queue, bool joins);
    [[nodiscard]] bool is_hopeless() const;
    [[nodiscard]] int give_up() const;
    void tell_of_connection(const Status& status);

    Target target_;
    std::optional<Client> client_;
    std::string trouble_;   ///< with the token
    bool is_away_ = false;  ///< was on line, and is not
    bool is_following_ = false;
    bool is_watched_ = false;       ///< on_joined is set
    std::size_t joined_count_ = 0;  ///< how often it was told that it is a member
    bool was_member_ = false;       ///< before this session joined
};

}  // namespace muster::cli
