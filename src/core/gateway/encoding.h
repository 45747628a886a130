#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace muster::gateway {

/// How the frames of a connection stand on the wire.
enum class Encoding : std::uint8_t {
    json,            ///< WebSocket text messages of `muster.v1.json`
    proto,           ///< WebSocket binary messages of `muster.v1.proto`
    proto_tcp,       ///< the same frames over plain TCP, each with its length in front
    json_deflated,   ///< as `json`, with permessage-deflate where that pays
    proto_deflated,  ///< as `proto`, with permessage-deflate where that pays
};

inline constexpr std::array all_encodings{Encoding::json, Encoding::proto, Encoding::proto_tcp,
                                          Encoding::json_deflated, Encoding::proto_deflated};

[[nodiscard]] constexpr bool is_json(Encoding encoding) noexcept {
    return encoding == Encoding::json || encoding == Encoding::json_deflated;
}

[[nodiscard]] constexpr bool is_deflated(Encoding encoding) noexcept {
    return encoding == Encoding::json_deflated || encoding == Encoding::proto_deflated;
}

/// One value for each encoding: a frame that many receivers share, made when the first needs it.
template <typename Value>
class PerEncoding {
public:
    [[nodiscard]] Value& operator[](Encoding encoding) noexcept {
        return values_[static_cast<std::size_t>(encoding)];
    }

private:
    std::array<Value, all_encodings.size()> values_{};
};

}  // namespace muster::gateway
