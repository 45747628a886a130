// sim_canaries: switches each rule of base/rules.h off, and runs seeds until the simulator misses
// it. What a checker cannot miss is no rule, or the checker is blind.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "base/rules.h"
#include "sim/run.h"

namespace {

using muster::Rules;

struct Canary {
    std::string_view name;
    bool Rules::* rule;
    std::uint64_t seed;  ///< one that misses it, so that this takes no time
};

constexpr std::uint64_t seeds_max = 20'000;

constexpr std::array canaries{
    Canary{"R1 cursors_name_inc", &Rules::cursors_name_inc, 14},
    Canary{"R2 ops_name_inc", &Rules::ops_name_inc, 4},
    Canary{"R3 rejections_count", &Rules::rejections_count, 1},
    Canary{"R4 window_spans_issued", &Rules::window_spans_issued, 420},
    Canary{"R5 ring_spans_window", &Rules::ring_spans_window, 4},
    Canary{"R6 refusal_needs_first", &Rules::refusal_needs_first, 82},
    Canary{"R6 refusal_is_filled", &Rules::refusal_is_filled, 1},
    Canary{"R20 lost_is_new", &Rules::lost_is_new, 1},
    Canary{"R23 none_steps_back", &Rules::none_steps_back, 11572},
    Canary{"R24 gaps_are_seen", &Rules::gaps_are_seen, 1},
    Canary{"R25 cep_names_inc", &Rules::cep_names_inc, 6},
    Canary{"R26 fence_first", &Rules::fence_first, 37},
    Canary{"R26 queues_check_cep", &Rules::queues_check_cep, 55},
    Canary{"R27 check_decides", &Rules::check_decides, 127},
    Canary{"R28 late_loses", &Rules::late_loses, 15},
};

bool is_missed(const Canary& canary) {
    for (std::uint64_t i = 0; i < seeds_max; ++i) {
        const std::uint64_t seed = (canary.seed - 1 + i) % seeds_max + 1;
        muster::rules_in_force.*canary.rule = false;
        const auto without = muster::sim::run(seed);
        muster::rules_in_force.*canary.rule = true;
        if (without.breaches.empty()) {
            continue;
        }
        if (!muster::sim::run(seed).breaches.empty()) {
            continue;  // Not because of the rule. The tests sim/seeds_... say so, louder.
        }
        fmt::print("{}: seed {} misses it: {}\n", canary.name, seed, without.breaches.front());
        return true;
    }
    fmt::print("{}: {} seeds do not miss it\n", canary.name, seeds_max);
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    bool are_missed = true;
    for (const Canary& canary : canaries) {
        const bool is_asked_for = argc < 2 || canary.name.starts_with(argv[1]);
        are_missed = (!is_asked_for || is_missed(canary)) && are_missed;
        std::fflush(stdout);
    }
    return are_missed ? EXIT_SUCCESS : EXIT_FAILURE;
}
