// What a peer sends after the handshake. The first byte of the input says how the rest is cut,
// which side we are, how long a message may be and whether it may be deflated; neither what comes
// out nor the memory that it takes may depend on the cuts.
#include "core/wire/websocket.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"

namespace muster::wire {
namespace {

using Step = WebSocketDecoder::Step;

struct Peer {
    WebSocketDecoder::Side side;
    std::uint32_t bytes_max;
    bool may_deflate;
};

// All steps and the error, one after the other.
std::string read(std::string_view bytes, const Peer& peer, std::size_t piece_bytes) {
    std::string log;
    const std::uint32_t bytes_max = peer.bytes_max;
    WebSocketDecoder decoder{peer.side, bytes_max};
    if (peer.may_deflate) {
        decoder.take_deflated();
    }
    for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
        // Memory of its own, gone after the piece: nothing may stay in it.
        const std::string_view part = bytes.substr(at, piece_bytes);
        std::vector<char> piece(part.begin(), part.end());
        std::span<char> input{piece};
        for (;;) {
            const std::size_t left = input.size();
            const auto step = decoder.next(input);
            MUSTER_CHECK(decoder.buffered_bytes() <= std::size_t{bytes_max} + 125);
            if (!step) {
                MUSTER_CHECK(decoder.buffered_bytes() == 0);
                return log + "!" + std::to_string(static_cast<int>(step.error().close_code));
            }
            if (step->kind == Step::Kind::need_more) {
                MUSTER_CHECK(input.empty());
                break;
            }
            MUSTER_CHECK(input.size() < left);
            const bool is_message =
                step->kind == Step::Kind::text || step->kind == Step::Kind::binary;
            MUSTER_CHECK(step->payload.size() <= (is_message ? bytes_max : 125));
            MUSTER_CHECK(!step->is_deflated || (is_message && peer.may_deflate));
            if (step->kind == Step::Kind::text && !step->is_deflated) {
                MUSTER_CHECK(is_valid_utf8(step->payload));
            }
            log += static_cast<char>('0' + static_cast<int>(step->kind));
            log += step->is_deflated ? "d" : "";
            log += std::to_string(static_cast<int>(step->close_code));
            log += std::to_string(step->payload.size());
            log += ':';
            log += step->payload;
        }
    }
    return log;
}

}  // namespace
}  // namespace muster::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using Side = muster::wire::WebSocketDecoder::Side;
    if (size == 0) {
        return 0;
    }
    const unsigned choice = data[0];
    const muster::wire::Peer peer{.side = (choice & 0x80U) != 0 ? Side::client : Side::server,
                                  .bytes_max = (choice & 0x40U) != 0 ? 100U : 70'000U,
                                  .may_deflate = (choice & 0x20U) != 0};
    const std::size_t piece_bytes = (choice & 0x1fU) + 1;
    const std::string_view bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
    const std::string whole = muster::wire::read(bytes, peer, size);
    MUSTER_CHECK(muster::wire::read(bytes, peer, piece_bytes) == whole);
    return 0;
}
