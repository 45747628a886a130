#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "app/setting_value.h"

namespace muster::app {

inline constexpr std::size_t settings_file_bytes_max = 256 * 1024;

/// What is wrong with a text that is no TOML.
struct TomlError {
    std::uint32_t line = 0;
    std::string text;
};

/// Returns the table that `text` (TOML 1.0) stands for; entries are in the order of their lines.
/// Errors: too long, nested more than 32 deep, or no TOML; the first place where it goes wrong.
[[nodiscard]] tl::expected<TomlTable, TomlError> parse_toml(std::string_view text);

}  // namespace muster::app
