#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace muster {

/// Every way in which Muster says no: one registry for the wire, HTTP, clients, logs and `explain`.
/// A code exists only where a caller can react to it in its own way; its number is public and is
/// never used again for something else.
///
/// Source: GUARANTEES.md section 5.11; docs/reference/errors.md is made from the same table.
enum class ErrorCode : std::uint16_t {
    protocol = 1000,
    bad_token = 1001,
    token_expired = 1002,
    superseded = 1003,
    session_lost = 1004,
    hello_timeout = 1005,
    silent = 1006,
    drain = 1007,
    slow = 1008,
    resume_refused = 1010,
    upstream = 1013,
    unsupported = 1016,
    framing = 1022,
    bad_utf8 = 1027,
    abuse = 1028,
    frame_too_big = 1029,
    bad_request = 1030,
    overload = 1033,
    not_connected = 1040,
    client_closed = 1041,
    bad_name = 2001,
    no_queue = 2002,
    not_member = 2003,
    forbidden = 2004,
    limit = 2005,
    withdrawn = 2006,
    gone = 2010,
    expired = 2011,
    differs = 2012,
    key_reused = 2013,
    hole = 2020,
    retry = 2021,
    busy = 2022,
    refused = 2023,
    stalled = 2024,
    no_mount = 3001,
    wrong_kind = 3002,
    too_big = 3003,
    full = 3004,
    conflict = 3009,
    no_user = 4001,
    user_offline = 4004,
    callout_denied = 5001,
    no_store = 7001,
    no_recording = 8001,
    not_a_recording = 8002,
    newer_recording = 8003,
    damaged_recording = 8004,
    segment_missing = 8005,
    bad_settings = 9001,
    cannot_listen = 9002,
    no_access = 9003,
};

/// What the registry says about one code.
struct ErrorInfo {
    ErrorCode code;
    std::string_view name;     ///< snake_case, as in GUARANTEES.md: `not_member`
    std::uint16_t http_status; ///< 0 where the code never leaves by HTTP
    bool retryable;            ///< may the same request succeed later without a change?
    std::string_view meaning;  ///< one sentence: what happened
    std::string_view cause;    ///< the usual cause
    std::string_view fix;      ///< what the reader can do
};

/// Returns all registered codes, in ascending order.
[[nodiscard]] std::span<const ErrorInfo> error_registry() noexcept;

/// Returns the entry of `code`. Every enumerator has one (a test proves it).
[[nodiscard]] const ErrorInfo& describe(ErrorCode code) noexcept;

/// Returns "M2003" for `ErrorCode::not_member`. Points to static memory.
[[nodiscard]] std::string_view label(ErrorCode code) noexcept;

/// Returns the entry whose label is `text` ("M2003", "m2003" or "2003"), or nullptr.
[[nodiscard]] const ErrorInfo* find_error(std::string_view text) noexcept;

/// Returns the code that has this number, or nothing where none has.
[[nodiscard]] std::optional<ErrorCode> error_code_of(std::uint32_t number) noexcept;

}  // namespace muster
