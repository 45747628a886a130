#include "shell/admin/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <doctest/doctest.h>

#include "base/check.h"

namespace muster::admin {
namespace {

using namespace std::chrono_literals;

/// A caller with a plain blocking socket: it sends exactly what it is told.
class Client {
public:
    explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        MUSTER_CHECK(socket_ >= 0);
        const timeval patience{.tv_sec = 20, .tv_usec = 0};  // A hanging test fails, in the end.
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        is_connected_ =
            ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { ::close(socket_); }

    [[nodiscard]] bool is_connected() const { return is_connected_; }

    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return;  // The server has closed: what it said is still to be read.
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    /// Returns one whole response, by its content-length; "" where the connection was closed.
    std::string receive() {
        for (;;) {
            const std::size_t head_end = received_.find("\r\n\r\n");
            if (head_end != std::string::npos) {
                const std::size_t size = head_end + 4 + body_size(received_.substr(0, head_end));
                if (received_.size() >= size) {
                    std::string response = received_.substr(0, size);
                    received_.erase(0, size);
                    return response;
                }
            }
            if (!receive_more()) {
                return std::exchange(received_, {});
            }
        }
    }

    /// Returns all that still comes until the server closes.
    std::string receive_rest() {
        while (receive_more()) {
        }
        return std::exchange(received_, {});
    }

private:
    static std::size_t body_size(const std::string& head) {
        const std::size_t at = head.find("Content-Length: ");
        return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    }

    bool receive_more() {
        std::array<char, 4096> bytes{};
        const auto count = ::recv(socket_, bytes.data(), bytes.size(), 0);
        if (count > 0) {
            received_.append(bytes.data(), static_cast<std::size_t>(count));
        }
        return count > 0;
    }

    int socket_;
    bool is_connected_ = false;
    std::string received_;
};

/// A server on a free port with its own service thread. The handler says what it got; requests for
/// /hold are held until release().
class ServerBench {
public:
    explicit ServerBench(HttpServerSettings settings = {}) {
        settings.port = 0;
        auto listening = HttpServer::listen(io_, std::move(settings),
                                            [this](const Request& request, Respond respond) {
                                                handle(request, std::move(respond));
                                            });
        MUSTER_CHECK(listening.has_value());
        server_.emplace(*std::move(listening));
        port = server_->port();
        thread_ = std::thread{[this] { io_.run(); }};
    }
    // NOLINTNEXTLINE(bugprone-exception-escape): what a broken test throws may end the program.
    ~ServerBench() {
        run([this] { server_.reset(); });
        work_.reset();
        thread_.join();
    }

    /// Runs `action` on the service thread and waits for it.
    template <typename Action>
    std::invoke_result_t<Action> run(Action action) {
        std::packaged_task<std::invoke_result_t<Action>()> task{std::move(action)};
        auto result = task.get_future();
        boost::asio::post(io_, [&task] { task(); });
        return result.get();
    }

    std::size_t connection_count() {
        return run([this] { return server_->connection_count(); });
    }

    void release() {
        run([this] {
            for (const Respond& respond : std::exchange(held_, {})) {
                respond(Response{.body = "held"});
            }
        });
    }

    /// Waits until `count` requests are held.
    void wait_for_held(std::size_t count) {
        while (run([this] { return held_.size(); }) < count) {
            std::this_thread::yield();
        }
    }

    std::future<void> stop(Duration grace) {
        return run([this, grace] {
            auto stopped = std::make_shared<std::promise<void>>();
            auto future = stopped->get_future();
            server_->stop(grace, [stopped] { stopped->set_value(); });
            return future;
        });
    }

    void destroy_server() {
        run([this] { server_.reset(); });
    }

    std::uint16_t port = 0;

private:
    void handle(const Request& request, Respond respond) {
        if (request.target == "/hold") {
            held_.push_back(std::move(respond));
            return;
        }
        std::string body =
            request.method + " " + request.target + " " + request.peer + " [" + request.body + "]";
        if (const auto shown = request.header("x-shown")) {
            body += *shown;
        }
        respond(Response{.status = 200, .headers = {{"X-Extra", "1"}}, .body = std::move(body)});
    }

    boost::asio::io_context io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
        io_.get_executor()};
    std::optional<HttpServer> server_;
    std::vector<Respond> held_;
    std::thread thread_;
};

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// Sends bytes on a new connection and returns all that comes until the server closes.
std::string last_words(ServerBench& bench, std::string_view bytes) {
    Client client{bench.port};
    client.send(bytes);
    return client.receive_rest();
}

}  // namespace

