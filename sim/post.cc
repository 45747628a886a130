#include "sim/post.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace muster::sim {

Post::Post(World& world, std::size_t endpoint_count)
    : world_(world),
      rng_(world.chance(1)),
      endpoints_(endpoint_count),
      channels_(endpoint_count * endpoint_count) {}

void Post::send(Endpoint from, Endpoint to, actor::Message message) {
    if (loses_ && loses_(message)) {
        return;
    }
    Channel& through = channel(from, to);
    const Instant sent = world_.schedule.now();
    const Duration delay = between(rng_, Duration{5}, delay_max_);
    through.last_arrival = std::max(through.last_arrival, sent + delay);
    world_.schedule.at(
        through.last_arrival, [this, from, to, sent, life = endpoints_[to].life,
                               carried = std::make_shared<actor::Message>(std::move(message))] {
            const Channel& came_through = channel(from, to);
            const bool is_lost = came_through.lost_from <= sent && sent <= came_through.lost_to;
            if (endpoints_[to].life == life && !is_lost) {
                endpoints_[to].take(std::move(*carried));
            }
        });
}

void Post::stall(Endpoint from, Endpoint to, Instant until) {
    Channel& through = channel(from, to);
    through.last_arrival = std::max(through.last_arrival, until);
}

void Post::kill(Endpoint endpoint) {
    ++endpoints_[endpoint].life;
    const Instant now = world_.schedule.now();
    for (Endpoint to = 0; to < endpoints_.size(); ++to) {
        Channel& from_it = channel(endpoint, to);
        from_it.lost_from = now - between(rng_, Duration{0}, delay_max_);
        from_it.lost_to = now;
    }
}

}  // namespace muster::sim
