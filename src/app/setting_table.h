#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/setting_value.h"
#include "app/settings.h"

namespace muster::app {

/// One "section.key" of the configuration: all that reading, showing and explaining it needs.
struct SettingRow {
    std::string_view path;
    std::string_view help;  ///< one sentence

    /// Takes a value over into the settings, or says what is wrong with it.
    std::optional<std::string> (*read)(const TomlValue& value, Settings& settings);

    /// Returns the value as TOML, which is JSON as well.
    std::string (*print)(const Settings& settings);

    [[nodiscard]] std::string_view section() const { return path.substr(0, path.find('.')); }
    [[nodiscard]] std::string_view key() const { return path.substr(path.find('.') + 1); }
};

/// Returns every setting that is not in a list, section by section.
[[nodiscard]] std::span<const SettingRow> setting_table();

[[nodiscard]] const SettingRow* find_setting(std::string_view section, std::string_view key);

[[nodiscard]] std::vector<std::string_view> section_names();
[[nodiscard]] std::vector<std::string_view> keys_of_section(std::string_view section);

}  // namespace muster::app
