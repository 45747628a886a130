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

using Clock = std::chrono::steady_clock;

// How long a call may take as a whole, however its answer trickles in.
struct Deadline {
    std::chrono::milliseconds patience;
    Clock::time_point at = Clock::now() + patience;

    // Sets how long the next call on the socket may block. Returns false where time is over.
    [[nodiscard]] bool apply(int fd) const {
        const auto left =
            std::chrono::duration_cast<std::chrono::microseconds>(at - Clock::now()).count();
        if (left <= 0) {
            return false;
        }
        const timeval time{left / 1'000'000, left % 1'000'000};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
        return true;
    }
};

tl::unexpected<Error> no_answer(std::string_view server, const Deadline& deadline) {
    return failure(ErrorCode::upstream,
                   fmt::format("no answer from {} within {:g} s", server,
                               std::chrono::duration<double>(deadline.patience).count()));
}

// A blocking call that its time limit has ended; of connect it is the latter.
bool is_late(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINPROGRESS || error == ETIMEDOUT;
}

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

Result<Socket> connect_to(const detail::ServerAddress& address, const Deadline& deadline) {
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
        if (!deadline.apply(socket.fd)) {
            return no_answer(address.shown, deadline);
        }
        if (connect(socket.fd, one->ai_addr, one->ai_addrlen) == 0) {
            return socket;
        }
        error = errno;
    }
    if (is_late(error)) {
        return no_answer(address.shown, deadline);
    }
    return failure(ErrorCode::upstream,
                   fmt::format("cannot reach {}: {}", address.shown, std::strerror(error)));
}

// Returns what to say of a call on the socket that has failed with `error`.
tl::unexpected<Error> lost(std::string_view server, int error, const Deadline& deadline) {
    if (is_late(error)) {
        return no_answer(server, deadline);
    }
    return failure(ErrorCode::upstream,
                   fmt::format("no answer from {}: {}", server, std::strerror(error)));
}

Result<std::string> converse(const Socket& socket, std::string_view server,
                             std::string_view request, const Deadline& deadline) {
    while (!request.empty()) {
        if (!deadline.apply(socket.fd)) {
            return no_answer(server, deadline);
        }
        const auto sent = send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return lost(server, errno, deadline);
        }
        request.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string answer;
    std::array<char, 65536> buffer{};
    for (;;) {
        if (!deadline.apply(socket.fd)) {
            return no_answer(server, deadline);
        }
        const auto taken = recv(socket.fd, buffer.data(), buffer.size(), 0);
        if (taken < 0) {
            return lost(server, errno, deadline);
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
                             std::string_view path, std::string_view body, std::string_view key,
                             std::chrono::milliseconds patience) {
    const auto server = detail::parse_server_address(address, detail::ServerAddress::admin_port);
    if (!server) {
        return tl::unexpected(server.error());
    }
    if (server->target != detail::ServerAddress::default_target) {
        return failure(ErrorCode::bad_settings,
                       fmt::format("server `{}`: the admin API stands at no path", address));
    }
    const Deadline deadline{patience};
    const auto socket = connect_to(*server, deadline);
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
    const auto answer = converse(*socket, server->shown, request, deadline);
    if (!answer) {
        return tl::unexpected(answer.error());
    }
    wire::HeadScan scan;
    wire::ResponseHead head;
    const auto head_bytes = wire::parse_response_head(*answer, scan, head);
    if (!head_bytes || *head_bytes == 0) {
        return failure(ErrorCode::protocol,
                       other_server_text(server->shown, "what came is no HTTP answer"));
    }
    // "Connection: close" was asked for, so the body ends with the bytes.
    return HttpAnswer{head.status, answer->substr(*head_bytes), server->shown};
}

std::string other_server_text(std::string_view server, std::string_view why) {
    return fmt::format("{} does not speak Muster's admin API ({})", server, why);
}

}  // namespace muster::cli
