#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/wire/http_head.h"

/// How an HTTP request becomes a WebSocket, for both sides. The only extension that a server may
/// answer is permessage-deflate; a client asks for none. Credentials are not looked at here, and
/// cookies nowhere.
/// Source: RFC 6455 section 4; GUARANTEES.md section 7, rows 9-13, 24 and 25.
namespace muster::wire {

/// What a server lets in.
struct UpgradePolicy {
    /// Origins (`https://game.example.com`) whose pages may connect; compared without regard to
    /// case.
    std::span<const std::string> allowed_origins;
    /// Development only: also pages of the host that the request was sent to, on any port.
    bool allows_same_host = false;
    /// Subprotocols that are spoken here.
    std::span<const std::string_view> protocols;
    /// Whether messages may be deflated, where a client offers it (deflate_offer.h).
    bool takes_deflate = false;
};

/// An upgrade that may be answered.
struct Upgrade {
    std::string accept;             ///< for `Sec-WebSocket-Accept`
    std::string_view protocol;      ///< the client's first that we speak; empty where it named none
    std::string_view deflate = {};  ///< for `Sec-WebSocket-Extensions`; empty: nothing is deflated
};

/// Checks a request for a WebSocket; its path is the caller's matter.
/// Errors: 405 for another method than GET; 426 where it is no upgrade or one of another version;
/// 400 for a key that is missing, given twice or not 16 bytes, for a body, and where we speak none
/// of the subprotocols named; 403 for an `Origin` (browsers send it, with every upgrade) that is
/// not allowed, `null` among them: cross-site pages are kept out.
[[nodiscard]] HttpResult<Upgrade> check_upgrade(const RequestHead& head,
                                                const UpgradePolicy& policy);

/// Appends the answer, after which the connection speaks WebSocket.
void append_upgrade_response(std::string& out, const Upgrade& upgrade);

/// Returns what a server must answer to `key`.
[[nodiscard]] std::string websocket_accept(std::string_view key);

/// A client's request for a WebSocket. The caller has checked that no text holds a line's end.
struct UpgradeRequest {
    std::string_view host;    ///< with the port where it is not the scheme's own
    std::string_view target;  ///< `/connect`
    std::string_view key;     ///< 16 random bytes in standard base64
    std::span<const std::string_view> protocols;   ///< the best first
    std::span<const HeaderField> further_headers;  ///< `Origin`, `User-Agent` …
};

void append_upgrade_request(std::string& out, const UpgradeRequest& request);

/// Checks the answer to `request` and returns the subprotocol chosen (one of request.protocols, or
/// empty). Errors: bad_token for 401, forbidden for 403, overload for 429 and 503 (see
/// `Retry-After`), bad_request for any other status but 101; protocol where a 101 breaks the rules.
[[nodiscard]] Result<std::string_view> check_upgrade_response(const ResponseHead& head,
                                                              const UpgradeRequest& request);

}  // namespace muster::wire
