#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "sim/schedule.h"

namespace muster::sim {

/// What happened, line by line, for people who read a failure. Off unless asked for.
class Trace {
public:
    explicit Trace(const Schedule& schedule) : schedule_(schedule) {}

    void turn_on() noexcept { is_on_ = true; }
    [[nodiscard]] bool is_on() const noexcept { return is_on_; }

    /// Adds a line: when, who, and what. Costs nothing while it is off.
    template <typename... Args>
    void line(std::string_view who, fmt::format_string<Args...> what, Args&&... args) {
        if (is_on_) {
            add(who, fmt::format(what, std::forward<Args>(args)...));
        }
    }

    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    void add(std::string_view who, const std::string& what) {
        const auto passed = schedule_.now() - Schedule::start;
        text_ += fmt::format("{:>11.6f} {:<9} {}\n", static_cast<double>(passed.count()) / 1e6, who,
                             what);
    }

    const Schedule& schedule_;
    bool is_on_ = false;
    std::string text_;
};

}  // namespace muster::sim
