#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "shell/runtime/descriptor.h"

namespace muster::runtime {

/// A shard's view of the kernel's readiness (epoll, level-triggered).
///
/// Thread: its shard.
class Poller {
public:
    /// `events_max`: how many ready descriptors one turn may see.
    explicit Poller(std::size_t events_max);

    /// Watches `fd` for `events` (EPOLLIN …); `token` comes back with them.
    void add(int fd, std::uint32_t events, std::uint64_t token);
    void change(int fd, std::uint32_t events, std::uint64_t token);
    void remove(int fd);

    /// Waits until something is ready, `timeout` is over (nullopt: without end; 0: not at all), or
    /// a signal or the end of a stop wakes the thread; with what is ready by then. The result is
    /// valid until the next call.
    [[nodiscard]] std::span<const epoll_event> wait(std::optional<Duration> timeout);

private:
    Descriptor epoll_;
    std::vector<epoll_event> ready_;
};

}  // namespace muster::runtime
