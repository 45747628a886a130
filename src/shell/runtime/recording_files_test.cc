#include "shell/runtime/recording_files.h"

#include <chrono>
#include <cstddef>

#include <doctest/doctest.h>

#include "shell/runtime/recording_test_folder.h"

namespace muster::runtime {
namespace {

using namespace std::chrono_literals;

/// Puts a file of `bytes` there as if `boot` had written it so many hours ago.
void put(const std::filesystem::path& folder, const SegmentName& name, std::size_t bytes,
         int hours_ago) {
    const auto file = folder / text_of(name);
    write_contents(file, std::string(bytes, 'x'));
    std::filesystem::last_write_time(
        file, std::filesystem::file_time_type::clock::now() - std::chrono::hours{hours_ago});
}

TEST_CASE("a segment's name says life, shard and number, and is read back") {
    const SegmentName name{Boot{0xab12}, ShardId{7}, 42};
    CHECK(text_of(name) == "000000000000ab12-shard7-00000042.rec");
    CHECK(parse_segment_name(text_of(name)) == name);
    const SegmentName biggest{Boot{~0ULL}, ShardId{65535}, ~0ULL};
    CHECK(parse_segment_name(text_of(biggest)) == biggest);
    for (const std::string_view text :
         {"", ".rec", "000000000000ab12-shard7-00000042", "000000000000AB12-shard7-00000042.rec",
          "ab12-shard7-00000042.rec", "000000000000ab12-shard07-00000042.rec",
          "000000000000ab12-shard7-42.rec", "000000000000ab12-shard65536-00000042.rec",
          "000000000000ab12-shard7-00000042.rec.gz", "-00000000000ab12-shard7-00000042.rec",
          "000000000000ab12-shard7--0000042.rec"}) {
        CAPTURE(text);
        CHECK(parse_segment_name(text) == std::nullopt);
    }
}

TEST_CASE("a folder tells its recordings: the last life first, its shards and segments in order") {
    const RecordingFolder folder;
    put(folder.path(), {Boot{9}, ShardId{1}, 5}, 10, 3);
    put(folder.path(), {Boot{2}, ShardId{1}, 0}, 10, 1);
    put(folder.path(), {Boot{2}, ShardId{0}, 1}, 20, 2);
    put(folder.path(), {Boot{2}, ShardId{0}, 0}, 30, 4);
    put(folder.path(), {Boot{9}, ShardId{1}, 7}, 10, 3);
    write_contents(folder.path() / "notes.txt", "not ours");
    const auto recordings = list_recordings(folder.path());
    REQUIRE(recordings.has_value());
    REQUIRE(recordings->size() == 3);
    const Recording& first = (*recordings)[0];
    CHECK(first.boot == Boot{2});
    CHECK(first.shard == ShardId{0});
    CHECK(first.bytes == 50);
    CHECK(first.segments[0].number == 0);
    CHECK(first.segments[1].number == 1);
    CHECK(first.begins_at_start());
    CHECK_FALSE(first.has_gap());
    CHECK((*recordings)[1].shard == ShardId{1});
    CHECK((*recordings)[2].boot == Boot{9});
    CHECK_FALSE((*recordings)[2].begins_at_start());
    CHECK((*recordings)[2].has_gap());
}

TEST_CASE("a folder that is not there is no recording, an empty one has none") {
    const RecordingFolder folder;
    CHECK(list_recordings(folder.path())->empty());
    const auto missing = list_recordings(folder.path() / "missing");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == ErrorCode::no_recording);
    remove_old_lives(folder.path() / "missing", Boot{1}, 0);
}

TEST_CASE("a new life removes the oldest ones, whole, until the rest is small enough") {
    const RecordingFolder folder;
    for (const ShardId shard : {ShardId{0}, ShardId{1}}) {
        put(folder.path(), {Boot{5}, shard, 0}, 100, 4);
        put(folder.path(), {Boot{4}, shard, 0}, 100, 3);
        put(folder.path(), {Boot{3}, shard, 0}, 100, 2);
    }
    put(folder.path(), {Boot{6}, ShardId{0}, 0}, 1000, 0);  // The present one does not count.
    const auto lives = [&folder] {
        std::string text;
        const auto recordings = list_recordings(folder.path());
        for (const Recording& recording : recordings.value()) {
            text += fmt::format("{}.{} ", recording.boot.value, recording.shard.value);
        }
        return text;
    };
    remove_old_lives(folder.path(), Boot{6}, 600);
    CHECK(lives() == "6.0 3.0 3.1 4.0 4.1 5.0 5.1 ");
    remove_old_lives(folder.path(), Boot{6}, 599);
    CHECK(lives() == "6.0 3.0 3.1 4.0 4.1 ");
    remove_old_lives(folder.path(), Boot{6}, 0);
    CHECK(lives() == "6.0 3.0 3.1 ");  // The newest earlier life may be the one that crashed.
}

TEST_CASE("opening a writer makes room for the new life") {
    const RecordingFolder folder;
    RecordingDisk disk;
    for (std::uint64_t boot = 1; boot <= 4; ++boot) {
        RecordingSettings settings = folder.settings(Mode::crash);
        settings.boot = Boot{boot};
        settings.folder_bytes_max = 0;
        const auto writer = open_writer(settings, disk);
        append_numbered(*writer, 10);
        writer->close();
        // Apart in time, however coarse the clock of the file system is.
        std::filesystem::last_write_time(
            writer->file(),
            std::filesystem::file_time_type::clock::now() - std::chrono::hours{100 - boot});
        CHECK(list_recordings(settings.folder)->size() == std::min<std::uint64_t>(boot, 2));
    }
}

}  // namespace
}  // namespace muster::runtime
