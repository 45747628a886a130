#include "shell/runtime/recording_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <new>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "shell/runtime/recording_files.h"
#include "shell/runtime/recording_test_folder.h"

namespace muster::runtime {
namespace {

using End = RecordingReader::End;

TEST_CASE("what was appended is read back, in order, from as many segments as it took") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        RecordingDisk disk;
        const auto writer = open_writer(folder.settings(mode), disk);
        CHECK(writer->is_on());
        append_numbered(*writer, 500);
        CHECK(writer->entries() == 500);
        CHECK(writer->segment() > 10);
        writer->close();
        CHECK_FALSE(writer->is_on());
        CHECK(writer->take_stop_reason() == std::nullopt);

        const ReadResult read = read_all({folder.path() / "recordings"});
        CHECK(read.error.detail.empty());
        CHECK(read.end == End::closed);
        CHECK(read.entries.size() == 500);
        CHECK(is_numbered(read));
        CHECK(folder.files().size() == writer->segment() + 1);
        CHECK(folder.bytes_on_disk() == writer->bytes());
    }
}

TEST_CASE("empty entries and those that just fit a segment are kept") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        RecordingDisk disk;
        const auto writer = open_writer(folder.settings(mode), disk);
        // Header and head take 64 bytes, the end mark 8, the entry's own head 12.
        const std::string biggest(8192 - 64 - 8 - 12, 'b');
        for (const std::string& entry : {std::string{}, biggest, std::string{}, biggest}) {
            writer->append(entry);
            writer->flush();
        }
        CHECK(writer->segment() == 3);
        writer->close();
        const ReadResult read = read_all({folder.path() / "recordings"});
        CHECK(read.entries == std::vector<std::string>{"", biggest, "", biggest});
        CHECK(read.end == End::closed);
    }
}

TEST_CASE("an entry bigger than a segment stops the recording, which keeps what it has") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        RecordingDisk disk;
        const auto writer = open_writer(folder.settings(mode), disk);
        append_numbered(*writer, 3);
        writer->append(std::string(8192 - 64 - 8 - 11, 'b'));
        CHECK_FALSE(writer->is_on());
        const auto reason = writer->take_stop_reason();
        REQUIRE(reason.has_value());
        CHECK(reason->find("does not fit into a segment of 8192") != std::string::npos);
        CHECK(writer->take_stop_reason() == std::nullopt);
        writer->append("nothing happens");
        CHECK(writer->entries() == 3);
        writer->flush();
        const ReadResult read = read_all({folder.path() / "recordings"});
        CHECK(read.entries.size() == 3);
        CHECK(is_numbered(read));
        CHECK(read.end == End::stopped);
        CHECK(folder.files().size() == 1);
    }
}

TEST_CASE("a bucket's snapshot of 10 MiB lies among small entries") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        RecordingDisk disk;
        RecordingSettings settings = folder.settings(mode);
        settings.segment_bytes = 12 << 20;
        settings.bytes_max = 64 << 20;
        const auto writer = open_writer(settings, disk);
        const std::string snapshot(10 << 20, 's');
        for (int i = 0; i < 3; ++i) {
            writer->append("small");
            writer->append(snapshot);
            writer->flush();
        }
        writer->close();
        const ReadResult read = read_all({folder.path() / "recordings"});
        REQUIRE(read.entries.size() == 6);
        for (std::size_t i = 0; i < 6; i += 2) {
            CHECK(read.entries[i] == "small");
            CHECK(read.entries[i + 1] == snapshot);
        }
        CHECK(read.end == End::closed);
    }
}

TEST_CASE("the oldest segments go, so that the disk holds no more than was allowed") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        RecordingDisk disk;
        RecordingSettings settings = folder.settings(mode);
        settings.bytes_max = 5 * 8192;
        const auto writer = open_writer(settings, disk);
        std::uint64_t most = 0;
        for (int i = 0; i < 40; ++i) {
            append_numbered(*writer, 10);
            writer->flush();
            most = std::max(most, folder.bytes_on_disk());
        }
        CHECK(writer->is_on());
        CHECK(most <= settings.bytes_max);
        CHECK(most > 3 * 8192);
        writer->close();
        const ReadResult read = read_all({folder.path() / "recordings"});
        CHECK(read.first_entry > 0);
        CHECK(read.first_entry + read.entries.size() == 400);
        CHECK(is_numbered(read));
        CHECK(read.end == End::closed);
    }
}

