#include "client/web_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "core/wire/base64.h"
#include "core/wire/websocket_handshake.h"

namespace muster::detail {

namespace {

constexpr std::size_t read_bytes = std::size_t{64} * 1024;
constexpr std::string_view json_protocol = "muster.v1.json";
constexpr std::string_view proto_protocol = "muster.v1.proto";
constexpr std::array protocols{proto_protocol, json_protocol};  // The best first.
constexpr Duration retry_after_max = std::chrono::minutes{10};

std::string text_of(int error) { return std::generic_category().message(error); }

wire::UpgradeRequest request_to(const ServerAddress& server, std::string_view key,
                                Encoding wanted) {
    const std::span all{protocols};
    return {.host = server.shown,
            .target = server.target,
            .key = key,
            .protocols = wanted == Encoding::proto ? all : all.last(1),
            .further_headers = {}};
}

}  // namespace

wire::WebSocketDecoder WebSocket::make_decoder() {
    return wire::WebSocketDecoder{wire::WebSocketDecoder::Side::client, message_bytes_max};
}

void WebSocket::open(const ServerAddress& server) {
    forget();
    decoder_ = make_decoder();
    server_ = server;
    state_ = State::resolving;
    resolver_.start(server.host, server.port);
}

void WebSocket::close(std::uint16_t code) {
    if (state_ == State::open) {
        wire::append_client_close(output_, static_cast<wire::CloseCode>(code), {},
                                  static_cast<std::uint32_t>(rng_.next()));
        flush();
    }
    forget();
}

void WebSocket::forget() {
    state_ = State::closed;
    resolver_.cancel();
    candidates_.clear();
    last_problem_.clear();
    socket_.close();
    // Buffer and decoder stay: a caller may still look at the payload of its last step.
    input_ = {};
    head_.clear();
    scan_ = {};
    output_.clear();
    written_ = 0;
    failure_.reset();
    was_heard_ = false;
}

short WebSocket::wanted_events() const noexcept {
    if (state_ == State::connecting) {
        return POLLOUT;
    }
    return static_cast<short>(written_ < output_.size() ? POLLIN | POLLOUT : POLLIN);
}

void WebSocket::send(std::string_view message) {
    MUSTER_CHECK(state_ == State::open);
    if (output_.size() - written_ > output_bytes_max) {
        failure_ = "the server does not read";
        return;
    }
    const auto opcode =
        encoding_ == Encoding::proto ? wire::WebSocketOpcode::binary : wire::WebSocketOpcode::text;
    wire::append_client_frame(output_, opcode, message, static_cast<std::uint32_t>(rng_.next()));
}

void WebSocket::flush() {
    while (written_ < output_.size() && socket_.is_open() && !failure_) {
        const ssize_t sent = ::send(socket_.fd(), output_.data() + written_,
                                    output_.size() - written_, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                return;
            }
            break;  // Reading will tell why, and perhaps the server's last words before.
        }
        written_ += static_cast<std::size_t>(sent);
    }
    output_.clear();
    written_ = 0;
}

std::optional<WebSocket::Step> WebSocket::next() {
    switch (state_) {
        case State::closed: return std::nullopt;
        case State::resolving: return next_resolving();
        case State::connecting: return next_connecting();
        case State::shaking_hands: return next_shaking_hands();
        case State::open: return next_open();
    }
    return std::nullopt;
}

WebSocket::Step WebSocket::end(Step step) {
    state_ = State::closed;
    socket_.close();
    resolver_.cancel();
    return step;
}

WebSocket::Step WebSocket::end(std::string detail, std::optional<ErrorCode> reason) {
    return end(Step{.kind = Step::Kind::closed, .reason = reason, .detail = std::move(detail)});
}

// ---- Connecting ----------------------------------------------------------------------------

std::optional<WebSocket::Step> WebSocket::next_resolving() {
    auto found = resolver_.result();
    if (!found) {
        return std::nullopt;
    }
    if (!*found) {
        return end(found->error().detail);
    }
    candidates_ = std::move(**found);
    // Of several gateways behind one name any will do, so that they share their clients evenly.
    for (std::size_t i = candidates_.size(); i > 1; --i) {
        std::swap(candidates_[i - 1], candidates_[rng_.below(i)]);
    }
    last_problem_ = fmt::format("`{}` has no address", server_.host);
    return connect_next();
}

std::optional<WebSocket::Step> WebSocket::connect_next() {
    while (!candidates_.empty()) {
        const SocketAddress address = candidates_.back();
        candidates_.pop_back();
        socket_ = runtime::Descriptor{::socket(
            address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)};
        if (!socket_.is_open()) {
            last_problem_ = fmt::format("no socket: {}", text_of(errno));
            continue;
        }
        const int on = 1;
        ::setsockopt(socket_.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const auto* to = reinterpret_cast<const sockaddr*>(&address.bytes);
        if (::connect(socket_.fd(), to, address.size) == 0 || errno == EINPROGRESS) {
            state_ = State::connecting;
            return std::nullopt;
        }
        last_problem_ = fmt::format("{}: {}", server_.shown, text_of(errno));
    }
    return end(last_problem_);
}

std::optional<WebSocket::Step> WebSocket::next_connecting() {
    pollfd ready{.fd = socket_.fd(), .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) <= 0) {
        return std::nullopt;
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        last_problem_ = fmt::format("{}: {}", server_.shown, text_of(error));
        return connect_next();
    }
    begin_handshake();
    return std::nullopt;
}

