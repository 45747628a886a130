#include "core/wire/proto_frames.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "core/wire/json_reader.h"
#include "core/wire/proto_generated.h"

// Any bytes as a frame of either direction: no crash; what was understood is said again in the same
// way; and protoc's classes understand it too, as the same.

namespace {

using namespace muster;
using namespace muster::wire;

void run_client(std::string_view bytes) {
    ClientFrame frame;
    if (!proto::parse_client_frame(bytes, frame)) {
        return;
    }
    v1::ClientFrame generated;
    if (frame.op == ClientOp::server_only || frame.op == ClientOp::unknown) {
        return;
    }
    MUSTER_CHECK(generated.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    MUSTER_CHECK(proto::from_generated(generated) == frame);
    if (frame.data && frame.data->format == Format::json) {
        MUSTER_CHECK(validate_json(frame.data->bytes).has_value());
    }
    std::string written;
    proto::append_client_frame(written, frame);
    ClientFrame again;
    MUSTER_CHECK(proto::parse_client_frame(written, again).has_value());
    MUSTER_CHECK(again == frame);
}

void run_server(std::string_view bytes) {
    const auto frame = proto::parse_server_frame(bytes);
    if (!frame) {
        return;
    }
    v1::ServerFrame generated;
    MUSTER_CHECK(generated.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    MUSTER_CHECK(proto::from_generated(generated).has_value());
    std::string written;
    proto::append_server_frame(written, *frame);
    const auto again = proto::parse_server_frame(written);
    MUSTER_CHECK(again.has_value());
    std::string written_again;
    proto::append_server_frame(written_again, *again);
    MUSTER_CHECK(written_again == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};
    run_client(bytes);
    run_server(bytes);
    return 0;
}
