#pragma once

#include <string_view>

/// What commands print: answers to stdout, troubles to stderr.
namespace muster::cli {

/// Prints one line and sends it off at once, so that pipes see it.
void print_line(std::string_view line);

/// Prints "muster: …" to stderr, with the code and what to do about it where there is one.
void print_error(std::string_view what, std::string_view code = {});

}  // namespace muster::cli
