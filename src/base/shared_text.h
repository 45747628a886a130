#pragma once

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace muster {

/// Immutable bytes that many hold and nobody changes: names, payloads, encoded frames.
///
/// Shape:  one block for count, size and bytes (8 bytes more than the text); a handle is one
///         pointer; the empty text has no block. A server is full of these: the third of its memory
///         that three words a handle cost is why this is no std::shared_ptr.
/// Thread: handles may be copied and dropped on any shard.
/// Cost:   a copy of a handle is one atomic increment.
class SharedText {
public:
    SharedText() = default;

    /// Copies `bytes` (at most 4 GiB) once.
    explicit SharedText(std::string_view bytes) {
        MUSTER_CHECK(bytes.size() <= std::numeric_limits<std::uint32_t>::max());
        if (!bytes.empty()) {
            void* memory = ::operator new(sizeof(Block) + bytes.size());
            block_ = new (memory) Block{{1}, static_cast<std::uint32_t>(bytes.size())};
            std::memcpy(text_of(block_), bytes.data(), bytes.size());
        }
    }

    SharedText(const SharedText& other) noexcept : block_(other.block_) {
        if (block_ != nullptr) {
            // Who copies holds one already, so the count cannot reach 0 meanwhile.
            block_->holders.fetch_add(1, std::memory_order_relaxed);
        }
    }
    SharedText(SharedText&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    SharedText& operator=(const SharedText& other) noexcept { return *this = SharedText(other); }
    SharedText& operator=(SharedText&& other) noexcept {
        Block* const before = std::exchange(block_, std::exchange(other.block_, nullptr));
        let_go(before);
        return *this;
    }
    ~SharedText() { let_go(block_); }

    [[nodiscard]] std::string_view view() const noexcept {
        return block_ == nullptr
                   ? std::string_view{}
                   : std::string_view{text_of(block_), block_->size};
    }
    [[nodiscard]] std::size_t size() const noexcept { return block_ == nullptr ? 0 : block_->size; }
    [[nodiscard]] bool empty() const noexcept { return block_ == nullptr; }

    friend bool operator==(const SharedText& a, const SharedText& b) noexcept {
        return a.view() == b.view();
    }
    friend std::strong_ordering operator<=>(const SharedText& a, const SharedText& b) noexcept {
        return a.view() <=> b.view();
    }

private:
    /// Stands before the bytes.
    struct Block {
        std::atomic<std::uint32_t> holders;  ///< Both sides: any shard that holds the text.
        std::uint32_t size;
    };

    // Release: what this holder has read is read before another one frees it. Acquire: so that the
    // one that frees comes after all others.
    static void let_go(Block* block) noexcept {
        if (block != nullptr && block->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            ::operator delete(block);
        }
    }

    [[nodiscard]] static char* text_of(Block* block) noexcept {
        return reinterpret_cast<char*>(block + 1);
    }

    Block* block_ = nullptr;
};

}  // namespace muster
