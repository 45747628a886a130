// sim: runs seeds until one shows a breach of GUARANTEES.md, or all are done.
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "base/check.h"
#include "sim/run.h"

namespace {

struct Options {
    std::uint64_t seeds = 1'000;
    std::uint64_t from = 1;
    std::optional<std::uint64_t> seed;
    bool traces = false;
    bool goes_on = false;
};

constexpr std::string_view usage =
    "Runs a simulated Muster from seeds until one breaks a guarantee.\n"
    "  sim [--seeds N] [--from SEED] [--keep-going]\n"
    "  sim --seed SEED [--trace]      one seed again, with all that happened\n";

std::string_view program_name = "sim";
std::uint64_t seed_in_hand = 0;

void say_seed(const char* condition, const char* file, int line) noexcept {
    fmt::print(stderr, "seed {}: {}:{}: {} does not hold\nrepeat it: {} --seed {} --trace\n",
               seed_in_hand, file, line, condition, program_name, seed_in_hand);
    std::fflush(nullptr);
}

std::optional<Options> read_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--trace") {
            options.traces = true;
            continue;
        }
        if (word == "--keep-going") {
            options.goes_on = true;
            continue;
        }
        if (i + 1 == argc) {
            return std::nullopt;
        }
        const std::string_view value = argv[++i];
        std::uint64_t number = 0;
        const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
        if (read.ec != std::errc() || read.ptr != value.data() + value.size()) {
            return std::nullopt;
        }
        if (word == "--seeds") {
            options.seeds = number;
        } else if (word == "--from") {
            options.from = number;
        } else if (word == "--seed") {
            options.seed = number;
        } else {
            return std::nullopt;
        }
    }
    return options;
}

void print_breaches(std::uint64_t seed, const muster::sim::Breaches& breaches) {
    constexpr std::size_t shown_max = 10;
    for (std::size_t i = 0; i < breaches.size() && i < shown_max; ++i) {
        fmt::print("seed {}: {}\n", seed, breaches[i]);
    }
    if (breaches.size() > shown_max) {
        fmt::print("seed {}: and {} more\n", seed, breaches.size() - shown_max);
    }
    fmt::print("repeat it: {} --seed {} --trace\n", program_name, seed);
}

int run_one(std::uint64_t seed, bool traces) {
    using muster::sim::Tracing;
    seed_in_hand = seed;
    const auto report = muster::sim::run(seed, traces ? Tracing::on : Tracing::off);
    fmt::print("{}", report.trace);
    if (report.breaches.empty()) {
        fmt::print("seed {}: nothing was broken\n", seed);
        return 0;
    }
    print_breaches(seed, report.breaches);
    return 1;
}

template <typename Kind>
void print_counts(std::span<const std::uint64_t> counts) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
        fmt::print(" {} {}", name_of(static_cast<Kind>(i)), counts[i]);
    }
}

int run_many(const Options& options) {
    using Clock = std::chrono::steady_clock;
    const auto began = Clock::now();
    muster::Duration simulated{};
    std::uint64_t requests = 0;
    std::uint64_t reads = 0;
    std::uint64_t broken = 0;
    std::uint64_t done = 0;
    muster::sim::FaultCounts faults;
    for (; done < options.seeds && (broken == 0 || options.goes_on); ++done) {
        seed_in_hand = options.from + done;
        const auto report = muster::sim::run(seed_in_hand);
        simulated += report.simulated;
        requests += report.requests;
        reads += report.reads;
        faults += report.faults;
        if (!report.breaches.empty()) {
            ++broken;
            print_breaches(seed_in_hand, report.breaches);
        }
    }
    const double took = std::chrono::duration<double>(Clock::now() - began).count();
    fmt::print(
        "{} seeds in {:.1f} s ({:.0f}/s), {:.1f} simulated hours, {} requests, {} reads, "
        "{} seeds broken\nfaults:",
        done, took, static_cast<double>(done) / took,
        std::chrono::duration<double, std::ratio<3600>>(simulated).count(), requests, reads,
        broken);
    print_counts<muster::sim::Fault>(faults.plain);
    print_counts<muster::sim::VariousFault>(faults.various);
    fmt::print("\n");
    return broken == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    program_name = argv[0];
    if (argc == 2 && (std::string_view(argv[1]) == "--help" || std::string_view(argv[1]) == "-h")) {
        fmt::print("{}", usage);
        return 0;
    }
    const auto options = read_options(argc, argv);
    if (!options) {
        fmt::print(stderr, "{}", usage);
        return 2;
    }
    muster::set_check_handler(say_seed);
    return options->seed ? run_one(*options->seed, options->traces) : run_many(*options);
}
