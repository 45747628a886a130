#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/peers/conversation.h"
#include "core/wire/frames.h"
#include "core/wire/length_frames.h"

namespace muster::bench {

/// Muster's protobuf over plain TCP: what its own clients speak where they are no browsers.
class MusterProtoConversation final : public Conversation {
public:
    explicit MusterProtoConversation(Person person);

    void begin(std::string& out) override;
    [[nodiscard]] Result<Heard> next(std::span<char>& input, std::string& out) override;
    void join(std::string& out, std::string_view queue) override;
    void leave(std::string& out, std::string_view queue) override;
    void send(std::string& out, std::string_view queue, std::string_view payload) override;

private:
    [[nodiscard]] Result<Heard> take(const wire::ServerFrame& frame, std::string& out);
    void say(std::string& out, const wire::ClientFrame& frame);

    Person person_;
    wire::LengthDecoder decoder_;
    std::string message_;  // Being written.
    std::string resume_;   // As the server's hello gave it.
    std::string cid_;
    Cursor seen_;               // Of the joined queue.
    std::uint64_t number_ = 0;  // Of the last op there.
    std::uint64_t attempts_ = 0;
    bool is_up_ = false;
};

}  // namespace muster::bench
