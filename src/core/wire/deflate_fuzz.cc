// Any bytes as a deflated message, and as one to deflate: never more than the limit comes out, the
// same whatever was inflated before, and what is deflated comes back.
#include "core/wire/deflate.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

namespace {

using namespace muster::wire;

// The message, or how its connection is closed.
std::string read(Inflater& inflater, std::string_view bytes, std::uint32_t bytes_max) {
    const auto message = inflater.inflate(bytes, bytes_max);
    if (!message) {
        return '!' + std::to_string(static_cast<int>(message.error().close_code));
    }
    MUSTER_CHECK(message->size() <= bytes_max);
    return '=' + std::string(*message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr std::uint32_t bytes_max = 64 * 1024;
    const std::string bytes{reinterpret_cast<const char*>(data), size};
    Inflater inflater;
    const std::string message = read(inflater, bytes, bytes_max);
    if (message[0] == '=') {
        const auto exactly = static_cast<std::uint32_t>(message.size() - 1);
        MUSTER_CHECK(read(inflater, bytes, exactly) == message);
        MUSTER_CHECK(exactly == 0 || read(inflater, bytes, exactly - 1) == "!1009");
    }
    Deflater deflater;
    std::string deflated;
    if (deflater.append(deflated, bytes)) {
        MUSTER_CHECK(deflated.size() < bytes.size());
        MUSTER_CHECK(read(inflater, deflated, static_cast<std::uint32_t>(size)) == '=' + bytes);
        std::string again;
        MUSTER_CHECK(deflater.append(again, bytes) && again == deflated);
    }
    MUSTER_CHECK(read(inflater, bytes, bytes_max) == message);
    return 0;
}
