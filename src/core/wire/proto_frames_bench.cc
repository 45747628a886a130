#include "core/wire/proto_frames.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "muster/client.pb.h"

// The frames of json_frames_bench.cc, in their binary form; and what protoc's classes need for
// them.

using namespace muster;
using namespace muster::wire;

namespace {

constexpr std::string_view line =
    R"({"text":"hi there, this is a line of a chat of the usual length"})";

ClientFrame send_frame() {
    ClientFrame frame;
    frame.op = ClientOp::send;
    frame.request = 21;
    frame.number = 17;
    frame.inc = Inc{4'294'967'303};
    frame.attempt = 1;
    frame.queue = "/room/123";
    frame.mount = "chat";
    frame.data = Data{line, Format::json};
    return frame;
}

MsgFrame msg_frame() {
    MsgFrame frame;
    frame.queue = "/room/123";
    frame.mount = "chat";
    frame.seq = 12'020;
    frame.from = "bob";
    frame.time_ms = 1'790'000'000'123;
    frame.data = {line, Format::json};
    return frame;
}

std::string bytes_of(const ClientFrame& frame) {
    std::string bytes;
    proto::append_client_frame(bytes, frame);
    return bytes;
}

std::string bytes_of(const MsgFrame& frame) {
    std::string bytes;
    proto::append_frame(bytes, frame);
    return bytes;
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
    state.counters["frame_bytes"] = static_cast<double>(bytes);
}

void proto_parse_send(benchmark::State& state) {
    const std::string bytes = bytes_of(send_frame());
    ClientFrame frame;
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(proto::parse_client_frame(bytes, frame));
    }
    count_bytes(state, bytes.size());
}
BENCHMARK(proto_parse_send);

void proto_parse_send_of_16_kib(benchmark::State& state) {
    const std::string value = '"' + std::string(16 * 1024, 'x') + '"';
    ClientFrame frame = send_frame();
    frame.data = Data{value, Format::json};
    const std::string bytes = bytes_of(frame);
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(proto::parse_client_frame(bytes, frame));
    }
    count_bytes(state, bytes.size());
}
BENCHMARK(proto_parse_send_of_16_kib);

void proto_append_send(benchmark::State& state) {
    const ClientFrame frame = send_frame();
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        out.clear();
        proto::append_client_frame(out, frame);
        benchmark::DoNotOptimize(out.data());
    }
    count_bytes(state, out.size());
}
BENCHMARK(proto_append_send);

void proto_parse_msg(benchmark::State& state) {
    const std::string bytes = bytes_of(msg_frame());
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(proto::parse_server_frame(bytes));
    }
    count_bytes(state, bytes.size());
}
BENCHMARK(proto_parse_msg);

void proto_append_msg(benchmark::State& state) {
    const MsgFrame frame = msg_frame();
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        out.clear();
        proto::append_frame(out, frame);
        benchmark::DoNotOptimize(out.data());
    }
    count_bytes(state, out.size());
}
BENCHMARK(proto_append_msg);

void proto_append_ok(benchmark::State& state) {
    const OkFrame frame{.request = 21, .seq = 12'021, .inc = {}};
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        out.clear();
        proto::append_frame(out, frame);
        benchmark::DoNotOptimize(out.data());
    }
    count_bytes(state, out.size());
}
BENCHMARK(proto_append_ok);

void generated_parse_send(benchmark::State& state) {
    const std::string bytes = bytes_of(send_frame());
    v1::ClientFrame frame;
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(frame.ParseFromString(bytes));
    }
    count_bytes(state, bytes.size());
}
BENCHMARK(generated_parse_send);

void generated_append_msg(benchmark::State& state) {
    const MsgFrame frame = msg_frame();
    v1::ServerFrame generated;
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        auto& msg = *generated.mutable_msg();
        msg.set_queue(frame.queue.data(), frame.queue.size());
        msg.set_mount(frame.mount.data(), frame.mount.size());
        msg.set_seq(frame.seq);
        msg.set_from(frame.from.data(), frame.from.size());
        msg.set_time_ms(frame.time_ms);
        msg.mutable_data()->set_json(frame.data.bytes.data(), frame.data.bytes.size());
        out.clear();
        generated.AppendToString(&out);
        benchmark::DoNotOptimize(out.data());
    }
    count_bytes(state, out.size());
}
BENCHMARK(generated_append_msg);

}  // namespace
