#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace muster::detail {

/// One address of a server, as connect() takes it.
struct SocketAddress {
    sockaddr_storage bytes{};
    socklen_t size = 0;
};

/// Finds all addresses of a server, without waiting: names are looked up by the C library in the
/// background, numbers at once.
///
/// Owns:   at most one lookup. One that cannot be cancelled any more is left to itself.
/// Thread: its owner's.
class Resolver {
public:
    Resolver() = default;
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    ~Resolver() { cancel(); }

    /// Begins a lookup; an earlier one is given up.
    void start(const std::string& host, const std::string& port);

    /// Returns the addresses (A and AAAA, in the C library's order), once they are known; nothing
    /// before. Errors: upstream, with the reason as its detail.
    [[nodiscard]] std::optional<Result<std::vector<SocketAddress>>> result();

    void cancel() noexcept;

private:
    struct Lookup {
        std::string host;
        std::string port;
        addrinfo hints{};
        gaicb request{};
    };

    std::unique_ptr<Lookup> lookup_;
    std::optional<Result<std::vector<SocketAddress>>> done_;
};

}  // namespace muster::detail
