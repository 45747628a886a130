#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "base/rng.h"
#include "base/time.h"
#include "core/actor/messages.h"

namespace muster::actor {

/// What a step asks for, in order. The bucket hands it on once the step is done.
using Outbox = std::vector<Message>;

/// Everything that a step may know of the world: the time, seeded chance, and where to ask for
/// things to be done. Lives for one step.
class Context {
public:
    Context(const QueueName& self, Instant now_at, WallTime wall_at, Rng chance, Inc latest_inc,
            Outbox& outbox)
        : now(now_at), wall(wall_at), rng(chance), self_(self), inc_(latest_inc), outbox_(outbox) {}

    const Instant now;
    const WallTime wall;  ///< for people and for tokens only
    Rng rng;

    /// Asks for `body` to be carried to `to`.
    void send(Address to, Body body) {
        outbox_.push_back(Message{ActorAddress{self_}, std::move(to), std::move(body)});
    }

    /// Asks for a Wake at `at`, and always after this step. Each actor has one wake at most: the
    /// earliest that it has asked for since the last one came. So a woken actor looks at what is
    /// due and asks again for what is not; a needless wake is normal.
    void wake_at(Instant at) {
        if (!wake_at_ || at < *wake_at_) {
            wake_at_ = at;
        }
    }

    /// Returns the youngest inc that the bucket has given out: histories up to it have begun.
    [[nodiscard]] Inc latest_inc() const noexcept { return inc_; }

    /// Begins a new history: returns an inc that is younger than all before it in this bucket.
    [[nodiscard]] Inc next_inc() noexcept {
        ++inc_.value;
        return inc_;
    }

    [[nodiscard]] const QueueName& self() const noexcept { return self_; }
    [[nodiscard]] std::optional<Instant> requested_wake() const noexcept { return wake_at_; }

private:
    const QueueName& self_;
    Inc inc_;
    Outbox& outbox_;
    std::optional<Instant> wake_at_;
};

/// A deterministic state machine that lives in a bucket: a queue, a user queue, a customer's logic.
/// The same events in the same order, with the same times and seeds, give the same actions.
class Actor {
public:
    Actor() = default;
    Actor(const Actor&) = delete;
    Actor& operator=(const Actor&) = delete;
    virtual ~Actor() = default;

    /// Takes one event, changes only its own state, asks for the rest through `ctx`.
    virtual void step(const Event& event, Context& ctx) = 0;

    /// Returns whether there is nothing left to keep: the bucket then forgets the actor.
    [[nodiscard]] virtual bool is_absent() const noexcept = 0;

    /// Returns from when on somebody should look after the actor although it has planned no wake:
    /// the bucket wakes it within look_interval after that. For what is to be noticed in the end
    /// but nearly never happens: unlike a planned wake it costs an actor that is well nothing.
    [[nodiscard]] virtual std::optional<Instant> overdue_at() const noexcept { return {}; }

    /// Appends the whole state as bytes from which an ActorFactory makes the same actor again.
    /// Times are written as distances from `now`, so that another process can read them.
    virtual void save(Instant now, std::string& out) const = 0;
};

/// Makes the actors of a site: which class serves which name. One per site, shared by its shards.
class ActorFactory {
public:
    ActorFactory() = default;
    ActorFactory(const ActorFactory&) = delete;
    ActorFactory& operator=(const ActorFactory&) = delete;
    virtual ~ActorFactory() = default;

    /// Returns a new actor for `name`, in its absent state.
    [[nodiscard]] virtual std::unique_ptr<Actor> make(const QueueName& name) const = 0;

    /// Returns the actor that save() wrote; nullptr when `state` is damaged.
    [[nodiscard]] virtual std::unique_ptr<Actor> restore(const QueueName& name, Instant now,
                                                         std::string_view state) const = 0;
};

}  // namespace muster::actor
