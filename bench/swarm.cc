#include "bench/swarm.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "client/server_address.h"
#include "core/wire/websocket_handshake.h"
#include "shell/runtime/clock.h"

namespace muster::bench {
namespace {

// As a front end would let them in: not all at once.
constexpr std::size_t signing_in_max = 400;

// More than this from one address would use up its ports.
constexpr std::uint32_t clients_per_address = 20'000;

constexpr std::array<std::string_view, 1> protocols{"muster.v1.json"};

// Looks the server up once: all clients of a run go to one address.
Result<sockaddr_in> look_up(const detail::ServerAddress& server) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(server.host.c_str(), server.port.c_str(), &hints, &found);
        error != 0) {
        return failure(ErrorCode::refused,
                       "cannot find " + server.shown + ": " + gai_strerror(error));
    }
    sockaddr_in address{};
    std::memcpy(&address, found->ai_addr, sizeof address);
    freeaddrinfo(found);
    return address;
}

}  // namespace

Swarm::Swarm(std::string server)
    : server_(std::move(server)), buffer_(1024 * 1024), poller_(4096) {}

Result<void> Swarm::connect(const std::vector<Part>& parts, Duration patience) {
    const auto server = detail::parse_server_address(server_);
    if (!server) {
        return tl::unexpected(server.error());
    }
    const auto address = look_up(*server);
    if (!address) {
        return tl::unexpected(address.error());
    }
    server_ = server->shown;
    target_ = server->target;
    address_ = *address;
    parts_ = parts;
    clients_.reserve(parts.size());
    const Instant give_up_at = runtime::monotonic_now() + patience;
    while (joined_ < parts.size()) {
        while (clients_.size() < parts.size() && clients_.size() - joined_ < signing_in_max) {
            if (auto opened = open(static_cast<std::uint32_t>(clients_.size())); !opened) {
                return opened;
            }
        }
        turn(std::chrono::milliseconds{100});
        if (!first_trouble_.empty()) {
            return failure(ErrorCode::refused, first_trouble_);
        }
        if (runtime::monotonic_now() > give_up_at) {
            return failure(ErrorCode::refused, "only " + std::to_string(joined_) + " of " +
                                                   std::to_string(parts.size()) +
                                                   " clients could join in time");
        }
    }
    return {};
}

Result<void> Swarm::open(std::uint32_t index) {
    clients_.emplace_back();
    Client& client = clients_.back();
    client.socket =
        runtime::Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int fd = client.socket.fd();
    if (fd < 0) {
        return failure(ErrorCode::limit, std::string("no socket for a client: ") +
                                             std::strerror(errno));
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (index >= clients_per_address && ntohl(address_.sin_addr.s_addr) >> 24U == 127) {
        sockaddr_in own{};
        own.sin_family = AF_INET;
        own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + index / clients_per_address);
        bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own);
    }
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0 &&
        errno != EINPROGRESS) {
        return failure(ErrorCode::refused, "cannot reach " + server_ + ": " + std::strerror(errno));
    }
    poller_.add(fd, EPOLLIN | EPOLLOUT, index);
    client.waits_to_write = true;
    wire::UpgradeRequest request;
    request.host = server_;
    request.target = target_;
    request.key = "bXVzdGVyIGJlbmNoIGtleQ==";
    request.protocols = protocols;
    wire::append_upgrade_request(client.out, request);
    return {};
}

void Swarm::turn(Duration timeout) {
    for (const auto& event : poller_.wait(timeout)) {
        const auto index = static_cast<std::uint32_t>(event.data.u64);
        if ((event.events & EPOLLOUT) != 0) {
            write_out(index);
        }
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
            read_from(index);
        }
    }
    flush();
}

void Swarm::read_from(std::uint32_t index) {
    Client& client = clients_[index];
    if (client.state == State::gone) {
        return;
    }
    const auto taken = recv(client.socket.fd(), buffer_.data(), buffer_.size(), 0);
    if (taken > 0) {
        if (client.state == State::connecting) {
            client.state = State::upgrading;
        }
        take(index, std::span(buffer_.data(), static_cast<std::size_t>(taken)));
    } else if (taken == 0 || (errno != EAGAIN && errno != EINTR)) {
        lose(index, taken == 0 ? "the server closed a connection" : std::strerror(errno));
    }
}

