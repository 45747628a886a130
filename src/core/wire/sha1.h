#pragma once

#include <array>
#include <string_view>

namespace muster::wire {

/// Returns the SHA-1 of `bytes`. For the WebSocket handshake only, which asks for it (RFC 6455
/// section 4.2.2) and where it keeps no secret: it is broken as a signature. Our own, since the
/// wire links no cryptography: OpenSSL belongs to the gateway's tokens, and clients need none for
/// this. Source: RFC 3174.
[[nodiscard]] std::array<char, 20> sha1(std::string_view bytes) noexcept;

}  // namespace muster::wire
