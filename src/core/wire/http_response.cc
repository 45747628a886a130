#include "core/wire/http_response.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "base/error_code.h"

namespace muster::wire {
namespace {

void append_value(std::string& out, std::string_view value) {
    for (const char c : value) {
        out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
    }
}

}  // namespace

std::string_view reason_phrase(std::uint16_t status) noexcept {
    switch (status) {
        case 100: return "Continue";
        case 101: return "Switching Protocols";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 422: return "Unprocessable Content";
        case 426: return "Upgrade Required";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        default: return "Unknown";
    }
}

void append_response_head(std::string& out, std::uint16_t status,
                          std::span<const HeaderField> headers,
                          std::optional<std::uint64_t> content_length) {
    fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
    for (const HeaderField& field : headers) {
        append_value(out, field.name);
        out += ": ";
        append_value(out, field.value);
        out += "\r\n";
    }
    if (content_length) {
        fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", *content_length);
    }
    out += "\r\n";
}

void append_refusal(std::string& out, const HttpRefusal& refusal) {
    // `why` is ours: nothing in it needs an escape in JSON.
    const std::string body =
        fmt::format(R"({{"type":"about:blank","title":"{}","status":{},"detail":"{}",)"
                    R"("code":"{}","retryable":{}}})",
                    reason_phrase(refusal.status), refusal.status, refusal.why, label(refusal.code),
                    describe(refusal.code).retryable);

    std::array<HeaderField, 6> headers;
    std::size_t count = 0;
    const auto add = [&](std::string_view name, std::string_view value) {
        headers[count] = {name, value};
        ++count;
    };
    const std::string retry_after = fmt::format("{}", refusal.retry_after_s);
    add("Content-Type", "application/problem+json");
    add("Connection", refusal.status == 426 ? "Upgrade, close" : "close");
    if (refusal.status == 426) {
        // RFC 9110 section 15.5.22 asks for the protocol, RFC 6455 section 4.4 for its version.
        add("Upgrade", "websocket");
        add("Sec-WebSocket-Version", "13");
    }
    if (refusal.status == 401) {
        add("WWW-Authenticate", "Bearer");
    }
    if (!refusal.allow.empty()) {
        add("Allow", refusal.allow);
    }
    if (refusal.retry_after_s != 0) {
        add("Retry-After", retry_after);
    }
    append_response_head(out, refusal.status, std::span{headers}.first(count), body.size());
    out += body;
}

void append_chunk(std::string& out, std::string_view part) {
    if (part.empty()) {
        return;
    }
    fmt::format_to(std::back_inserter(out), "{:x}\r\n", part.size());
    out += part;
    out += "\r\n";
}

void append_last_chunk(std::string& out) { out += "0\r\n\r\n"; }

}  // namespace muster::wire
