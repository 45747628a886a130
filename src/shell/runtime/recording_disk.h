#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "shell/runtime/descriptor.h"

namespace muster::runtime {

class RecordingSink;

/// The thread that waits for the disk, so that no shard has to. One serves all shards' recordings.
///
/// Owns:       its thread; outlives all writers that use it.
/// Thread:     any may call.
/// Idle:       sleeps without end until somebody rings.
class RecordingDisk {
public:
    /// What of the disk may be slow or full; tests put their own here.
    struct Calls {
        /// write(2)
        std::function<ssize_t(int, const void*, std::size_t)> write;
        /// posix_fallocate from the start on: 0, or an errno
        std::function<int(int, std::uint64_t)> allocate;
    };
    static Calls system_calls();

    RecordingDisk() : RecordingDisk(system_calls()) {}
    explicit RecordingDisk(Calls calls);
    ~RecordingDisk();
    RecordingDisk(const RecordingDisk&) = delete;
    RecordingDisk& operator=(const RecordingDisk&) = delete;

    [[nodiscard]] const Calls& calls() const noexcept { return calls_; }

    /// From now on the thread works for `sink`, until remove(), which returns when it does not any
    /// more. Both may wait for the disk.
    void add(RecordingSink& sink);
    void remove(RecordingSink& sink);

    /// A shard: there is work that must not wait. At most one system call, which does not wait.
    void ring() noexcept;

    /// A shard: there is work that may wait for more of its kind, some tenths of a second. A
    /// system call only for the first such work after silence.
    void ring_softly() noexcept;

    /// Waits until the thread has done all work that there is now. May wait for the disk.
    void flush();

private:
    enum class Sleep : std::uint8_t { none, until_rung, for_a_while };

    void run();
    void work();
    void sleep(Sleep kind);
    void wake() noexcept;

    Calls calls_;
    Descriptor event_;
    // How deep the thread sleeps. It says so itself, and then looks for work once more; who has
    // work puts it down first and looks here after. All sequentially consistent, so one of the two
    // sees the other. Whoever wakes it sets `none`.
    std::atomic<Sleep> sleep_{Sleep::none};
    std::atomic<bool> is_urgent_{false};  // Set by who rings, cleared by the thread when it works.
    std::atomic<bool> is_ending_{false};  // Set by the destructor, read by the thread.

    // Guards all below. Taken by the thread while it works, and by whoever adds, removes or
    // flushes, but never in append().
    std::mutex mutex_;
    std::condition_variable flushed_;
    std::vector<RecordingSink*> sinks_;
    std::uint64_t flush_count_ = 0;       // Asked for, by those who flush.
    std::uint64_t flush_done_count_ = 0;  // Done, by the thread.

    std::thread thread_;  // Last: it uses all the others.
};

}  // namespace muster::runtime
