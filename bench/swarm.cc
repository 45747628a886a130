#include "bench/swarm.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "bench/usage.h"
#include "client/server_address.h"

namespace muster::bench {
namespace {

// More than this from one address would use up its ports.
constexpr std::uint32_t connections_per_address = 10'000;

constexpr int slow_receive_bytes = 4 * 1024;

// Errors: bad_settings where the text is no address, refused where nobody knows the name.
Result<sockaddr_in> look_up(const std::string& text) {
    const auto server = detail::parse_server_address(text);
    if (!server) {
        return tl::unexpected(server.error());
    }
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(server->host.c_str(), server->port.c_str(), &hints, &found);
        error != 0) {
        return failure(ErrorCode::refused,
                       "cannot find " + server->shown + ": " + gai_strerror(error));
    }
    sockaddr_in address{};
    std::memcpy(&address, found->ai_addr, sizeof address);
    freeaddrinfo(found);
    return address;
}

// On loopback there are addresses enough: 127.PART+1.N.1.
void bind_source(int fd, std::uint32_t part, std::uint32_t opened) {
    const std::uint32_t block = opened / connections_per_address;
    if (part == 0 && block == 0) {
        return;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(0x7f000001U + ((part + 1) % 255 << 16U) + ((block % 256) << 8U));
    bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own);
}

}  // namespace

Swarm::Swarm(std::string server, std::uint32_t part)
    : server_(std::move(server)), part_(part), buffer_(1024 * 1024), poller_(4096) {}

std::uint32_t Swarm::add(std::unique_ptr<Conversation> conversation) {
    clients_.emplace_back();
    clients_.back().conversation = std::move(conversation);
    return static_cast<std::uint32_t>(clients_.size() - 1);
}

Result<void> Swarm::open_all(std::size_t opening_max, Duration patience) {
    const std::int64_t give_up_at = now_us() + patience / Duration{1};
    std::uint32_t next = 0;
    std::size_t begun = up_;
    while (up_ < clients_.size()) {
        while (next < clients_.size() && begun - up_ < opening_max) {
            if (clients_[next].state == State::closed) {
                if (auto opened = open(next); !opened) {
                    return opened;
                }
                ++begun;
            }
            ++next;
        }
        turn(std::chrono::milliseconds{100});
        if (!first_trouble_.empty()) {
            return failure(ErrorCode::refused, "a client could not join: " + first_trouble_);
        }
        if (now_us() > give_up_at) {
            return failure(ErrorCode::refused, "only " + std::to_string(up_) + " of " +
                                                   std::to_string(clients_.size()) +
                                                   " clients could join in time");
        }
    }
    return {};
}

Result<void> Swarm::open(std::uint32_t index) {
    if (!address_) {  // Looked up once: all clients go to one address.
        auto found = look_up(server_);
        if (!found) {
            return tl::unexpected(std::move(found.error()));
        }
        address_ = *found;
    }
    Client& client = clients_[index];
    client.socket =
        runtime::Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int fd = client.socket.fd();
    if (fd < 0) {
        return failure(ErrorCode::limit, std::string("no socket for a client: ") +
                                             std::strerror(errno) +
                                             " (--processes divides them among several programs)");
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (client.is_slow) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &slow_receive_bytes, sizeof slow_receive_bytes);
    }
    if (ntohl(address_->sin_addr.s_addr) >> 24U == 127) {
        bind_source(fd, part_, opened_);
    }
    ++opened_;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&*address_), sizeof *address_) != 0 &&
        errno != EINPROGRESS) {
        return failure(ErrorCode::refused, "cannot reach " + server_ + ": " + std::strerror(errno));
    }
    client.state = State::opening;
    client.conversation->begin(client.out);
    poller_.add(fd, EPOLLIN | EPOLLOUT, index);
    client.waits_to_write = true;
    return {};
}

void Swarm::turn(Duration timeout) {
    flush();
    for (const auto& event : poller_.wait(timeout)) {
        const auto index = static_cast<std::uint32_t>(event.data.u64);
        if ((event.events & EPOLLOUT) != 0) {
            write_out(index);
        }
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
            read_from(index, buffer_.size());
        }
    }
    flush();
}