TEST_CASE("a request is answered, and the connection serves the next one") {
    ServerBench bench;
    Client client{bench.port};
    client.send("GET /a?b=1 HTTP/1.1\r\nHost: x\r\nX-Shown: yes\r\n\r\n");
    const std::string first = client.receive();
    CHECK(first.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(first, "X-Extra: 1\r\n"));
    CHECK(has(first, "Content-Type: application/json\r\n"));
    CHECK(first.ends_with("GET /a?b=1 127.0.0.1 []yes"));
    client.send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(client.receive().ends_with("POST /b 127.0.0.1 [abc]"));
}

TEST_CASE("requests that were sent together are answered one after the other") {
    ServerBench bench;
    Client client{bench.port};
    client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.receive().ends_with("GET /1 127.0.0.1 []"));
    CHECK(client.receive().ends_with("GET /2 127.0.0.1 []"));
}

TEST_CASE("a body may come in chunks") {
    ServerBench bench;
    Client client{bench.port};
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
    client.send("1\r\nc\r\n0\r\n\r\n");
    CHECK(client.receive().ends_with("[abc]"));
}

TEST_CASE("a client that expects 100-continue is asked to go on") {
    ServerBench bench;
    Client client{bench.port};
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.receive() == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ab");
    CHECK(client.receive().ends_with("[ab]"));
}

