// What comes compressed: row 25 of GUARANTEES.md.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/gateway/connection.h"
#include "core/gateway/settings.h"
#include "core/wire/utf8.h"

namespace muster::gateway {
namespace {

// Of compressed messages, once inflated: more than 40 of the biggest payloads a second.
constexpr std::uint32_t inflated_kib_per_second = 1'024;
constexpr std::uint32_t inflated_kib_burst = 2'048;

}  // namespace

// A hundred bytes may inflate to 64 KiB, so what comes out is counted. Returns false for a flood.
bool Connection::take_inflated(std::size_t bytes, Context& ctx) {
    for (std::size_t kib = 0; kib <= bytes / 1024; ++kib) {
        if (inflated_.take(ctx.now, inflated_kib_per_second, inflated_kib_burst)) {
            close(ErrorCode::abuse, "too much came compressed", ctx);
            return false;
        }
    }
    return true;
}

void Connection::take_deflated(std::string_view bytes, Context& ctx) {
    const auto message = ctx.work.inflater.inflate(bytes, ctx.settings.limits.frame_bytes_max);
    if (!message) {
        close(message.error().code, message.error().why, ctx);
        return;
    }
    if (!take_inflated(message->size(), ctx)) {
        return;
    }
    if (is_json(encoding()) && !wire::is_valid_utf8(*message)) {
        close(ErrorCode::bad_utf8, "a text message is not UTF-8", ctx);
        return;
    }
    take_message(*message, ctx);
}

}  // namespace muster::gateway
