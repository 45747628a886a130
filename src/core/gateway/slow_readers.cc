#include "core/gateway/slow_readers.h"

#include <algorithm>
#include <utility>

namespace muster::gateway {

void SlowReaders::age(Instant now) {
    if (now < halved_at_ + half_life) {
        return;
    }
    const auto times = (now - halved_at_) / half_life;
    const auto halve = [times](std::uint64_t& count) { count = times < 64 ? count >> times : 0; };
    for (SlowReader& reader : all_) {
        halve(reader.conflated);
        halve(reader.dropped);
        halve(reader.closed);
    }
    std::erase_if(all_, [](const SlowReader& reader) { return reader.total() == 0; });
    halved_at_ = now;
}

SlowReader& SlowReaders::of(const UserId& user, const QueueName& queue, const MountName& mount,
                            Instant now) {
    age(now);
    const auto known = std::ranges::find_if(all_, [&](const SlowReader& reader) {
        return reader.user == user && reader.mount == mount && reader.queue == queue;
    });
    if (known != all_.end()) {
        return *known;
    }
    SlowReader fresh{.user = user, .queue = queue, .mount = mount};
    if (all_.size() < count_max) {
        return all_.emplace_back(std::move(fresh));
    }
    const auto lightest = std::ranges::min_element(all_, {}, &SlowReader::total);
    *lightest = std::move(fresh);
    return *lightest;
}

}  // namespace muster::gateway
