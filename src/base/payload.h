#pragma once

#include <cstdint>
#include <string_view>

#include "base/shared_text.h"

namespace muster {

/// What a payload's bytes are. JSON came in as JSON and goes out as the same bytes.
enum class Format : std::uint8_t { json, bytes };

/// What a user sends or stores: any JSON value, or bytes. At most Limits::payload_bytes_max.
/// Immutable and shared; the empty payload means "no value".
class Payload {
public:
    Payload() = default;
    explicit Payload(std::string_view bytes, Format format = Format::json)
        : text_(bytes), format_(format) {}

    [[nodiscard]] std::string_view bytes() const noexcept { return text_.view(); }
    [[nodiscard]] std::size_t size() const noexcept { return text_.size(); }
    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    [[nodiscard]] Format format() const noexcept { return format_; }

    friend bool operator==(const Payload&, const Payload&) = default;

private:
    SharedText text_;
    Format format_ = Format::json;
};

}  // namespace muster
