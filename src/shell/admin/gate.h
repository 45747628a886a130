#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/fifo.h"
#include "base/rate.h"
#include "base/time.h"
#include "shell/admin/keys.h"
#include "shell/admin/problem.h"
#include "shell/admin/request.h"

namespace muster::admin {

struct GateSettings {
    AdminKeys keys;
    /// `--dev`: without keys, everybody on this machine is an operator. Only for a loopback
    /// address.
    bool is_open = false;
};

/// Decides who may come in.
///
/// Stops what a web page could do behind its reader's back: a page of another origin gets nothing
/// changed (Origin), and when the gate is open, a name that was pointed at this machine (DNS
/// rebinding) gets nothing at all (Host). Stops guessing: an address that showed
/// wrong_keys_burst wrong keys may try one a second.
/// Source: GUARANTEES.md section 7, row 60.
class Gate {
public:
    static constexpr std::uint32_t wrong_keys_per_second = 1;
    static constexpr std::uint32_t wrong_keys_burst = 10;
    static constexpr std::size_t addresses_max = 4'096;  ///< beyond it, the oldest is forgotten

    explicit Gate(GateSettings settings) : settings_(std::move(settings)) {}

    /// Checks what a browser says about where a request comes from; also for what needs no key.
    /// Problems: forbidden.
    [[nodiscard]] Parsed<void> check_origin(const Request& request) const;

    /// Returns who the caller is. Problems: no_access (401), busy (429), forbidden where a page on
    /// another name speaks to an open gate.
    [[nodiscard]] Parsed<Access> admit(const Request& request);

private:
    struct Guesser {
        RateMeter meter;
        Instant blocked_until;
    };

    [[nodiscard]] Parsed<Access> check_key(std::string_view key, const Request& request);
    [[nodiscard]] Guesser& guesser(const std::string& peer);

    GateSettings settings_;
    std::map<std::string, Guesser> guessers_;
    Fifo<std::string> guessers_by_age_;
};

}  // namespace muster::admin
