#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

#include "core/actor/actor.h"

/// For tests only.
namespace muster::actor {

/// An actor that does what it is told: `add` remembers one more thing and draws a chance, `inc`
/// begins a history, `wake 50` asks for a wake in 50 ms, `wake again 50` does so at each wake,
/// `overdue` is overdue in 30 s, `forget` leaves nothing. Whatever it does, it tells the service a
/// number.
class ObedientActor final : public Actor {
public:
    void step(const Event& event, Context& ctx) override {
        if (std::holds_alternative<Wake>(event)) {
            ++wakes_;
            overdue_at_.reset();
            tell(wakes_, ctx);
            if (again_ms_ != 0) {
                ctx.wake_at(ctx.now + std::chrono::milliseconds{again_ms_ - 1});
            }
            return;
        }
        const auto& message = std::get<Message>(event);
        const auto told = std::get<user::Tell>(message.body).data;
        const std::string_view text = told.bytes();
        if (text == "add") {
            ++things_;
            tell(ctx.rng.next(), ctx);
        } else if (text == "inc") {
            ++things_;
            tell(ctx.next_inc().value, ctx);
        } else if (text == "forget") {
            *this = ObedientActor();
            tell(0, ctx);
        } else if (text == "overdue") {
            ++things_;
            overdue_at_ = ctx.now + std::chrono::seconds{30};
        } else if (text.starts_with("wake again ")) {
            ++things_;
            again_ms_ = number_in(text.substr(11)) + 1;
            ctx.wake_at(ctx.now + std::chrono::milliseconds{again_ms_ - 1});
        } else if (text.starts_with("wake ")) {
            ++things_;
            ctx.wake_at(ctx.now + std::chrono::milliseconds{number_in(text.substr(5))});
        }
    }

    [[nodiscard]] bool is_absent() const noexcept override { return things_ == 0; }
    [[nodiscard]] std::optional<Instant> overdue_at() const noexcept override {
        return overdue_at_;
    }

    void save(Instant /*now*/, std::string& out) const override {
        out += std::to_string(things_) + " " + std::to_string(wakes_) + " " +
               std::to_string(again_ms_);
    }

    /// Returns nullptr where `state` is not three numbers.
    static std::unique_ptr<ObedientActor> restore(std::string_view state) {
        const auto first = state.find(' ');
        const auto second = state.rfind(' ');
        if (first == std::string_view::npos || first == second) {
            return nullptr;
        }
        auto actor = std::make_unique<ObedientActor>();
        actor->things_ = number_in(state.substr(0, first));
        actor->wakes_ = number_in(state.substr(first + 1, second - first - 1));
        actor->again_ms_ = number_in(state.substr(second + 1));
        return actor;
    }

    ObedientActor() = default;

private:
    ObedientActor& operator=(ObedientActor&& other) noexcept {
        things_ = other.things_;
        wakes_ = other.wakes_;
        again_ms_ = other.again_ms_;
        overdue_at_ = other.overdue_at_;
        return *this;
    }

    static std::uint64_t number_in(std::string_view text) {
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        return error == std::errc{} && end == text.data() + text.size() ? number : 0;
    }

    static void tell(std::uint64_t number, Context& ctx) {
        ctx.send(ServiceAddress{}, queue::ReadReply{RequestId{number}, nullptr});
    }

    std::uint64_t things_ = 0;
    std::uint64_t wakes_ = 0;
    std::optional<Instant> overdue_at_;
    std::uint64_t again_ms_ = 0;  // 0: not again; else one more than was said.
};

class ObedientActors final : public ActorFactory {
public:
    [[nodiscard]] std::unique_ptr<Actor> make(const QueueName& /*name*/) const override {
        return std::make_unique<ObedientActor>();
    }
    [[nodiscard]] std::unique_ptr<Actor> restore(const QueueName& /*name*/, Instant /*now*/,
                                                 std::string_view state) const override {
        return ObedientActor::restore(state);
    }
};

/// What an ObedientActor is told.
[[nodiscard]] inline Message order(const QueueName& name, std::string_view text) {
    return {ServiceAddress{}, ActorAddress{name}, user::Tell{{}, {}, Payload(text)}};
}

/// The numbers that ObedientActors told, as "/name number", in order.
[[nodiscard]] inline std::vector<std::string> told(const Outbox& outbox) {
    std::vector<std::string> lines;
    for (const auto& message : outbox) {
        const auto& reply = std::get<queue::ReadReply>(message.body);
        lines.push_back(std::string(std::get<ActorAddress>(message.from).name.text()) + " " +
                        std::to_string(reply.request.value));
    }
    return lines;
}

}  // namespace muster::actor
