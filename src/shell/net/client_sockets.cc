#include "shell/net/client_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace muster::net {
namespace {

// More than this is not gathered for one write: the kernel would not take it at once anyway.
constexpr std::size_t gather_bytes_max = 256 * 1024;

std::string text_of(const sockaddr_storage& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text.data(),
                  text.size());
    } else {
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(),
                  text.size());
    }
    return text.data();
}

}  // namespace

ClientSockets::ClientSockets(runtime::Poller& poller, Listener listener,
                             const ClientSocketsSettings& settings, Take take)
    : poller_(poller),
      listener_(std::move(listener)),
      settings_(settings),
      take_(std::move(take)),
      receive_buffer_(settings.receive_bytes) {
    if (settings_.crowd == nullptr) {
        settings_.crowd = std::make_shared<runtime::Crowd>(HashKey{});
    }
    resume_accepting();
}

ClientSockets::~ClientSockets() {
    for (auto& socket : sockets_) {
        if (socket.fd >= 0) {
            ::close(socket.fd);
        }
    }
    for (const auto& [slot, address] : unknown_) {
        settings_.crowd->remove(address);
    }
}

ConnectionId ClientSockets::id_of(std::size_t slot) const noexcept {
    return ConnectionId{(std::uint64_t{sockets_[slot].generation} << gateway::slot_bits) | slot};
}

const ClientSockets::Socket* ClientSockets::find(ConnectionId id) const noexcept {
    const std::size_t slot = gateway::slot_of(id);
    return slot < sockets_.size() && sockets_[slot].state != State::free && id_of(slot) == id
               ? &sockets_[slot]
               : nullptr;
}

ClientSockets::Socket* ClientSockets::find(ConnectionId id) noexcept {
    return const_cast<Socket*>(std::as_const(*this).find(id));
}

std::string ClientSockets::peer_of(ConnectionId connection) const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const Socket* socket = find(connection);
    return socket != nullptr &&
                   getpeername(socket->fd, reinterpret_cast<sockaddr*>(&address), &size) == 0
               ? text_of(address)
               : std::string();
}

// ---- Accepting -------------------------------------------------------------------------------

void ClientSockets::resume_accepting() {
    if (!is_accepting_ && !has_stopped_) {
        poller_.add(listener_.socket.fd(), EPOLLIN, listener_token);
        is_accepting_ = true;
        accepts_again_at_.reset();
    }
}

void ClientSockets::pause_accepting(std::string_view reason, Instant now) {
    if (is_accepting_) {
        poller_.remove(listener_.socket.fd());
        is_accepting_ = false;
        accepts_again_at_ = now + settings_.accept_pause;
        ++accept_pauses_;
        pause_reason_ = reason;
    }
}

void ClientSockets::stop_accepting() {
    has_stopped_ = true;
    if (is_accepting_) {
        poller_.remove(listener_.socket.fd());
        is_accepting_ = false;
    }
    accepts_again_at_.reset();
    listener_.socket.close();
}

void ClientSockets::accept_some(Instant now) {
    for (std::uint32_t i = 0; i < settings_.accepts_per_turn_max; ++i) {
        if (open_count_ >= settings_.connections_max) {
            pause_accepting("there are as many connections as gateway.max_connections allows", now);
            return;
        }
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        const int fd = accept4(listener_.socket.fd(), reinterpret_cast<sockaddr*>(&address), &size,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            // Out of descriptors or memory: the rest waits in the kernel's queue until some are
            // free. Anything else concerns the one connection that is gone already.
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                pause_accepting("no descriptors or memory of the system are left", now);
            }
            if (errno != ECONNABORTED && errno != EINTR) {
                return;
            }
            continue;
        }
        if (settings_.kernel_send_bytes > 0) {
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &settings_.kernel_send_bytes,
                       sizeof settings_.kernel_send_bytes);
        }
        std::size_t slot = sockets_.size();
        if (free_slots_.empty()) {
            sockets_.emplace_back();
        } else {
            slot = free_slots_.back();
            free_slots_.pop_back();
        }
        Socket& socket = sockets_[slot];
        socket.fd = fd;
        socket.state = State::open;
        ++open_count_;
        const ConnectionId id = id_of(slot);
        poller_.add(fd, EPOLLIN, id.value);
        const auto [unknown, is_new] = unknown_.emplace(slot, runtime::crowd_address_of(address));
        MUSTER_CHECK(is_new);
        const auto crowd = settings_.crowd->add(unknown->second);
        take_(gateway::Opened{id, text_of(address), crowd.all, crowd.of_address});
    }
}