TEST_CASE("kill -9 in the midst of appending loses no entry of mode crash") {
    for (int round = 0; round < 5; ++round) {
        const RecordingFolder folder;
        void* const shared =
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        REQUIRE(shared != MAP_FAILED);
        auto* const appended = new (shared) std::atomic<std::uint64_t>{0};
        int started[2] = {-1, -1};
        REQUIRE(::pipe(started) == 0);
        RecordingSettings settings = folder.settings(Mode::crash);
        settings.segment_bytes = 256 * 1024;
        settings.bytes_max = 2 << 20;

        const pid_t child = ::fork();
        if (child == 0) {
            RecordingDisk disk;
            auto writer = RecordingWriter::open(settings, disk);
            while (writer) {
                append_numbered(**writer, 1);
                appended->store((*writer)->entries());
                if ((*writer)->entries() == static_cast<std::uint64_t>(1 + 7001 * round)) {
                    [[maybe_unused]] const auto told = ::write(started[1], "x", 1);
                }
            }
            ::_exit(1);
        }
        ::close(started[1]);
        char told = 0;
        CHECK(::read(started[0], &told, 1) == 1);
        ::close(started[0]);
        REQUIRE(::kill(child, SIGKILL) == 0);
        REQUIRE(::waitpid(child, nullptr, 0) == child);

        const ReadResult read = read_all({folder.path() / "recordings"});
        CHECK(read.error.detail == "");
        CHECK(read.end == End::cut_short);
        CHECK(is_numbered(read));
        const std::uint64_t count = read.first_entry + read.entries.size();
        CHECK(count >= appended->load());
        CHECK(count <= appended->load() + 1);  // It may have died between append() and the count.
        ::munmap(shared, 4096);
    }
}

TEST_CASE("kill -9 leaves mode all with what the disk's thread has written, cut at an entry") {
    const RecordingFolder folder;
    int flushed[2] = {-1, -1};
    REQUIRE(::pipe(flushed) == 0);
    const RecordingSettings settings = folder.settings(Mode::all);
    const pid_t child = ::fork();
    if (child == 0) {
        RecordingDisk disk;
        auto writer = RecordingWriter::open(settings, disk);
        if (writer) {
            append_numbered(**writer, 100);
            (*writer)->flush();
            [[maybe_unused]] const auto told = ::write(flushed[1], "x", 1);
            append_numbered(**writer, 5);
            ::pause();
        }
        ::_exit(1);
    }
    ::close(flushed[1]);
    char told = 0;
    CHECK(::read(flushed[0], &told, 1) == 1);
    ::close(flushed[0]);
    REQUIRE(::kill(child, SIGKILL) == 0);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    const ReadResult read = read_all({folder.path() / "recordings"});
    CHECK(read.error.detail == "");
    CHECK(read.end == End::cut_short);
    CHECK(read.entries.size() >= 100);
    CHECK(is_numbered(read));
}

TEST_CASE("a full disk stops the recording and nothing else, and what is there can be read") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        FillingDisk filling;
        RecordingDisk disk{filling.calls()};
        const auto writer = open_writer(folder.settings(mode), disk);
        append_numbered(*writer, 100);
        writer->flush();
        filling.fill();
        while (writer->is_on()) {
            append_numbered(*writer, 10);
            writer->flush();
        }
        const auto reason = writer->take_stop_reason();
        REQUIRE(reason.has_value());
        CHECK(reason->find("No space left on device") != std::string::npos);
        CHECK(reason->find(folder.path().string()) != std::string::npos);
        const std::uint64_t entries = writer->entries();
        append_numbered(*writer, 100);
        CHECK(writer->entries() == entries);
        writer->close();
        const ReadResult read = read_all({folder.path() / "recordings"});
        CHECK(read.error.detail == "");
        CHECK(read.entries.size() >= 100);
        CHECK(is_numbered(read));
        CHECK(read.end == (mode == Mode::crash ? End::stopped : End::cut_short));
    }
}

TEST_CASE("a disk that refuses the first segment is told at once") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        rlimit before{};
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
        rlimit small = before;
        small.rlim_cur = 16;
        auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
        {
            RecordingDisk disk;
            const auto writer = RecordingWriter::open(folder.settings(mode), disk);
            REQUIRE_FALSE(writer);
            CHECK(writer.error().code == ErrorCode::bad_settings);
            CHECK(writer.error().detail.find("File too large") != std::string::npos);
        }
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
        std::signal(SIGXFSZ, handler);
        CHECK(folder.files().empty());
    }
}

