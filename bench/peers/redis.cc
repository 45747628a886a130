#include "bench/peers/redis.h"

#include <utility>

namespace muster::bench {

RedisConversation::RedisConversation(Person person) : person_(std::move(person)) {}

void RedisConversation::begin(std::string& out) {
    reader_ = RespReader();
    if (person_.queue.empty()) {
        append_command(out, {"PING"});
    } else {
        join(out, person_.queue);
    }
}

Result<Heard> RedisConversation::next(std::span<char>& input, std::string&) {
    using Kind = RespReader::Reply::Kind;
    for (;;) {
        const auto reply = reader_.next(input);
        if (!reply) {
            return tl::unexpected(reply.error());
        }
        switch (reply->kind) {
            case Kind::need_more: return Heard{};
            case Kind::error: return failure(ErrorCode::refused, std::string(reply->text));
            case Kind::simple: return Heard{Heard::Kind::joined, {}, 0};
            case Kind::array:
                if (reply->part_count == 3 && reply->parts[0] == "message") {
                    return Heard{Heard::Kind::message, reply->parts[2], 0};
                }
                if (reply->part_count == 3 && reply->parts[0] == "subscribe") {
                    return Heard{Heard::Kind::joined, {}, 0};
                }
                if (reply->part_count == 3 && reply->parts[0] == "unsubscribe") {
                    return Heard{Heard::Kind::left, {}, 0};
                }
                return failure(ErrorCode::framing, "an array that nobody asked for");
            case Kind::integer:  // To how many a PUBLISH went.
            case Kind::bulk: break;
        }
    }
}

void RedisConversation::join(std::string& out, std::string_view queue) {
    append_command(out, {"SUBSCRIBE", queue});
}

void RedisConversation::leave(std::string& out, std::string_view queue) {
    append_command(out, {"UNSUBSCRIBE", queue});
}

void RedisConversation::send(std::string& out, std::string_view queue, std::string_view payload) {
    append_command(out, {"PUBLISH", queue, payload});
}

}  // namespace muster::bench