void Swarm::settle(Duration patience) {
    const std::int64_t give_up_at = now_us() + patience / Duration{1};
    read_at_us_ = std::max(read_at_us_, now_us() - 100'000);
    while (now_us() < give_up_at && now_us() - read_at_us_ < 200'000) {
        turn(std::chrono::milliseconds{20});
    }
}

void Swarm::sip(std::uint32_t index, std::size_t bytes) {
    while (bytes > 0 && clients_[index].state == State::up) {
        const std::int64_t before = std::exchange(read_at_us_, 0);
        read_from(index, std::min(bytes, buffer_.size()));
        if (read_at_us_ == 0) {  // There was nothing.
            read_at_us_ = before;
            return;
        }
        bytes -= std::min<std::size_t>(bytes, slow_receive_bytes);
    }
}

void Swarm::read_from(std::uint32_t index, std::size_t bytes_max) {
    Client& client = clients_[index];
    if (client.state == State::closed) {
        return;
    }
    const auto taken = recv(client.socket.fd(), buffer_.data(), bytes_max, 0);
    if (taken > 0) {
        read_at_us_ = now_us();
        take(index, std::span(buffer_.data(), static_cast<std::size_t>(taken)));
    } else if (taken == 0 || (errno != EAGAIN && errno != EINTR)) {
        lose(index, taken == 0 ? "the server closed a connection" : std::strerror(errno));
    }
}

void Swarm::take(std::uint32_t index, std::span<char> bytes) {
    for (;;) {
        Client& client = clients_[index];
        if (client.state == State::closed) {
            return;  // Cut by who was told.
        }
        const auto heard = client.conversation->next(bytes, client.out);
        if (!client.out.empty()) {
            out_of(index);
        }
        if (!heard) {
            lose(index, heard.error().detail);
            return;
        }
        if (heard->kind == Heard::Kind::nothing) {
            return;
        }
        if (heard->kind == Heard::Kind::joined && client.state == State::opening) {
            client.state = State::up;
            ++up_;
            if (client.is_slow) {
                poller_.change(client.socket.fd(), client.waits_to_write ? EPOLLOUT : 0U, index);
            }
        }
        if (on_heard_) {
            on_heard_(index, *heard);
        }
    }
}

std::string& Swarm::out_of(std::uint32_t index) {
    if (!clients_[index].is_dirty) {
        clients_[index].is_dirty = true;
        dirty_.push_back(index);
    }
    return clients_[index].out;
}

void Swarm::join(std::uint32_t index, std::string_view queue) {
    clients_[index].conversation->join(out_of(index), queue);
}

void Swarm::leave(std::uint32_t index, std::string_view queue) {
    clients_[index].conversation->leave(out_of(index), queue);
}

void Swarm::send(std::uint32_t index, std::string_view queue, std::string_view payload) {
    clients_[index].conversation->send(out_of(index), queue, payload);
}

void Swarm::flush() {
    for (const std::uint32_t index : std::exchange(dirty_, {})) {
        clients_[index].is_dirty = false;
        if (!clients_[index].waits_to_write) {
            write_out(index);
        }
    }
}

void Swarm::write_out(std::uint32_t index) {
    Client& client = clients_[index];
    if (client.state == State::closed) {
        return;
    }
    const std::uint32_t reads = client.is_slow && client.state == State::up ? 0U : EPOLLIN;
    std::size_t done = 0;
    while (done < client.out.size()) {
        const auto sent = ::send(client.socket.fd(), client.out.data() + done,
                                 client.out.size() - done, MSG_NOSIGNAL);
        if (sent < 0) {
            client.out.erase(0, done);
            if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
                lose(index, std::strerror(errno));
                return;
            }
            if (!client.waits_to_write) {
                poller_.change(client.socket.fd(), reads | EPOLLOUT, index);
                client.waits_to_write = true;
            }
            return;
        }
        done += static_cast<std::size_t>(sent);
    }
    client.out.clear();
    if (client.waits_to_write) {
        poller_.change(client.socket.fd(), reads, index);
        client.waits_to_write = false;
    }
    if (client.out.capacity() > 4096 || clients_.size() > 5'000) {
        std::string().swap(client.out);
    }
}

void Swarm::lose(std::uint32_t index, std::string_view why) {
    if (first_trouble_.empty()) {
        first_trouble_ = why;
        if (why.find("HTTP/1.1 503") != why.npos || why.find("M1033") != why.npos) {
            first_trouble_ += " (the server's rates are for players: see muster bench --help)";
        }
    }
    ++disconnected_;
    close(index);
}

void Swarm::cut(std::uint32_t index) {
    if (clients_[index].state != State::closed) {
        const linger reset{1, 0};
        setsockopt(clients_[index].socket.fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(index);
    }
}

void Swarm::close(std::uint32_t index) {
    Client& client = clients_[index];
    if (client.state == State::up) {
        --up_;
    }
    client.state = State::closed;
    client.socket.close();
    client.out.clear();
    client.waits_to_write = false;
}

}  // namespace muster::bench
