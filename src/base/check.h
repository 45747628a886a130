#pragma once

namespace muster {

/// Ends the process after a last line that names `condition` and its place.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

/// What check_failed calls before it ends the process; the shell sets it once at the start, so that
/// the last log line ("about to crash") is written in the configured form.
using CheckHandler = void (*)(const char* condition, const char* file, int line) noexcept;
void set_check_handler(CheckHandler handler) noexcept;

}  // namespace muster

/// States what only our own bug could make false. On in every build; one condition each.
#define MUSTER_CHECK(condition) \
    (static_cast<bool>(condition) ? void(0) : ::muster::check_failed(#condition, __FILE__, __LINE__))
