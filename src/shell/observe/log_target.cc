#include "shell/observe/log_target.h"

#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <system_error>
#include <utility>

#include <fmt/core.h>

namespace muster::observe {
namespace {

constexpr std::string_view wanted =
    R"(wants "stderr", "udp:HOST:PORT", "tcp:HOST:PORT" or "unix:/PATH")";

Result<LogTarget> parse_network(LogTargetKind kind, std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return failure(ErrorCode::bad_settings, std::string{wanted});
    }
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return failure(ErrorCode::bad_settings, "an IPv6 address wants brackets: [::1]:514");
    }
    LogTarget target{.kind = kind, .host = std::string{host}, .port = 0, .path = {}};
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), target.port);
    if (error != std::errc{} || end != digits.data() + digits.size() || target.port == 0) {
        return failure(ErrorCode::bad_settings,
                       fmt::format("\"{}\" is no port between 1 and 65535", digits));
    }
    if (host.empty() || host.find_first_of(" \t[]") != std::string_view::npos) {
        return failure(ErrorCode::bad_settings, std::string{wanted});
    }
    return target;
}

}  // namespace

Result<LogTarget> parse_log_target(std::string_view text) {
    if (text == "stderr") {
        return LogTarget{};
    }
    if (text.starts_with("udp:")) {
        return parse_network(LogTargetKind::udp, text.substr(4));
    }
    if (text.starts_with("tcp:")) {
        return parse_network(LogTargetKind::tcp, text.substr(4));
    }
    if (text.starts_with("unix:/")) {
        const std::string_view path = text.substr(5);
        if (path.size() >= sizeof(sockaddr_un::sun_path)) {
            return failure(ErrorCode::bad_settings,
                           fmt::format("the path of a socket has at most {} bytes",
                                       sizeof(sockaddr_un::sun_path) - 1));
        }
        return LogTarget{
            .kind = LogTargetKind::unix_datagram, .host = {}, .port = 0, .path = std::string{path}};
    }
    return failure(ErrorCode::bad_settings, std::string{wanted});
}

std::string to_text(const LogTarget& target) {
    const bool has_colons = target.host.find(':') != std::string::npos;
    const std::string host = has_colons ? "[" + target.host + "]" : target.host;
    switch (target.kind) {
        case LogTargetKind::standard_error: return "stderr";
        case LogTargetKind::udp: return fmt::format("udp:{}:{}", host, target.port);
        case LogTargetKind::tcp: return fmt::format("tcp:{}:{}", host, target.port);
        case LogTargetKind::unix_datagram: return "unix:" + target.path;
    }
    return {};
}

}  // namespace muster::observe
