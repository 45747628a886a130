#pragma once

#include <cstddef>

#include "shell/admin/api.h"
#include "shell/admin/keys.h"
#include "shell/admin/request.h"

namespace muster::admin {

inline constexpr std::size_t batch_lines_max = 1'000;

/// Carries out a batch. Each line of the body is one request:
///
///     {"method":"POST","path":"/v1/queues/room/1/-/mounts/chat/messages","body":{"data":1},
///      "idempotency_key":"k1","if_match":"\"41\"","if_none_match":"*"}
///
/// and gives one line of the answer, in the same order:
///
///     {"line":1,"status":201,"body":{"inc":7,"seq":20}}
///
/// A line begins when the one before has its answer, so that a queue can be created and used in one
/// batch. A line that fails does not stop the rest; one without an answer does: the lines after it
/// are refused with M2023, and none of them had an effect. Lines only change things; reads have
/// answers too big for that.
void run_batch(Api& api, const Request& request, const Access& access, Respond respond);

}  // namespace muster::admin
