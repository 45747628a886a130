#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace muster {

/// First in, first out, in one block of memory that shrinks to nothing when empty.
/// Cost: push and pop are amortised O(1); an empty one is 32 bytes and owns no memory. It does not
/// know a bound of its own: its owner checks the limit before it pushes.
template <typename T>
class Fifo {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == items_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size() - head_; }

    /// Returns the i-th oldest item; i < size().
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return items_[head_ + i]; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return items_[head_ + i]; }
    [[nodiscard]] const T& front() const noexcept { return items_[head_]; }
    [[nodiscard]] const T& back() const noexcept { return items_.back(); }
    [[nodiscard]] T& back() noexcept { return items_.back(); }

    [[nodiscard]] auto begin() const noexcept {
        return items_.begin() + static_cast<std::ptrdiff_t>(head_);
    }
    [[nodiscard]] auto end() const noexcept { return items_.end(); }

    void push(T item) { items_.push_back(std::move(item)); }

    /// Removes and returns the oldest item; not when empty().
    T pop() {
        T item = std::move(items_[head_]);
        ++head_;
        if (head_ == items_.size()) {
            std::vector<T>().swap(items_);
            head_ = 0;
        } else if (head_ >= 32 && head_ * 2 >= items_.size()) {
            items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
        return item;
    }

    void clear() {
        std::vector<T>().swap(items_);
        head_ = 0;
    }

private:
    std::vector<T> items_;
    std::size_t head_ = 0;
};

}  // namespace muster
