#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "core/actor/actor.h"
#include "core/queue/queue.h"
#include "core/user/user_queue.h"

namespace muster::roles {

/// Which class serves which name: `/user/*` are user queues, all else are queues.
class SiteActors final : public actor::ActorFactory {
public:
    SiteActors(std::shared_ptr<const queue::QueueSettings> queues,
               std::shared_ptr<const user::UserSettings> users)
        : queues_(std::move(queues)), users_(std::move(users)) {}

    [[nodiscard]] std::unique_ptr<actor::Actor> make(const QueueName& name) const override;
    [[nodiscard]] std::unique_ptr<actor::Actor> restore(const QueueName& name, Instant now,
                                                        std::string_view state) const override;

private:
    std::shared_ptr<const queue::QueueSettings> queues_;
    std::shared_ptr<const user::UserSettings> users_;
};

}  // namespace muster::roles
