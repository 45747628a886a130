#pragma once

#include <cstdint>
#include <string>

namespace muster::app {

struct TokenArguments {
    std::string user;
    std::string data_folder = "./muster-data";  ///< of the server whose own key signs; its `token.key`
    std::string key_file;     ///< in its place: a file with an HS256 secret or an ES256 private key
    std::string kid;          ///< of that key, as the server's settings name it
    std::int64_t lifetime_s = 3600;
};

/// Prints a signed token for one user. Returns the program's exit code.
int token_command(const TokenArguments& arguments);

}  // namespace muster::app
