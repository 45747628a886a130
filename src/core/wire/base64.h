#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::wire {

/// The two forms of RFC 4648 that Muster meets. Each has one spelling for given bytes.
enum class Base64 : std::uint8_t {
    standard,  ///< `+` and `/`, always padded with `=`: payload bytes in JSON, WebSocket keys
    url,       ///< `-` and `_`, never padded: tokens (RFC 7515 section 2)
};

/// Appends `bytes` in base64. Linear; one growth of `out`.
void append_base64(std::string& out, std::string_view bytes, Base64 form);

/// Appends the bytes that `text` stands for and returns true. Returns false, with `out` as it was,
/// where `text` is not exactly what append_base64 writes: a foreign character, missing or
/// additional padding, or bits set that no byte holds.
[[nodiscard]] bool append_base64_decoded(std::string& out, std::string_view text, Base64 form);

}  // namespace muster::wire
