#include "core/wire/frames.h"

#include <utility>

namespace muster::wire {

void ClientFrame::clear() {
    // A whole new frame, so that a field added later cannot be forgotten here.
    auto kept_versions = std::move(versions);
    auto kept_since = std::move(since);
    kept_versions.clear();
    kept_since.clear();
    *this = ClientFrame{};
    versions = std::move(kept_versions);
    since = std::move(kept_since);
}

}  // namespace muster::wire