TEST_CASE("a disk that stands still stops the recording, and append never waits for it") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        Gate gate;
        RecordingDisk disk{gate.calls()};
        RecordingSettings settings = folder.settings(mode);
        settings.buffer_bytes_max = 1 << 20;
        const auto writer = open_writer(settings, disk);
        gate.set(false);
        while (writer->is_on()) {
            writer->append(numbered_entry(writer->entries()));  // Hangs here, if it waits.
        }
        const std::uint64_t entries = writer->entries();
        const auto reason = writer->take_stop_reason();
        REQUIRE(reason.has_value());
        CHECK(reason->find("the disk was too slow") != std::string::npos);
        gate.set(true);
        writer->close();
        const ReadResult read = read_all({folder.path() / "recordings"});
        CHECK(read.error.detail == "");
        CHECK(read.first_entry + read.entries.size() == entries);
        CHECK(is_numbered(read));
        CHECK(read.end == End::stopped);
    }
}

TEST_CASE("a disk that hangs holds up the end of a recording no longer than it may") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        Gate gate;
        RecordingDisk disk{gate.calls()};
        const auto writer = open_writer(folder.settings(mode), disk);
        append_numbered(*writer, 3);
        writer->flush();
        gate.set(false);
        while (writer->segment() == 0) {
            writer->append(numbered_entry(writer->entries()));
        }
        gate.wait_for_visitor();  // The disk's thread hangs from here on.
        CHECK_FALSE(writer->close(Duration::zero()));
        CHECK_FALSE(writer->is_on());
        const std::uint64_t entries = writer->entries();
        writer->append("too late");
        CHECK(writer->entries() == entries);
        CHECK_FALSE(writer->close(std::chrono::milliseconds{1}));

        gate.set(true);
        CHECK(writer->close());
        CHECK(writer->take_stop_reason() == std::nullopt);
        const ReadResult read = read_all({folder.path() / "recordings"});
        CHECK(read.error.detail == "");
        CHECK(read.entries.size() == entries);
        CHECK(is_numbered(read));
        CHECK(read.end == End::closed);
    }
}

TEST_CASE("one shard's recording may begin and end while the disk hangs for another's") {
    const RecordingFolder folder;
    Gate gate;
    RecordingDisk disk{gate.calls()};
    const auto one = open_writer(folder.settings(Mode::all), disk);
    one->flush();
    gate.set(false);
    one->append("waits");
    gate.wait_for_visitor();
    RecordingSettings settings = folder.settings(Mode::all);
    settings.shard = ShardId{4};
    gate.let_pass(1);  // The header, which open() writes itself.
    const auto other = open_writer(settings, disk);
    other->append("waits, too");
    CHECK_FALSE(other->close(Duration::zero()));
    gate.set(true);
    CHECK(other->close());
    CHECK(one->is_on());
    CHECK(one->close());
}

TEST_CASE("what the disk refuses at the very end is told as the reason") {
    const RecordingFolder folder;
    FillingDisk filling;
    RecordingDisk disk{filling.calls()};
    const auto writer = open_writer(folder.settings(Mode::all), disk);
    append_numbered(*writer, 3);
    writer->flush();
    filling.fill();
    CHECK(writer->close());  // Not even the end mark can be written.
    const auto reason = writer->take_stop_reason();
    REQUIRE(reason.has_value());
    CHECK(reason->find("No space left on device") != std::string::npos);
    const ReadResult read = read_all({folder.path() / "recordings"});
    CHECK(read.error.detail == "");
    CHECK(read.entries.size() == 3);
    CHECK(read.end == End::cut_short);
}

TEST_CASE("an entry that no buffer of mode all can hold stops the recording") {
    const RecordingFolder folder;
    RecordingDisk disk;
    RecordingSettings settings = folder.settings(Mode::all);
    settings.segment_bytes = 4 << 20;
    settings.bytes_max = 16 << 20;
    settings.buffer_bytes_max = 1 << 20;
    const auto writer = open_writer(settings, disk);
    writer->append("small");
    writer->append(std::string(2 << 20, 'b'));
    const auto reason = writer->take_stop_reason();
    REQUIRE(reason.has_value());
    CHECK(reason->find("does not fit into the buffers of 1048576") != std::string::npos);
}

