#include "core/wire/json_frames.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "core/wire/json_reader.h"

// Any bytes as a frame of either direction: no crash, and what was understood is said again in the
// same way: to parse, write and parse once more is a fixed point.

namespace {

using namespace muster::wire;

void run_client(std::string_view text) {
    std::string scratch;
    ClientFrame frame;
    if (!parse_client_frame(text, scratch, frame)) {
        return;
    }
    MUSTER_CHECK(validate_json(text).has_value());
    if (frame.op == ClientOp::server_only || frame.op == ClientOp::unknown) {
        return;
    }
    std::string written;
    append_client_frame(written, frame);
    std::string scratch_again;
    ClientFrame again;
    MUSTER_CHECK(parse_client_frame(written, scratch_again, again).has_value());
    MUSTER_CHECK(again == frame);
    std::string written_again;
    append_client_frame(written_again, again);
    MUSTER_CHECK(written_again == written);
}

void run_server(std::string_view text) {
    std::string scratch;
    const auto frame = parse_server_frame(text, scratch);
    if (!frame) {
        return;
    }
    std::string written;
    append_server_frame(written, *frame);
    std::string scratch_again;
    const auto again = parse_server_frame(written, scratch_again);
    MUSTER_CHECK(again.has_value());
    MUSTER_CHECK(*again == *frame);
    std::string written_again;
    append_server_frame(written_again, *again);
    MUSTER_CHECK(written_again == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    run_client(text);
    run_server(text);
    return 0;
}
