#include "shell/net/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

namespace muster::net {
namespace {

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

std::optional<Address> parse(std::string_view endpoint) {
    const auto colon = endpoint.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view port_text = endpoint.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] =
        std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
    if (error != std::errc{} || end != port_text.data() + port_text.size()) {
        return std::nullopt;
    }
    std::string host(endpoint.substr(0, colon));
    Address address;
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
        host = host.substr(1, host.size() - 2);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        address.size = sizeof v6;
        return inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1 ? std::optional(address)
                                                                     : std::nullopt;
    }
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    if (host == "localhost") {
        host = "127.0.0.1";
    }
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.size = sizeof v4;
    return inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1 ? std::optional(address)
                                                               : std::nullopt;
}

tl::unexpected<Error> refused(std::string_view endpoint, int error) {
    const std::string where = "cannot listen on " + std::string(endpoint) + ": ";
    switch (error) {
        case EADDRINUSE:
            return failure(ErrorCode::cannot_listen,
                           where + "another process uses this port; stop it or choose another");
        case EACCES:
            return failure(ErrorCode::cannot_listen, where + "this user may not use this port");
        default: return failure(ErrorCode::cannot_listen, where + std::strerror(error));
    }
}

}  // namespace

Result<Listener> listen_on(std::string_view endpoint, const ListenOptions& options) {
    const auto address = parse(endpoint);
    if (!address) {
        return failure(ErrorCode::bad_settings,
                       "'" + std::string(endpoint) + "' is no address: write 127.0.0.1:7400");
    }
    Listener listener;
    listener.socket = runtime::Descriptor(
        socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int fd = listener.socket.fd();
    if (fd < 0) {
        return refused(endpoint, errno);
    }
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // What is accepted inherits it: answers leave at once, our loop does the batching.
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (options.shares_port) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->size) != 0 ||
        listen(fd, options.backlog) != 0) {
        return refused(endpoint, errno);
    }
    sockaddr_storage bound{};
    socklen_t bound_size = sizeof bound;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bound_size) != 0) {
        return refused(endpoint, errno);
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (bound.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(bound);
        inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
        listener.address = "[" + std::string(text.data()) + "]";
        listener.port = ntohs(v6.sin6_port);
    } else {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(bound);
        inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
        listener.address = text.data();
        listener.port = ntohs(v4.sin_port);
    }
    return listener;
}

}  // namespace muster::net
