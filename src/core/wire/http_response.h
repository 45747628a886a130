#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/wire/http_head.h"

namespace muster::wire {

/// Returns "Not Found" for 404; "Unknown" for a status that Muster does not send.
[[nodiscard]] std::string_view reason_phrase(std::uint16_t status) noexcept;

/// Appends a response's head up to and including the empty line. Without `content_length` the
/// caller says by a header how the body ends (`Transfer-Encoding: chunked`), or there is none (101,
/// 204, 304). Control characters in values become spaces, so that no value can begin a new header.
void append_response_head(std::string& out, std::uint16_t status,
                          std::span<const HeaderField> headers,
                          std::optional<std::uint64_t> content_length);

inline void append_response_head(std::string& out, std::uint16_t status,
                                 std::initializer_list<HeaderField> headers,
                                 std::optional<std::uint64_t> content_length) {
    append_response_head(out, status, std::span{headers.begin(), headers.size()}, content_length);
}

/// Appends the whole answer to a refused request: a problem document (RFC 9457) with our code, the
/// headers that belong to its status (401: `WWW-Authenticate`, 405: `Allow`, 426: what to upgrade
/// to), and `Connection: close`.
void append_refusal(std::string& out, const HttpRefusal& refusal);

/// Appends one chunk of a body with `Transfer-Encoding: chunked`; nothing for an empty `part`,
/// which would end the body.
void append_chunk(std::string& out, std::string_view part);

/// Appends the end of such a body.
void append_last_chunk(std::string& out);

}  // namespace muster::wire
