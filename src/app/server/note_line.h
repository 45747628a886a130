#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "app/server/switchboard.h"
#include "base/time.h"
#include "shell/observe/log_line.h"

namespace muster::server {

/// Makes lines of the log from what gateways have to say, and shards of themselves.
///
/// A crowd that is asked to come back later is one line at once and then, while it lasts, one line
/// a second for each reason, with how many clients it was since the last one.
///
/// Owns:   for each such reason, what was not told yet: the last client, and a count.
/// Thread: that of the service.
class NoteLines {
public:
    static constexpr Duration interval = std::chrono::seconds{1};

    /// Where a line goes: LogWriter::write, in a test something that keeps it.
    using Write = std::function<void(observe::LogEvent, std::string_view text,
                                     std::span<const observe::LogField> fields)>;

    explicit NoteLines(Write write) : write_(std::move(write)) {}

    void take(const ShardNote& noted, Instant now);
    void take(const ShardTrouble& trouble) const;

    /// Tells what is due. To be called once a second or so, and with Instant::max() at the end.
    void time_passed(Instant now);

private:
    struct Counted {
        std::uint64_t count = 0;
        std::string peer;
        std::string detail;
        Instant not_before{};
    };

    void tell(Counted& counted, Instant now);

    Write write_;
    std::array<Counted, 3> counted_;  ///< see place_of() in the .cc
};

}  // namespace muster::server
