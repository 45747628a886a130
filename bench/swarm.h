#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "bench/peers/conversation.h"
#include "shell/runtime/descriptor.h"
#include "shell/runtime/poller.h"

namespace muster::bench {

/// Many clients on one thread, as cheap as they can be: plain sockets, each with its conversation.
///
/// Owns:   the sockets, the conversations, and what could not be sent yet.
/// Thread: one.
class Swarm {
public:
    /// Client `index` has heard something. Not told: `joined` while open_all() runs.
    using OnHeard = std::function<void(std::uint32_t index, const Heard& heard)>;

    /// `part`: which of the processes that load the server this is; each has addresses of its own.
    Swarm(std::string server, std::uint32_t part);

    /// Adds a client, which connects with open() or open_all(). Returns its index: 0, 1, 2 …
    std::uint32_t add(std::unique_ptr<Conversation> conversation);

    /// Connects, signs in and joins all that are not connected, at most `opening_max` at a time.
    /// Errors: unreachable or refused (its words), or not done within `patience`.
    [[nodiscard]] Result<void> open_all(std::size_t opening_max, Duration patience);

    /// Begins to connect one client. Errors: no descriptor, no such address, nobody there.
    [[nodiscard]] Result<void> open(std::uint32_t index);

    /// Breaks a connection as a dying network does: the server finds it reset.
    void cut(std::uint32_t index);

    /// How often a client reads and how much: 0 is at once and everything. For slow ones; set
    /// before they connect, as it makes their socket's buffer small, too.
    void make_slow(std::uint32_t index) { clients_[index].is_slow = true; }
    /// Lets a slow client read `bytes` once.
    void sip(std::uint32_t index, std::size_t bytes);

    void on_heard(OnHeard on_heard) { on_heard_ = std::move(on_heard); }

    void join(std::uint32_t index, std::string_view queue);
    void leave(std::uint32_t index, std::string_view queue);
    /// Puts a message out with the end of the turn.
    void send(std::uint32_t index, std::string_view queue, std::string_view payload);

    /// Waits for at most `timeout`, reads whatever is there, then writes all that was put out.
    void turn(Duration timeout);

    /// Turns until nothing has come for 200 ms, but for no longer than `patience`.
    void settle(Duration patience);

    [[nodiscard]] std::size_t size() const noexcept { return clients_.size(); }
    [[nodiscard]] std::size_t up() const noexcept { return up_; }
    [[nodiscard]] bool is_closed(std::uint32_t index) const {
        return clients_[index].state == State::closed;
    }
    /// How many connections broke that nobody cut, and why the first did.
    [[nodiscard]] std::uint64_t disconnected() const noexcept { return disconnected_; }
    [[nodiscard]] const std::string& first_trouble() const noexcept { return first_trouble_; }
    /// When the bytes came that are being told about.
    [[nodiscard]] std::int64_t read_at_us() const noexcept { return read_at_us_; }

private:
    enum class State : std::uint8_t { closed, opening, up };
    struct Client {
        runtime::Descriptor socket;
        State state = State::closed;
        bool is_slow = false;
        bool is_dirty = false;
        bool waits_to_write = false;
        std::string out;
        std::unique_ptr<Conversation> conversation;
    };

    void read_from(std::uint32_t index, std::size_t bytes_max);
    void take(std::uint32_t index, std::span<char> bytes);
    std::string& out_of(std::uint32_t index);
    void flush();
    void write_out(std::uint32_t index);
    void lose(std::uint32_t index, std::string_view why);
    void close(std::uint32_t index);

    std::string server_;
    std::optional<sockaddr_in> address_;
    std::uint32_t part_;
    std::uint32_t opened_ = 0;  // Sockets so far, for their addresses.
    std::vector<Client> clients_;
    std::vector<std::uint32_t> dirty_;
    std::vector<char> buffer_;
    runtime::Poller poller_;
    OnHeard on_heard_;
    std::size_t up_ = 0;
    std::uint64_t disconnected_ = 0;
    std::string first_trouble_;
    std::int64_t read_at_us_ = 0;
};

}  // namespace muster::bench
