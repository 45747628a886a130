#pragma once

#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "shell/runtime/recording_disk.h"
#include "shell/runtime/recording_reader.h"
#include "shell/runtime/recording_settings.h"
#include "shell/runtime/recording_writer.h"

// For the tests of recordings: a folder that goes away, disks that hang or fill, and short ways to
// write and read.
namespace muster::runtime {

using Mode = RecordingSettings::Mode;

class RecordingFolder {
public:
    RecordingFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "muster-rec-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~RecordingFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    RecordingFolder(const RecordingFolder&) = delete;
    RecordingFolder& operator=(const RecordingFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    /// Small segments, so that few entries fill several.
    [[nodiscard]] RecordingSettings settings(Mode mode) const {
        RecordingSettings settings;
        settings.mode = mode;
        settings.folder = path_ / "recordings";
        settings.shard = ShardId{3};
        settings.boot = Boot{0x2a};
        settings.bytes_max = 1 << 20;
        settings.segment_bytes = 8192;
        settings.head = "the head";
        return settings;
    }

    [[nodiscard]] std::vector<std::filesystem::path> files() const {
        std::vector<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator{path_ / "recordings"}) {
            files.push_back(entry.path());
        }
        std::sort(files.begin(), files.end());
        return files;
    }
    [[nodiscard]] std::uint64_t bytes_on_disk() const {
        std::uint64_t bytes = 0;
        for (const auto& file : files()) {
            bytes += std::filesystem::file_size(file);
        }
        return bytes;
    }

private:
    std::filesystem::path path_;
};

/// Holds up whoever uses the disk, until it is opened.
class Gate {
public:
    void set(bool is_open) {
        const std::lock_guard lock{mutex_};
        is_open_ = is_open;
        changed_.notify_all();
    }
    /// So many may pass though it is closed: those who come from now on, before any who wait.
    void let_pass(int count) {
        const std::lock_guard lock{mutex_};
        free_ = count;
    }
    /// Waits until somebody is held up.
    void wait_for_visitor() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return visitors_ > 0; });
    }

    /// System calls that pass through it.
    RecordingDisk::Calls calls() {
        auto calls = RecordingDisk::system_calls();
        calls.write = [this, write = calls.write](int fd, const void* bytes, std::size_t count) {
            pass();
            return write(fd, bytes, count);
        };
        calls.allocate = [this, allocate = calls.allocate](int fd, std::uint64_t bytes) {
            pass();
            return allocate(fd, bytes);
        };
        return calls;
    }

private:
    void pass() {
        std::unique_lock lock{mutex_};
        if (free_ > 0) {
            --free_;
            return;
        }
        ++visitors_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return is_open_; });
        --visitors_;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_open_ = true;
    int free_ = 0;
    int visitors_ = 0;
};

/// A disk that is full from some moment on.
class FillingDisk {
public:
    void fill() { is_full_.store(true); }

    /// System calls to it.
    RecordingDisk::Calls calls() {
        auto calls = RecordingDisk::system_calls();
        calls.write = [this, write = calls.write](int fd, const void* bytes, std::size_t count) {
            if (is_full_.load()) {
                errno = ENOSPC;
                return ssize_t{-1};
            }
            return write(fd, bytes, count);
        };
        calls.allocate = [this, allocate = calls.allocate](int fd, std::uint64_t bytes) {
            return is_full_.load() ? ENOSPC : allocate(fd, bytes);
        };
        return calls;
    }

private:
    std::atomic<bool> is_full_{false};  // Set by the test, read by the disk's thread.
};

inline std::unique_ptr<RecordingWriter> open_writer(RecordingSettings settings,
                                                    RecordingDisk& disk) {
    auto writer = RecordingWriter::open(std::move(settings), disk);
    REQUIRE_MESSAGE(writer, (writer ? std::string{} : writer.error().detail));
    return std::move(*writer);
}

/// The entry number `index`, of a size that changes from one to the next.
inline std::string numbered_entry(std::uint64_t index) {
    return fmt::format("{}:{}", index,
                       std::string(index * 37 % 500, static_cast<char>('a' + index % 26)));
}

/// Appends the next `count` numbered entries; waits for the disk at each new segment.
inline void append_numbered(RecordingWriter& writer, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t segment = writer.segment();
        writer.append(numbered_entry(writer.entries()));
        if (writer.segment() != segment) {
            writer.flush();
        }
    }
}

/// What a reader gives from beginning to end.
struct ReadResult {
    std::vector<std::string> entries;
    std::uint64_t first_entry = 0;
    RecordingReader::End end = RecordingReader::End::unread;
    Error error{};  ///< with a detail where there was one
};

inline ReadResult read_all(std::vector<std::filesystem::path> paths) {
    ReadResult result;
    auto reader = RecordingReader::open(std::move(paths));
    if (!reader) {
        result.error = reader.error();
        return result;
    }
    result.first_entry = reader->next_entry();
    for (;;) {
        auto entry = reader->next();
        if (!entry) {
            result.error = entry.error();
            break;
        }
        if (!*entry) {
            break;
        }
        result.entries.emplace_back(**entry);
    }
    result.end = reader->end();
    return result;
}

/// Are the entries the numbered ones, from first_entry on?
inline bool is_numbered(const ReadResult& result) {
    for (std::size_t i = 0; i < result.entries.size(); ++i) {
        if (result.entries[i] != numbered_entry(result.first_entry + i)) {
            return false;
        }
    }
    return true;
}

inline std::string contents_of(const std::filesystem::path& file) {
    std::ifstream stream{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

inline void write_contents(const std::filesystem::path& file, const std::string& bytes) {
    std::ofstream{file, std::ios::binary | std::ios::trunc} << bytes;
}

}  // namespace muster::runtime
