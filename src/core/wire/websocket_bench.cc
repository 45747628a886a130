#include "core/wire/websocket.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace muster::wire {
namespace {

// One receive buffer full of masked text frames, as a busy shard has it: unmask, check, show.
void decode_masked_text(benchmark::State& state) {
    const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
    std::string frames;
    std::size_t count = 0;
    for (; frames.size() < 60'000; ++count) {
        append_client_frame(frames, WebSocketOpcode::text, payload, 0x12345678U);
    }
    WebSocketDecoder decoder{WebSocketDecoder::Side::server, 64 * 1024};
    std::vector<char> buffer(frames.size());
    std::size_t messages = 0;
    for ([[maybe_unused]] auto _ : state) {
        std::memcpy(buffer.data(), frames.data(), frames.size());  // Stands for recv().
        std::span<char> input{buffer};
        for (auto step = decoder.next(input); step->kind == WebSocketDecoder::Step::Kind::text;
             step = decoder.next(input)) {
            benchmark::DoNotOptimize(step->payload.data());
            ++messages;
        }
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(messages));
    state.SetBytesProcessed(static_cast<std::int64_t>(messages * payload.size()));
}
BENCHMARK(decode_masked_text)->Arg(10)->Arg(100)->Arg(1000)->Arg(16'000);

// The same, received in pieces that cut most frames: each cut costs a copy and a buffer.
void decode_cut_frames(benchmark::State& state) {
    std::string frames;
    for (int i = 0; i < 100; ++i) {
        append_client_frame(frames, WebSocketOpcode::text, std::string(100, 'x'), 0x12345678U);
    }
    WebSocketDecoder decoder{WebSocketDecoder::Side::server, 64 * 1024};
    const auto piece_bytes = static_cast<std::size_t>(state.range(0));
    std::vector<char> buffer(piece_bytes);
    std::size_t messages = 0;
    for ([[maybe_unused]] auto _ : state) {
        for (std::size_t at = 0; at < frames.size(); at += piece_bytes) {
            std::span<char> input{buffer.data(), frames.copy(buffer.data(), piece_bytes, at)};
            for (auto step = decoder.next(input); step->kind == WebSocketDecoder::Step::Kind::text;
                 step = decoder.next(input)) {
                benchmark::DoNotOptimize(step->payload.data());
                ++messages;
            }
        }
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(messages));
}
BENCHMARK(decode_cut_frames)->Arg(53)->Arg(1448);

void append_text_frame(benchmark::State& state) {
    const std::string payload(100, 'x');
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        out.clear();
        append_server_frame(out, WebSocketOpcode::text, payload);
        benchmark::DoNotOptimize(out.data());
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(append_text_frame);

}  // namespace
}  // namespace muster::wire
