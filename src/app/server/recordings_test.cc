#include "app/server/recordings.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "shell/runtime/recording_files.h"

namespace muster::server {
namespace {

struct Bench {
    Bench() {
        std::string name = (std::filesystem::temp_directory_path() / "muster-rec-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
        settings.recording.mode = app::RecordMode::all;
        settings.server.shards = 2;
    }
    ~Bench() {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    [[nodiscard]] Result<Recordings> begin() const {
        return Recordings::begin(settings, keys, folder);
    }

    std::filesystem::path folder;
    app::Settings settings;
    SiteKeys keys;
};

TEST_CASE("two servers cannot record into one folder, and the second is told who has it") {
    const Bench bench;
    {
        const auto first = bench.begin();
        REQUIRE(first);
        const auto second = bench.begin();
        REQUIRE_FALSE(second);
        CHECK(second.error().code == ErrorCode::bad_settings);
        CHECK(second.error().detail ==
              fmt::format("another server uses {} (process {}); stop it, or choose another folder "
                          "with --set recording.folder=…",
                          (bench.folder / "recordings").string(), ::getpid()));
    }
    CHECK(bench.begin());  // The end of the first lets it go.
}

TEST_CASE("a folder is free again when the server that recorded into it was killed") {
    const Bench bench;
    int begun[2] = {-1, -1};
    REQUIRE(::pipe(begun) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto first = bench.begin();
        [[maybe_unused]] const auto told = ::write(begun[1], first ? "y" : "n", 1);
        ::pause();
        ::_exit(1);
    }
    char told = 0;
    CHECK(::read(begun[0], &told, 1) == 1);
    CHECK(told == 'y');
    const auto second = bench.begin();
    REQUIRE_FALSE(second);
    CHECK(second.error().detail.find(fmt::format("(process {})", child)) != std::string::npos);
    REQUIRE(::kill(child, SIGKILL) == 0);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    CHECK(bench.begin());
    ::close(begun[0]);
    ::close(begun[1]);
}

TEST_CASE("a server that records nothing takes no folder") {
    Bench bench;
    bench.settings.recording.mode = app::RecordMode::off;
    const auto first = bench.begin();
    REQUIRE(first);
    CHECK(bench.begin());
    CHECK_FALSE(std::filesystem::exists(bench.folder / "recordings"));
}

TEST_CASE("of earlier lives stays what folder_bytes_max allows, and always the newest") {
    Bench bench;
    for (const std::uint64_t bytes_max : {std::uint64_t{1} << 30U, std::uint64_t{0}}) {
        bench.settings.recording.folder_bytes_max = bytes_max;
        for (int life = 0; life < 4; ++life) {
            auto recordings = bench.begin();
            REQUIRE(recordings);
            for (const ShardId shard : {ShardId{0}, ShardId{1}}) {
                REQUIRE(recordings->open(shard, 1));
            }
        }
        const std::size_t lives = bytes_max > 0 ? 4 : 2;
        CHECK(runtime::list_recordings(bench.folder / "recordings")->size() == lives * 2);
    }
}

}  // namespace
}  // namespace muster::server
