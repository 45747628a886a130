#include "core/client/token_expiry.h"

#include <cstdint>
#include <string>

#include "core/wire/base64.h"
#include "core/wire/json_reader.h"

namespace muster::client {

std::optional<WallTime> token_expiry(std::string_view token) {
    const std::size_t first = token.find('.');
    const std::size_t second = first == token.npos ? first : token.find('.', first + 1);
    if (second == token.npos) {
        return std::nullopt;
    }
    std::string claims;
    const std::string_view middle = token.substr(first + 1, second - first - 1);
    if (!wire::append_base64_decoded(claims, middle, wire::Base64::url)) {
        return std::nullopt;
    }
    wire::JsonReader reader{claims};
    wire::JsonValue key{};
    wire::JsonValue value{};
    std::optional<WallTime> expiry;
    if (reader.enter_object()) {
        while (reader.next_key(key) && reader.read(value)) {
            const auto seconds = wire::to_uint(value);
            if (key.raw() == R"("exp")" && seconds && *seconds <= UINT32_MAX) {
                expiry = WallTime{static_cast<std::int64_t>(*seconds) * 1000};
            }
        }
    }
    return reader.finish() ? expiry : std::nullopt;
}

}  // namespace muster::client
