#include "cli/http_call.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "client/server_address.h"
#include "core/wire/http_head.h"

namespace muster::cli {
namespace {

constexpr std::size_t answer_bytes_max = 16 * 1024 * 1024;
constexpr int patience_s = 10;

struct Socket {
    int fd = -1;
    explicit Socket(int number) noexcept : fd(number) {}
    Socket(Socket&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    Socket& operator=(Socket&&) = delete;
    ~Socket() {
        if (fd >= 0) {
            close(fd);
        }
    }
};

Result<Socket> connect_to(const detail::ServerAddress& address) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
        error != 0) {
        return failure(ErrorCode::upstream,
                       fmt::format("cannot find {}: {}", address.shown, gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
    int error = 0;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        Socket socket(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const timeval patience{patience_s, 0};
        setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(socket.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        if (connect(socket.fd, one->ai_addr, one->ai_addrlen) == 0) {
            return socket;
        }
        error = errno;
    }
    return failure(ErrorCode::upstream,
                   fmt::format("cannot reach {}: {}", address.shown, std::strerror(error)));
}

Result<std::string> converse(const Socket& socket, std::string_view request) {
    while (!request.empty()) {
        const auto sent = send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return failure(ErrorCode::upstream,
                           std::string("cannot send: ") + std::strerror(errno));
        }
        request.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string answer;
    std::array<char, 65536> buffer{};
    for (;;) {
        const auto taken = recv(socket.fd, buffer.data(), buffer.size(), 0);
        if (taken < 0) {
            return failure(ErrorCode::upstream, std::string("no answer: ") + std::strerror(errno));
        }
        if (taken == 0) {
            return answer;
        }
        answer.append(buffer.data(), static_cast<std::size_t>(taken));
        if (answer.size() > answer_bytes_max) {
            return failure(ErrorCode::too_big, "the answer is longer than 16 MiB");
        }
    }
}

}  // namespace

Result<HttpAnswer> http_call(std::string_view address, std::string_view method,
                             std::string_view path, std::string_view body, std::string_view key) {
    const auto server = detail::parse_server_address(address, detail::ServerAddress::admin_port);
    if (!server) {
        return tl::unexpected(server.error());
    }
    if (server->target != detail::ServerAddress::default_target) {
        return failure(ErrorCode::bad_settings,
                       fmt::format("server `{}`: the admin API stands at no path", address));
    }
    const auto socket = connect_to(*server);
    if (!socket) {
        return tl::unexpected(socket.error());
    }
    std::string request = fmt::format(
        "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: application/json\r\n", method,
        path, server->shown);
    if (!key.empty()) {
        request += fmt::format("Authorization: Bearer {}\r\n", key);
    }
    if (!body.empty()) {
        request +=
            fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    }
    request += "\r\n";
    request += body;
    const auto answer = converse(*socket, request);
    if (!answer) {
        return tl::unexpected(answer.error());
    }
    wire::HeadScan scan;
    wire::ResponseHead head;
    const auto head_bytes = wire::parse_response_head(*answer, scan, head);
    if (!head_bytes || *head_bytes == 0) {
        return failure(ErrorCode::protocol, "what came is no HTTP answer");
    }
    // "Connection: close" was asked for, so the body ends with the bytes.
    return HttpAnswer{head.status, answer->substr(*head_bytes)};
}

}  // namespace muster::cli