TEST_CASE("the answer to HEAD has the length of the body, but no body") {
    ServerBench bench;
    const std::string answer =
        last_words(bench, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(has(answer, "Content-Length: 19\r\n"));
    CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("HTTP/1.0 and Connection: close end the connection after the answer") {
    ServerBench bench;
    CHECK(last_words(bench, "GET / HTTP/1.0\r\n\r\n").ends_with("[]"));
    CHECK(last_words(bench, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
              .ends_with("[]"));
}

TEST_CASE("what two servers could read in two ways is refused with 400, and closed") {
    ServerBench bench;
    const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
    for (const std::string& bytes :
         {start + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          start + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
          start + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
          start + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
          start + "Content-Length: -1\r\n\r\n",
          start + "Content-Length: +1\r\n\r\na",
          start + "Content-Length: 1x\r\n\r\na",
          start + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
          start + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
          start + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
          start + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
          start + "Bad Name: 1\r\n\r\n",
          start + "X: a\x01z\r\n\r\n",
          start + "X : 1\r\n\r\n",
          std::string{"POST / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"},
          start + "X: a\rb\r\n\r\n",
          start + "X: a\r\n b\r\n\r\n",
          start + "Content-Length:\r\n\t3\r\n\r\nabc",
          start + " X: a\r\n\r\n",
          std::string{"POST / HTTP/1.1\r\n\r\n"},
          std::string{"POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"},
          std::string{"GET  / HTTP/1.1\r\nHost: x\r\n\r\n"},
          std::string{"nonsense\r\n\r\n"},
          start + std::string{"X: a\0b\r\n\r\n", 10},
          start + std::string{"X\0: ab\r\n\r\n", 11}}) {
        const std::string answer = last_words(bench, bytes);
        INFO(bytes, answer);
        CHECK(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        CHECK(has(answer, "Connection: close\r\n"));
        CHECK(has(answer, "application/problem+json"));
    }
    CHECK(last_words(bench, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
              .ends_with("[]"));
}

TEST_CASE("other versions of HTTP are refused") {
    ServerBench bench;
    for (const std::string_view line :
         {"GET / HTTP/3.7", "PRI * HTTP/2.0", "GET / HTTP/1.2", "GET /", "GET / HTTP/1.1\nX: y"}) {
        const std::string answer = last_words(bench, std::string{line} + "\r\nHost: x\r\n\r\n");
        INFO(answer);
        const bool is_refused =
            answer.starts_with("HTTP/1.1 505 ") || answer.starts_with("HTTP/1.1 400 ");
        CHECK(is_refused);
    }
}

TEST_CASE("a head or body that is too big is refused, and its sender gets to read why") {
    ServerBench bench;
    const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
    CHECK(last_words(bench, start + "X: " + std::string(9'000, 'x') + "\r\n\r\n")
              .starts_with("HTTP/1.1 431 "));
    CHECK(last_words(bench, "GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n")
              .starts_with("HTTP/1.1 431 "));
    CHECK(last_words(bench, "GET /" + std::string(5'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n")
              .starts_with("HTTP/1.1 414 "));
    std::string many = start;
    for (int i = 0; i < 64; ++i) {
        many += "X: 1\r\n";
    }
    CHECK(last_words(bench, many + "\r\n").starts_with("HTTP/1.1 431 "));

    const std::string announced =
        last_words(bench, start + "Content-Length: 262145\r\n\r\n" + std::string(262'145, 'x'));
    CHECK(announced.starts_with("HTTP/1.1 413 "));
    CHECK(has(announced, "\"code\":\"M1029\""));
    CHECK(has(announced, "\"limit\":262144"));
    CHECK(last_words(bench, start + "Transfer-Encoding: chunked\r\n\r\n40001\r\n" +
                                std::string(0x40001, 'x') + "\r\n0\r\n\r\n")
              .starts_with("HTTP/1.1 413 "));
    Client biggest{bench.port};
    biggest.send(start + "Content-Length: 262144\r\n\r\n" + std::string(262'144, 'x'));
    CHECK(biggest.receive().starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a caller that says nothing, or too slowly, is cut off in time") {
    HttpServerSettings settings;
    settings.head_timeout = 50ms;
    settings.body_timeout = 50ms;
    settings.keep_alive_timeout = 50ms;
    ServerBench bench{settings};
    CHECK(last_words(bench, "").empty());
    CHECK(last_words(bench, "GET / HTTP/1.1\r\nHos").empty());
    CHECK(last_words(bench, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab").empty());
    CHECK(last_words(bench, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("[]"));
    CHECK(bench.connection_count() == 0);
}

TEST_CASE("bytes that trickle in do not lengthen the time for a head") {
    HttpServerSettings settings;
    settings.head_timeout = 100ms;
    ServerBench bench{settings};
    Client client{bench.port};
    std::thread trickle{[&client] {
        for (int i = 0; i < 10'000; ++i) {
            client.send("G");
            std::this_thread::yield();
        }
    }};
    CHECK(client.receive_rest().size() < 1'000);  // Nothing, or that a method is not that long.
    trickle.join();
}

TEST_CASE("an answer that does not come closes the connection") {
    HttpServerSettings settings;
    settings.answer_timeout = 50ms;
    ServerBench bench{settings};
    CHECK(last_words(bench, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n").empty());
    bench.release();  // Too late: dropped.
    CHECK(bench.connection_count() == 0);
}

TEST_CASE("where all connections are busy, a new one gets 503; an idle one gives way") {
    HttpServerSettings settings;
    settings.connections_max = 2;
    ServerBench bench{settings};
    Client first{bench.port};
    Client second{bench.port};
    first.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    second.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    bench.wait_for_held(2);
    const std::string refused = last_words(bench, "");
    CHECK(refused.starts_with("HTTP/1.1 503 "));
    CHECK(has(refused, "Retry-After: 1\r\n"));
    bench.release();
    CHECK(first.receive().ends_with("held"));
    CHECK(second.receive().ends_with("held"));

    Client third{bench.port};
    third.send("GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(third.receive().ends_with("[]"));
    CHECK(bench.connection_count() == 2);
}

TEST_CASE("stopping closes idle connections and lets a request end") {
    ServerBench bench;
    Client idle{bench.port};
    idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(idle.receive().ends_with("[]"));
    Client busy{bench.port};
    busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    bench.wait_for_held(1);

    auto stopped = bench.stop(std::chrono::minutes{1});
    CHECK(idle.receive_rest().empty());
    CHECK_FALSE(Client{bench.port}.is_connected());
    bench.release();
    const std::string last = busy.receive_rest();
    CHECK(last.ends_with("held"));
    CHECK(has(last, "Connection: close\r\n"));
    stopped.get();
    CHECK(bench.connection_count() == 0);
}

TEST_CASE("stopping ends after its grace, whoever still waits") {
    ServerBench bench;
    Client busy{bench.port};
    busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    bench.wait_for_held(1);
    bench.stop(20ms).get();
    CHECK(busy.receive_rest().empty());
    CHECK(bench.connection_count() == 0);
}

TEST_CASE("a server without connections stops at once") {
    ServerBench bench;
    bench.stop(std::chrono::minutes{1}).get();
}

TEST_CASE("a server that is destroyed closes everything and drops late answers") {
    ServerBench bench;
    Client busy{bench.port};
    busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    bench.wait_for_held(1);
    bench.destroy_server();
    CHECK(busy.receive_rest().empty());
    bench.release();
    CHECK_FALSE(Client{bench.port}.is_connected());
}

TEST_CASE("an address that cannot be listened on is named in the error") {
    ServerBench bench;
    boost::asio::io_context io;
    HttpServerSettings settings;
    settings.port = bench.port;
    const auto occupied = HttpServer::listen(io, settings, {});
    REQUIRE_FALSE(occupied.has_value());
    CHECK(occupied.error().code == ErrorCode::cannot_listen);
    CHECK(has(occupied.error().detail, "127.0.0.1"));
    CHECK(has(occupied.error().detail, std::to_string(bench.port)));

    settings.address = "not an address";
    CHECK(HttpServer::listen(io, settings, {}).error().code == ErrorCode::cannot_listen);
    settings.address = "192.0.2.1";
    CHECK(HttpServer::listen(io, settings, {}).error().code == ErrorCode::cannot_listen);
}

}  // namespace muster::admin
