#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "core/client/messages.h"
#include "sim/world.h"

namespace muster::sim {

/// The sockets between clients and gateways: two streams of bytes each, late, cut into any pieces,
/// broken off, or swallowed without a word.
///
/// Invariants: what arrives of a stream is a prefix of what was sent, in order. Nothing arrives
///             within the call that sent it.
class Network {
public:
    using LineIndex = std::size_t;

    /// What is told to the two ends. Set before the first line is opened.
    struct Ends {
        std::function<bool(std::size_t gateway)> accepts;  ///< else the client is refused
        std::function<void(std::size_t gateway, LineIndex)> gateway_opened;
        std::function<void(std::size_t gateway, LineIndex, std::string& bytes)> gateway_bytes;
        std::function<void(std::size_t gateway, LineIndex)> gateway_closed;
        /// Bytes have been taken off: fewer wait for the client now.
        std::function<void(std::size_t gateway, LineIndex)> gateway_drains;
        std::function<void(std::size_t player, client::SocketId)> client_opened;
        std::function<void(std::size_t player, client::SocketId, std::string& bytes)> client_bytes;
        std::function<void(std::size_t player, client::SocketId)> client_closed;
    };

    explicit Network(World& world) : world_(world), rng_(world.chance(2)) {}

    Ends ends;

    // ---- The client's end ----

    LineIndex open(std::size_t player, client::SocketId socket, std::size_t gateway);
    void client_sends(LineIndex line, std::string_view bytes);
    /// The client closes its socket, or its process is gone; it is told nothing more.
    void client_closes(LineIndex line);

    // ---- The gateway's end ----

    void gateway_sends(LineIndex line, std::string_view bytes);
    void gateway_closes(LineIndex line);
    /// Returns how many bytes wait for the client.
    [[nodiscard]] std::size_t bytes_waiting(LineIndex line) const {
        return lines_[line].down.bytes;
    }

    // ---- Faults ----

    void set_delay_max(Duration delay) noexcept { delay_max_ = delay; }
    /// Breaks off; both ends are told, and the last bytes of both ways may be lost.
    void cut(LineIndex line);
    /// All connections of a gateway at once.
    void cut_all_of(std::size_t gateway);
    /// From now on everything vanishes, and nobody is told.
    void swallow(LineIndex line) { lines_[line].is_swallowed = true; }
    /// Nothing arrives before `until`.
    void stall(LineIndex line, Instant until);
    /// The client reads no more than so many bytes a second. 0: as fast as they come.
    void slow(LineIndex line, std::uint64_t bytes_per_second) {
        lines_[line].down.bytes_per_second = bytes_per_second;
    }
    /// The gateway's process is gone: its clients are told, unless the whole machine is.
    void kill_gateway(std::size_t gateway, bool is_silent);
    /// No reader is slow any more: what has piled up before it is read at once.
    void heal();

    /// Returns the lines that are open at both ends.
    [[nodiscard]] std::vector<LineIndex> open_lines() const;

private:
    struct Chunk {
        Instant arrival;
        std::string bytes;
        bool is_end = false;
    };
    struct Pipe {
        std::deque<Chunk> chunks;
        Instant last_arrival{};
        std::size_t bytes = 0;  // Sent and not taken, the swallowed ones among them.
        std::uint64_t bytes_per_second = 0;
        bool is_closed = false;  // Nothing more goes in.
    };
    struct Line {
        std::size_t player = 0;
        client::SocketId socket;
        std::size_t gateway = 0;
        Pipe up;    // to the gateway
        Pipe down;  // to the client
        bool is_client_there = true;
        bool is_gateway_there = false;
        bool is_swallowed = false;
    };

    enum class Way : std::uint8_t { up, down };
    void put(LineIndex line, Way way, std::string_view bytes, bool is_end);
    void put_chunk(LineIndex line, Way way, std::string_view bytes, bool is_end);
    void arrive(LineIndex line, Way way);
    void truncate(Pipe& pipe);
    [[nodiscard]] Pipe& pipe(LineIndex line, Way way) {
        return way == Way::up ? lines_[line].up : lines_[line].down;
    }

    World& world_;
    Rng rng_;
    Duration delay_max_ = std::chrono::milliseconds{20};
    std::deque<Line> lines_;
};

}  // namespace muster::sim
