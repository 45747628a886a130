// sim_canaries: switches each rule of base/rules.h off, and runs seeds until the simulator misses
// it. What a checker cannot miss is no rule, or the checker is blind.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
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

constexpr std::string_view usage =
    "Switches the rules of the protocol off, one after the other, and runs the simulator until it\n"
    "misses each. A rule that is not missed within 20,000 seeds is a failure.\n"
    "  sim_canaries            all rules\n"
    "  sim_canaries BEGINNING  those whose names begin so: R6, or \"R26 fence\"\n";

bool is_asked_for(const Canary& canary, std::string_view beginning) {
    return canary.name.starts_with(beginning);
}

int refuse(std::string_view complaint) {
    fmt::print(stderr, "sim_canaries: {}\nsim_canaries --help tells what there is.\n", complaint);
    return 2;
}

/// Returns the exit code, where there is nothing to run.
std::optional<int> answer_at_once(int argc, char** argv) {
    if (argc < 2) {
        return std::nullopt;
    }
    const std::string_view word = argv[1];
    if (word == "--help" || word == "-h") {
        fmt::print("{}", usage);
        for (const Canary& canary : canaries) {
            fmt::print("{}{}", &canary == canaries.data() ? "The rules: " : ", ", canary.name);
        }
        fmt::print("\n");
        return EXIT_SUCCESS;
    }
    if (word.starts_with("-")) {
        return refuse(fmt::format("there is no option {}", word));
    }
    if (argc > 2) {
        return refuse(fmt::format("one beginning of a name, please: not {}, too", argv[2]));
    }
    if (std::ranges::none_of(canaries,
                             [&](const auto& each) { return is_asked_for(each, word); })) {
        return refuse(fmt::format("no rule's name begins with {}", word));
    }
    return std::nullopt;
}

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
    if (const auto exit_code = answer_at_once(argc, argv)) {
        return *exit_code;
    }
    const std::string_view beginning = argc < 2 ? "" : argv[1];
    bool are_missed = true;
    for (const Canary& canary : canaries) {
        if (is_asked_for(canary, beginning)) {
            are_missed = is_missed(canary) && are_missed;
            std::fflush(stdout);
        }
    }
    return are_missed ? EXIT_SUCCESS : EXIT_FAILURE;
}
