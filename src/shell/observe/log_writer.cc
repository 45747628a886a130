#include "shell/observe/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "base/check.h"
#include "shell/runtime/clock.h"

namespace muster::observe {
namespace {

std::int64_t wall_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

bool is_stream(LogTargetKind kind) {
    return kind == LogTargetKind::standard_error || kind == LogTargetKind::tcp;
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

Result<LogWriter> LogWriter::open(const LogTarget& target, Severity least, LogIdentity identity) {
    LogWriter writer{target, least, std::move(identity)};
    if (target.kind == LogTargetKind::standard_error) {
        const Result<void> opened = writer.open_standard_error();
        if (!opened) {
            return tl::unexpected{opened.error()};
        }
        return writer;
    }
    Result<LogPeer> peer = resolve(target);
    if (!peer) {
        return tl::unexpected{std::move(peer.error())};
    }
    writer.peer_ = *peer;
    writer.connect();
    return writer;
}

// Others share our stderr, so it must not be switched to non-blocking itself. A pipe or terminal is
// opened again, as a description of our own; a socket is told with each send; a file never blocks
// for long, and shares its offset with the others.
Result<void> LogWriter::open_standard_error() {
    struct stat status{};
    if (::fstat(STDERR_FILENO, &status) != 0) {
        return failure(ErrorCode::bad_settings,
                       fmt::format("stderr is closed: {}", std::strerror(errno)));
    }
    is_stderr_socket_ = S_ISSOCK(status.st_mode);
    if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
        descriptor_ = runtime::Descriptor{
            ::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_APPEND | O_CLOEXEC)};
    }
    if (!descriptor_.is_open()) {
        descriptor_ =
            runtime::Descriptor{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)};
    }
    if (!descriptor_.is_open()) {
        return failure(ErrorCode::bad_settings, fmt::format("stderr: {}", std::strerror(errno)));
    }
    return {};
}

void LogWriter::write(LogEvent event, std::string_view text, std::span<const LogField> fields) {
    if (describe(event).severity > least_) {
        return;
    }
    MUSTER_CHECK(static_cast<std::size_t>(event) < meters_.size());
    // Nothing follows the line that tells the end: what was dropped is told before it.
    if (event == LogEvent::down && dropped_count_ > dropped_told_) {
        tell_dropped();
    }
    is_over_ = is_over_ || event == LogEvent::down;
    RateMeter& meter = meters_[static_cast<std::size_t>(event)];
    if (meter.take(runtime::monotonic_now(), lines_per_second, lines_burst)) {
        ++dropped_count_;
    } else {
        keep(event, text, fields);
    }
    flush();
}

void LogWriter::keep(LogEvent event, std::string_view text, std::span<const LogField> fields) {
    std::array<char, line_bytes_max> memory;
    const LogLine line{.event = event, .text = text, .fields = fields, .time_us = wall_us()};
    const std::size_t bytes = target_.kind == LogTargetKind::standard_error
                                  ? format_human(memory, line)
                                  : format_syslog(memory, identity_, line);
    std::string formatted;
    if (target_.kind == LogTargetKind::tcp) {
        formatted = std::to_string(bytes) + ' ';
    }
    formatted.append(memory.data(), bytes);
    if (pending_bytes_ + formatted.size() > pending_bytes_max) {
        ++dropped_count_;
        return;
    }
    pending_bytes_ += formatted.size();
    pending_.push(std::move(formatted));
}

void LogWriter::tell_dropped() {
    const std::uint64_t count = dropped_count_ - dropped_told_;
    const std::array fields{LogField{"count", count}, LogField{"total", dropped_count_}};
    dropped_told_ = dropped_count_;
    keep(LogEvent::log_dropped, "Log lines were dropped", fields);
}

void LogWriter::flush() {
    // Once a second at most, else a flood of lines would become one of log_dropped.
    if (pending_.empty() && !is_over_ && dropped_count_ > dropped_told_ &&
        !meters_[static_cast<std::size_t>(LogEvent::log_dropped)].take(runtime::monotonic_now(), 1,
                                                                       1)) {
        tell_dropped();
    }
    while (!pending_.empty() && connect()) {
        const Sent sent = send_oldest();
        if (sent == Sent::later) {
            return;
        }
        dropped_count_ += sent == Sent::never ? 1 : 0;
        pending_bytes_ -= pending_.front().size();
        pending_.pop();
        oldest_sent_bytes_ = 0;
    }
}

