#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace muster {

/// Immutable bytes that many hold and nobody changes: names, payloads, encoded frames.
///
/// Shape:  one allocation for count and bytes; a handle is 24 bytes; the empty one allocates
/// nothing. Thread: handles may be copied and dropped on any shard (the count is
/// std::shared_ptr's). Cost:   a copy of a handle is one counter increment.
class SharedText {
public:
    SharedText() = default;

    /// Copies `bytes` (at most 4 GiB) once.
    explicit SharedText(std::string_view bytes) : size_(static_cast<std::uint32_t>(bytes.size())) {
        MUSTER_CHECK(bytes.size() <= std::numeric_limits<std::uint32_t>::max());
        if (!bytes.empty()) {
            auto block = std::make_shared_for_overwrite<char[]>(bytes.size());
            std::memcpy(block.get(), bytes.data(), bytes.size());
            bytes_ = std::move(block);
        }
    }

    // A text that was moved from is empty: no size without bytes.
    SharedText(const SharedText&) = default;
    SharedText& operator=(const SharedText&) = default;
    SharedText(SharedText&& other) noexcept
        : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}
    SharedText& operator=(SharedText&& other) noexcept {
        bytes_ = std::move(other.bytes_);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }
    ~SharedText() = default;

    [[nodiscard]] std::string_view view() const noexcept { return {bytes_.get(), size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    friend bool operator==(const SharedText& a, const SharedText& b) noexcept {
        return a.view() == b.view();
    }
    friend std::strong_ordering operator<=>(const SharedText& a, const SharedText& b) noexcept {
        return a.view() <=> b.view();
    }

private:
    std::shared_ptr<const char[]> bytes_;
    std::uint32_t size_ = 0;
};

}  // namespace muster
