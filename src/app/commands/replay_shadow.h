#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/commands/replay_sources.h"
#include "app/roles/recording.h"
#include "base/result.h"

/// What a build prints of a shadow run, line by line, and another one reads (`muster replay
/// --shadow`, started by `--against`). A line is written after each input and before the next, so
/// the last one tells which input has killed a build.
namespace muster::app {

/// The first line. A build that prints another one cannot be compared with this.
inline constexpr std::string_view shadow_form = "muster shadow 1";

/// No line is longer.
inline constexpr std::size_t shadow_line_bytes_max = 4096;

struct ShadowRequest {
    RecordingPaths files;
    roles::ReplayLimits limits;
    std::uint64_t explained = 0;  ///< an input to be told in words, the last one; 0: none
    /// How many entries there are, of a recording that may still grow; none: all that can be read.
    std::optional<std::uint64_t> entries{};
};

/// Runs a recording and prints: a step for each input; of an explained one also its words; an end.
/// Errors: those of reading a recording.
[[nodiscard]] Result<void> print_shadow(const ShadowRequest& request);

/// A line, read again.
struct ShadowLine {
    enum class Kind : std::uint8_t { step, input, said, recorded, end };
    Kind kind = Kind::step;
    std::uint64_t entry = 0;       ///< step: the input's; end: how many there were
    std::uint64_t hash = 0;        ///< step, said, recorded
    std::uint64_t inputs = 0;      ///< end
    std::uint64_t differs_at = 0;  ///< end: the first entry that it has otherwise; 0: none
    bool is_stopped = false;       ///< end: by its limits
    std::string text;              ///< input, said, recorded

    friend bool operator==(const ShadowLine&, const ShadowLine&) = default;
};

[[nodiscard]] std::string text_of(const ShadowLine& line);

/// Returns what text_of() has made into `text`, or nothing where it has not.
[[nodiscard]] std::optional<ShadowLine> parse_shadow_line(std::string_view text);

}  // namespace muster::app
