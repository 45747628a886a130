// What the kernel allows: a bare epoll server that takes the traffic of `muster bench` and does
// nothing for it that it could leave out. It knows rooms, hello, join, send and leave of exactly
// the shape that the benchmark sends, and numbers messages per room; it has no limits, checks,
// history, members, verdict records, slow-client handling or timers. Like Muster it reads every
// ready socket, encodes a message once, and writes once per connection and turn.
//
//   bench_limit [PORT]        listens on 127.0.0.1, prints "ready PORT"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

struct Room {
    std::string name;
    std::uint64_t seq = 0;
    std::vector<int> members;                 // File descriptors.
    std::shared_ptr<const std::string> last;  // For who comes back.
};

struct Client {
    bool is_upgraded = false;
    std::string in;  // What has come of an unfinished head or frame.
    std::string user;
    Room* room = nullptr;
    std::string unsent;                                   // What the kernel did not take.
    std::vector<std::shared_ptr<const std::string>> out;  // Of this turn.
};

std::vector<std::unique_ptr<Client>> clients;  // By file descriptor.
std::unordered_map<std::string, std::unique_ptr<Room>> rooms;
std::vector<int> dirty;
std::string send_buffer;
int epoll_fd = -1;

void put(int fd, std::shared_ptr<const std::string> bytes) {
    Client& client = *clients[static_cast<std::size_t>(fd)];
    if (client.out.empty()) {
        dirty.push_back(fd);
    }
    client.out.push_back(std::move(bytes));
}

std::shared_ptr<const std::string> frame(std::string_view text) {
    std::string bytes;
    bytes.push_back(static_cast<char>(0x81));
    if (text.size() < 126) {
        bytes.push_back(static_cast<char>(text.size()));
    } else {
        bytes.push_back(126);
        bytes.push_back(static_cast<char>(text.size() >> 8U));
        bytes.push_back(static_cast<char>(text.size() & 255U));
    }
    bytes += text;
    return std::make_shared<const std::string>(std::move(bytes));
}

std::string_view between(std::string_view text, std::string_view name, char end) {
    const auto at = text.find(name);
    if (at == std::string_view::npos) {
        return {};
    }
    const auto from = at + name.size();
    return text.substr(from, text.find(end, from) - from);
}

void upgrade(int fd, std::string_view head) {
    std::string key(between(head, "Sec-WebSocket-Key: ", '\r'));
    key += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, 20> digest{};
    EVP_Digest(key.data(), key.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
    std::array<unsigned char, 32> accept{};
    EVP_EncodeBlock(accept.data(), digest.data(), static_cast<int>(digest.size()));
    put(fd, std::make_shared<const std::string>(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Protocol: muster.v1.json\r\nSec-WebSocket-Accept: " +
                std::string(reinterpret_cast<const char*>(accept.data())) + "\r\n\r\n"));
}

void enter(int fd, const std::string& name, std::string_view i) {
    auto& room = rooms[name];
    if (room == nullptr) {
        room = std::make_unique<Room>();
        room->name = name;
    }
    room->members.push_back(fd);
    clients[static_cast<std::size_t>(fd)]->room = room.get();
    put(fd, frame(R"({"op":"joined",)" + std::string(i) + R"("q":")" + name +
                  R"(","member":true,"at":[1,)" + std::to_string(room->seq) +
                  R"(],"resume":{},"mounts":{},"members":1,"who":{}})"));
}

// Rooms go with their last member, as far as a bare server must not grow.
void exit_room(int fd) {
    Client& client = *clients[static_cast<std::size_t>(fd)];
    Room* room = std::exchange(client.room, nullptr);
    if (room == nullptr) {
        return;
    }
    std::erase(room->members, fd);
    if (room->members.empty()) {
        rooms.erase(std::string(room->name));
    }
}

