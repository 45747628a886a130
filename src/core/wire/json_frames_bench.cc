#include "core/wire/json_frames.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

using namespace muster;
using namespace muster::wire;

namespace {

constexpr std::string_view send_text =
    R"({"op":"send","i":21,"n":17,"inc":4294967303,"try":1,"q":"/room/123","m":"chat",)"
    R"("d":{"text":"hi there, this is a line of a chat of the usual length"}})";

constexpr std::string_view msg_text =
    R"({"op":"msg","q":"/room/123","m":"chat","seq":12020,"from":"bob","t":1790000000123,)"
    R"("d":{"text":"hi there, this is a line of a chat of the usual length"}})";

void count_bytes(benchmark::State& state, std::size_t bytes) {
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
    state.counters["frame_bytes"] = static_cast<double>(bytes);
}

void parse_send(benchmark::State& state) {
    ClientFrame frame;
    std::string scratch;
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(parse_client_frame(send_text, scratch, frame));
    }
    count_bytes(state, send_text.size());
}
BENCHMARK(parse_send);

void parse_send_of_16_kib(benchmark::State& state) {
    const std::string text =
        R"({"op":"send","q":"/room/123","m":"chat","d":")" + std::string(16 * 1024, 'x') + R"("})";
    ClientFrame frame;
    std::string scratch;
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(parse_client_frame(text, scratch, frame));
    }
    count_bytes(state, text.size());
}
BENCHMARK(parse_send_of_16_kib);

void append_send(benchmark::State& state) {
    ClientFrame frame;
    std::string scratch;
    (void)parse_client_frame(send_text, scratch, frame);
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        out.clear();
        append_client_frame(out, frame);
        benchmark::DoNotOptimize(out.data());
    }
    count_bytes(state, out.size());
}
BENCHMARK(append_send);

void parse_msg(benchmark::State& state) {
    std::string scratch;
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(parse_server_frame(msg_text, scratch));
    }
    count_bytes(state, msg_text.size());
}
BENCHMARK(parse_msg);

void append_msg(benchmark::State& state) {
    std::string scratch;
    const auto frame = std::get<MsgFrame>(parse_server_frame(msg_text, scratch).value());
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        out.clear();
        append_frame(out, frame);
        benchmark::DoNotOptimize(out.data());
    }
    count_bytes(state, out.size());
}
BENCHMARK(append_msg);

void append_ok(benchmark::State& state) {
    const OkFrame frame{.request = 21, .seq = 12021, .inc = {}};
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        out.clear();
        append_frame(out, frame);
        benchmark::DoNotOptimize(out.data());
    }
    count_bytes(state, out.size());
}
BENCHMARK(append_ok);

}  // namespace
