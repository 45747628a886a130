#include "core/wire/http_head.h"

#include <benchmark/benchmark.h>

#include <array>
#include <string>

#include "core/wire/websocket_handshake.h"

namespace muster::wire {
namespace {

// What a browser sends, about 500 bytes.
constexpr std::string_view upgrade_text =
    "GET /connect HTTP/1.1\r\nHost: game.example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 "
    "Safari/537.36\r\n"
    "Upgrade: websocket\r\nOrigin: https://game.example.com\r\nSec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "Sec-WebSocket-Protocol: muster.v1.json\r\n\r\n";

void parse_head(benchmark::State& state) {
    RequestHead head;
    for ([[maybe_unused]] auto _ : state) {
        HeadScan scan;
        benchmark::DoNotOptimize(parse_request_head(upgrade_text, scan, head));
    }
}
BENCHMARK(parse_head);

// The limit for a peer that sends one byte at a time: per head, not per byte.
void parse_head_byte_by_byte(benchmark::State& state) {
    RequestHead head;
    for ([[maybe_unused]] auto _ : state) {
        HeadScan scan;
        for (std::size_t size = 1; size <= upgrade_text.size(); ++size) {
            benchmark::DoNotOptimize(parse_request_head(upgrade_text.substr(0, size), scan, head));
        }
    }
}
BENCHMARK(parse_head_byte_by_byte);

void answer_upgrade(benchmark::State& state) {
    static constexpr std::array<std::string_view, 2> protocols = {"muster.v1.json",
                                                                  "muster.v1.proto"};
    const std::array<std::string, 1> origins = {"https://game.example.com"};
    RequestHead head;
    std::string out;
    for ([[maybe_unused]] auto _ : state) {
        HeadScan scan;
        benchmark::DoNotOptimize(parse_request_head(upgrade_text, scan, head));
        out.clear();
        append_upgrade_response(out, *check_upgrade(head, {origins, false, protocols}));
    }
}
BENCHMARK(answer_upgrade);

}  // namespace
}  // namespace muster::wire
