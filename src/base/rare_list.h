#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace muster {

/// A list that is empty nearly always, in an object of which there are very many: one pointer, and
/// no memory while it is empty. Its owner checks the limit before it pushes.
/// Cost: what a std::vector costs, and one allocation when it stops being empty.
template <typename T>
class RareList {
public:
    [[nodiscard]] bool empty() const noexcept { return items_ == nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return empty() ? 0 : items_->size(); }

    [[nodiscard]] T* begin() noexcept { return empty() ? nullptr : items_->data(); }
    [[nodiscard]] T* end() noexcept { return begin() + size(); }
    [[nodiscard]] const T* begin() const noexcept { return empty() ? nullptr : items_->data(); }
    [[nodiscard]] const T* end() const noexcept { return begin() + size(); }

    void push(T item) {
        if (empty()) {
            items_ = std::make_unique<std::vector<T>>();
        }
        items_->push_back(std::move(item));
    }

    void erase(const T* item) {
        items_->erase(items_->begin() + (item - items_->data()));
        shrink();
    }

    template <typename Predicate>
    void erase_if(Predicate predicate) {
        if (!empty()) {
            std::erase_if(*items_, std::move(predicate));
            shrink();
        }
    }

    /// Returns all, and is empty.
    [[nodiscard]] std::vector<T> take() {
        std::vector<T> all;
        if (!empty()) {
            all = std::move(*items_);
            items_.reset();
        }
        return all;
    }

private:
    void shrink() {
        if (items_->empty()) {
            items_.reset();
        }
    }

    std::unique_ptr<std::vector<T>> items_;  // Never of an empty one.
};

}  // namespace muster
