#include "app/commands/serve_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "app/server/serve.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace muster::app {
namespace {

std::vector<std::string> environment() {
    std::vector<std::string> variables;
    for (char** one = environ; one != nullptr && *one != nullptr; ++one) {
        variables.emplace_back(*one);
    }
    return variables;
}

}  // namespace

std::optional<Settings> load_or_tell(const SettingsArguments& arguments) {
    SettingsRequest request;
    if (!arguments.file.empty()) {
        request.file = arguments.file;
    }
    request.environment = environment();
    request.assignments = arguments.assignments;
    request.is_dev = arguments.is_dev;
    request.core_count = std::max(1U, std::thread::hardware_concurrency());
    auto settings = load_settings(request);
    if (!settings) {
        cli::print_error(settings.error().detail);
        return std::nullopt;
    }
    for (const std::string& remark : settings->remarks) {
        cli::print_error(remark);
    }
    return *std::move(settings);
}

int serve_command(const SettingsArguments& arguments, std::string_view program) {
    const auto settings = load_or_tell(arguments);
    if (!settings) {
        return cli::exit_usage;
    }
    const auto served = server::serve(*settings, program);
    if (!served) {
        cli::print_error(served.error().detail, label(served.error().code));
        // What is wrong with a setting may show only when the server is built from it.
        return served.error().code == ErrorCode::bad_settings ? cli::exit_usage : cli::exit_failed;
    }
    return cli::exit_ok;
}

int config_init_command() {
    fmt::print("{}", config_init_text());
    return cli::exit_ok;
}

int config_check_command(const SettingsArguments& arguments) {
    if (!load_or_tell(arguments)) {
        return cli::exit_usage;
    }
    cli::print_line("the settings are good");
    return cli::exit_ok;
}

int config_show_command(const SettingsArguments& arguments, bool with_origin, bool as_json) {
    const auto settings = load_or_tell(arguments);
    if (!settings) {
        return cli::exit_usage;
    }
    fmt::print("{}\n", show(*settings, {.with_origin = with_origin, .as_json = as_json}));
    return cli::exit_ok;
}

}  // namespace muster::app
