#include "core/wire/websocket_handshake.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <optional>

#include "core/wire/base64.h"
#include "core/wire/deflate_offer.h"
#include "core/wire/http_response.h"
#include "core/wire/sha1.h"

namespace muster::wire {
namespace {

constexpr std::string_view accept_guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3.

tl::unexpected<HttpRefusal> refuse(std::uint16_t status, std::string_view why) noexcept {
    return tl::unexpected<HttpRefusal>(HttpRefusal{status, why});
}

std::string_view without_port(std::string_view host) noexcept {
    const std::size_t colon = host.rfind(':');
    const bool is_in_brackets = host.ends_with(']');  // [::1], whose last colon is no port's.
    return colon == std::string_view::npos || is_in_brackets ? host : host.substr(0, colon);
}

// Origins are `scheme://host[:port]`, or `null`, which names no host.
std::string_view host_of_origin(std::string_view origin) noexcept {
    const std::size_t scheme_end = origin.find("://");
    return scheme_end == std::string_view::npos ? std::string_view{}
                                                : without_port(origin.substr(scheme_end + 3));
}

bool is_origin_allowed(const RequestHead& head, const UpgradePolicy& policy) noexcept {
    const std::size_t origins = head.headers.count("Origin");
    if (origins != 1) {
        return origins == 0;  // Not a browser: whoever can leave it out needs no protection by it.
    }
    const std::string_view origin = *head.headers.find("Origin");
    const bool is_listed =
        std::any_of(policy.allowed_origins.begin(), policy.allowed_origins.end(),
                    [origin](const auto& allowed) {
                        return allowed != "null" && equals_ignoring_case(allowed, origin);
                    });
    if (is_listed || !policy.allows_same_host) {
        return is_listed;
    }
    const std::string_view host = without_port(head.headers.find("Host").value_or(""));
    return !host.empty() && equals_ignoring_case(host_of_origin(origin), host);
}

HttpResult<std::string_view> choose_protocol(const RequestHead& head,
                                             std::span<const std::string_view> protocols) noexcept {
    bool was_named = false;
    for (const HeaderField& field : head.headers.all()) {
        if (!equals_ignoring_case(field.name, "Sec-WebSocket-Protocol")) {
            continue;
        }
        std::string_view list = field.value;
        while (!list.empty()) {
            const std::string_view wanted = take_list_element(list);
            const auto found = std::find(protocols.begin(), protocols.end(), wanted);
            if (found != protocols.end()) {
                return *found;
            }
            was_named = true;
        }
    }
    if (was_named) {
        return refuse(400, "none of the WebSocket subprotocols is spoken here");
    }
    return std::string_view{};
}

bool is_key(std::string_view key) {
    std::string bytes;
    return append_base64_decoded(bytes, key, Base64::standard) && bytes.size() == 16;
}

}  // namespace

std::string websocket_accept(std::string_view key) {
    std::string text{key};
    text += accept_guid;
    const auto digest = sha1(text);
    std::string accept;
    append_base64(accept, {digest.data(), digest.size()}, Base64::standard);
    return accept;
}

HttpResult<Upgrade> check_upgrade(const RequestHead& head, const UpgradePolicy& policy) {
    const HeaderList& headers = head.headers;
    if (head.method != "GET") {
        return tl::unexpected<HttpRefusal>(
            HttpRefusal{.status = 405, .why = "a WebSocket begins with GET", .allow = "GET"});
    }
    if (head.minor_version == 0 || !headers.has_token("Upgrade", "websocket") ||
        !headers.has_token("Connection", "Upgrade")) {
        return refuse(426, "this is a WebSocket: upgrade to it with HTTP/1.1");
    }
    if (headers.count("Sec-WebSocket-Version") != 1 ||
        *headers.find("Sec-WebSocket-Version") != "13") {
        return refuse(426, "the WebSocket version spoken here is 13");
    }
    if (headers.count("Sec-WebSocket-Key") != 1 || !is_key(*headers.find("Sec-WebSocket-Key"))) {
        return refuse(400, "there is not exactly one Sec-WebSocket-Key of 16 bytes");
    }
    if (head.body != BodyFraming::none) {
        return refuse(400, "an upgrade has no body");
    }
    if (!is_origin_allowed(head, policy)) {
        return tl::unexpected<HttpRefusal>(
            HttpRefusal{403, "pages of this origin may not connect", ErrorCode::forbidden});
    }
    const auto protocol = choose_protocol(head, policy.protocols);
    if (!protocol) {
        return tl::unexpected<HttpRefusal>(protocol.error());
    }
    return Upgrade{websocket_accept(*headers.find("Sec-WebSocket-Key")), *protocol,
                   policy.takes_deflate ? answer_to_deflate_offers(headers) : std::string_view{}};
}

void append_upgrade_response(std::string& out, const Upgrade& upgrade) {
    std::array<HeaderField, 5> headers{{{"Upgrade", "websocket"},
                                        {"Connection", "Upgrade"},
                                        {"Sec-WebSocket-Accept", upgrade.accept}}};
    std::size_t count = 3;
    if (!upgrade.protocol.empty()) {
        headers[count++] = {"Sec-WebSocket-Protocol", upgrade.protocol};
    }
    if (!upgrade.deflate.empty()) {
        headers[count++] = {"Sec-WebSocket-Extensions", upgrade.deflate};
    }
    append_response_head(out, 101, std::span(headers).first(count), std::nullopt);
}

void append_upgrade_request(std::string& out, const UpgradeRequest& request) {
    auto to = std::back_inserter(out);
    fmt::format_to(to,
                   "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
                   request.target, request.host);
    fmt::format_to(to, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n", request.key);
    if (!request.protocols.empty()) {
        fmt::format_to(to, "Sec-WebSocket-Protocol: {}\r\n", fmt::join(request.protocols, ", "));
    }
    for (const HeaderField& field : request.further_headers) {
        fmt::format_to(to, "{}: {}\r\n", field.name, field.value);
    }
    out += "\r\n";
}

Result<std::string_view> check_upgrade_response(const ResponseHead& head,
                                                const UpgradeRequest& request) {
    const HeaderList& headers = head.headers;
    switch (head.status) {
        case 101: break;
        case 401: return failure(ErrorCode::bad_token, "the server answers 401");
        case 403: return failure(ErrorCode::forbidden, "the server answers 403");
        case 429:
        case 503:
            return failure(ErrorCode::overload, fmt::format("the server answers {}", head.status));
        default:
            return failure(ErrorCode::bad_request,
                           fmt::format("the server answers {}", head.status));
    }
    if (!headers.has_token("Upgrade", "websocket") || !headers.has_token("Connection", "Upgrade")) {
        return failure(ErrorCode::protocol, "the server does not upgrade to a WebSocket");
    }
    if (headers.count("Sec-WebSocket-Accept") != 1 ||
        *headers.find("Sec-WebSocket-Accept") != websocket_accept(request.key)) {
        return failure(ErrorCode::protocol, "the server's Sec-WebSocket-Accept is wrong");
    }
    if (headers.count("Sec-WebSocket-Extensions") != 0) {
        return failure(ErrorCode::protocol, "the server uses an extension that was not asked for");
    }
    const std::size_t protocols = headers.count("Sec-WebSocket-Protocol");
    if (protocols == 0) {
        return std::string_view{};
    }
    const auto found = std::find(request.protocols.begin(), request.protocols.end(),
                                 *headers.find("Sec-WebSocket-Protocol"));
    if (protocols > 1 || found == request.protocols.end()) {
        return failure(ErrorCode::protocol, "the server chose a subprotocol that was not named");
    }
    return *found;
}

}  // namespace muster::wire
