#pragma once

#include <cstdint>
#include <variant>

#include "base/ids.h"
#include "base/name.h"
#include "base/time.h"
#include "core/queue/messages.h"
#include "core/user/messages.h"

/// What travels between actors, gateway shards and the service thread, and how they are addressed.
/// Nobody knows where the other one is: the shell (or the simulator) carries it there.
namespace muster::actor {

/// An actor, wherever its bucket is.
struct ActorAddress {
    QueueName name;
};
/// The gateway machine of one shard.
struct GatewayAddress {
    ShardId shard;
};
/// The service thread (admin HTTP).
struct ServiceAddress {};

using Address = std::variant<ActorAddress, GatewayAddress, ServiceAddress>;

using Body = std::variant<
    // to queues
    queue::Op, queue::Subscribe, queue::Unsubscribe, queue::Fence, queue::Presence, queue::Read,
    // to user queues
    user::Attach, user::Detach, user::Check, user::Pass, user::QueueEnded, user::Tell,
    user::Disconnect, user::ReadUser,
    // to gateways, user queues and the service thread
    queue::OpReply, queue::Subscribed, queue::SubscribeRefused, queue::Published, queue::Ended,
    queue::FenceReply, queue::ReadReply, user::Attached, user::Stale, user::Checked, user::Kick,
    user::MembershipChanged, user::Told, user::UserReport>;

struct Message {
    Address from;
    Address to;
    Body body;
};

/// The actor asked for it (Context::wake_at), and its time has come.
struct Wake {};

/// What an actor takes.
using Event = std::variant<Message, Wake>;

}  // namespace muster::actor
