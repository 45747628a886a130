// Any bytes as a configuration file: refused or taken, and what is taken can be shown and taken
// again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "app/settings.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace muster::app;
    SettingsRequest request;
    request.is_dev = size > 0 && (data[0] & 1U) != 0;
    const auto settings = parse_settings({reinterpret_cast<const char*>(data), size}, request);
    if (!settings) {
        MUSTER_CHECK(!settings.error().detail.empty());
        return 0;
    }
    for (const bool with_origin : {false, true}) {
        const std::string shown = show(*settings, {.with_origin = with_origin});
        auto again = parse_settings(shown, request);
        MUSTER_CHECK(again.has_value());
        again->origins = settings->origins;
        MUSTER_CHECK(*again == *settings);
        (void)show(*settings, {.with_origin = with_origin, .as_json = true});
    }
    (void)changed_values(*settings);
    return 0;
}
