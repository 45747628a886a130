#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <tl/expected.hpp>

#include "base/error_code.h"

/// The heads of HTTP/1.1 messages on the client port: strict, in one buffer, without allocation.
/// What two servers could read in two ways is refused, never guessed.
/// Source: RFC 9110, RFC 9112; GUARANTEES.md section 7, rows 3-8.
namespace muster::wire {

/// Why a request is answered with an error. append_refusal() in http_response.h writes the answer.
struct HttpRefusal {
    std::uint16_t status = 400;
    std::string_view why;                     ///< for people; static text without quotes
    ErrorCode code = ErrorCode::bad_request;  ///< for programs
    std::string_view allow = {};              ///< with 405: the methods to use
    std::uint16_t retry_after_s = 0;          ///< with 429 and 503; 0: not said

    friend bool operator==(const HttpRefusal&, const HttpRefusal&) = default;
};

template <typename T>
using HttpResult = tl::expected<T, HttpRefusal>;

struct HeaderField {
    std::string_view name;   ///< a token, in the sender's case
    std::string_view value;  ///< without the white space around it; bytes above 127 may occur

    friend bool operator==(const HeaderField&, const HeaderField&) = default;
};

/// The header fields of one message, in order. Names are compared without regard to case.
class HeaderList {
public:
    static constexpr std::size_t count_max = 64;

    [[nodiscard]] std::span<const HeaderField> all() const noexcept {
        return std::span{fields_}.first(count_);
    }

    /// Returns the value of the first field called `name`. Linear, like all of these.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;

    /// Returns how many fields are called `name`.
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept;

    /// Returns whether one of the comma-separated lists called `name` holds `token`, in any case.
    [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const noexcept;

    void clear() noexcept { count_ = 0; }

    /// Adds a field; returns false where there are count_max already.
    [[nodiscard]] bool add(HeaderField field) noexcept;

private:
    std::array<HeaderField, count_max> fields_;
    std::size_t count_ = 0;
};

/// How the end of a request's body is known.
enum class BodyFraming : std::uint8_t { none, length, chunked };

/// A request's head: views into the parsed bytes. 2 KiB, so let a shard keep one and reuse it.
struct RequestHead {
    std::string_view method;
    std::string_view target;         ///< begins with `/`, or is `*` (OPTIONS); see http_target.h
    std::uint8_t minor_version = 1;  ///< of HTTP/1
    HeaderList headers;
    BodyFraming body = BodyFraming::none;
    std::uint64_t content_length = 0;  ///< with BodyFraming::length
    bool keep_alive = true;            ///< may another request follow?
    bool expects_continue = false;     ///< does the client wait for `100 Continue`?
};

/// A response's head, for clients.
struct ResponseHead {
    std::uint16_t status = 0;
    std::uint8_t minor_version = 1;
    HeaderList headers;
};

/// How far the bytes of a head have been looked at, so that each is looked at once. Starts anew
/// (`{}`) with each head; belongs to the connection.
struct HeadScan {
    std::uint16_t scanned = 0;        ///< bytes
    std::uint16_t line_start = 0;     ///< of the line that has not ended yet
    std::uint16_t headers_start = 0;  ///< 0 while in the first line
    std::uint16_t header_count = 0;
};

inline constexpr std::size_t request_line_bytes_max = 4096;
inline constexpr std::size_t headers_bytes_max = 8192;  ///< all lines with their ends

/// The longest head, and so all that a caller ever has to keep: a first line of up to 8 KiB is read
/// to tell a long one (431) from an absurd path (414).
inline constexpr std::size_t head_bytes_max = 8192 + 2 + headers_bytes_max;

/// Reads a request's head from the start of `bytes`, which are all bytes so far: with each call the
/// same ones and more. Returns the head's size, with `head` filled; 0 where more bytes are needed,
/// with `head` as it was.
///
/// Refuses as soon as no further bytes can help, and the same for all ways to cut the input:
/// 400 for what is no request, or one whose body two servers could measure differently; 414 for a
/// first line above 8 KiB; 417 for an unknown expectation; 431 for a first line above 4 KiB,
/// headers above 8 KiB or more than 64; 501 for an unknown transfer coding; 505 for any version
/// but 1.0 and 1.1. Cost: linear over all calls.
[[nodiscard]] HttpResult<std::size_t> parse_request_head(std::string_view bytes, HeadScan& scan,
                                                         RequestHead& head) noexcept;

/// The same for a response. The refusal's status means nothing to a client.
[[nodiscard]] HttpResult<std::size_t> parse_response_head(std::string_view bytes, HeadScan& scan,
                                                          ResponseHead& head) noexcept;

/// Returns whether both are the same but for the case of ASCII letters.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// Returns the number that `digits` spell: 1 to 19 decimal digits and nothing else.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view digits) noexcept;

/// Returns what a hexadecimal digit stands for, or -1 for any other character.
[[nodiscard]] int hex_value(char c) noexcept;

/// Takes the next element, without white space around it, off a comma-separated list.
[[nodiscard]] std::string_view take_list_element(std::string_view& list) noexcept;

}  // namespace muster::wire
