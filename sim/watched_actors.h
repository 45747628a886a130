#pragma once

#include <memory>
#include <string_view>

#include "app/roles/actors.h"
#include "core/actor/actor.h"
#include "sim/world.h"

namespace muster::sim {

/// The actors of a site, each with an observer beside it that writes down what it decides: of a
/// queue who comes to be on line, joins and leaves; of a user queue its sessions. Of what is
/// restored it writes down what changes from there on.
///
/// Invariants: the observer changes nothing: an actor takes and gives the same as without it.
class WatchedActors final : public actor::ActorFactory {
public:
    /// Both must outlive this.
    WatchedActors(World& world, const roles::SiteActors& actors) noexcept
        : world_(world), actors_(actors) {}

    [[nodiscard]] std::unique_ptr<actor::Actor> make(const QueueName& name) const override;
    [[nodiscard]] std::unique_ptr<actor::Actor> restore(const QueueName& name, Instant now,
                                                        std::string_view state) const override;

private:
    [[nodiscard]] std::unique_ptr<actor::Actor> watch_queue(
        std::unique_ptr<actor::Actor> actor) const;

    World& world_;
    const roles::SiteActors& actors_;
};

}  // namespace muster::sim
