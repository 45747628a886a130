#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/wire/websocket.h"
#include "shell/runtime/descriptor.h"
#include "shell/runtime/poller.h"

namespace muster::bench {

/// Many clients on one thread, as cheap as they can be: plain sockets, WebSocket, ready-made JSON.
///
/// Owns:   the sockets, each client's decoder and what it has not sent yet.
/// Thread: one.
class Swarm {
public:
    /// How a client signs in and what it joins.
    struct Part {
        std::string user;
        std::string queue;
    };
    /// A text frame has come for client `index`.
    using OnText = std::function<void(std::uint32_t index, std::string_view text)>;

    /// `server` is an address in any form of client/server_address.h, of IPv4.
    explicit Swarm(std::string server);

    /// Connects, signs in and joins one client for each part, some hundred at a time.
    /// Errors: bad_settings (no address), unreachable or refused (its words), or not done within
    /// `patience`.
    [[nodiscard]] Result<void> connect(const std::vector<Part>& parts, Duration patience);

    void on_text(OnText on_text) { on_text_ = std::move(on_text); }

    /// Puts a text frame out with the end of the turn.
    void send(std::uint32_t index, std::string_view json);

    /// Waits for at most `timeout`, reads whatever is there, then writes all that was put out.
    void turn(Duration timeout);

    [[nodiscard]] std::size_t size() const noexcept { return clients_.size(); }
    [[nodiscard]] std::uint64_t disconnected() const noexcept { return disconnected_; }

private:
    enum class State : std::uint8_t { connecting, upgrading, joining, up, gone };
    struct Client {
        runtime::Descriptor socket;
        State state = State::connecting;
        bool is_dirty = false;
        bool waits_to_write = false;
        wire::WebSocketDecoder decoder{wire::WebSocketDecoder::Side::client, 16 * 1024 * 1024};
        std::string head;
        std::string out;
    };

    [[nodiscard]] Result<void> open(std::uint32_t index);
    void read_from(std::uint32_t index);
    void take(std::uint32_t index, std::span<char> bytes);
    void take_head(std::uint32_t index, std::span<char>& bytes);
    void take_text(std::uint32_t index, std::string_view text);
    void put(std::uint32_t index, std::string_view bytes);
    void flush();
    void write_out(std::uint32_t index);
    void lose(std::uint32_t index, std::string_view why);

    std::string server_;
    std::string target_;
    sockaddr_in address_{};
    std::vector<Part> parts_;
    std::vector<Client> clients_;
    std::vector<std::uint32_t> dirty_;
    std::vector<char> buffer_;
    runtime::Poller poller_;
    OnText on_text_;
    std::size_t joined_ = 0;
    std::uint64_t disconnected_ = 0;
    std::string first_trouble_;
    std::uint32_t mask_ = 0x6d757374;  // Any value will do: nothing here hides from proxies.
};

}  // namespace muster::bench
