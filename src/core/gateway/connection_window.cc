// How many ops of one queue a connection may have under way: row 43 of GUARANTEES.md.
#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/gateway/connection.h"
#include "core/gateway/settings.h"

namespace muster::gateway {
namespace {

/// When to repeat an op that came while as many of its queue as may be were under way.
constexpr Duration window_wait = std::chrono::milliseconds{500};

/// However narrow the window is set: the SDKs send 32 ops in one breath.
constexpr std::uint32_t unresolved_allowed = 128;

}  // namespace

// Counts an op as under way. Returns false where as many are as may be: then it is not forwarded,
// and a client that does not mind (four windows are open or refused) is closed.
bool Connection::open_op(const wire::ClientFrame& frame, const QueueName& queue, Context& ctx) {
    Following* counted = following(queue.text());
    if (counted == nullptr) {
        counted = std::ranges::find(strays_, queue, &Following::queue);
        if (counted == strays_.end()) {
            if (strays_.size() >= ctx.settings.limits.queues_max) {
                say_retry(frame.request, ErrorCode::busy, window_wait, ctx);
                return false;
            }
            strays_.push(Following{.queue = queue});
            counted = strays_.end() - 1;
        }
    }
    const std::uint32_t window = ctx.settings.limits.op_window;
    if (counted->open_ops < window) {
        ++counted->open_ops;
        counted->busy_ops = 0;
        return true;
    }
    if (frame.attempt.value_or(1) == 1) {
        ++counted->busy_ops;  // A repetition may be of one that is open.
    }
    const std::uint32_t unresolved = counted->open_ops + counted->busy_ops;
    if (unresolved >= std::max(4 * window, unresolved_allowed)) {
        close(ErrorCode::abuse, "too many ops of one queue at once", ctx);
    } else {
        say_retry(frame.request, ErrorCode::busy, window_wait, ctx);
    }
    return false;
}

// An op of `queue` is under way no more. (Of a queue that was left meanwhile none is counted.)
void Connection::op_answered(const QueueName& queue) {
    Following* const stray = std::ranges::find(strays_, queue, &Following::queue);
    if (stray != strays_.end()) {
        if (--stray->open_ops == 0) {
            strays_.erase(stray);
        }
    } else if (Following* followed = served(queue.text());
               followed != nullptr && followed->open_ops > 0) {
        --followed->open_ops;
    }
}

}  // namespace muster::gateway
