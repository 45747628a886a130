#include "bench/peers/conversation.h"

#include <utility>

#include "bench/peers/muster.h"
#include "bench/peers/muster_proto.h"
#include "bench/peers/nats.h"
#include "bench/peers/redis.h"

namespace muster::bench {

std::string_view name_of(Peer peer) noexcept {
    switch (peer) {
        case Peer::muster: return "muster";
        case Peer::muster_proto: return "muster-proto";
        case Peer::redis: return "redis";
        case Peer::nats: return "nats";
    }
    return "?";
}

std::unique_ptr<Conversation> make_conversation(Peer peer, Person person) {
    switch (peer) {
        case Peer::muster: return std::make_unique<MusterConversation>(std::move(person));
        case Peer::muster_proto:
            return std::make_unique<MusterProtoConversation>(std::move(person));
        case Peer::redis: return std::make_unique<RedisConversation>(std::move(person));
        case Peer::nats: return std::make_unique<NatsConversation>(std::move(person));
    }
    return nullptr;
}

}  // namespace muster::bench
