#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/bench.h"
#include "bench/ledger.h"
#include "shell/observe/histogram.h"

namespace muster::bench {

/// What can be counted and added up. Plain data: processes hand it to each other as it is.
struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t expected = 0;
    std::uint64_t received = 0;
    std::uint64_t lost = 0;
    Wrongs wrongs;
    std::uint64_t refused = 0;  ///< sends that the server did not take, and said so
    std::uint64_t disconnected = 0;
    std::uint64_t conflated = 0;       ///< state: values that a newer one has replaced on the way
    std::uint64_t counted = 0;         ///< deliveries, logins or cycles within the counted time
    double seconds = 0;                ///< of the counted time
    double connect_seconds = 0;        ///< until all had joined
    double back_seconds = -1;          ///< storm: until all were back; -1: unknown
    double generator_cpu_seconds = 0;  ///< within the counted time
    double server_cpu_seconds = -1;    ///< within the counted time; -1: unknown
    double server_bytes_per_client = -1;
};

/// Rooms: one rate of a search.
struct Step {
    double rate = 0;  ///< messages a second offered
    double deliveries_per_second = 0;
    std::uint64_t p50_us = 0;
    std::uint64_t p99_us = 0;
    bool is_good = false;
};

/// What a run has found.
struct Report {
    static constexpr std::int64_t slice_us = 100'000;

    Options options;
    std::uint32_t processes = 1;
    Counts counts;
    observe::Histogram
        latency_us;               ///< from the moment at which a message was due, to each receiver
    observe::Histogram whole_us;  ///< fanout: until the last receiver had it; storm, logins and
                                  ///< creates: of one return, login or cycle
    std::vector<observe::Histogram> slices;  ///< latencies by arrival, from the first message on
    std::vector<Step> steps;
    double capacity = -1;          ///< overload: deliveries a second in the closed loop; -1: none
    double recovery_seconds = -1;  ///< overload: from its end until p99 stays below 100 ms

    [[nodiscard]] bool is_clean() const noexcept;
    [[nodiscard]] double per_second() const noexcept;
    /// Server CPU per delivery, login or cycle; -1: unknown.
    [[nodiscard]] double server_cpu_us_each() const noexcept;
    /// Share of one core that each of the processes that load the server used.
    [[nodiscard]] double generator_share() const noexcept;
    [[nodiscard]] double server_share() const noexcept;
    /// Whether the server could have done more, had it been asked to.
    [[nodiscard]] bool is_generator_the_limit() const noexcept;
};

/// Adds what another process has found in the same run.
void add(Report& report, const Report& part);

/// A report without its options, to be sent to another process, and back. Errors: not such bytes.
[[nodiscard]] std::string to_bytes(const Report& report);
[[nodiscard]] Result<Report> from_bytes(std::string_view bytes);

/// What a histogram has counted: each value that can be told apart with its number.
struct Bar {
    std::uint64_t value = 0;
    std::uint64_t count = 0;
};
[[nodiscard]] std::vector<Bar> bars_of(const observe::Histogram& histogram);

/// Returns when, in seconds after slice `from`, the latencies' p99 went below `p99_us_max` for
/// good; -1 if it never did.
[[nodiscard]] double recovery_after(const std::vector<observe::Histogram>& slices, std::size_t from,
                                    std::uint64_t p99_us_max);

[[nodiscard]] std::string as_text(const Report& report);
[[nodiscard]] std::string as_json(const Report& report);
/// A whole HTML page with plots, which loads nothing from anywhere.
[[nodiscard]] std::string as_page(const Report& report);

}  // namespace muster::bench
