#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "shell/observe/histogram.h"

/// `muster bench`: loads a server over real sockets as many clients would, and says what it did:
/// next to every rate, how much was expected, received, lost, doubled and out of order.
namespace muster::bench {

enum class Work : std::uint8_t {
    fanout,  ///< one sends, all others of one room receive
    rooms,   ///< many rooms of a few members, all of whom send
    idle,    ///< users who are signed in and have joined a room, and do nothing
};

struct Options {
    Work work = Work::rooms;
    std::string server = "127.0.0.1:7400";
    std::uint32_t clients = 1'000;
    std::uint32_t members = 10;        ///< of a room; fanout: all are in one
    std::uint32_t rate = 2'000;        ///< rooms: messages a second that all senders together offer
    std::uint32_t window = 64;         ///< fanout: messages under way at once
    std::uint32_t payload_bytes = 100;
    std::uint32_t seconds = 10;
    std::uint32_t warmup_seconds = 1;  ///< before the counting begins
    int server_pid = 0;                ///< for its CPU time and memory; 0: unknown
    bool shows_progress = true;        ///< on stderr, once a second
};

/// What a run has found. Rates are per second of the counted time.
struct Report {
    Options options;
    double seconds = 0;
    std::uint64_t sent = 0;
    std::uint64_t expected = 0;
    std::uint64_t received = 0;
    std::uint64_t lost = 0;
    std::uint64_t doubled = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t refused = 0;       ///< sends answered with err or retry
    std::uint64_t disconnected = 0;
    std::uint64_t counted = 0;       ///< deliveries within the counted time
    observe::Histogram latency_us;   ///< from the moment at which the message was due, to each receiver
    double connect_seconds = 0;      ///< until all had joined
    std::optional<double> server_cpu_us_per_delivery;
    std::optional<double> server_cpu_seconds;
    std::optional<double> server_rss_bytes_per_client;

    [[nodiscard]] bool is_clean() const noexcept {
        return lost == 0 && doubled == 0 && out_of_order == 0 && refused == 0 && disconnected == 0;
    }
};

/// Runs one work against a server that is up. Errors: cannot connect, sign in or join in time.
[[nodiscard]] Result<Report> run(const Options& options);

[[nodiscard]] std::string as_text(const Report& report);
[[nodiscard]] std::string as_json(const Report& report);

}  // namespace muster::bench
