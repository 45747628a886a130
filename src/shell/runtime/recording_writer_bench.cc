#include "shell/runtime/recording_writer.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/crc32c.h"
#include "shell/runtime/recording_settings.h"

namespace muster::runtime {
namespace {

using Mode = RecordingSettings::Mode;

/// Where the recordings go: MUSTER_BENCH_FOLDER, or the folder for temporary files.
std::filesystem::path bench_folder() {
    const char* const folder = std::getenv("MUSTER_BENCH_FOLDER");
    return (folder == nullptr ? std::filesystem::temp_directory_path()
                              : std::filesystem::path{folder}) /
           "muster-recording-bench";
}

// What one entry costs its shard. A benchmark appends far faster than any server, and faster than
// disks write: so every 8 MiB it waits for the disk, and the clock stands still meanwhile.
void append(benchmark::State& state, Mode mode) {
    std::filesystem::remove_all(bench_folder());
    {
        RecordingDisk disk;
        RecordingSettings settings;
        settings.mode = mode;
        settings.folder = bench_folder();
        settings.boot = Boot{1};
        settings.bytes_max = std::uint64_t{256} << 20U;
        auto writer = RecordingWriter::open(settings, disk);
        const std::string entry(static_cast<std::size_t>(state.range(0)), 'e');
        std::uint64_t flush_at = 0;
        for ([[maybe_unused]] auto _ : state) {
            (*writer)->append(entry);
            if ((*writer)->bytes() >= flush_at) {
                state.PauseTiming();
                (*writer)->flush();
                flush_at = (*writer)->bytes() + (std::uint64_t{8} << 20U);
                state.ResumeTiming();
            }
        }
        if (const auto reason = (*writer)->take_stop_reason()) {
            state.SkipWithError(reason->c_str());
        }
        state.SetBytesProcessed(static_cast<std::int64_t>((*writer)->bytes()));
    }
    std::filesystem::remove_all(bench_folder());
}
void append_in_mode_crash(benchmark::State& state) { append(state, Mode::crash); }
void append_in_mode_all(benchmark::State& state) { append(state, Mode::all); }
void append_in_mode_off(benchmark::State& state) { append(state, Mode::off); }
BENCHMARK(append_in_mode_off)->Arg(200);
BENCHMARK(append_in_mode_crash)->Arg(50)->Arg(200)->Arg(500);
BENCHMARK(append_in_mode_all)->Arg(50)->Arg(200)->Arg(500);

void check_sum(benchmark::State& state) {
    const std::string bytes(static_cast<std::size_t>(state.range(0)), 'b');
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(crc32c(bytes));
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
void check_sum_by_tables(benchmark::State& state) {
    const std::string bytes(static_cast<std::size_t>(state.range(0)), 'b');
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(crc32c_by_tables(bytes));
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(check_sum)->Arg(200)->Arg(1 << 20);
BENCHMARK(check_sum_by_tables)->Arg(200)->Arg(1 << 20);

}  // namespace
}  // namespace muster::runtime
