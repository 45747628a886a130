#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

#include "app/settings.h"
#include "base/time.h"
#include "core/queue/template.h"

/// One value of the configuration: what a file holds, what it means, and how it is written.
namespace muster::app {

struct TomlValue;
struct TomlEntry;
using TomlList = std::vector<TomlValue>;
using TomlTable = std::vector<TomlEntry>;  ///< in the order of the file

struct TomlDate {};  ///< nothing of ours is a date

struct TomlValue {
    std::variant<bool, std::int64_t, double, std::string, TomlDate, TomlList, TomlTable> content;
    std::uint32_t line = 0;
    bool is_untyped = false;  ///< from a flag or the environment, where numbers are texts as well
};

struct TomlEntry {
    std::string key;
    TomlValue value;
};

/// A value, or what is wrong with it: "wants a duration …, not 5".
template <typename T>
using Parsed = tl::expected<T, std::string>;

// What a value means. Bounds are inclusive.
[[nodiscard]] Parsed<bool> as_bool(const TomlValue& value);
[[nodiscard]] Parsed<std::uint32_t> as_count(const TomlValue& value, std::uint32_t min,
                                             std::uint32_t max);
[[nodiscard]] Parsed<Duration> as_duration(const TomlValue& value, Duration min, Duration max);
[[nodiscard]] Parsed<std::uint32_t> as_size(const TomlValue& value, std::uint32_t min,
                                            std::uint32_t max);
[[nodiscard]] Parsed<std::uint64_t> as_disk_size(const TomlValue& value, std::uint64_t min,
                                                 std::uint64_t max);
[[nodiscard]] Parsed<queue::RateLimit> as_rate(const TomlValue& value);
[[nodiscard]] Parsed<ListenAddress> as_address(const TomlValue& value);

/// A text of 1 to 1,024 bytes without control characters.
[[nodiscard]] Parsed<std::string> as_text(const TomlValue& value);

/// A list of such texts; untyped, they are parted by commas.
[[nodiscard]] Parsed<std::vector<std::string>> as_texts(const TomlValue& value);

/// How values are written, so that they are read as the same; in TOML and JSON alike. Durations and
/// sizes: base/units.h.
[[nodiscard]] std::string quoted_text(std::string_view text);
[[nodiscard]] std::string quoted_texts(const std::vector<std::string>& texts);
[[nodiscard]] std::string rate_text(queue::RateLimit rate);

/// One of a few words and what it means.
template <typename T>
struct Word {
    std::string_view text;
    T value;
};

/// Returns "wants a, b or c, not x".
[[nodiscard]] std::string wants_one_of(const std::vector<std::string_view>& words,
                                       const TomlValue& value);

template <typename T, std::size_t count>
[[nodiscard]] Parsed<T> as_word(const TomlValue& value, const std::array<Word<T>, count>& words) {
    const auto* text = std::get_if<std::string>(&value.content);
    std::vector<std::string_view> texts;
    for (const Word<T>& word : words) {
        if (text != nullptr && *text == word.text) {
            return word.value;
        }
        texts.push_back(word.text);
    }
    return tl::unexpected{wants_one_of(texts, value)};
}

template <typename T, std::size_t count>
[[nodiscard]] std::string_view word_of(T value, const std::array<Word<T>, count>& words) {
    for (const Word<T>& word : words) {
        if (word.value == value) {
            return word.text;
        }
    }
    return "?";
}

/// Returns that of `known` which somebody may have meant who wrote `text`; empty: none is near.
[[nodiscard]] std::string_view closest(std::string_view text,
                                       const std::vector<std::string_view>& known);

}  // namespace muster::app