bool LogWriter::finish(std::chrono::milliseconds patience) {
    const Instant deadline = runtime::monotonic_now() + patience;
    for (;;) {
        flush();
        const Instant now = runtime::monotonic_now();
        if (pending_.empty()) {
            return true;
        }
        if (now >= deadline) {
            return false;
        }
        // Without a descriptor poll() only waits, here for the next attempt to connect.
        Instant until = deadline;
        if (!descriptor_.is_open() && connect_at_ > now) {
            until = std::min(deadline, connect_at_);
        }
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - now);
        pollfd wanted{.fd = descriptor_.fd(), .events = POLLOUT, .revents = 0};
        ::poll(&wanted, 1, static_cast<int>(wait.count()));
    }
}

/// Returns whether a line may be sent now; begins to connect where that is missing and its time has
/// come.
bool LogWriter::connect() {
    if (descriptor_.is_open()) {
        return target_.kind != LogTargetKind::tcp || is_connected();
    }
    if (target_.kind == LogTargetKind::standard_error || runtime::monotonic_now() < connect_at_) {
        return false;
    }
    connect_at_ = runtime::monotonic_now() + reconnect_interval;
    const int type = target_.kind == LogTargetKind::tcp ? SOCK_STREAM : SOCK_DGRAM;
    descriptor_ = runtime::Descriptor{
        ::socket(peer_.address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!descriptor_.is_open()) {
        return false;
    }
    oldest_sent_bytes_ = 0;
    const auto* peer = reinterpret_cast<const sockaddr*>(&peer_.address);
    if (::connect(descriptor_.fd(), peer, peer_.address_bytes) == 0) {
        return true;
    }
    if (errno == EINPROGRESS) {
        is_connecting_ = true;
        return is_connected();
    }
    disconnect();
    return false;
}

/// Returns whether the TCP connection is there; gives up one that has ended.
bool LogWriter::is_connected() {
    if (is_connecting_) {
        pollfd wanted{.fd = descriptor_.fd(), .events = POLLOUT, .revents = 0};
        if (::poll(&wanted, 1, 0) <= 0) {
            return false;
        }
        is_connecting_ = false;
        int error = 0;
        socklen_t error_bytes = sizeof(error);
        ::getsockopt(descriptor_.fd(), SOL_SOCKET, SO_ERROR, &error, &error_bytes);
        if (error != 0) {
            disconnect();
            return false;
        }
    }
    // The receiver says nothing, so what can be read is its end. Without this look the first line
    // after it would be lost in the kernel.
    char byte = 0;
    const ssize_t got = ::recv(descriptor_.fd(), &byte, 1, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && !would_block(errno) && errno != EINTR)) {
        disconnect();
        return false;
    }
    return true;
}

void LogWriter::disconnect() {
    descriptor_.close();
    is_connecting_ = false;
    oldest_sent_bytes_ = 0;  // A new connection gets the whole line.
}

LogWriter::Sent LogWriter::send_oldest() {
    const std::string_view line = pending_.front();
    return is_stream(target_.kind) ? send_stream(line.substr(oldest_sent_bytes_))
                                   : send_datagram(line);
}

LogWriter::Sent LogWriter::send_stream(std::string_view rest) {
    const bool is_socket = target_.kind == LogTargetKind::tcp || is_stderr_socket_;
    while (!rest.empty()) {
        const ssize_t sent = is_socket ? ::send(descriptor_.fd(), rest.data(), rest.size(),
                                                MSG_DONTWAIT | MSG_NOSIGNAL)
                                       : ::write(descriptor_.fd(), rest.data(), rest.size());
        if (sent >= 0) {
            oldest_sent_bytes_ += static_cast<std::size_t>(sent);
            rest.remove_prefix(static_cast<std::size_t>(sent));
        } else if (would_block(errno)) {
            return Sent::later;
        } else if (errno != EINTR) {
            if (target_.kind == LogTargetKind::standard_error) {
                return Sent::never;  // Nobody reads it any more.
            }
            disconnect();
            return Sent::later;
        }
    }
    return Sent::all;
}

LogWriter::Sent LogWriter::send_datagram(std::string_view line) {
    const auto send = [&] {
        return ::send(descriptor_.fd(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    };
    if (send() >= 0) {
        return Sent::all;
    }
    if (target_.kind == LogTargetKind::udp && errno == ECONNREFUSED && send() >= 0) {
        return Sent::all;  // The error told of an earlier line; it is cleared by being told.
    }
    if (would_block(errno) || errno == ENOBUFS || errno == EINTR) {
        return Sent::later;
    }
    if (target_.kind == LogTargetKind::unix_datagram && errno != EMSGSIZE) {
        disconnect();  // Its receiver ended; a new one may come to the same path.
        return Sent::later;
    }
    return Sent::never;
}

}  // namespace muster::observe
