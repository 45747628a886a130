#include "core/gateway/slow_readers.h"

#include <algorithm>
#include <utility>

namespace muster::gateway {

SlowReader& SlowReaders::of(const UserId& user, const QueueName& queue, const MountName& mount) {
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
