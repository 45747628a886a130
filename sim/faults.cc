#include "sim/faults.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <variant>
#include <vector>

namespace muster::sim {

using namespace std::chrono_literals;

std::string_view name_of(Fault fault) noexcept {
    switch (fault) {
        case Fault::cut: return "cut";
        case Fault::half_open: return "half_open";
        case Fault::stall: return "stall";
        case Fault::slow_reader: return "slow_reader";
        case Fault::refuse: return "refuse";
        case Fault::pause: return "pause";
        case Fault::kill: return "kill";
        case Fault::kill_silently: return "kill_silently";
        case Fault::drain: return "drain";
        case Fault::cut_all: return "cut_all";
        case Fault::slow_channel: return "slow_channel";
    }
    return "";
}

std::string_view name_of(VariousFault fault) noexcept {
    switch (fault) {
        case VariousFault::cut_gateway: return "cut_gateway";
        case VariousFault::storm: return "storm";
        case VariousFault::lose_kicks: return "lose_kicks";
        case VariousFault::lose_event: return "lose_event";
    }
    return "";
}

FaultCounts& FaultCounts::operator+=(const FaultCounts& more) noexcept {
    std::ranges::transform(plain, more.plain, plain.begin(), std::plus{});
    std::ranges::transform(various, more.various, various.begin(), std::plus{});
    return *this;
}

Faults::Faults(World& world, Cluster& cluster)
    : world_(world), cluster_(cluster), rng_(world.chance(5)), various_rng_(world.chance(10)) {
    pause_max_ = one_in(rng_, 3) ? Duration{1s} : Duration{8s};
    for (bool& is_picked : is_picked_) {
        is_picked = one_in(rng_, 2);
    }
    constexpr Duration slow = 300ms;
    constexpr Duration fast = 2ms;
    cluster_.post().set_delay_max(one_in(rng_, 3) ? slow : fast);
    cluster_.network().set_delay_max(one_in(rng_, 3) ? slow : 10 * fast);
}

void Faults::begin(Instant end) {
    end_ = end;
    plan();
    const Variety& variety = cluster_.variety();
    if (variety.has_storms) {
        various_.insert(various_.end(), {VariousFault::cut_gateway, VariousFault::storm});
    }
    if (variety.loses_kicks) {
        various_.push_back(VariousFault::lose_kicks);
    }
    if (variety.loses_events) {
        various_.push_back(VariousFault::lose_event);
    }
    if (!various_.empty()) {
        cluster_.post().set_losses(
            [this](const actor::Message& message) { return loses(message); });
        plan_various();
    }
}

void Faults::plan_various() {
    world_.schedule.in(between(various_rng_, 10ms, 4s), [this] {
        if (world_.schedule.now() >= end_) {
            return;
        }
        happen(various_[various_rng_.below(various_.size())]);
        plan_various();
    });
}

void Faults::happen(VariousFault fault) {
    ++counts_.various[static_cast<std::size_t>(fault)];
    const Instant now = world_.schedule.now();
    world_.trace.line("fault", "{}", name_of(fault));
    switch (fault) {
        case VariousFault::cut_gateway:
            cluster_.network().cut_all_of(various_rng_.below(cluster_.gateway_count()));
            break;
        case VariousFault::storm:
            cut_all();
            world_.schedule.in(between(various_rng_, 100ms, 2s), [this] { cut_all(); });
            world_.schedule.in(between(various_rng_, 2s, 4s), [this] { cut_all(); });
            break;
        case VariousFault::lose_kicks:
            kicks_lost_until_ = now + between(various_rng_, 1s, 10s);
            break;
        case VariousFault::lose_event: is_event_to_lose_ = true; break;
    }
}

// The rest of a storm ends with all that goes wrong.
void Faults::cut_all() {
    if (world_.schedule.now() >= end_) {
        return;
    }
    for (const auto line : cluster_.network().open_lines()) {
        cluster_.network().cut(line);
    }
}

bool Faults::loses(const actor::Message& message) {
    if (std::holds_alternative<user::Kick>(message.body) &&
        world_.schedule.now() < kicks_lost_until_) {
        world_.trace.line("fault", "a kick is lost");
        return true;
    }
    if (std::holds_alternative<queue::Published>(message.body) &&
        std::exchange(is_event_to_lose_, false)) {
        world_.trace.line("fault", "an event is lost");
        return true;
    }
    return false;
}

void Faults::plan() {
    world_.schedule.in(between(rng_, 10ms, pause_max_), [this] {
        if (world_.schedule.now() >= end_) {
            return;
        }
        const auto fault = static_cast<Fault>(rng_.below(fault_count));
        if (is_picked_[static_cast<std::size_t>(fault)]) {
            happen(fault);
        }
        plan();
    });
}

void Faults::happen(Fault fault) {
    ++counts_.plain[static_cast<std::size_t>(fault)];
    const Instant now = world_.schedule.now();
    Network& network = cluster_.network();
    const std::size_t gateway = rng_.below(cluster_.gateway_count());
    const std::vector<Network::LineIndex> lines = network.open_lines();
    const bool needs_line = fault == Fault::cut || fault == Fault::half_open ||
                            fault == Fault::stall || fault == Fault::slow_reader;
    if (needs_line && lines.empty()) {
        return;
    }
    const Network::LineIndex line = lines.empty() ? 0 : lines[rng_.below(lines.size())];
    world_.trace.line("fault", "{} (line {}, gateway {})", name_of(fault), line, gateway);
    switch (fault) {
        case Fault::cut: network.cut(line); break;
        case Fault::half_open: network.swallow(line); break;
        case Fault::stall: network.stall(line, now + between(rng_, 100ms, 20s)); break;
        case Fault::slow_reader: network.slow(line, 20 + rng_.below(20'000)); break;
        case Fault::refuse:
            cluster_.gateway(gateway).refuse(true);
            world_.schedule.in(between(rng_, 1s, 10s),
                               [this, gateway] { cluster_.gateway(gateway).refuse(false); });
            break;
        case Fault::pause: cluster_.gateway(gateway).pause(now + between(rng_, 100ms, 20s)); break;
        case Fault::kill:
        case Fault::kill_silently:
            cluster_.kill_gateway(gateway, fault == Fault::kill_silently,
                                  between(rng_, 100ms, 10s));
            break;
        case Fault::drain: cluster_.gateway(gateway).drain(); break;
        case Fault::cut_all:
            for (const auto each : lines) {
                network.cut(each);
            }
            break;
        case Fault::slow_channel: {
            const std::size_t owner = rng_.below(cluster_.owner_count());
            const Instant until = now + between(rng_, 10ms, 5s);
            if (one_in(rng_, 2)) {
                cluster_.post().stall(cluster_.gateway_endpoint(gateway),
                                      cluster_.owner_endpoint(owner), until);
            } else {
                cluster_.post().stall(cluster_.owner_endpoint(owner),
                                      cluster_.gateway_endpoint(gateway), until);
            }
            break;
        }
    }
}

void Faults::heal() {
    kicks_lost_until_ = Instant{};
    is_event_to_lose_ = false;
    if (cluster_.variety().loses_events) {
        cluster_.post_everywhere();
    }
    for (std::size_t i = 0; i < cluster_.gateway_count(); ++i) {
        cluster_.gateway(i).take_ops();
    }
    for (std::size_t i = 0; i < cluster_.player_count(); ++i) {
        cluster_.player(i).be_prompt();
    }
    cluster_.network().heal();
    cluster_.network().set_delay_max(20ms);
    cluster_.post().set_delay_max(2ms);
}

}  // namespace muster::sim
