#include "cli/terminal.h"

#include <cstdio>

#include <fmt/format.h>

#include "base/error_code.h"

namespace muster::cli {

void print_line(std::string_view line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

void print_error(std::string_view what, std::string_view code) {
    const ErrorInfo* info = code.empty() ? nullptr : find_error(code);
    if (info == nullptr) {
        fmt::print(stderr, "muster: {}\n", what);
    } else {
        fmt::print(stderr, "muster: {} ({} {})\n  {}\n", what, label(info->code), info->name,
                   info->fix);
    }
}

}  // namespace muster::cli
