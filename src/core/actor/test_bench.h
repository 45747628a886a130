#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "core/actor/actor.h"

/// For tests only.
namespace muster::actor {

/// One actor driven by hand, as its bucket would: set the clock, feed messages, read the outbox of
/// the last step.
class Bench {
public:
    Bench(std::unique_ptr<Actor> driven, QueueName name)
        : actor(std::move(driven)), self(std::move(name)) {}

    std::unique_ptr<Actor> actor;
    QueueName self;
    Instant now{std::chrono::seconds{1'000}};
    WallTime wall{1'790'000'000'000};
    Inc latest_inc{std::uint64_t{7} << 32U};  ///< epoch 7, nothing begun yet
    std::uint64_t seed = 1;
    Outbox outbox;

    void step(Address from, Body body) {
        outbox.clear();
        feed(Message{std::move(from), ActorAddress{self}, std::move(body)});
    }

    /// A wake that the actor has not asked for, or not for now.
    void wake() {
        outbox.clear();
        feed(Wake{});
    }

    /// Lets time pass; the actor is woken when it asked for it. The outbox holds what all these
    /// wakes asked for.
    void pass(Duration duration) {
        outbox.clear();
        const Instant end = now + duration;
        while (wake_at && *wake_at <= end) {
            set_time(*wake_at);
            feed(Wake{});
        }
        set_time(end);
    }

    /// When the actor will be woken: the earliest that it has asked for since its last wake.
    std::optional<Instant> wake_at;

    /// Returns all messages of type T that the last step sent, in order.
    template <typename T>
    [[nodiscard]] std::vector<T> all() const {
        std::vector<T> found;
        for (const auto& message : outbox) {
            if (const auto* body = std::get_if<T>(&message.body)) {
                found.push_back(*body);
            }
        }
        return found;
    }

    /// Returns the only message of type T that the last step sent.
    template <typename T>
    [[nodiscard]] T only() const {
        auto found = all<T>();
        MUSTER_CHECK(found.size() == 1);
        return std::move(found.front());
    }

    /// Returns to which actors the last step sent messages of type T, in order.
    template <typename T>
    [[nodiscard]] std::vector<QueueName> actors_sent() const {
        std::vector<QueueName> found;
        for (const auto& message : outbox) {
            if (std::holds_alternative<T>(message.body)) {
                found.push_back(std::get<ActorAddress>(message.to).name);
            }
        }
        return found;
    }

    /// Returns to which gateway shards the last step sent messages of type T, in order.
    template <typename T>
    [[nodiscard]] std::vector<ShardId> gateways_sent() const {
        std::vector<ShardId> found;
        for (const auto& message : outbox) {
            if (std::holds_alternative<T>(message.body)) {
                found.push_back(std::get<GatewayAddress>(message.to).shard);
            }
        }
        return found;
    }

private:
    void feed(const Event& event) {
        if (std::holds_alternative<Wake>(event)) {
            wake_at.reset();
        }
        Context ctx(self, now, wall, Rng(Rng(seed ^ ++step_count_).next()), latest_inc, outbox);
        actor->step(event, ctx);
        latest_inc = ctx.latest_inc();
        if (actor->is_absent()) {
            wake_at.reset();
        } else if (const auto at = ctx.requested_wake(); at && (!wake_at || *at < *wake_at)) {
            wake_at = std::max(*at, now + Duration{1});
        }
    }

    void set_time(Instant at) {
        wall.ms += (at - now) / std::chrono::milliseconds{1};
        now = at;
    }

    std::uint64_t step_count_ = 0;
};

}  // namespace muster::actor
