#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/peers/conversation.h"
#include "core/wire/websocket.h"

namespace muster::bench {

/// Muster's JSON over WebSocket, as cheap as it can be: ready-made frames, and of what comes only
/// what is needed. bench/limit understands exactly this.
class MusterConversation final : public Conversation {
public:
    explicit MusterConversation(Person person);

    void begin(std::string& out) override;
    [[nodiscard]] Result<Heard> next(std::span<char>& input, std::string& out) override;
    void join(std::string& out, std::string_view queue) override;
    void leave(std::string& out, std::string_view queue) override;
    void send(std::string& out, std::string_view queue, std::string_view payload) override;

private:
    enum class State : std::uint8_t { upgrading, joining, up };

    [[nodiscard]] Result<bool> take_head(std::span<char>& input, std::string& out);
    [[nodiscard]] Result<Heard> take_text(std::string_view text, std::string& out);
    [[nodiscard]] std::optional<Heard> take_message_like_last(std::string_view text);
    void note_place(std::string_view joined);
    void say_hello(std::string& out);
    void say(std::string& out, std::string_view json);

    Person person_;
    State state_ = State::upgrading;
    wire::WebSocketDecoder decoder_;
    std::string head_;
    std::string resume_;  // As the server's hello gave it.
    std::string cid_;
    std::string inc_;           // Of the joined queue; empty: never joined.
    std::uint64_t seq_ = 0;     // Seen last there.
    std::uint64_t number_ = 0;  // Of the last op there.
    std::string message_head_;  // What the last message had before its seq.
    std::uint32_t attempts_ = 0;
    std::uint32_t mask_ = 0x6d757374;  // Any value will do: nothing here hides from proxies.
};

}  // namespace muster::bench
