#pragma once

#include <string>
#include <vector>

namespace muster::app {

/// Where a command takes its settings from.
struct SettingsArguments {
    std::string file;
    std::vector<std::string> assignments;  ///< --set section.key=value
    bool is_dev = false;
};

/// Each runs one command and returns the program's exit code.
int serve_command(const SettingsArguments& arguments);
int config_init_command();
int config_check_command(const SettingsArguments& arguments);
int config_show_command(const SettingsArguments& arguments, bool with_origin, bool as_json);

}  // namespace muster::app
