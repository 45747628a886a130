#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/fifo.h"
#include "base/rate.h"
#include "base/result.h"
#include "base/time.h"
#include "shell/observe/log_line.h"
#include "shell/observe/log_peer.h"
#include "shell/observe/log_target.h"
#include "shell/runtime/descriptor.h"

namespace muster::observe {

/// Sends log lines to where the settings say, and never waits for it.
///
/// Owns:       its own socket or copy of stderr, and the lines that could not leave yet.
/// Thread:     the one that made it; each shard has its own.
/// Invariants: at most pending_bytes_max wait; of one kind at most lines_per_second leave in the
///             long run. What is over is dropped and counted, and a log_dropped line tells so.
/// Needs:      SIGPIPE ignored by the process; flush() once a second or so while idle.
/// Source:     RFC 5424, 5426 (UDP), 6587 section 3.4.1 (octet counting over TCP).
class LogWriter {
public:
    static constexpr std::size_t pending_bytes_max = 256 * 1024;
    static constexpr std::uint32_t lines_per_second = 100;
    static constexpr std::uint32_t lines_burst = 200;
    static constexpr std::chrono::milliseconds reconnect_interval{250};

    /// Returns a writer of lines at least as bad as `least`. Asks the resolver for the host of a
    /// network target, once; does not wait for a connection.
    /// Errors: bad_settings (the host is not known, the path is too long, stderr is closed).
    [[nodiscard]] static Result<LogWriter> open(const LogTarget& target, Severity least,
                                                LogIdentity identity = LogIdentity::own());

    LogWriter(LogWriter&&) noexcept = default;
    LogWriter& operator=(LogWriter&&) noexcept = default;
    ~LogWriter() = default;  ///< What still waits is lost: see finish().

    /// Sends one line, or keeps it until flush().
    void write(LogEvent event, std::string_view text, std::initializer_list<LogField> fields = {}) {
        write(event, text, std::span(fields.begin(), fields.size()));
    }
    void write(LogEvent event, std::string_view text, std::span<const LogField> fields);

    /// Sends what waits, as far as that goes without waiting.
    void flush();

    /// Sends what waits and returns true, or false when `patience` is over. Waits: for the end of
    /// the process only.
    bool finish(std::chrono::milliseconds patience);

    [[nodiscard]] std::size_t pending_bytes() const noexcept { return pending_bytes_; }
    [[nodiscard]] std::uint64_t dropped_count() const noexcept { return dropped_count_; }

private:
    enum class Sent : std::uint8_t { all, later, never };

    LogWriter(LogTarget target, Severity least, LogIdentity identity)
        : target_(std::move(target)), least_(least), identity_(std::move(identity)) {}

    [[nodiscard]] Result<void> open_standard_error();
    void keep(LogEvent event, std::string_view text, std::span<const LogField> fields);
    void tell_dropped();
    bool connect();
    bool is_connected();
    void disconnect();
    Sent send_oldest();
    Sent send_stream(std::string_view rest);
    Sent send_datagram(std::string_view line);

    LogTarget target_;
    Severity least_;
    LogIdentity identity_;
    runtime::Descriptor descriptor_;
    bool is_stderr_socket_ = false;
    bool is_connecting_ = false;
    LogPeer peer_;
    Instant connect_at_{};  ///< not before

    Fifo<std::string> pending_;
    std::size_t pending_bytes_ = 0;
    std::size_t oldest_sent_bytes_ = 0;  ///< of a stream's oldest line
    std::uint64_t dropped_count_ = 0;
    std::uint64_t dropped_told_ = 0;
    bool is_over_ = false;              ///< `down` was written: nothing follows it
    std::array<RateMeter, 64> meters_;  ///< by LogEvent
};

}  // namespace muster::observe
