#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "shell/runtime/recording_files.h"
#include "shell/runtime/recording_settings.h"

namespace muster::runtime {

/// Where the entries of one shard go: mapped segments (mode crash) or buffers (mode all).
///
/// Thread: the shard appends; RecordingDisk's thread works, and closes when the shard appends no
///         more. open() runs before the disk's thread knows of it.
class RecordingSink {
public:
    explicit RecordingSink(RecordingSettings settings) : settings_(std::move(settings)) {}
    virtual ~RecordingSink() = default;
    RecordingSink(const RecordingSink&) = delete;
    RecordingSink& operator=(const RecordingSink&) = delete;

    /// Begins the first segment. May wait for the disk. Errors: bad_settings.
    [[nodiscard]] virtual Result<void> open() = 0;

    /// The shard. Never waits: stops the recording instead. Only while is_on().
    virtual void append(std::string_view entry) noexcept = 0;

    /// The disk's thread: does what can be done now.
    virtual void work() = 0;
    /// The disk's thread, which is about to sleep.
    [[nodiscard]] virtual bool has_work() = 0;

    /// The disk's thread, last: ends the last segment in order and lets go of everything. Where the
    /// disk refuses the rest, stops with that reason.
    virtual void close() = 0;

    [[nodiscard]] bool is_on() const noexcept { return is_on_.load(std::memory_order_acquire); }

    /// Any of the two threads: ends the recording for good. The first reason counts.
    void stop(std::string reason) {
        const std::lock_guard lock{reason_mutex_};
        if (is_on_.exchange(false)) {
            reason_ = std::move(reason);
        }
    }
    std::optional<std::string> take_stop_reason() {
        if (is_on()) {
            return std::nullopt;
        }
        const std::lock_guard lock{reason_mutex_};
        return std::exchange(reason_, std::nullopt);
    }

    // The shard's own counts.
    [[nodiscard]] std::uint64_t entries() const noexcept { return entries_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t segment() const noexcept { return segment_; }
    [[nodiscard]] std::filesystem::path file() const { return file_of(segment_); }

protected:
    [[nodiscard]] std::filesystem::path file_of(std::uint64_t segment) const {
        return settings_.folder / text_of({settings_.boot, settings_.shard, segment});
    }

    /// Ends the recording without a reason to tell.
    void end() noexcept { is_on_.store(false); }

    RecordingSettings settings_;
    std::uint64_t entries_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t segment_ = 0;

private:
    std::atomic<bool> is_on_{true};  // Cleared by the shard or the disk's thread, read by both.
    std::mutex reason_mutex_;        // Guards reason_; the shard takes it only once it is off.
    std::optional<std::string> reason_;
};

}  // namespace muster::runtime