TEST_CASE("entries reach the disk by themselves, without a flush") {
    // Each write tells through a pipe that it is done.
    const RecordingFolder folder;
    int passed[2] = {-1, -1};
    REQUIRE(::pipe(passed) == 0);
    auto calls = RecordingDisk::system_calls();
    calls.write = [&](int fd, const void* bytes, std::size_t count) {
        const ssize_t written = ::write(fd, bytes, count);
        [[maybe_unused]] const auto told = ::write(passed[1], "x", 1);
        return written;
    };
    RecordingDisk disk{calls};
    const auto writer = open_writer(folder.settings(Mode::all), disk);
    char told = 0;
    REQUIRE(::read(passed[0], &told, 1) == 1);  // The header.
    writer->append("one");
    REQUIRE(::read(passed[0], &told, 1) == 1);
    CHECK(read_all({folder.path() / "recordings"}).entries == std::vector<std::string>{"one"});
    writer->close();
    ::close(passed[0]);
    ::close(passed[1]);
}

TEST_CASE("four shards record through one disk's thread") {
    const RecordingFolder folder;
    RecordingDisk disk;
    std::vector<std::thread> shards;
    for (std::uint16_t shard = 0; shard < 4; ++shard) {
        RecordingSettings settings = folder.settings(shard % 2 == 0 ? Mode::crash : Mode::all);
        settings.shard = ShardId{shard};
        shards.emplace_back([settings, &disk] {
            auto writer = RecordingWriter::open(settings, disk);
            if (writer) {
                append_numbered(**writer, 1000);
            }
        });
    }
    for (std::thread& shard : shards) {
        shard.join();
    }
    const auto recordings = list_recordings(folder.path() / "recordings");
    REQUIRE(recordings.has_value());
    REQUIRE(recordings->size() == 4);
    for (const Recording& recording : *recordings) {
        CHECK(recording.begins_at_start());
        CHECK_FALSE(recording.has_gap());
        std::vector<std::filesystem::path> files;
        for (const RecordedSegment& segment : recording.segments) {
            files.push_back(segment.file);
        }
        const ReadResult read = read_all(files);
        CHECK(read.entries.size() == 1000);
        CHECK(is_numbered(read));
        CHECK(read.end == End::closed);
    }
}

TEST_CASE("in mode off nothing is written and nothing is on") {
    const RecordingFolder folder;
    RecordingDisk disk;
    const auto writer = open_writer(folder.settings(Mode::off), disk);
    writer->append("entry");
    writer->flush();
    CHECK_FALSE(writer->is_on());
    CHECK(writer->take_stop_reason() == std::nullopt);
    CHECK(writer->entries() == 0);
    CHECK(writer->file().empty());
    writer->close();
    CHECK_FALSE(std::filesystem::exists(folder.path() / "recordings"));
}

TEST_CASE("settings that do not go together and folders that cannot be made are refused") {
    const RecordingFolder folder;
    RecordingDisk disk;
    const auto refused = [&disk](const RecordingSettings& settings) {
        const auto writer = RecordingWriter::open(settings, disk);
        REQUIRE_FALSE(writer);
        CHECK(writer.error().code == ErrorCode::bad_settings);
        return writer.error().detail;
    };
    RecordingSettings small = folder.settings(Mode::crash);
    small.bytes_max = 3 * 8192;
    CHECK(refused(small).find("at least 4 of them") != std::string::npos);
    RecordingSettings head = folder.settings(Mode::all);
    head.head = std::string(9000, 'h');
    CHECK(refused(head).find("whose head has 9000") != std::string::npos);
    RecordingSettings place = folder.settings(Mode::all);
    place.folder = "/proc/no/such";
    CHECK(refused(place).find("cannot make /proc/no/such") != std::string::npos);
    const auto first = open_writer(folder.settings(Mode::crash), disk);
    CHECK(refused(folder.settings(Mode::crash)).find("File exists") != std::string::npos);
}

TEST_CASE("only their owner may read recordings") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        RecordingDisk disk;
        const auto writer = open_writer(folder.settings(mode), disk);
        using std::filesystem::perms;
        CHECK(std::filesystem::status(folder.path() / "recordings").permissions() ==
              perms::owner_all);
        CHECK(std::filesystem::status(writer->file()).permissions() ==
              (perms::owner_read | perms::owner_write));
    }
}

}  // namespace
}  // namespace muster::runtime
