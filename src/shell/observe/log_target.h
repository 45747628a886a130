#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace muster::observe {

/// Where log lines go.
enum class LogTargetKind : std::uint8_t {
    standard_error,  ///< in a form for people
    udp,             ///< RFC 5424 in one datagram a line (RFC 5426)
    tcp,             ///< RFC 5424, octet-counted (RFC 6587)
    unix_datagram,   ///< RFC 5424 to a socket such as /dev/log
};

struct LogTarget {
    LogTargetKind kind = LogTargetKind::standard_error;
    std::string host;  ///< of udp and tcp: a name or an address, IPv6 without brackets
    std::uint16_t port = 0;
    std::string path;  ///< of unix_datagram

    friend bool operator==(const LogTarget&, const LogTarget&) = default;
};

/// Returns what "stderr", "udp:HOST:PORT", "tcp:HOST:PORT" or "unix:/PATH" means.
/// Errors: bad_settings.
[[nodiscard]] Result<LogTarget> parse_log_target(std::string_view text);

/// Returns the text that parse_log_target() understands.
[[nodiscard]] std::string to_text(const LogTarget& target);

}  // namespace muster::observe
