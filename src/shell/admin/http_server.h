#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "shell/admin/request.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): Boost's name.
}

namespace muster::admin {

struct HttpServerSettings {
    std::string address = "127.0.0.1";  ///< numeric, IPv4 or IPv6 (without brackets)
    std::uint16_t port = 7401;          ///< 0: any free one
    std::size_t connections_max = 256;
    std::uint32_t head_bytes_max = 8 * 1024;
    std::uint32_t body_bytes_max = 256 * 1024;
    Duration head_timeout = std::chrono::seconds{5};         ///< from the accept, or its first byte
    Duration body_timeout = std::chrono::seconds{10};        ///< for all of it
    Duration keep_alive_timeout = std::chrono::seconds{60};  ///< between two requests
    Duration answer_timeout = std::chrono::seconds{30};      ///< for the handler
    Duration write_timeout = std::chrono::seconds{10};
};

/// Takes a request and answers it, now or later, on the same thread.
using HttpHandler = std::function<void(const Request&, Respond)>;

/// HTTP/1.1 on one TCP address: turns bytes into requests and responses into bytes.
///
/// Owns:   the listening socket and its connections.
/// Thread: the one that runs `io`; all calls are made there, or while nobody runs it.
/// Limits: those of HttpServerSettings, and 64 headers. At connections_max an idle connection gives
///         way to a new one; where all are busy, the new one gets 503.
/// Refuses: what two servers could read in two ways, with 400 and close; 413 and 431 above the
///          limits. Slow senders are cut off by time in sum, not per byte.
class HttpServer {
public:
    /// Begins to listen. `handler` is called until stop() has ended, or the server is destroyed.
    /// Errors: cannot_listen, with the address in its detail.
    [[nodiscard]] static Result<HttpServer> listen(boost::asio::io_context& io,
                                                   HttpServerSettings settings,
                                                   HttpHandler handler);

    HttpServer(HttpServer&&) noexcept;
    HttpServer& operator=(HttpServer&&) noexcept;

    /// Closes everything at once; answers that come later are dropped.
    ~HttpServer();

    /// Returns the port that is listened on.
    [[nodiscard]] std::uint16_t port() const;

    [[nodiscard]] std::size_t connection_count() const;

    /// Stops: accepts no more, closes idle connections, lets the others end their present request
    /// for at most `grace`, then closes them too. Calls `then` once none is left.
    void stop(Duration grace, std::function<void()> then);

private:
    class Listener;
    explicit HttpServer(std::shared_ptr<Listener> listener);

    std::shared_ptr<Listener> listener_;
};

}  // namespace muster::admin
