#include "shell/observe/last_line.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/check.h"
#include "shell/observe/log_peer.h"

namespace muster::observe {
namespace {

struct FatalSignal {
    int number;
    const char* name;
};

constexpr std::array fatal_signals{FatalSignal{SIGSEGV, "SIGSEGV"}, FatalSignal{SIGBUS, "SIGBUS"},
                                   FatalSignal{SIGFPE, "SIGFPE"}, FatalSignal{SIGILL, "SIGILL"},
                                   FatalSignal{SIGABRT, "SIGABRT"}};

constexpr int patience_ms = 200;

struct Prepared {
    LogTargetKind kind = LogTargetKind::standard_error;
    LogPeer peer;
    LogIdentity identity;
    std::string recording;
    std::array<struct sigaction, fatal_signals.size()> earlier{};
};

// Handlers get no argument of ours, so these two are the exception to "no mutable statics". The
// first is set before there is a second thread and never freed: a crash may come at any time. The
// second has one change, no -> yes; two threads that crash in the same moment may both write.
const Prepared* prepared = nullptr;
volatile sig_atomic_t is_written = 0;

std::int64_t wall_us() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
}

void write_to_stderr(std::string_view text) noexcept {
    pollfd wanted{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&wanted, 1, patience_ms) == 1) {
        // Nothing is left to be done where it fails.
        [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    }
}

// All calls here are on POSIX's list of those that a signal handler may make.
void send_to_target(std::string_view line) noexcept {
    const bool is_tcp = prepared->kind == LogTargetKind::tcp;
    const int type = is_tcp ? SOCK_STREAM : SOCK_DGRAM;
    const int socket =
        ::socket(prepared->peer.address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) {
        return;
    }
    const auto* peer = reinterpret_cast<const sockaddr*>(&prepared->peer.address);
    if (::connect(socket, peer, prepared->peer.address_bytes) != 0 && errno == EINPROGRESS) {
        pollfd wanted{.fd = socket, .events = POLLOUT, .revents = 0};
        ::poll(&wanted, 1, patience_ms);
    }
    ::send(socket, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::close(socket);
}

void write_last_line(std::span<const LogField> fields) noexcept {
    if (prepared == nullptr || is_written != 0) {
        return;
    }
    is_written = 1;
    const LogLine line{.event = LogEvent::about_to_crash,
                       .text = "Muster met a bug of its own and ends",
                       .fields = fields,
                       .time_us = wall_us()};
    constexpr std::size_t count_bytes_max = 8;
    std::array<char, 4096> memory;
    const std::span<char> text = std::span{memory}.subspan(count_bytes_max);

    write_to_stderr({text.data(), format_human(text, line)});
    if (prepared->kind == LogTargetKind::standard_error) {
        return;
    }
    const std::size_t bytes = format_syslog(text, prepared->identity, line);
    std::size_t first = count_bytes_max;
    if (prepared->kind == LogTargetKind::tcp) {  // The octet count grows to the left.
        memory[--first] = ' ';
        for (std::size_t rest = bytes; rest > 0; rest /= 10) {
            memory[--first] = static_cast<char>('0' + rest % 10);
        }
    }
    send_to_target({memory.data() + first, count_bytes_max - first + bytes});
}

void on_failed_check(const char* condition, const char* file, int line) noexcept {
    const std::array fields{LogField{"reason", "check failed"}, LogField{"condition", condition},
                            LogField{"file", file}, LogField{"line", line},
                            LogField{"recording", prepared->recording}};
    write_last_line(fields);
}

void on_fatal_signal(int number, siginfo_t* info, void*) {
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        if (fatal_signals[i].number == number) {
            const std::array fields{LogField{"reason", "signal"},
                                    LogField{"signal", fatal_signals[i].name},
                                    LogField{"recording", prepared->recording}};
            write_last_line(fields);
            // Back to what stood there before: a sanitizer, or the end with a core dump. What the
            // kernel found at an instruction it finds again; what a process sent is sent again.
            ::sigaction(number, &prepared->earlier[i], nullptr);
            if (info->si_code <= 0) {
                ::raise(number);
            }
        }
    }
}

}  // namespace

Result<void> prepare_last_line(const LastLine& setup) {
    MUSTER_CHECK(prepared == nullptr);
    auto fresh = std::make_unique<Prepared>();
    fresh->kind = setup.target.kind;
    fresh->identity = setup.identity;
    fresh->recording = setup.recording.empty() ? "none" : std::string{setup.recording};
    if (fresh->kind != LogTargetKind::standard_error) {
        const Result<LogPeer> peer = resolve(setup.target);
        if (!peer) {
            return tl::unexpected{peer.error()};
        }
        fresh->peer = *peer;
    }
    struct sigaction action{};
    action.sa_sigaction = &on_fatal_signal;
    ::sigemptyset(&action.sa_mask);
    action.sa_flags = SA_ONSTACK | SA_SIGINFO;
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        ::sigaction(fatal_signals[i].number, nullptr, &fresh->earlier[i]);
    }
    prepared = fresh.release();
    for (const FatalSignal& fatal : fatal_signals) {
        ::sigaction(fatal.number, &action, nullptr);
    }
    set_check_handler(&on_failed_check);
    return {};
}

}  // namespace muster::observe
