#include "sim/schedule.h"

#include <algorithm>
#include <utility>

namespace muster::sim {

void Schedule::at(Instant when, Task task) {
    planned_.push_back(Planned{std::max(when, now_), ++task_count_, std::move(task)});
    std::push_heap(planned_.begin(), planned_.end(), is_later);
}

void Schedule::run_until(Instant end) {
    while (!planned_.empty() && planned_.front().when <= end) {
        std::pop_heap(planned_.begin(), planned_.end(), is_later);
        const Planned next = std::move(planned_.back());
        planned_.pop_back();
        now_ = next.when;
        next.task();
    }
    now_ = std::max(now_, end);
}

}  // namespace muster::sim
