#include "app/roles/actors.h"

#include "core/wire/names.h"

namespace muster::roles {

std::unique_ptr<actor::Actor> SiteActors::make(const QueueName& name) const {
    if (const auto user = wire::user_of_queue_name(name.text())) {
        return std::make_unique<user::UserQueue>(users_, UserId(*user));
    }
    return std::make_unique<queue::Queue>(queues_);
}

std::unique_ptr<actor::Actor> SiteActors::restore(const QueueName& name, Instant now,
                                                  std::string_view state) const {
    if (const auto user = wire::user_of_queue_name(name.text())) {
        return user::UserQueue::restore(users_, UserId(*user), now, state);
    }
    return queue::Queue::restore(queues_, now, state);
}

}  // namespace muster::roles
