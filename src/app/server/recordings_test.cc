#include "app/server/recordings.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "app/server/recording_head.h"
#include "muster/entry.pb.h"
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
        keys.own_token_key = std::string(32, 'k');
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

/// A process that ends with this object at the latest.
class Child {
public:
    explicit Child(pid_t process) : process_(process) {}
    ~Child() { kill(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] pid_t id() const { return process_; }
    void kill() {
        if (!is_reaped_) {
            ::kill(process_, SIGKILL);
            is_reaped_ = ::waitpid(process_, nullptr, 0) == process_;
        }
    }

private:
    pid_t process_;
    bool is_reaped_ = false;
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
    const pid_t process = ::fork();
    REQUIRE(process >= 0);
    if (process == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // Should the whole test be killed.
        const auto first = bench.begin();
        [[maybe_unused]] const auto told = ::write(begun[1], first ? "y" : "n", 1);
        ::pause();
        ::_exit(1);
    }
    Child child(process);
    char told = 0;
    CHECK(::read(begun[0], &told, 1) == 1);
    CHECK(told == 'y');
    const auto second = bench.begin();
    REQUIRE_FALSE(second);
    CHECK(second.error().detail.find(fmt::format("(process {})", child.id())) != std::string::npos);
    child.kill();
    CHECK(bench.begin());
    ::close(begun[0]);
    ::close(begun[1]);
}

proto::RecordingHead head_of(const Bench& bench) {
    proto::RecordingHead head;
    REQUIRE(head.ParseFromString(recording_head(bench.settings, bench.keys, ShardId{2}, 5)));
    return head;
}

TEST_CASE("a recording is read by a build that lacks a setting which stood at its default") {
    Bench bench;
    bench.settings.is_dev = true;
    bench.settings.server.shards = 3;
    bench.settings.queue.members_max = 7;
    bench.settings.recording.mode = app::RecordMode::off;
    proto::RecordingHead head = head_of(bench);
    CHECK(head.settings_changed() == "[server]\nshards = 3\n\n[queue]\nmembers_max = 7\n");
    head.set_version("9.9.9");
    *head.mutable_settings() += "\n[later]\nthing = true\n";
    const auto read = read_recording_head(head.SerializeAsString());
    REQUIRE_MESSAGE(read, (read ? std::string() : read.error().detail));
    CHECK(read->site->placement.shard_count() == 3);
    CHECK(read->site->gateway->queue_limits.members_max == 7);

    // Another one is needed to do the same again.
    *head.mutable_settings_changed() += "\n[later]\nthing = true\n";
    const auto refused = read_recording_head(head.SerializeAsString());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::newer_recording);
    CHECK(refused.error().detail.find("later") != std::string::npos);
}

TEST_CASE("a recording is replayed with the defaults that it was made with") {
    Bench bench;
    bench.settings.server.shards = 3;
    proto::RecordingHead head = head_of(bench);
    // As if 10,000 were another version's default: there it stands among those in force alone.
    CHECK(head.settings_changed().find("members_max") == std::string::npos);
    const auto place = head.settings().find("members_max = 10000");
    REQUIRE(place != std::string::npos);
    head.mutable_settings()->replace(place, 19, "members_max = 77");
    const auto read = read_recording_head(head.SerializeAsString());
    REQUIRE_MESSAGE(read, (read ? std::string() : read.error().detail));
    CHECK(read->site->gateway->queue_limits.members_max == 77);
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
