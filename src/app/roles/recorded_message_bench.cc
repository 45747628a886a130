#include "app/roles/recorded_message.h"

#include <cstdint>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "app/roles/recorded_samples.h"

using namespace muster;
using namespace muster::roles;

namespace {

template <typename Input>
void encode(benchmark::State& state, const Input& input) {
    MessageEncoder encoder;
    std::size_t bytes = 0;
    for ([[maybe_unused]] auto _ : state) {
        const auto encoded = encoder.encode(input);
        bytes = encoded.size();
        benchmark::DoNotOptimize(encoded.data());
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
    state.counters["message_bytes"] = static_cast<double>(bytes);
}

void decode(benchmark::State& state, const actor::Message& message) {
    const std::string bytes(MessageEncoder().encode(message));
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(decode_message(bytes));
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

void encode_op(benchmark::State& state) { encode(state, to_queue(sample_op(sample_send()))); }
BENCHMARK(encode_op);

void encode_op_reply(benchmark::State& state) { encode(state, sample_reply()); }
BENCHMARK(encode_op_reply);

void encode_published(benchmark::State& state) { encode(state, sample_published()); }
BENCHMARK(encode_published);

void encode_published_member(benchmark::State& state) {
    encode(state, sample_published(queue::MemberChanged{
                      UserId("bob"),
                      queue::Member{Payload(R"({"name":"Bob"})"), {}, SessionId{8}, true, false},
                      {},
                      2}));
}
BENCHMARK(encode_published_member);

void encode_subscribed(benchmark::State& state) {
    encode(state,
           to_gateway(queue::Subscribed{QueueName("/room/123"), SubId{1},
                                        std::make_shared<const queue::Content>(sample_content())}));
}
BENCHMARK(encode_subscribed);

void encode_received(benchmark::State& state) {
    std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
    encode(state, gateway::Event(gateway::Received{ConnectionId{1U << 30U}, bytes}));
}
BENCHMARK(encode_received)->Arg(100)->Arg(16 * 1024);

void decode_op(benchmark::State& state) { decode(state, to_queue(sample_op(sample_send()))); }
BENCHMARK(decode_op);

void decode_published(benchmark::State& state) { decode(state, sample_published()); }
BENCHMARK(decode_published);

}  // namespace
