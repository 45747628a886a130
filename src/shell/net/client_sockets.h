#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fifo.h"
#include "base/ids.h"
#include "base/shared_text.h"
#include "base/time.h"
#include "core/gateway/messages.h"
#include "shell/net/listener.h"
#include "shell/runtime/crowd.h"
#include "shell/runtime/poller.h"

namespace muster::net {

struct ClientSocketsSettings {
    std::uint32_t connections_max = 100'000;
    std::uint32_t accepts_per_turn_max = 256;
    std::uint32_t receive_bytes = 256 * 1024;  ///< of the one buffer that all sockets share
    int kernel_send_bytes = 0;  ///< SO_SNDBUF of each client's socket; 0: the kernel's own
    std::shared_ptr<runtime::Crowd> crowd{};  ///< of all shards; nullptr: this one counts alone
    Duration linger_time = std::chrono::seconds{2};  ///< for last bytes to be read by the peer
    Duration accept_pause = std::chrono::milliseconds{100};  ///< when descriptors are used up
};

/// The client sockets of one shard: accepts, reads, and writes what the machines put out, all of a
/// connection's turn in one write.
///
/// Owns:       the listening socket, the sockets, and the bytes that the kernel did not take yet.
/// Thread:     its shard.
/// Invariants: an idle socket holds a descriptor and 32 bytes here, no buffer. What waits for a
///             socket was put out in one turn: after Blocked the machine puts out nothing more
///             but a connection's last frame.
///             A socket counts in the crowd from its accept until its client is known, or is sent
///             away, or is gone.
///             Without free descriptors, accepting pauses; nothing spins and nobody is dropped.
class ClientSockets {
public:
    /// Tells the machines what happened.
    using Take = std::function<void(const gateway::Event&)>;

    ClientSockets(runtime::Poller& poller, Listener listener, const ClientSocketsSettings& settings,
                  Take take);
    ClientSockets(const ClientSockets&) = delete;
    ClientSockets& operator=(const ClientSockets&) = delete;
    ~ClientSockets();

    /// The token under which the poller reports the listening socket. All others with this bit
    /// clear are client sockets.
    static constexpr std::uint64_t listener_token = std::uint64_t{1} << 63U;

    /// Handles what the poller reported under listener_token or a connection's id.
    void ready(std::uint64_t token, std::uint32_t events, Instant now);

    /// Writes out what a turn has put out, one write a connection. `outputs` then holds only what
    /// the machines put out for the next turn, because of what they were told here.
    void flush(gateway::Outputs& outputs, Instant now);

    /// Accepts again after a pause, and closes what has lingered long enough.
    void time_passed(Instant now);
    [[nodiscard]] std::optional<Instant> next_wake() const noexcept;

    /// Returns the address of a connection's peer; "" where that is gone.
    [[nodiscard]] std::string peer_of(ConnectionId connection) const;

    /// Accepts no more.
    void stop_accepting();

    [[nodiscard]] std::size_t open_count() const noexcept { return open_count_; }
    [[nodiscard]] std::uint64_t accept_pauses() const noexcept { return accept_pauses_; }
    /// Returns why accepting paused the last time, for people.
    [[nodiscard]] std::string_view pause_reason() const noexcept { return pause_reason_; }

private:
    /// What the kernel has not taken yet, in order.
    struct Unsent {
        Fifo<SharedText> parts;
        std::size_t offset = 0;  ///< of the first part, already sent
    };
    enum class State : std::uint8_t { free, open, lingering };
    struct Socket {
        int fd = -1;
        std::uint32_t generation = 0;
        State state = State::free;
        bool closes = false;             ///< once all is sent
        std::int32_t first_output = -1;  ///< of this turn, in its list
        std::int32_t last_output = -1;
        std::unique_ptr<Unsent> unsent;  ///< set exactly while blocked
    };
    struct Lingering {
        Instant until;
        ConnectionId connection;
    };

    void accept_some(Instant now);
    void pause_accepting(std::string_view reason, Instant now);
    void resume_accepting();
    void read_from(ConnectionId id);
    void write_unsent(ConnectionId id);
    void flush_socket(std::size_t slot, gateway::Outputs& outputs, Instant now);
    void keep_unsent(std::size_t slot, gateway::Outputs& outputs, std::size_t sent);
    void linger(std::size_t slot, Instant now);
    void close_socket(std::size_t slot);
    void now_known(std::size_t slot);
    void lost(ConnectionId id);
    [[nodiscard]] Socket* find(ConnectionId id) noexcept;
    [[nodiscard]] const Socket* find(ConnectionId id) const noexcept;
    [[nodiscard]] ConnectionId id_of(std::size_t slot) const noexcept;

    runtime::Poller& poller_;
    Listener listener_;
    ClientSocketsSettings settings_;
    Take take_;
    std::vector<Socket> sockets_;
    std::vector<std::uint32_t> free_slots_;
    std::unordered_map<std::size_t, runtime::CrowdAddress> unknown_;  // By slot: not signed in yet.
    std::size_t open_count_ = 0;
    std::vector<char> receive_buffer_;
    std::string send_buffer_;
    std::vector<std::int32_t> next_output_;   // Links the outputs of one connection.
    std::vector<std::uint32_t> dirty_slots_;  // With outputs in this turn.
    std::vector<ConnectionId> blocked_;       // In this turn.
    std::vector<ConnectionId> lost_;          // While writing this turn's outputs.
    Fifo<Lingering> lingering_;               // In the order of time.
    std::optional<Instant> accepts_again_at_;
    bool is_accepting_ = false;
    bool has_stopped_ = false;
    std::uint64_t accept_pauses_ = 0;
    std::string_view pause_reason_;  // One of the texts in the .cc.
};

}  // namespace muster::net
