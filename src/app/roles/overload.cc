#include "app/roles/overload.h"

#include <cstdint>
#include <utility>
#include <variant>

#include "base/error_code.h"
#include "core/queue/messages.h"
#include "core/user/messages.h"

namespace muster::roles {
namespace {

// The answer to `body` without its verdict, if it is an operation.
std::optional<queue::OpReply> unanswered(const QueueName& actor, const actor::Body& body) {
    queue::OpReply reply;
    reply.queue = actor;
    if (const auto* op = std::get_if<queue::Op>(&body)) {
        reply = queue::reply_to(*op, actor);
    } else if (const auto* pass = std::get_if<user::Pass>(&body)) {
        reply = queue::reply_to(pass->op, pass->queue);
    } else if (const auto* tell = std::get_if<user::Tell>(&body)) {
        reply.reply_to = tell->reply_to;
    } else {
        return std::nullopt;
    }
    return reply;
}

}  // namespace

std::optional<actor::Message> busy_answer(const actor::Message& message) {
    const auto* actor = std::get_if<actor::ActorAddress>(&message.to);
    if (actor == nullptr || std::holds_alternative<actor::ActorAddress>(message.from)) {
        return std::nullopt;
    }
    auto reply = unanswered(actor->name, message.body);
    if (!reply) {
        return std::nullopt;
    }
    reply->verdict.kind = queue::Verdict::Kind::busy;
    reply->verdict.code = ErrorCode::busy;
    reply->verdict.retry_ms = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(busy_retry).count());
    return actor::Message{*actor, message.from, *std::move(reply)};
}

}  // namespace muster::roles
