// How a gateway shard takes a new socket.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/check.h"
#include "core/gateway/gateway.h"
#include "core/wire/http_response.h"

namespace muster::gateway {
namespace {

/// The answer to a socket that is one too many: before a byte of it was read, so it may turn out
/// not to speak HTTP. Then this is no frame, and it comes back later all the same.
SharedText crowded_out(Context& ctx) {
    wire::HttpRefusal refusal{503, "too many clients have not signed in yet", ErrorCode::overload};
    refusal.retry_after_s = static_cast<std::uint16_t>(
        std::chrono::ceil<std::chrono::seconds>(Admission::after_crowd(ctx.rng)).count());
    std::string response;
    wire::append_refusal(response, refusal);
    return SharedText(response);
}

}  // namespace

void Gateway::open(const Opened& opened, Context& ctx) {
    const Limits& limits = settings_->limits;
    if (opened.unknown > limits.unknown_max ||
        opened.unknown_of_address > limits.unknown_of_address_max) {
        ++counters_.crowded_out;
        ctx.note(Note::Kind::crowded_out, opened.connection, {}, "too many have not signed in yet");
        ctx.outputs.push_back(Output{opened.connection, crowded_out(ctx), true});
        return;
    }
    const std::size_t slot = slot_of(opened.connection);
    if (slot >= connections_.size()) {
        connections_.resize(slot + 1);
    }
    MUSTER_CHECK(connections_[slot].connection == nullptr);
    connections_[slot].connection = std::make_unique<Connection>(opened, ctx);
    finish(opened.connection, ctx);
}

}  // namespace muster::gateway
