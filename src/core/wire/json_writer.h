#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Pieces of JSON text, appended to a string that the caller keeps and uses again. The caller
/// writes the punctuation, mostly as literals together with the names.
namespace muster::wire {

/// Appends an integer in decimal.
void append_number(std::string& out, std::uint64_t number);
void append_number(std::string& out, std::int64_t number);

/// Appends `text` as a string in quotes. Only quote, backslash and control characters are escaped.
/// Bytes that are not UTF-8 become U+FFFD: what we send is always valid, whatever we quote.
/// Cost: a scan of 16 bytes a step and a copy.
void append_quoted(std::string& out, std::string_view text);

/// Appends `bytes` in base64 (with padding) as a string in quotes.
void append_quoted_base64(std::string& out, std::string_view bytes);

}  // namespace muster::wire