void take_text(int fd, std::string_view text) {
    Client& client = *clients[static_cast<std::size_t>(fd)];
    if (text.starts_with(R"({"op":"send")")) {
        if (client.room == nullptr) {
            return;
        }
        Room& room = *client.room;
        const auto data = text.find(R"("d":)") + 4;
        std::string message = R"({"op":"msg","q":")" + room.name + R"(","m":"chat","seq":)" +
                              std::to_string(++room.seq) + R"(,"from":")" + client.user +
                              R"(","t":1790000000123,"d":)";
        message += text.substr(data);
        const auto shared = frame(message);
        room.last = shared;
        for (const int member : room.members) {
            put(member, shared);
        }
        put(fd, frame(R"({"op":"ok","i":2,"seq":)" + std::to_string(room.seq) + "}"));
    } else if (text.starts_with(R"({"op":"hello")")) {
        client.user = between(text, R"("user":")", '"');
        put(fd, frame(R"({"op":"hello","v":1,"user":")" + client.user +
                      R"(","session":1,"resume":"r","cid":"c","ping":15})"));
        // {"/room/1":[1,17]}: of what was missed, the last message stands for all.
        if (const std::string_view name = between(text, R"("since":{")", '"'); !name.empty()) {
            const auto found = rooms.find(std::string(name));
            const auto seen =
                std::strtoull(std::string(between(text, R"(":[1,)", ']')).c_str(), nullptr, 10);
            if (found != rooms.end() && found->second->last != nullptr &&
                found->second->seq > seen) {
                put(fd, found->second->last);
            }
            enter(fd, std::string(name), "");
        }
    } else if (text.starts_with(R"({"op":"join")")) {
        enter(fd, std::string(between(text, R"("q":")", '"')), R"("i":1,)");
    } else if (text.starts_with(R"({"op":"leave")")) {
        exit_room(fd);
        put(fd, frame(R"({"op":"ok","i":3,"seq":1})"));
    }
}

// Takes whole frames off `bytes`; returns how much was taken, or -1 at the client's close.
long take_frames(int fd, char* bytes, std::size_t size) {
    std::size_t at = 0;
    for (;;) {
        if (size - at < 6) {
            return static_cast<long>(at);
        }
        const auto* head = reinterpret_cast<const unsigned char*>(bytes + at);
        std::size_t length = head[1] & 127U;
        std::size_t header = 6;
        if (length == 126) {
            if (size - at < 8) {
                return static_cast<long>(at);
            }
            length = static_cast<std::size_t>(head[2]) << 8U | head[3];
            header = 8;
        }
        if (size - at < header + length) {
            return static_cast<long>(at);
        }
        const char* mask = bytes + at + header - 4;
        char* payload = bytes + at + header;
        for (std::size_t i = 0; i < length; ++i) {
            payload[i] = static_cast<char>(payload[i] ^ mask[i & 3U]);
        }
        if ((head[0] & 15U) == 8) {
            return -1;
        }
        take_text(fd, std::string_view(payload, length));
        at += header + length;
    }
}

void lose(int fd) {
    exit_room(fd);
    auto& client = clients[static_cast<std::size_t>(fd)];
    client.reset();
    close(fd);
}

void read_from(int fd, std::vector<char>& buffer) {
    const auto taken = recv(fd, buffer.data(), buffer.size(), 0);
    if (taken <= 0) {
        if (taken == 0 || (errno != EAGAIN && errno != EINTR)) {
            lose(fd);
        }
        return;
    }
    Client& client = *clients[static_cast<std::size_t>(fd)];
    char* bytes = buffer.data();
    auto size = static_cast<std::size_t>(taken);
    if (!client.in.empty() || !client.is_upgraded) {
        client.in.append(bytes, size);
        bytes = client.in.data();
        size = client.in.size();
    }
    if (!client.is_upgraded) {
        const auto end = client.in.find("\r\n\r\n");
        if (end == std::string::npos) {
            return;
        }
        upgrade(fd, client.in);
        client.is_upgraded = true;
        client.in.erase(0, end + 4);
        bytes = client.in.data();
        size = client.in.size();
    }
    const long used = take_frames(fd, bytes, size);
    if (used < 0) {
        lose(fd);
        return;
    }
    std::string rest(bytes + used, size - static_cast<std::size_t>(used));
    client.in = std::move(rest);
}

void watch(int operation, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_fd, operation, fd, &event);
}

void write_to(int fd) {
    Client* client = clients[static_cast<std::size_t>(fd)].get();
    if (client == nullptr) {
        return;
    }
    std::string_view bytes;
    if (client->unsent.empty() && client->out.size() == 1) {
        bytes = *client->out.front();
    } else {
        send_buffer = client->unsent;
        for (const auto& part : client->out) {
            send_buffer += *part;
        }
        bytes = send_buffer;
    }
    const auto sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    const bool was_blocked = !client->unsent.empty();
    client->unsent = std::string(bytes.substr(static_cast<std::size_t>(sent < 0 ? 0 : sent)));
    client->out.clear();
    if (client->unsent.empty() == was_blocked) {
        watch(EPOLL_CTL_MOD, fd, was_blocked ? EPOLLIN : EPOLLIN | EPOLLOUT);
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0));
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener, 4096) != 0) {
        std::perror("bench_limit");
        return 1;
    }
    socklen_t size = sizeof address;
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    std::printf("ready %d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    epoll_fd = epoll_create1(0);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    std::vector<epoll_event> ready(4096);
    std::vector<char> buffer(256 * 1024);
    for (;;) {
        const int count = epoll_wait(epoll_fd, ready.data(), static_cast<int>(ready.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = ready[static_cast<std::size_t>(i)].data.fd;
            if (fd == listener) {
                for (int accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
                     accepted >= 0; accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) {
                    if (clients.size() <= static_cast<std::size_t>(accepted)) {
                        clients.resize(static_cast<std::size_t>(accepted) + 1);
                    }
                    clients[static_cast<std::size_t>(accepted)] = std::make_unique<Client>();
                    watch(EPOLL_CTL_ADD, accepted, EPOLLIN);
                }
                continue;
            }
            if ((ready[static_cast<std::size_t>(i)].events & EPOLLOUT) != 0) {
                dirty.push_back(fd);
            }
            if (clients[static_cast<std::size_t>(fd)] != nullptr) {
                read_from(fd, buffer);
            }
        }
        for (std::size_t i = 0; i < dirty.size(); ++i) {
            write_to(dirty[i]);
        }
        dirty.clear();
    }
}
