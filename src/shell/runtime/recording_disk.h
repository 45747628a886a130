#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/time.h"
#include "shell/runtime/descriptor.h"

namespace muster::runtime {

class RecordingSink;

/// The thread that waits for the disk, so that no shard has to. One serves all shards' recordings.
///
/// Owns:       its thread; outlives all writers that use it.
/// Thread:     any may call.
/// Idle:       sleeps without end until somebody rings.
/// Hung disk:  holds up this thread alone, and who waits for it: flush(), close() without a bound,
///             the destructor. No lock is held while it waits for the disk.
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

    /// From now on the thread works for `sink`, which stays where it is until it is closed.
    void add(RecordingSink& sink);

    /// Has the thread close `sink`, to which nothing is appended any more, and then know it no
    /// more. Waits for that, for `patience` at most; without one, as long as the disk takes.
    /// Returns whether it is done; if not, it may be asked again, and `sink` must live on.
    [[nodiscard]] bool close(RecordingSink& sink, std::optional<Duration> patience);

    /// A shard: there is work that must not wait. At most one system call, which does not wait.
    void ring() noexcept;

    /// A shard: there is work that may wait for more of its kind, some tenths of a second. A
    /// system call only for the first such work after silence.
    void ring_softly() noexcept;

    /// Waits until the thread has done all work that there is now. May wait for the disk.
    void flush();

private:
    enum class Sleep : std::uint8_t { none, until_rung, for_a_while };

    struct Job {
        RecordingSink* sink = nullptr;
        bool is_closing = false;
    };

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

    // Guards all below. Taken by the thread between two sinks, and by whoever adds, closes or
    // flushes, but never in append().
    std::mutex mutex_;
    std::condition_variable done_;        // A sink was closed, or a flush is done.
    std::vector<Job> jobs_;               // Others add at its end; the thread alone removes.
    std::uint64_t flush_count_ = 0;       // Asked for, by those who flush.
    std::uint64_t flush_done_count_ = 0;  // Done, by the thread.

    std::thread thread_;  // Last: it uses all the others.
};

}  // namespace muster::runtime
