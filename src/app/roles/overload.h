#pragma once

#include <chrono>
#include <optional>

#include "base/time.h"
#include "core/actor/messages.h"

namespace muster::roles {

/// When a shard that is over its bounds asks to be tried again.
inline constexpr Duration busy_retry = std::chrono::milliseconds{500};

/// Returns BUSY (M2022) where `message` is an operation of a client or of the backend that has come
/// straight from its gateway or the service thread, so that nobody has noted anything of it yet.
/// Returns nothing for all else, which is to be taken: what a user queue has passed on or does
/// itself, sign-ins, sign-outs and kicks, subscriptions, reads, answers, events.
/// Source: GUARANTEES.md 5.1 (inbox over limit: not recorded, not final) and 5.10.
[[nodiscard]] std::optional<actor::Message> busy_answer(const actor::Message& message);

}  // namespace muster::roles
