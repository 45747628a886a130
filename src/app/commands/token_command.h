#pragma once

#include <cstdint>
#include <string>

#include "app/commands/serve_command.h"

namespace muster::app {

struct TokenArguments {
    std::string user;
    std::string data_folder;  ///< of the server whose `token.key` signs; empty: as in the settings
    std::string key_file;     ///< in its place: a file with an HS256 secret or an ES256 private key
    std::string kid;          ///< of that key, as the server's settings name it
    std::int64_t lifetime_s = 3600;
};

/// Prints a signed token for one user. `settings` are those of the server: with the same ones, it
/// is the same data folder. Returns the program's exit code.
int token_command(const TokenArguments& arguments, const SettingsArguments& settings);

}  // namespace muster::app
