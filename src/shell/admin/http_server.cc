#include "shell/admin/http_server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include "base/check.h"
#include "shell/admin/problem.h"

namespace muster::admin {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr std::size_t header_count_max = 64;
constexpr std::size_t head_read_bytes = 1024;  // In one go; a usual head is smaller.
constexpr std::size_t target_bytes_max = std::size_t{4} * 1024;

// How long and how much is still read of a request that was refused, so that the answer reaches its
// sender before the connection is reset.
constexpr auto drain_timeout = std::chrono::seconds{1};
constexpr std::size_t drain_bytes_max = std::size_t{1024} * 1024;

constexpr auto accept_pause = std::chrono::milliseconds{100};

/// For what may fail without harm: closing what is given up, and options that only help.
void ignore(const error_code& /*failed*/) {}

Instant now() {
    return Instant{
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

/// Returns the address; of IPv6 the network (/64), which is what one customer has.
std::string peer_text(const Tcp::socket& socket) {
    error_code failed;
    const Tcp::endpoint peer = socket.remote_endpoint(failed);
    if (failed) {
        return {};
    }
    if (!peer.address().is_v6()) {
        return peer.address().to_string();
    }
    auto address = peer.address().to_v6();
    if (address.is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address).to_string();
    }
    auto bytes = address.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return asio::ip::address_v6{bytes}.to_string();
}

std::string lower(std::string_view text) {
    std::string result{text};
    std::transform(result.begin(), result.end(), result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

std::string text_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

using Parser = http::request_parser<http::string_body>;

Problem refused(std::uint16_t status, std::string detail) {
    return Problem{.detail = std::move(detail), .status = status};
}

/// Returns what is wrong with a request of good grammar, if something is.
std::optional<Problem> refusal_of(const Parser::value_type& message) {
    if (message.version() != 11 && message.version() != 10) {
        return refused(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    const auto header_count = std::distance(message.begin(), message.end());
    if (static_cast<std::size_t>(header_count) > header_count_max) {
        return refused(431, "a request has at most 64 headers");
    }
    if (message.target().size() > target_bytes_max) {
        return refused(414, "the path is longer than 4 KiB");
    }
    if (message.count(http::field::content_length) > 1 ||
        (message.count(http::field::content_length) == 1 &&
         message.count(http::field::transfer_encoding) != 0)) {
        return refused(400, "the length of the body is given twice");
    }
    if (message.version() == 11 && message.count(http::field::host) != 1) {
        return refused(400, "one Host header is needed");
    }
    return std::nullopt;
}

/// Returns the answer to a request that could not be read; nothing where nobody listens any more.
std::optional<Problem> refusal_of(const error_code& failed, const HttpServerSettings& settings) {
    if (failed == http::error::header_limit || failed == http::error::buffer_overflow) {
        return refused(431, "the request's head is bigger than 8 KiB");
    }
    if (failed == http::error::body_limit) {
        Problem problem{.code = ErrorCode::frame_too_big, .detail = "the body is too big"};
        problem.limit = settings.body_bytes_max;
        return problem;
    }
    if (failed == http::error::bad_version) {
        return refused(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    const bool is_grammar =
        failed.category() == make_error_code(http::error::bad_target).category();
    if (is_grammar && failed != http::error::end_of_stream &&
        failed != http::error::partial_message) {
        return refused(400, "this is not HTTP: " + failed.message());
    }
    return std::nullopt;
}

Request request_of(Parser::value_type message, std::string peer) {
    Request request;
    request.method = text_of(message.method_string());
    request.target = text_of(message.target());
    for (const auto& field : message) {
        request.headers.push_back({lower(text_of(field.name_string())), text_of(field.value())});
    }
    request.body = std::move(message.body());
    request.peer = std::move(peer);
    request.now = now();
    return request;
}

/// What is sent where all connections are busy: as bytes, since there is no room for more state.
constexpr std::string_view busy_answer =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    "Content-Length: 0\r\n\r\n";

}  // namespace

/// The listening socket and its connections. Lives while one of its operations does.
class HttpServer::Listener : public std::enable_shared_from_this<Listener> {
public:
    Listener(asio::io_context& io, HttpServerSettings settings, HttpHandler handler)
        : settings_(std::move(settings)), handler_(std::move(handler)), acceptor_(io), timer_(io) {}

    Result<void> open();
    void accept();
    void stop(Duration grace, std::function<void()> then);
    void close_all();

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

private:
    class Connection;

    void add(Tcp::socket socket);
    bool make_room();
    void remove(const std::shared_ptr<Connection>& connection);

    HttpServerSettings settings_;
    HttpHandler handler_;
    Tcp::acceptor acceptor_;
    asio::steady_timer timer_;  // The pause of accepting; later, the grace of stopping.
    std::uint16_t port_ = 0;
    std::unordered_set<std::shared_ptr<Connection>>
        connections_;  // Each removes itself by close().
    bool is_stopping_ = false;
    std::function<void()> stopped_;
};

/// One caller's socket, from accept to close: one request at a time.
///
/// Invariants: at most one operation is under way besides the timer. Once closed, nothing begins.
class HttpServer::Listener::Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(std::shared_ptr<Listener> listener, Tcp::socket socket)
        : listener_(std::move(listener)),
          socket_(std::move(socket)),
          timer_(socket_.get_executor()),
          peer_(peer_text(socket_)) {}

    void start() {
        arm(settings().head_timeout);
        wait_for_request();
    }

    void close() {
        if (state_ == State::closed) {
            return;
        }
        state_ = State::closed;
        timer_.cancel();
        error_code failed;
        ignore(socket_.close(failed));
        listener_->remove(shared_from_this());
    }

    [[nodiscard]] bool is_idle() const noexcept { return state_ == State::idle; }

    /// Lets the present request be the last one.
    void finish() { keeps_alive_ = false; }

private:
    enum class State : std::uint8_t { idle, reading, answering, writing, draining, closed };

    [[nodiscard]] const HttpServerSettings& settings() const { return listener_->settings_; }

    void arm(Duration timeout) {
        timer_.expires_after(timeout);
        timer_.async_wait([self = weak_from_this()](const error_code& failed) {
            const auto connection = self.lock();
            // An expiry that was already on its way when the timer was set anew says nothing.
            if (!failed && connection &&
                connection->timer_.expiry() <= asio::steady_timer::clock_type::now()) {
                connection->close();
            }
        });
    }

    void wait_for_request() {
        state_ = State::idle;
        if (buffer_.size() != 0) {  // Sent together with the request before.
            begin_request();
            return;
        }
        socket_.async_wait(Tcp::socket::wait_read,
                           [self = shared_from_this()](const error_code& failed) {
                               if (self->state_ == State::closed) {
                                   return;
                               }
                               if (failed) {
                                   self->close();
                                   return;
                               }
                               self->begin_request();
                           });
    }

    void begin_request() {
        state_ = State::reading;
        if (!is_first_) {  // For the first, the time counts from the accept.
            arm(settings().head_timeout);
        }
        is_first_ = false;
        parser_.emplace();
        parser_->header_limit(settings().head_bytes_max);
        parser_->body_limit(settings().body_bytes_max);
        read_head();
    }

    /// Reads on until the whole head is here, and looks at what the parser would hide: it unfolds a
    /// header that goes on in the next line.
    void read_head() {
        const std::string_view bytes{static_cast<const char*>(buffer_.cdata().data()),
                                     buffer_.size()};
        const std::size_t end = bytes.find("\r\n\r\n");
        if (end == bytes.npos && bytes.size() < settings().head_bytes_max) {
            read_more_of_head();
            return;
        }
        const std::string_view head = bytes.substr(0, end);
        if (head.find("\r\n ") != head.npos || head.find("\r\n\t") != head.npos) {
            refuse_and_close(refused(400, "a header may not go on in the next line"));
            return;
        }
        http::async_read_header(socket_, buffer_, *parser_,
                                [self = shared_from_this()](const error_code& failed, std::size_t) {
                                    self->take_head(failed);
                                });
    }

    void read_more_of_head() {
        const std::size_t room = settings().head_bytes_max - buffer_.size();
        socket_.async_read_some(
            buffer_.prepare(std::min(room, head_read_bytes)),
            [self = shared_from_this()](const error_code& failed, std::size_t byte_count) {
                if (self->state_ == State::closed || self->is_refused(failed)) {
                    return;
                }
                self->buffer_.commit(byte_count);
                self->read_head();
            });
    }

    void take_head(const error_code& failed) {
        if (state_ == State::closed || is_refused(failed)) {
            return;
        }
        if (const auto problem = refusal_of(parser_->get())) {
            refuse_and_close(*problem);
            return;
        }
        arm(settings().body_timeout);
        const auto expectation = parser_->get()[http::field::expect];
        if (expectation.empty()) {
            read_body();
        } else if (boost::beast::iequals(expectation, "100-continue")) {
            constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            asio::async_write(socket_, asio::buffer(go_on),
                              [self = shared_from_this()](const error_code& broken, std::size_t) {
                                  if (self->state_ != State::closed && !self->is_refused(broken)) {
                                      self->read_body();
                                  }
                              });
        } else {
            refuse_and_close(refused(417, "only `Expect: 100-continue` is known here"));
        }
    }

    void read_body() {
        http::async_read(socket_, buffer_, *parser_,
                         [self = shared_from_this()](const error_code& failed, std::size_t) {
                             self->take_request(failed);
                         });
    }

    void take_request(const error_code& failed) {
        if (state_ == State::closed || is_refused(failed)) {
            return;
        }
        keeps_alive_ = parser_->get().keep_alive() && !listener_->is_stopping_;
        is_head_ = parser_->get().method() == http::verb::head;
        const Request request = request_of(parser_->release(), peer_);
        parser_.reset();
        state_ = State::answering;
        arm(settings().answer_timeout);
        listener_->handler_(request, [self = weak_from_this()](Response response) {
            const auto connection = self.lock();
            if (connection && connection->state_ == State::answering) {
                connection->write(std::move(response));
            }
        });
    }

    /// Answers what could not be read, if somebody may still want to know. Returns whether it did,
    /// or closed.
    bool is_refused(const error_code& failed) {
        if (!failed) {
            return false;
        }
        if (const auto problem = refusal_of(failed, settings())) {
            refuse_and_close(*problem);
        } else {
            close();
        }
        return true;
    }

    void refuse_and_close(const Problem& problem) {
        keeps_alive_ = false;
        is_head_ = false;
        drains_ = true;
        write(to_response(problem));
    }

    void write(Response response) {
        state_ = State::writing;
        arm(settings().write_timeout);
        answer_ = {};
        answer_.version(11);
        answer_.result(response.status);
        answer_.keep_alive(keeps_alive_);
        for (const Header& header : response.headers) {
            answer_.insert(header.name, header.value);
        }
        if (response.status != 304) {
            answer_.set(http::field::content_type, response.content_type);
            answer_.set(http::field::content_length, std::to_string(response.body.size()));
        }
        if (!is_head_ && response.status != 304) {
            answer_.body() = std::move(response.body);
        }
        http::async_write(socket_, answer_,
                          [self = shared_from_this()](const error_code& failed, std::size_t) {
                              self->take_written(failed);
                          });
    }

    void take_written(const error_code& failed) {
        if (state_ == State::closed) {
            return;
        }
        answer_ = {};
        if (failed) {
            close();
        } else if (keeps_alive_) {
            arm(settings().keep_alive_timeout);
            wait_for_request();
        } else if (drains_) {
            state_ = State::draining;
            arm(drain_timeout);
            error_code shutdown_failed;
            ignore(socket_.shutdown(Tcp::socket::shutdown_send, shutdown_failed));
            drain();
        } else {
            close();
        }
    }

    void drain() {
        socket_.async_read_some(
            asio::buffer(drained_),
            [self = shared_from_this()](const error_code& failed, std::size_t byte_count) {
                self->drained_bytes_ += byte_count;
                if (failed || self->drained_bytes_ > drain_bytes_max) {
                    self->close();
                } else if (self->state_ != State::closed) {
                    self->drain();
                }
            });
    }

    std::shared_ptr<Listener> listener_;
    Tcp::socket socket_;
    asio::steady_timer timer_;
    std::string peer_;
    State state_ = State::idle;
    bool is_first_ = true;
    bool keeps_alive_ = true;
    bool is_head_ = false;
    bool drains_ = false;
    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    http::response<http::string_body> answer_;
    std::array<char, 4096> drained_{};
    std::size_t drained_bytes_ = 0;
};

// ---- Listener ----------------------------------------------------------------------------------

Result<void> HttpServer::Listener::open() {
    const auto failed_to = [this](std::string_view what, const error_code& failed) {
        return failure(ErrorCode::cannot_listen,
                       fmt::format("admin address {}, port {}: {}: {}", settings_.address,
                                   settings_.port, what, failed.message()));
    };
    error_code failed;
    const auto address = asio::ip::make_address(settings_.address, failed);
    if (failed) {
        return failed_to("not an IP address", failed);
    }
    const Tcp::endpoint endpoint{address, settings_.port};
    if (acceptor_.open(endpoint.protocol(), failed)) {
        return failed_to("no socket", failed);
    }
    // So that a restart need not wait until the connections of the last run are forgotten.
    ignore(acceptor_.set_option(Tcp::acceptor::reuse_address(true), failed));
    if (acceptor_.bind(endpoint, failed)) {
        return failed_to("bind", failed);
    }
    if (acceptor_.listen(asio::socket_base::max_listen_connections, failed)) {
        return failed_to("listen", failed);
    }
    port_ = acceptor_.local_endpoint(failed).port();
    return {};
}

void HttpServer::Listener::accept() {
    acceptor_.async_accept(
        [self = shared_from_this()](const error_code& failed, Tcp::socket socket) {
            if (!self->acceptor_.is_open()) {
                return;
            }
            if (!failed) {
                self->add(std::move(socket));
                self->accept();
                return;
            }
            // No file descriptor is free, say: a pause, so that this does not spin.
            self->timer_.expires_after(accept_pause);
            self->timer_.async_wait([self](const error_code& cancelled) {
                if (!cancelled && self->acceptor_.is_open()) {
                    self->accept();
                }
            });
        });
}

void HttpServer::Listener::add(Tcp::socket socket) {
    error_code failed;
    if (connections_.size() >= settings_.connections_max && !make_room()) {
        ignore(socket.non_blocking(true, failed));
        socket.write_some(asio::buffer(busy_answer), failed);  // A fresh socket has room for it.
        return;
    }
    ignore(socket.set_option(Tcp::no_delay(true), failed));
    const auto connection = std::make_shared<Connection>(shared_from_this(), std::move(socket));
    connections_.insert(connection);
    connection->start();
}

bool HttpServer::Listener::make_room() {
    const auto idle = std::find_if(connections_.begin(), connections_.end(),
                                   [](const auto& each) { return each->is_idle(); });
    if (idle == connections_.end()) {
        return false;
    }
    std::shared_ptr<Connection> { *idle } -> close();
    return true;
}

void HttpServer::Listener::remove(const std::shared_ptr<Connection>& connection) {
    connections_.erase(connection);
    if (is_stopping_ && connections_.empty() && stopped_) {
        timer_.cancel();
        asio::post(acceptor_.get_executor(), std::exchange(stopped_, nullptr));
    }
}

void HttpServer::Listener::stop(Duration grace, std::function<void()> then) {
    MUSTER_CHECK(!is_stopping_);
    is_stopping_ = true;
    stopped_ = std::move(then);
    error_code failed;
    ignore(acceptor_.close(failed));
    const auto connections = connections_;  // close() removes from it.
    for (const auto& connection : connections) {
        if (connection->is_idle()) {
            connection->close();
        } else {
            connection->finish();
        }
    }
    if (connections_.empty()) {
        asio::post(acceptor_.get_executor(), std::exchange(stopped_, nullptr));
        return;
    }
    timer_.expires_after(grace);
    timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
        if (!cancelled) {
            self->close_all();
        }
    });
}

void HttpServer::Listener::close_all() {
    error_code failed;
    ignore(acceptor_.close(failed));
    timer_.cancel();
    const auto connections = connections_;
    for (const auto& connection : connections) {
        connection->close();
    }
}

// ---- HttpServer --------------------------------------------------------------------------------

Result<HttpServer> HttpServer::listen(asio::io_context& io, HttpServerSettings settings,
                                      HttpHandler handler) {
    auto listener = std::make_shared<Listener>(io, std::move(settings), std::move(handler));
    if (auto opened = listener->open(); !opened) {
        return tl::unexpected<Error>(std::move(opened.error()));
    }
    listener->accept();
    return HttpServer{std::move(listener)};
}

HttpServer::HttpServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
HttpServer::HttpServer(HttpServer&&) noexcept = default;

HttpServer& HttpServer::operator=(HttpServer&& other) noexcept {
    std::swap(listener_, other.listener_);
    return *this;
}

// NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which ends the process.
HttpServer::~HttpServer() {
    if (listener_ != nullptr) {
        listener_->close_all();
    }
}

std::uint16_t HttpServer::port() const { return listener_->port(); }

std::size_t HttpServer::connection_count() const { return listener_->connection_count(); }

void HttpServer::stop(Duration grace, std::function<void()> then) {
    listener_->stop(grace, std::move(then));
}

}  // namespace muster::admin
