#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace muster {

/// A number that names one kind of thing. Swapped arguments do not compile.
template <typename Tag, typename Rep>
struct Id {
    using rep = Rep;
    Rep value{};

    friend auto operator<=>(const Id&, const Id&) = default;
};

}  // namespace muster

template <typename Tag, typename Rep>
struct std::hash<muster::Id<Tag, Rep>> {
    std::size_t operator()(const muster::Id<Tag, Rep>& id) const noexcept {
        return std::hash<Rep>{}(id.value);
    }
};
