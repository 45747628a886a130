#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/peers/conversation.h"
#include "bench/peers/resp.h"

namespace muster::bench {

/// Redis PUBLISH and SUBSCRIBE: a queue is a channel. A client without a queue is one that sends:
/// see sends_apart().
class RedisConversation final : public Conversation {
public:
    explicit RedisConversation(Person person);

    void begin(std::string& out) override;
    [[nodiscard]] Result<Heard> next(std::span<char>& input, std::string& out) override;
    void join(std::string& out, std::string_view queue) override;
    void leave(std::string& out, std::string_view queue) override;
    void send(std::string& out, std::string_view queue, std::string_view payload) override;

private:
    Person person_;
    RespReader reader_;
};

}  // namespace muster::bench
