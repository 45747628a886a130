// Recordings come from disks, links from other processes: no bytes may do harm, and what was
// understood once is written and understood the same way again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "app/roles/recorded_message.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace muster::roles;
    static MessageEncoder encoder;
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};

    if (const auto first = decode_message(bytes)) {
        const std::string once(encoder.encode(*first));
        const auto second = decode_message(once);
        MUSTER_CHECK(second.has_value());
        MUSTER_CHECK(second->body.index() == first->body.index());
        MUSTER_CHECK(encoder.encode(*second) == once);
    }
    if (auto first = decode_event(bytes)) {
        const std::string once(encoder.encode(first->event()));
        auto second = decode_event(once);
        MUSTER_CHECK(second.has_value());
        MUSTER_CHECK(second->event().index() == first->event().index());
        MUSTER_CHECK(encoder.encode(second->event()) == once);
    }
    return 0;
}
