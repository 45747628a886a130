#pragma once

#include <atomic>

#include "base/time.h"
#include "shell/runtime/descriptor.h"

namespace muster::runtime {

/// Wakes a sleeping thread: once per batch, and only if it sleeps.
///
/// Two sides: any thread rings; one thread, the owner, sleeps. The owner says that it is about to
/// sleep, then looks at its channels once more, then sleeps on fd(). A sender pushes first and
/// rings after. Both use sequentially consistent operations, so one of them always sees the other:
/// no message is left lying while the owner sleeps.
class Doorbell {
public:
    Doorbell();

    /// Any thread: wakes the owner if it sleeps or is about to.
    void ring() noexcept;

    /// The owner: from here on, rings wake it.
    void about_to_sleep() noexcept { is_asleep_.store(true); }

    /// The owner, after about_to_sleep(): sleeps until it is rung or `limit` is over, whatever else
    /// is ready.
    void sleep(Duration limit) const noexcept;

    /// The owner is awake: rings cost the senders nothing any more.
    void awake() noexcept;

    /// Readable once it was rung. For the owner's poller.
    [[nodiscard]] int fd() const noexcept { return event_.fd(); }

private:
    Descriptor event_;
    std::atomic<bool> is_asleep_{false};  // Set by the owner, cleared by whoever rings first.
};

}  // namespace muster::runtime
