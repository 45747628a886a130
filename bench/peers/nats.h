#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/peers/conversation.h"
#include "bench/peers/tail.h"

namespace muster::bench {

/// Cuts the messages of a NATS server out of a stream of bytes.
///
/// Owns:       a message that has come in part; nothing between messages.
/// Invariants: the messages do not depend on how the input was cut. After an error the error
///             repeats.
/// Source:     docs.nats.io, "Client Protocol".
class NatsReader {
public:
    static constexpr std::size_t line_bytes_max = 64 * 1024;
    static constexpr std::size_t payload_bytes_max = 1024 * 1024;

    struct Message {
        enum class Kind : std::uint8_t { need_more, info, message, ping, pong, ok, error };
        Kind kind = Kind::need_more;
        std::string_view text;  ///< a message's payload, an error's words; until the next call
    };

    /// Takes one message off the front of `input`. Errors: bytes that are none, a line or a payload
    /// above its bound.
    [[nodiscard]] Result<Message> next(std::span<char>& input);

private:
    Tail tail_;
    bool has_failed_ = false;
};

/// NATS PUB and SUB, not verbose: a queue is a subject. PING and PONG tell when a SUB has counted.
class NatsConversation final : public Conversation {
public:
    explicit NatsConversation(Person person);

    void begin(std::string& out) override;
    [[nodiscard]] Result<Heard> next(std::span<char>& input, std::string& out) override;
    void join(std::string& out, std::string_view queue) override;
    void leave(std::string& out, std::string_view queue) override;
    void send(std::string& out, std::string_view queue, std::string_view payload) override;

private:
    Person person_;
    NatsReader reader_;
    bool is_leaving_ = false;  // The next PONG answers a leave.
};

}  // namespace muster::bench
