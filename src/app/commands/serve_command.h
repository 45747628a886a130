#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings.h"

namespace muster::app {

/// Where a command takes its settings from.
struct SettingsArguments {
    std::string file;
    std::vector<std::string> assignments;  ///< --set section.key=value
    bool is_dev = false;
};

/// Returns the settings in force, or nothing after it has printed all that is wrong with them.
[[nodiscard]] std::optional<Settings> load_or_tell(const SettingsArguments& arguments);

/// Each runs one command and returns the program's exit code.
/// `program` is how this program was called, for commands that are shown to be typed.
int serve_command(const SettingsArguments& arguments, std::string_view program);
int config_init_command();
int config_check_command(const SettingsArguments& arguments);
int config_show_command(const SettingsArguments& arguments, bool with_origin, bool as_json);

}  // namespace muster::app