void Swarm::take(std::uint32_t index, std::span<char> bytes) {
    Client& client = clients_[index];
    if (client.state == State::upgrading) {
        take_head(index, bytes);
    }
    while (client.state != State::upgrading && client.state != State::gone) {
        const auto step = client.decoder.next(bytes);
        if (!step) {
            lose(index, step.error().why);
            return;
        }
        using Kind = wire::WebSocketDecoder::Step::Kind;
        switch (step->kind) {
            case Kind::need_more: return;
            case Kind::text: take_text(index, step->payload); break;
            case Kind::close: lose(index, step->payload); return;
            case Kind::ping:
            case Kind::pong:
            case Kind::binary: break;
        }
    }
}

void Swarm::take_head(std::uint32_t index, std::span<char>& bytes) {
    Client& client = clients_[index];
    client.head.append(bytes.data(), bytes.size());
    const auto end = client.head.find("\r\n\r\n");
    if (end == std::string::npos) {
        return;
    }
    if (!client.head.starts_with("HTTP/1.1 101")) {
        lose(index, client.head.substr(0, client.head.find('\r')));
        return;
    }
    // What follows the head stands at the end of what has just come.
    bytes = bytes.last(client.head.size() - end - 4);
    std::string().swap(client.head);
    client.state = State::joining;
    send(index, R"({"op":"hello","v":[1],"user":")" + parts_[index].user + R"("})");
    send(index, R"({"op":"join","i":1,"q":")" + parts_[index].queue + R"("})");
}

void Swarm::take_text(std::uint32_t index, std::string_view text) {
    Client& client = clients_[index];
    if (client.state == State::joining && text.starts_with(R"({"op":"joined","i":1)")) {
        client.state = State::up;
        ++joined_;
    } else if (text == R"({"op":"ping"})") {
        send(index, R"({"op":"pong"})");
    } else if (client.state == State::up && on_text_) {
        on_text_(index, text);
    } else if (text.starts_with(R"({"op":"err")")) {
        lose(index, text);
    }
}

void Swarm::send(std::uint32_t index, std::string_view json) {
    mask_ = mask_ * 1664525U + 1013904223U;
    wire::append_client_frame(clients_[index].out, wire::WebSocketOpcode::text, json, mask_);
    if (!clients_[index].is_dirty) {
        clients_[index].is_dirty = true;
        dirty_.push_back(index);
    }
}

void Swarm::flush() {
    for (const std::uint32_t index : std::exchange(dirty_, {})) {
        clients_[index].is_dirty = false;
        write_out(index);
    }
}

void Swarm::write_out(std::uint32_t index) {
    Client& client = clients_[index];
    if (client.state == State::gone) {
        return;
    }
    while (!client.out.empty()) {
        const auto sent =
            ::send(client.socket.fd(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
                lose(index, std::strerror(errno));
                return;
            }
            if (!client.waits_to_write) {
                poller_.change(client.socket.fd(), EPOLLIN | EPOLLOUT, index);
                client.waits_to_write = true;
            }
            return;
        }
        client.out.erase(0, static_cast<std::size_t>(sent));
    }
    if (client.waits_to_write) {
        poller_.change(client.socket.fd(), EPOLLIN, index);
        client.waits_to_write = false;
    }
    if (client.out.capacity() > 4096 || clients_.size() > 5'000) {
        std::string().swap(client.out);
    }
}

void Swarm::lose(std::uint32_t index, std::string_view why) {
    Client& client = clients_[index];
    if (client.state != State::up && first_trouble_.empty()) {
        first_trouble_ = std::string(parts_[index].user) + " could not join: " + std::string(why);
    }
    client.state = State::gone;
    client.socket.close();
    ++disconnected_;
}

}  // namespace muster::bench
