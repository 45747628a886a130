#pragma once

#include <compare>
#include <string_view>

#include "base/shared_text.h"

namespace muster {

/// A name of one kind: a queue's, a user's, a mount's, a key's. Names of two kinds do not mix.
/// Ordered by bytes; comparable with plain text, so that tables can be searched without a copy.
template <typename Tag>
class Name {
public:
    Name() = default;
    explicit Name(std::string_view text) : text_(text) {}

    [[nodiscard]] std::string_view text() const noexcept { return text_.view(); }
    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }

    friend bool operator==(const Name& a, const Name& b) noexcept { return a.text() == b.text(); }
    friend std::strong_ordering operator<=>(const Name& a, const Name& b) noexcept {
        return a.text() <=> b.text();
    }
    friend bool operator==(const Name& a, std::string_view b) noexcept { return a.text() == b; }
    friend std::strong_ordering operator<=>(const Name& a, std::string_view b) noexcept {
        return a.text() <=> b;
    }

private:
    SharedText text_;
};

using QueueName = Name<struct QueueNameTag>;  ///< `/room/123`, valid by check_queue_name
using UserId = Name<struct UserIdTag>;        ///< 1-64 bytes of A-Za-z0-9_.:@-
using MountName = Name<struct MountNameTag>;  ///< `chat`
using Key = Name<struct KeyTag>;              ///< a key of a state mount, at most 256 bytes of UTF-8

/// The order for tables that are searched by plain text: `std::map<Key, V, NameOrder>`.
struct NameOrder {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const noexcept {
        return a < b;
    }
};

}  // namespace muster
