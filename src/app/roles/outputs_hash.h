#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/gateway/messages.h"

namespace muster::roles {

/// A hash of all that a turn puts out to sockets, in order: by it a replay sees whether it puts out
/// the same, without the bytes being kept.
///
/// Cost: a frame that many get, one after the other, is read once.
class OutputsHash {
public:
    /// Adds those from index `from` on.
    void add(const gateway::Outputs& outputs, std::size_t from) noexcept;

    /// Returns the turn's hash, and begins the next one.
    [[nodiscard]] std::uint64_t take() noexcept { return std::exchange(hash_, 0); }

private:
    std::uint64_t hash_ = 0;
};

}  // namespace muster::roles
