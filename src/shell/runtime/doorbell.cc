#include "shell/runtime/doorbell.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <chrono>
#include <cstdint>
#include <ctime>

#include "base/check.h"

namespace muster::runtime {

Doorbell::Doorbell() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    MUSTER_CHECK(event_.is_open());
}

void Doorbell::ring() noexcept {
    if (is_asleep_.exchange(false)) {
        const std::uint64_t one = 1;
        // It can fail only where 2^64 - 2 rings have not been heard; one more says nothing new.
        [[maybe_unused]] const auto written = write(event_.fd(), &one, sizeof one);
    }
}

void Doorbell::sleep(Duration limit) const noexcept {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(limit);
    const timespec time{seconds.count(), std::chrono::nanoseconds(limit - seconds).count()};
    pollfd bell{event_.fd(), POLLIN, 0};
    [[maybe_unused]] const int count = ppoll(&bell, 1, &time, nullptr);  // Early is no harm.
}

void Doorbell::awake() noexcept {
    if (!is_asleep_.exchange(false)) {
        std::uint64_t rings = 0;
        // Nothing to read where the ringer has cleared the flag but not written yet: then the
        // poller wakes once for nothing.
        [[maybe_unused]] const auto taken = read(event_.fd(), &rings, sizeof rings);
    }
}

}  // namespace muster::runtime
