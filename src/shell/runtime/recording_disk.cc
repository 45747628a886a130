#include "shell/runtime/recording_disk.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/check.h"
#include "shell/runtime/recording_sink.h"

namespace muster::runtime {
namespace {

// How long entries may lie in buffers before they are written: what a kill may cost in mode all.
constexpr int linger_ms = 200;

}  // namespace

RecordingDisk::Calls RecordingDisk::system_calls() {
    return {.write = [](int fd, const void* bytes,
                        std::size_t count) { return ::write(fd, bytes, count); },
            .allocate =
                [](int fd, std::uint64_t bytes) {
                    return ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
                }};
}

RecordingDisk::RecordingDisk(Calls calls)
    : calls_(std::move(calls)), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    MUSTER_CHECK(event_.is_open());
    thread_ = std::thread([this] { run(); });
}

RecordingDisk::~RecordingDisk() {
    is_ending_.store(true);
    wake();
    thread_.join();
    MUSTER_CHECK(jobs_.empty());
}

void RecordingDisk::add(RecordingSink& sink) {
    const std::lock_guard lock{mutex_};
    jobs_.push_back({.sink = &sink});
}

bool RecordingDisk::close(RecordingSink& sink, std::optional<Duration> patience) {
    std::unique_lock lock{mutex_};
    const auto job = std::ranges::find(jobs_, &sink, &Job::sink);
    if (job != jobs_.end()) {
        job->is_closing = true;
        ring();
    }
    const auto is_closed = [&] {
        return std::ranges::find(jobs_, &sink, &Job::sink) == jobs_.end();
    };
    if (patience) {
        return done_.wait_for(lock, *patience, is_closed);
    }
    done_.wait(lock, is_closed);
    return true;
}

void RecordingDisk::ring() noexcept {
    is_urgent_.store(true);
    if (sleep_.load() != Sleep::none && sleep_.exchange(Sleep::none) != Sleep::none) {
        wake();
    }
}

void RecordingDisk::ring_softly() noexcept {
    auto expected = Sleep::until_rung;
    if (sleep_.load() == expected && sleep_.compare_exchange_strong(expected, Sleep::none)) {
        wake();
    }
}

void RecordingDisk::wake() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.fd(), &one, sizeof one);
}

void RecordingDisk::flush() {
    std::unique_lock lock{mutex_};
    const std::uint64_t mine = ++flush_count_;
    ring();
    done_.wait(lock, [&] { return flush_done_count_ >= mine; });
}

void RecordingDisk::work() {
    std::unique_lock lock{mutex_};
    is_urgent_.store(false);
    const std::uint64_t flush_count = flush_count_;
    for (std::size_t i = 0; i < jobs_.size();) {
        const Job job = jobs_[i];
        lock.unlock();  // Others may add and ask while this waits for the disk.
        if (job.is_closing) {
            job.sink->close();
        } else {
            job.sink->work();
        }
        lock.lock();
        if (job.is_closing) {
            jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(i));
            done_.notify_all();
        } else {
            ++i;
        }
    }
    if (flush_done_count_ != flush_count) {
        flush_done_count_ = flush_count;
        done_.notify_all();
    }
}

/// Sleeps if there is nothing to do.
void RecordingDisk::sleep(Sleep kind) {
    sleep_.store(kind);
    bool has_work = is_urgent_.load() || is_ending_.load();
    if (!has_work && kind == Sleep::until_rung) {
        const std::lock_guard lock{mutex_};
        has_work = std::ranges::any_of(
            jobs_, [](const Job& job) { return job.is_closing || job.sink->has_work(); });
    }
    if (!has_work) {
        pollfd event{event_.fd(), POLLIN, 0};
        ::poll(&event, 1, kind == Sleep::until_rung ? -1 : linger_ms);
    }
    sleep_.store(Sleep::none);
    std::uint64_t rings = 0;
    [[maybe_unused]] const auto taken = ::read(event_.fd(), &rings, sizeof rings);
}

void RecordingDisk::run() {
    while (!is_ending_.load()) {
        work();
        sleep(Sleep::until_rung);
        if (!is_urgent_.load() && !is_ending_.load()) {
            sleep(Sleep::for_a_while);  // For more of the work that woke us.
        }
    }
}

}  // namespace muster::runtime
