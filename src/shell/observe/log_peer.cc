#include "shell/observe/log_peer.h"

#include <netdb.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include <fmt/core.h>

#include "base/check.h"

namespace muster::observe {
namespace {

Result<LogPeer> resolve_path(const LogTarget& target) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (target.path.size() >= sizeof(address.sun_path)) {
        return failure(ErrorCode::bad_settings, to_text(target) + ": the path is too long");
    }
    std::copy(target.path.begin(), target.path.end(), address.sun_path);
    LogPeer peer;
    peer.address_bytes = sizeof(address);
    std::memcpy(&peer.address, &address, sizeof(address));
    return peer;
}

}  // namespace

Result<LogPeer> resolve(const LogTarget& target) {
    MUSTER_CHECK(target.kind != LogTargetKind::standard_error);
    if (target.kind == LogTargetKind::unix_datagram) {
        return resolve_path(target);
    }
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = target.kind == LogTargetKind::tcp ? SOCK_STREAM : SOCK_DGRAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(target.port);
    const int error = ::getaddrinfo(target.host.c_str(), port.c_str(), &hints, &found);
    if (error != 0) {
        return failure(ErrorCode::bad_settings,
                       fmt::format("{}: {}", to_text(target), ::gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned{found, &::freeaddrinfo};
    LogPeer peer;
    MUSTER_CHECK(found->ai_addrlen <= sizeof(peer.address));
    peer.address_bytes = found->ai_addrlen;
    std::memcpy(&peer.address, found->ai_addr, found->ai_addrlen);
    return peer;
}

}  // namespace muster::observe
