// Replies are the same whether bytes come one by one or all at once.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "bench/peers/nats.h"

namespace {

using muster::bench::NatsReader;

// What is read of `bytes` when they come in pieces of `piece`, in words.
std::string read(std::string bytes, std::size_t piece) {
    std::string told;
    NatsReader reader;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        std::string part = bytes.substr(at, piece);
        std::span<char> input(part);
        for (;;) {
            const auto one = reader.next(input);
            if (!one) {
                return told + "damaged";
            }
            if (one->kind == NatsReader::Message::Kind::need_more) {
                break;
            }
            told += std::to_string(static_cast<int>(one->kind)) + std::string(one->text) + "\n";
        }
    }
    return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(data, data + size);
    if (size > 0 && size < 4096) {
        MUSTER_CHECK(read(bytes, 1) == read(bytes, size));
    }
    return 0;
}
