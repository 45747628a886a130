#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace muster::observe {

/// RFC 5424 section 6.2.1; the smaller, the worse.
enum class Severity : std::uint8_t {
    critical = 2,
    error = 3,
    warning = 4,
    notice = 5,
    info = 6,
    debug = 7,
};

/// Every kind of log line. Its id is the MSGID of the line: public, and never used again for
/// something else.
enum class LogEvent : std::uint8_t {
    up,
    draining,
    down,
    about_to_crash,
    cannot_listen,
    accept_paused,
    accept_resumed,
    overload,
    abuse,
    login_refused,
    resume_conflict,
    slow_client,
    origin_refused,
    admin_refused,
    admin_change,
    channel_full,
    shard_late,
    recording_started,
    recording_ended,
    recording_failed,
    log_dropped,
};

/// What the registry says about one kind of line.
struct LogEventInfo {
    LogEvent event;
    std::string_view id;  ///< 1-32 characters of a-z and _
    Severity severity;
    std::string_view meaning;      ///< one sentence for docs/reference/log.md
    std::string_view fields = {};  ///< those that such a line may have: "peer, detail"
};

/// Returns all kinds of lines, in the order of the enumerators.
[[nodiscard]] std::span<const LogEventInfo> log_event_registry() noexcept;

/// Returns the entry of `event`.
[[nodiscard]] const LogEventInfo& describe(LogEvent event) noexcept;

/// Returns "notice" for Severity::notice.
[[nodiscard]] std::string_view to_text(Severity severity) noexcept;

/// Returns the severity that is called `text`, if one is.
[[nodiscard]] std::optional<Severity> parse_severity(std::string_view text) noexcept;

/// One named value of a line. Refers to texts that must live as long as it does. Never a token, a
/// key or a payload.
struct LogField {
    LogField(std::string_view field_name, std::string_view field_text) noexcept
        : name(field_name), text(field_text) {}
    LogField(std::string_view field_name, const char* field_text) noexcept
        : name(field_name), text(field_text) {}
    LogField(std::string_view field_name, std::integral auto field_number) noexcept
        : name(field_name), number(static_cast<std::int64_t>(field_number)), is_number(true) {}

    std::string_view name;  ///< a-z, 0-9 and _
    std::string_view text;
    std::int64_t number = 0;
    bool is_number = false;
};

/// One line, before it has a form.
struct LogLine {
    LogEvent event;
    std::string_view text;  ///< for people; what programs want is in the fields
    std::span<const LogField> fields;
    std::int64_t time_us = 0;  ///< since 1970, UTC
};

/// Who writes: what stands in front of every line.
struct LogIdentity {
    std::string host = "-";
    int pid = 0;

    /// Returns the name of this machine and the number of this process.
    [[nodiscard]] static LogIdentity own();
};

/// No line is longer; values and texts that do not fit are cut at the end of a character.
inline constexpr std::size_t line_bytes_max = 8192;

/// Writes `line` as RFC 5424 (facility daemon, app-name muster) to `out` and returns its size.
/// What is not UTF-8 and what controls a terminal becomes `?`. Fields that do not fit are left out
/// from the right. No allocation, no locale: also for the moment before a crash.
/// `out` must have room for 512 bytes.
std::size_t format_syslog(std::span<char> out, const LogIdentity& identity,
                          const LogLine& line) noexcept;

/// The same in a form for people, with the newline:
/// `2026-01-02T03:04:05.123Z notice up: Muster is up version=0.1.0 listen="a b"`.
std::size_t format_human(std::span<char> out, const LogLine& line) noexcept;

}  // namespace muster::observe
