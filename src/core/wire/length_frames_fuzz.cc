#include "core/wire/length_frames.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"

// Any bytes as messages with a length: whole, and in pieces of the first byte's size, gives the
// same.

namespace {

using namespace muster::wire;
using Kind = LengthDecoder::Step::Kind;

constexpr std::uint32_t bytes_max = 4096;

std::vector<std::string> messages_of(std::string bytes, std::size_t piece_bytes) {
    LengthDecoder decoder{bytes_max};
    std::vector<std::string> messages;
    for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
        std::span<char> input{bytes};
        input = input.subspan(at, std::min(piece_bytes, bytes.size() - at));
        for (;;) {
            const auto step = decoder.next(input);
            MUSTER_CHECK(decoder.buffered_bytes() <= 2 * bytes_max);
            if (step.kind == Kind::too_big) {
                messages.emplace_back("too big");
                return messages;
            }
            if (step.kind == Kind::need_more) {
                MUSTER_CHECK(input.empty());
                break;
            }
            messages.emplace_back(step.message);
        }
    }
    return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
    MUSTER_CHECK(messages_of(bytes, std::size_t{data[0]} + 1) == messages_of(bytes, size));
    return 0;
}
