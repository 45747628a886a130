#include "shell/runtime/poller.h"

#include <cerrno>
#include <chrono>
#include <cstddef>

#include "base/check.h"

namespace muster::runtime {

Poller::Poller(std::size_t events_max) : epoll_(epoll_create1(EPOLL_CLOEXEC)), ready_(events_max) {
    MUSTER_CHECK(epoll_.is_open());
}

void Poller::add(int fd, std::uint32_t events, std::uint64_t token) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    MUSTER_CHECK(epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void Poller::change(int fd, std::uint32_t events, std::uint64_t token) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    MUSTER_CHECK(epoll_ctl(epoll_.fd(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void Poller::remove(int fd) {
    MUSTER_CHECK(epoll_ctl(epoll_.fd(), EPOLL_CTL_DEL, fd, nullptr) == 0);
}

std::span<const epoll_event> Poller::wait(std::optional<Duration> timeout) {
    timespec limit{};
    if (timeout) {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(*timeout);
        limit.tv_sec = seconds.count();
        limit.tv_nsec = std::chrono::nanoseconds(*timeout - seconds).count();
    }
    const timespec* until = timeout ? &limit : nullptr;
    while (true) {
        const int count = epoll_pwait2(epoll_.fd(), ready_.data(), static_cast<int>(ready_.size()),
                                       until, nullptr);
        if (count >= 0) {
            return std::span(ready_).first(static_cast<std::size_t>(count));
        }
        // A process that was stopped for a while comes out here, too, and must see what has come
        // meanwhile before it finds that everybody was silent.
        MUSTER_CHECK(errno == EINTR);
        limit = timespec{};
        until = &limit;
    }
}

}  // namespace muster::runtime
