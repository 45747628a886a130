#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace muster {
namespace {

// Set once before any other thread runs, read only when the process is about to end.
CheckHandler installed_handler = nullptr;

}  // namespace

void set_check_handler(CheckHandler handler) noexcept { installed_handler = handler; }

void check_failed(const char* condition, const char* file, int line) noexcept {
    if (installed_handler != nullptr) {
        installed_handler(condition, file, line);
    } else {
        std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
    }
    std::abort();
}

}  // namespace muster
