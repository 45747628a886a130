#include "app/commands/token_command.h"

#include <fstream>
#include <iterator>
#include <string>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "core/gateway/jwt.h"
#include "shell/coord/data_folder.h"
#include "shell/runtime/clock.h"

namespace muster::app {

int token_command(const TokenArguments& arguments, const SettingsArguments& settings_from) {
    const bool is_own = arguments.key_file.empty();
    std::string path = arguments.key_file;
    if (is_own) {
        std::string folder = arguments.data_folder;
        if (folder.empty()) {
            const auto settings = load_or_tell(settings_from);
            if (!settings) {
                return cli::exit_usage;
            }
            folder = settings->data.folder;
        }
        path = folder + "/token.key";
    }
    std::ifstream file(path, std::ios::binary);
    std::string key((std::istreambuf_iterator<char>(file)), {});
    if (key.empty()) {
        cli::print_error(fmt::format("cannot read a key from {}", path));
        if (is_own) {
            fmt::print(
                stderr,
                "  A server makes it when it first starts. Name the server's folder with "
                "--data, or its\n"
                "  settings with --config; `muster token --dev` is for a server in --dev.\n");
        }
        return cli::exit_failed;
    }
    const std::string kid =
        is_own ? std::string(coord::DataFolder::own_token_key_id) : arguments.kid;
    gateway::TokenKeys keys;
    const bool is_pem = key.starts_with("-----BEGIN ");
    if (!is_pem && key.ends_with('\n')) {
        key.pop_back();  // The server reads secrets without the newline that editors add.
    }
    const auto added = is_pem ? keys.add_es256_private(kid, key) : keys.add_hs256(kid, key);
    if (!added) {
        cli::print_error(fmt::format("{}: {}", path, added.error().detail));
        return cli::exit_failed;
    }
    const WallTime now = runtime::wall_now();
    const auto token = keys.sign(kid, {.user = UserId(arguments.user),
                                       .expires = WallTime{now.ms + arguments.lifetime_s * 1000},
                                       .issued_at = now});
    if (!token) {
        cli::print_error(token.error().detail);
        return cli::exit_usage;
    }
    cli::print_line(*token);
    return cli::exit_ok;
}

}  // namespace muster::app