void WebSocket::begin_handshake() {
    std::string bytes;
    for (int i = 0; i < 2; ++i) {
        const std::uint64_t drawn = rng_.next();
        bytes.append(reinterpret_cast<const char*>(&drawn), sizeof drawn);
    }
    key_.clear();
    wire::append_base64(key_, bytes, wire::Base64::standard);
    wire::append_upgrade_request(output_, request_to(server_, key_, wanted_));
    state_ = State::shaking_hands;
    flush();
}

std::optional<WebSocket::Step> WebSocket::next_shaking_hands() {
    flush();
    if (!receive()) {
        return failure_ ? std::optional{end(*failure_)} : std::nullopt;
    }
    head_.append(input_.data(), input_.size());
    input_ = {};
    wire::ResponseHead head;
    const auto size = wire::parse_response_head(head_, scan_, head);
    if (!size) {
        return end(fmt::format("{} does not speak HTTP: {}", server_.shown, size.error().why),
                   ErrorCode::bad_request);
    }
    if (*size == 0) {
        return std::nullopt;
    }
    if (auto refused = check_answer(head)) {
        return refused;
    }
    // Frames may have come right behind the head.
    buffer_.assign(head_.begin() + static_cast<std::ptrdiff_t>(*size), head_.end());
    input_ = buffer_;
    head_.clear();
    state_ = State::open;
    return Step{.kind = Step::Kind::opened};
}

std::optional<WebSocket::Step> WebSocket::check_answer(const wire::ResponseHead& head) {
    const auto chosen = wire::check_upgrade_response(head, request_to(server_, key_, wanted_));
    if (!chosen) {
        Step step{.kind = Step::Kind::closed,
                  .reason = chosen.error().code,
                  .detail = fmt::format("{}: {}", server_.shown, chosen.error().detail)};
        if (const auto wait = head.headers.find("Retry-After")) {
            const auto seconds = wire::parse_decimal(*wait).value_or(0);
            step.retry_after = std::min<Duration>(
                std::chrono::seconds{std::min<std::uint64_t>(seconds, 3600)}, retry_after_max);
        }
        return end(std::move(step));
    }
    if (chosen->empty()) {
        return end(fmt::format("{} does not speak {}", server_.shown, json_protocol),
                   ErrorCode::bad_request);
    }
    encoding_ = *chosen == proto_protocol ? Encoding::proto : Encoding::json;
    return std::nullopt;
}

// ---- Open ----------------------------------------------------------------------------------

std::optional<WebSocket::Step> WebSocket::next_open() {
    for (;;) {
        if (!input_.empty()) {
            const auto step = decoder_.next(input_);
            if (!step) {
                return Step{.kind = Step::Kind::garbage, .detail = std::string{step.error().why}};
            }
            if (auto taken = take(*step)) {
                was_heard_ = false;
                return taken;
            }
            continue;
        }
        if (was_heard_) {
            was_heard_ = false;
            return Step{.kind = Step::Kind::heard};
        }
        if (!receive()) {
            return failure_ ? std::optional{end(*failure_)} : std::nullopt;
        }
        was_heard_ = true;
    }
}

std::optional<WebSocket::Step> WebSocket::take(const wire::WebSocketDecoder::Step& step) {
    using Kind = wire::WebSocketDecoder::Step::Kind;
    switch (step.kind) {
        case Kind::need_more: return std::nullopt;
        case Kind::text:
        case Kind::binary:
            if ((step.kind == Kind::binary) != (encoding_ == Encoding::proto)) {
                return Step{
                    .kind = Step::Kind::garbage,
                    .detail = step.kind == Kind::text ? "a text message" : "a binary message"};
            }
            return Step{.kind = Step::Kind::message, .payload = step.payload};
        case Kind::ping:
            wire::append_client_frame(output_, wire::WebSocketOpcode::pong, step.payload,
                                      static_cast<std::uint32_t>(rng_.next()));
            return std::nullopt;
        case Kind::pong: return std::nullopt;
        case Kind::close: break;
    }
    const std::string detail{step.payload};
    const auto code = static_cast<std::uint16_t>(step.close_code);
    wire::append_client_close(output_, step.close_code, {},
                              static_cast<std::uint32_t>(rng_.next()));
    flush();
    return end(
        Step{.kind = Step::Kind::closed,
             .close_code = step.close_code == wire::CloseCode::none ? std::uint16_t{0} : code,
             .detail = detail});
}

bool WebSocket::receive() {
    if (failure_) {
        return false;
    }
    buffer_.resize(read_bytes);
    for (;;) {
        const ssize_t received = ::recv(socket_.fd(), buffer_.data(), buffer_.size(), 0);
        if (received > 0) {
            input_ = std::span{buffer_}.first(static_cast<std::size_t>(received));
            return true;
        }
        if (received == 0) {
            failure_ = "the server closed the connection";
        } else if (errno == EINTR) {
            continue;
        } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
            failure_ = text_of(errno);
        }
        return false;
    }
}

}  // namespace muster::detail
