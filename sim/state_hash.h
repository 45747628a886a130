#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "core/client/mirror.h"
#include "core/queue/content.h"
#include "sim/history.h"

namespace muster::sim {

/// Returns the hash of one message, as owners and readers show it.
[[nodiscard]] std::uint64_t message_hash(std::string_view mount, std::string_view from,
                                         std::string_view data) noexcept;

/// Returns the request whose payload this is; 0: of none.
[[nodiscard]] RequestRef ref_in(std::string_view payload) noexcept;

/// Returns the payload of a request, with so many bytes of padding.
[[nodiscard]] std::string payload_of(RequestRef ref, std::size_t padding_bytes);

/// All that a queue shows but its messages, as one number: mounts, keys, members. The same state
/// has the same hash, however it came about; one event costs O(1).
class StateHash {
public:
    StateHash() = default;
    explicit StateHash(const queue::Content& content);
    explicit StateHash(const client::Mirror& mirror);

    void apply(const queue::Event& event);

    [[nodiscard]] std::uint64_t value() const noexcept { return sum_; }

private:
    void put(const std::string& what, std::string_view value);
    void remove(const std::string& what);

    std::map<std::string, std::uint64_t, std::less<>> parts_;
    std::uint64_t sum_ = 0;
};

}  // namespace muster::sim
