#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace muster::runtime {

/// The bounded first-in-first-out between two threads: one pushes, one pops, neither waits.
///
/// Shape:  a ring of `capacity` places (a power of two).
/// Thread: push() only on the one side, pop() only on the other. Whoever pops sees all that was
///         written before the push.
/// Full:   push() returns the item; the sender keeps it and takes no new work until it is gone.
template <typename T>
class Channel {
public:
    explicit Channel(std::size_t capacity) : places_(capacity), mask_(capacity - 1) {}

    /// Takes `item` and returns true, or leaves it as it is and returns false when full.
    bool push(T& item) noexcept {
        const std::size_t end = end_.load(std::memory_order_relaxed);
        if (end - begin_.load(std::memory_order_acquire) == places_.size()) {
            return false;
        }
        places_[end & mask_] = std::move(item);
        end_.store(end + 1);  // Sequentially consistent: the doorbell's proof needs it.
        return true;
    }

    /// Returns the oldest item, or nothing.
    std::optional<T> pop() noexcept {
        const std::size_t begin = begin_.load(std::memory_order_relaxed);
        if (begin == end_.load()) {
            return std::nullopt;
        }
        std::optional<T> item = std::exchange(places_[begin & mask_], std::nullopt);
        begin_.store(begin + 1, std::memory_order_release);
        return item;
    }

    /// For the side that pops, before it sleeps (with Doorbell::about_to_sleep).
    [[nodiscard]] bool empty() const noexcept { return begin_.load() == end_.load(); }

private:
    std::vector<std::optional<T>> places_;
    std::size_t mask_;
    // Each on a cache line of its own: the two threads write one each.
    alignas(64) std::atomic<std::size_t> begin_{0};  // Written by the side that pops.
    alignas(64) std::atomic<std::size_t> end_{0};    // Written by the side that pushes.
};

}  // namespace muster::runtime