// ---- Reading ---------------------------------------------------------------------------------

void ClientSockets::ready(std::uint64_t token, std::uint32_t events, Instant now) {
    if (token == listener_token) {
        accept_some(now);
        return;
    }
    const ConnectionId id{token};
    if (find(id) == nullptr) {
        return;  // Closed earlier in this turn.
    }
    if ((events & EPOLLOUT) != 0) {
        write_unsent(id);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && find(id) != nullptr) {
        read_from(id);
    }
}

void ClientSockets::read_from(ConnectionId id) {
    const Socket& socket = *find(id);
    const auto taken = recv(socket.fd, receive_buffer_.data(), receive_buffer_.size(), 0);
    if (taken > 0) {
        if (socket.state == State::open) {
            take_(gateway::Received{
                id, std::span(receive_buffer_.data(), static_cast<std::size_t>(taken))});
        }
        return;  // What comes after the end is dropped.
    }
    if (taken < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    lost(id);
}

void ClientSockets::lost(ConnectionId id) {
    const bool was_open = find(id)->state == State::open;
    close_socket(gateway::slot_of(id));
    if (was_open) {
        take_(gateway::SocketClosed{id});
    }
}

// ---- Writing ---------------------------------------------------------------------------------

void ClientSockets::flush(gateway::Outputs& outputs, Instant now) {
    next_output_.assign(outputs.size(), -1);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        Socket* socket = find(outputs[i].connection);
        if (socket == nullptr || socket->state != State::open) {
            continue;
        }
        if (outputs[i].is_known) {
            now_known(gateway::slot_of(outputs[i].connection));
        }
        const auto index = static_cast<std::int32_t>(i);
        if (socket->first_output < 0) {
            socket->first_output = index;
            dirty_slots_.push_back(
                static_cast<std::uint32_t>(gateway::slot_of(outputs[i].connection)));
        } else {
            next_output_[static_cast<std::size_t>(socket->last_output)] = index;
        }
        socket->last_output = index;
    }
    for (const std::uint32_t slot : dirty_slots_) {
        flush_socket(slot, outputs, now);
    }
    dirty_slots_.clear();
    outputs.clear();
    // Told last: what the machines put out in answer belongs to the next turn.
    for (const ConnectionId id : std::exchange(lost_, {})) {
        take_(gateway::SocketClosed{id});
    }
    for (const ConnectionId id : std::exchange(blocked_, {})) {
        if (find(id) != nullptr) {
            take_(gateway::Blocked{id});
        }
    }
}

// Sends all of this turn's outputs of one connection: a single one from where it lies, several from
// one buffer.
void ClientSockets::flush_socket(std::size_t slot, gateway::Outputs& outputs, Instant now) {
    Socket& socket = sockets_[slot];
    const std::int32_t first = std::exchange(socket.first_output, -1);
    const auto next_of = [this](std::int32_t i) {
        return next_output_[static_cast<std::size_t>(i)];
    };
    for (std::int32_t i = first; i >= 0; i = next_of(i)) {
        socket.closes = socket.closes || outputs[static_cast<std::size_t>(i)].then_close;
    }
    if (socket.unsent != nullptr) {
        // Blocked: only a last frame can come now, and it follows what waits.
        for (std::int32_t i = first; i >= 0; i = next_of(i)) {
            if (!outputs[static_cast<std::size_t>(i)].bytes.empty()) {
                socket.unsent->parts.push(std::move(outputs[static_cast<std::size_t>(i)].bytes));
            }
        }
        if (socket.closes) {
            linger(slot, now);
        }
        return;
    }
    std::int32_t i = first;
    while (i >= 0 && socket.unsent == nullptr) {
        const std::int32_t batch_first = i;
        std::string_view bytes = outputs[static_cast<std::size_t>(i)].bytes.view();
        i = next_of(i);
        if (i >= 0) {
            send_buffer_.assign(bytes);
            while (i >= 0 && send_buffer_.size() < gather_bytes_max) {
                send_buffer_ += outputs[static_cast<std::size_t>(i)].bytes.view();
                i = next_of(i);
            }
            bytes = send_buffer_;
        }
        if (bytes.empty()) {
            continue;
        }
        const auto sent = send(socket.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            lost_.push_back(id_of(slot));
            close_socket(slot);
            return;
        }
        if (sent < static_cast<ssize_t>(bytes.size())) {
            socket.first_output = batch_first;
            keep_unsent(slot, outputs, sent < 0 ? 0 : static_cast<std::size_t>(sent));
        }
    }
    if (socket.closes) {
        linger(slot, now);
    }
}

