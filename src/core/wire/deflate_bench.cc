#include "core/wire/deflate.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::wire {
namespace {

// What people write, as one `msg` frame of so many bytes.
std::string chat_frame(std::size_t bytes) {
    static constexpr std::string_view words =
        "anybody here who has seen the second map yet? I got as far as the bridge, but the gate "
        "behind it would not open and my torch had gone out. Bob says there is a lever on the left "
        "side, under the stairs where the merchant stood last week; bring two keys and wait until "
        "the bell has rung. We meet at nine, same server as always, room 12. Whoever comes late "
        "pays for the potions: eleven were drunk on Friday alone, and nobody remembers by whom. "
        "PS: the new patch halves the damage of arrows from above, which is fair if you ask me. ";
    std::string frame =
        R"({"op":"msg","q":"/room/123","m":"chat","seq":20,"from":"bob","t":1790000000123,)"
        R"("d":{"text":")";
    // What was written before comes again with other words in between, not as it was.
    for (std::size_t i = 0; frame.size() + 3 < bytes; ++i) {
        const std::size_t at = i * 61 % words.size();
        frame += words.substr(at, std::min<std::size_t>(bytes - 3 - frame.size(), i < 9 ? 61 : 23));
    }
    return frame + "\"}}";
}

void deflate_chat(benchmark::State& state) {
    const std::string message = chat_frame(static_cast<std::size_t>(state.range(0)));
    Deflater deflater;
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        out.clear();
        benchmark::DoNotOptimize(deflater.append(out, message));
    }
    state.counters["bytes_in"] = static_cast<double>(message.size());
    state.counters["bytes_out"] = static_cast<double>(out.size());
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(message.size()));
}
BENCHMARK(deflate_chat)->Arg(256)->Arg(512)->Arg(1024)->Arg(4096)->Arg(16'384);

void inflate_chat(benchmark::State& state) {
    const std::string message = chat_frame(static_cast<std::size_t>(state.range(0)));
    std::string bytes;
    static_cast<void>(Deflater().append(bytes, message));
    Inflater inflater;
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(inflater.inflate(bytes, 64 * 1024));
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(message.size()));
}
BENCHMARK(inflate_chat)->Arg(256)->Arg(1024)->Arg(16'384);

// 64 KiB of blocks in 90 bits each that bring tables of their own and no byte of a message: what
// costs the most to read.
std::string empty_blocks() {
    std::string bytes(64 * 1024, '\0');
    std::size_t place = 0;
    const auto put = [&](unsigned bits, unsigned count) {
        for (unsigned i = 0; i < count; ++i, ++place) {
            const unsigned bit = bits >> i & 1U;
            bytes[place / 8] =
                static_cast<char>(static_cast<unsigned char>(bytes[place / 8]) | bit << place % 8);
        }
    };
    while (place + 90 + 3 < bytes.size() * 8) {
        put(4, 3);   // Not the last block; with tables.
        put(0, 10);  // 257 literals and lengths, 1 distance.
        put(14, 4);  // 18 lengths of codes of lengths: two with 1 bit, 18 (zeros) and 1.
        put(0, 2 * 3);
        put(1, 3);
        put(0, 14 * 3);
        put(1, 3);
        put(1, 1);  // 138 and 118 lengths of 0, then a 1 for the end of the block and a distance.
        put(127, 7);
        put(1, 1);
        put(107, 7);
        put(0, 2);
        put(0, 1);  // The end of the block.
    }
    return bytes;  // What is left of it begins a stored block: 3 bits, then the way to a byte's
                   // end.
}

void inflate_empty_blocks(benchmark::State& state) {
    std::string bytes = empty_blocks();
    Inflater inflater;
    while (!inflater.inflate(bytes, 0).has_value()) {
        bytes.pop_back();
        if (bytes.size() < 60 * 1024) {
            state.SkipWithError("the blocks are not good");
            return;
        }
    }
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(inflater.inflate(bytes, 64 * 1024));
    }
}
BENCHMARK(inflate_empty_blocks);

}  // namespace
}  // namespace muster::wire
