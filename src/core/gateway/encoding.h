#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace muster::gateway {

/// How the frames of a connection stand on the wire.
enum class Encoding : std::uint8_t {
    json,       ///< WebSocket text messages of `muster.v1.json`
    proto,      ///< WebSocket binary messages of `muster.v1.proto`
    proto_tcp,  ///< the same frames over plain TCP, each with its length in front
};

inline constexpr std::array all_encodings{Encoding::json, Encoding::proto, Encoding::proto_tcp};

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