// Keeps what the kernel did not take: from socket.first_output on, but for the first `sent` bytes.
void ClientSockets::keep_unsent(std::size_t slot, gateway::Outputs& outputs, std::size_t sent) {
    Socket& socket = sockets_[slot];
    socket.unsent = std::make_unique<Unsent>();
    for (std::int32_t i = std::exchange(socket.first_output, -1); i >= 0;
         i = next_output_[static_cast<std::size_t>(i)]) {
        SharedText& part = outputs[static_cast<std::size_t>(i)].bytes;
        if (sent >= part.size()) {
            sent -= part.size();
            continue;
        }
        if (socket.unsent->parts.empty()) {
            socket.unsent->offset = std::exchange(sent, 0);
        }
        socket.unsent->parts.push(std::move(part));
    }
    poller_.change(socket.fd, EPOLLIN | EPOLLOUT, id_of(slot).value);
    if (!socket.closes) {
        blocked_.push_back(id_of(slot));
    }
}

void ClientSockets::write_unsent(ConnectionId id) {
    const std::size_t slot = gateway::slot_of(id);
    Socket& socket = sockets_[slot];
    if (socket.unsent == nullptr) {
        return;
    }
    Unsent& unsent = *socket.unsent;
    while (!unsent.parts.empty()) {
        const std::string_view part = unsent.parts.front().view().substr(unsent.offset);
        const auto sent = send(socket.fd, part.data(), part.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                lost(id);
            }
            return;
        }
        unsent.offset += static_cast<std::size_t>(sent);
        if (unsent.offset == unsent.parts.front().size()) {
            unsent.parts.pop();
            unsent.offset = 0;
        }
    }
    socket.unsent.reset();
    poller_.change(socket.fd, EPOLLIN, id.value);
    if (socket.state == State::open) {
        take_(gateway::Drained{id});
    } else {
        shutdown(socket.fd, SHUT_WR);
    }
}

// ---- The end ---------------------------------------------------------------------------------

// Our side is done. The peer gets a moment to read the last bytes: closing at once, with bytes of
// its own unread, would make the kernel throw ours away.
void ClientSockets::linger(std::size_t slot, Instant now) {
    Socket& socket = sockets_[slot];
    now_known(slot);  // As one that was sent away, which needs no limit but linger_time.
    socket.state = State::lingering;
    if (socket.unsent == nullptr) {
        shutdown(socket.fd, SHUT_WR);
    }
    lingering_.push(Lingering{now + settings_.linger_time, id_of(slot)});
}

void ClientSockets::close_socket(std::size_t slot) {
    now_known(slot);
    Socket& socket = sockets_[slot];
    ::close(socket.fd);  // Takes it from the poller, too.
    const std::uint32_t generation = socket.generation + 1;
    socket = Socket{};
    socket.generation = generation;
    free_slots_.push_back(static_cast<std::uint32_t>(slot));
    --open_count_;
    if (accepts_again_at_) {
        resume_accepting();
    }
}

// From now on it does not count in the crowd.
void ClientSockets::now_known(std::size_t slot) {
    if (const auto found = unknown_.find(slot); found != unknown_.end()) {
        settings_.crowd->remove(found->second);
        unknown_.erase(found);
    }
}

void ClientSockets::time_passed(Instant now) {
    if (accepts_again_at_ && *accepts_again_at_ <= now) {
        resume_accepting();
    }
    while (!lingering_.empty() && lingering_.front().until <= now) {
        const ConnectionId id = lingering_.pop().connection;
        if (find(id) != nullptr) {
            close_socket(gateway::slot_of(id));
        }
    }
}

std::optional<Instant> ClientSockets::next_wake() const noexcept {
    std::optional<Instant> next = accepts_again_at_;
    if (!lingering_.empty() && (!next || lingering_.front().until < *next)) {
        next = lingering_.front().until;
    }
    return next;
}

}  // namespace muster::net
