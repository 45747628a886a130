#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "core/wire/json_reader.h"
#include "shell/admin/fake_site.h"

// A request of anybody who may do everything: `METHOD TARGET`, a line feed, the body. Every request
// is answered once, and what says that it is JSON is JSON, whatever of the request it repeats.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace muster;
    using namespace muster::admin;

    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t method_size = std::min(line.find(' '), line.size());
    ApiBench bench{true};
    bench.key.clear();
    const bool is_batch = line.find("/v1/batch") != std::string_view::npos;
    bench.content_type = is_batch ? "application/x-ndjson" : "application/json";
    const Request request = bench.request(line.substr(0, method_size),
                                          line.substr(std::min(method_size + 1, line.size())),
                                          text.substr(std::min(line.size() + 1, text.size())));

    const Response response = bench.answer(request);
    MUSTER_CHECK(response.status >= 200);
    MUSTER_CHECK(response.status < 600);
    if (response.content_type == "application/json" ||
        response.content_type == "application/problem+json") {
        MUSTER_CHECK(wire::validate_json(response.body, 64).has_value());
    }
    if (response.content_type == "application/x-ndjson") {
        for (std::string_view rest = response.body; !rest.empty();) {
            const std::size_t end = rest.find('\n');
            MUSTER_CHECK(end != std::string_view::npos);
            MUSTER_CHECK(wire::validate_json(rest.substr(0, end), 64).has_value());
            rest.remove_prefix(end + 1);
        }
    }
    return 0;
}
