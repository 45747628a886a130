#include "shell/runtime/recording_reader.h"

#include <sys/stat.h>

#include <cstddef>
#include <fstream>

#include <doctest/doctest.h>

#include "shell/runtime/recording_format.h"
#include "shell/runtime/recording_test_folder.h"

namespace muster::runtime {
namespace {

using End = RecordingReader::End;

/// Writes a recording of `count` entries and returns its files.
std::vector<std::filesystem::path> record(const RecordingFolder& folder, Mode mode,
                                          std::uint64_t count) {
    RecordingDisk disk;
    const auto writer = open_writer(folder.settings(mode), disk);
    append_numbered(*writer, count);
    writer->close();
    return folder.files();
}

TEST_CASE("a reader tells whose recording it is and where it stands") {
    const RecordingFolder folder;
    const auto files = record(folder, Mode::all, 100);
    auto reader = RecordingReader::open({files.rbegin(), files.rend()});  // In any order.
    REQUIRE(reader.has_value());
    CHECK(reader->shard() == ShardId{3});
    CHECK(reader->boot() == Boot{0x2a});
    CHECK(reader->head() == "the head");
    CHECK(reader->begins_at_start());
    CHECK(reader->file() == files[0]);
    CHECK(reader->offset() == 64);
    CHECK(reader->next_entry() == 0);
    CHECK(**reader->next() == numbered_entry(0));
    CHECK(reader->next_entry() == 1);
    CHECK(reader->offset() == 64 + frame_bytes(numbered_entry(0).size()));
    while (reader->segment() == 0) {
        REQUIRE(reader->next()->has_value());
    }
    CHECK(reader->file() == files[1]);
    CHECK(reader->end() == End::unread);
}

TEST_CASE("a recording without its oldest segments is read from the first that is there") {
    const RecordingFolder folder;
    const auto files = record(folder, Mode::crash, 100);
    REQUIRE(files.size() >= 3);
    const ReadResult read = read_all({files.begin() + 1, files.end()});
    CHECK(read.first_entry > 0);
    CHECK(read.first_entry + read.entries.size() == 100);
    CHECK(is_numbered(read));
    CHECK(read.end == End::closed);
}

TEST_CASE("a missing segment in between is named") {
    const RecordingFolder folder;
    auto files = record(folder, Mode::all, 100);
    REQUIRE(files.size() >= 3);
    files.erase(files.begin() + 1);
    const ReadResult read = read_all(files);
    CHECK(read.error.code == ErrorCode::segment_missing);
    CHECK(read.error.detail ==
          "000000000000002a-shard3-00000001.rec is missing, though "
          "000000000000002a-shard3-00000002.rec follows it");
}

TEST_CASE("a missing last segment is a recording cut short") {
    const RecordingFolder folder;
    auto files = record(folder, Mode::all, 100);
    files.pop_back();
    const ReadResult read = read_all(files);
    CHECK(read.error.detail.empty());
    CHECK(read.end == End::cut_short);
    CHECK(is_numbered(read));
}

TEST_CASE("a file cut short anywhere gives the entries before the cut") {
    const RecordingFolder folder;
    const auto files = record(folder, Mode::all, 12);
    REQUIRE(files.size() == 1);
    std::size_t entries_behind = 12;
    for (std::size_t bytes = contents_of(files[0]).size() - 1; bytes > 0; --bytes) {
        CAPTURE(bytes);
        std::filesystem::resize_file(files[0], bytes);
        const ReadResult read = read_all(files);
        if (bytes < 64) {
            CHECK(read.error.code == ErrorCode::no_recording);  // Never begun.
        } else {
            CHECK(read.error.detail == "");
            CHECK(read.end == End::cut_short);
        }
        CHECK(is_numbered(read));
        CHECK(read.entries.size() <= entries_behind);
        entries_behind = read.entries.size();
    }
    CHECK(entries_behind == 0);
}

TEST_CASE("a file cut short, though a later one follows it, is damaged") {
    const RecordingFolder folder;
    const auto files = record(folder, Mode::all, 100);
    const std::string whole = contents_of(files[0]);
    write_contents(files[0], whole.substr(0, whole.size() / 2));
    const ReadResult read = read_all(files);
    CHECK(read.error.code == ErrorCode::damaged_recording);
    CHECK(read.error.detail.find("cut short, though a later one follows it") != std::string::npos);
    CHECK(is_numbered(read));
}

TEST_CASE("a damaged entry is told with its file and place, after the good ones before it") {
    const RecordingFolder folder;
    const auto files = record(folder, Mode::crash, 10);
    std::string bytes = contents_of(files[0]);
    std::size_t at = 64;
    for (std::uint64_t i = 0; i < 4; ++i) {
        at += frame_bytes(numbered_entry(i).size());
    }
    bytes[at + frame_head_bytes] ^= 1;
    write_contents(files[0], bytes);
    auto reader = RecordingReader::open(files);
    for (std::uint64_t i = 0; i < 4; ++i) {
        CHECK(**reader->next() == numbered_entry(i));
    }
    const auto damaged = reader->next();
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().code == ErrorCode::damaged_recording);
    CHECK(damaged.error().detail ==
          fmt::format("{} is damaged at byte {} (entry 4): the CRC says that an entry is not what "
                      "was written",
                      files[0].string(), at));
    CHECK(reader->next().error() == damaged.error());
    CHECK(reader->end() == End::unread);
}

TEST_CASE("no flip of any byte gives other entries than those that were appended") {
    for (const Mode mode : {Mode::crash, Mode::all}) {
        const RecordingFolder folder;
        const auto files = record(folder, mode, 8);
        REQUIRE(files.size() == 1);
        const std::string whole = contents_of(files[0]);
        // In place: to write whole files anew takes a minute.
        std::fstream file{files[0], std::ios::in | std::ios::out | std::ios::binary};
        const auto put = [&file](std::size_t at, int byte) {
            file.seekp(static_cast<std::streamoff>(at));
            file.put(static_cast<char>(byte));
            file.flush();
        };
        std::size_t error_count = 0;
        for (std::size_t at = 0; at < whole.size(); ++at) {
            for (const int flip : {0x01, 0x80, 0xff, static_cast<int>(whole[at])}) {
                put(at, whole[at] ^ flip);
                const ReadResult read = read_all(files);
                const bool is_same = read.entries.size() == 8 && is_numbered(read);
                const bool is_error = !read.error.detail.empty();
                if (!is_same && !is_error) {
                    FAIL_CHECK("byte " << at << " flipped by " << flip);
                }
                error_count += is_error ? 1 : 0;
            }
            put(at, whole[at]);
        }
        CHECK(error_count > whole.size());
    }
}

TEST_CASE("what is no recording is told as such") {
    const RecordingFolder folder;
    const auto file = folder.path() / "file.rec";
    const auto code_of = [&file](const std::string& bytes) {
        write_contents(file, bytes);
        const ReadResult read = read_all({file});
        CHECK(read.error.detail.find(file.string()) != std::string::npos);
        return read.error.code;
    };
    CHECK(code_of("#!/bin/sh\necho hello\n") == ErrorCode::not_a_recording);
    CHECK(code_of("m\n") == ErrorCode::not_a_recording);
    CHECK(code_of("") == ErrorCode::no_recording);
    CHECK(code_of(std::string(10000, '\0')) == ErrorCode::no_recording);
    CHECK(code_of("mustrec\n") == ErrorCode::no_recording);
    CHECK(read_all({folder.path() / "missing.rec"}).error.code == ErrorCode::no_recording);
    CHECK(read_all({folder.path() / "missing.rec", file}).error.code == ErrorCode::no_recording);
    CHECK(read_all({"/dev/null"}).error.code == ErrorCode::not_a_recording);
    CHECK(read_all({}).error.code == ErrorCode::no_recording);
}

TEST_CASE("a pipe in a file's place does not hold the reader up") {
    const RecordingFolder folder;
    const auto file = folder.path() / "file.rec";
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    CHECK(read_all({file}).error.code == ErrorCode::not_a_recording);
}

TEST_CASE("a recording of a newer version is told as such, whatever else it holds") {
    const RecordingFolder folder;
    const auto files = record(folder, Mode::all, 3);
    std::string bytes = contents_of(files[0]);
    bytes[8] = 2;
    write_contents(files[0], bytes);
    const ReadResult read = read_all(files);
    CHECK(read.error.code == ErrorCode::newer_recording);
    CHECK(read.error.detail == files[0].string() + " was recorded by a newer version of Muster");
}

TEST_CASE("files of two recordings are not read as one") {
    const RecordingFolder folder;
    const auto files = record(folder, Mode::all, 3);
    RecordingSettings other = folder.settings(Mode::all);
    other.shard = ShardId{4};
    {
        RecordingDisk disk;
        open_writer(other, disk)->append("x");
    }
    CHECK(read_all(folder.files()).error.code == ErrorCode::no_recording);
    CHECK(read_all({other.folder}).error.detail.find("holds 2 recordings") != std::string::npos);
    const auto copy = folder.path() / "copy.rec";
    write_contents(copy, contents_of(files[0]));
    CHECK(read_all({files[0], copy}).error.detail.find("are both segment 0") != std::string::npos);
}

TEST_CASE("a recording that is still written is read as far as it is") {
    const RecordingFolder folder;
    RecordingDisk disk;
    const auto writer = open_writer(folder.settings(Mode::crash), disk);
    append_numbered(*writer, 50);
    const ReadResult read = read_all(folder.files());
    CHECK(read.entries.size() == 50);
    CHECK(is_numbered(read));
    CHECK(read.end == End::cut_short);
}

TEST_CASE("an entry that was not published is not there, though its bytes are") {
    const RecordingFolder folder;
    const auto files = record(folder, Mode::crash, 5);
    std::string bytes = contents_of(files[0]);
    const std::size_t last = bytes.size() - end_mark_bytes - frame_bytes(numbered_entry(4).size());
    store_u64(bytes.data() + last, 0);
    write_contents(files[0], bytes);
    const ReadResult read = read_all(files);
    CHECK(read.error.detail.empty());
    CHECK(read.entries.size() == 4);
    CHECK(read.end == End::cut_short);
}

TEST_CASE("a length without bytes behind it takes no memory") {
    const RecordingFolder folder;
    const auto files = record(folder, Mode::all, 1);
    std::string bytes = contents_of(files[0]).substr(0, 64);
    bytes.resize(72);
    store_u64(bytes.data() + 64, frame_start(recording_entry_bytes_max));
    write_contents(files[0], bytes);
    CHECK(read_all(files).end == End::cut_short);
    store_u64(bytes.data() + 64, frame_start(recording_entry_bytes_max + 1));
    write_contents(files[0], bytes);
    CHECK(read_all(files).error.code == ErrorCode::damaged_recording);
}

}  // namespace
}  // namespace muster::runtime
