#include "bench/peers/nats.h"

#include <charconv>
#include <optional>
#include <utility>

namespace muster::bench {
namespace {

enum class Read : std::uint8_t { whole, need_more, damaged };

// MSG <subject> <sid> [reply-to] <#bytes>: returns the last word as a number.
std::optional<std::size_t> payload_bytes(std::string_view line) {
    const auto space = line.rfind(' ');
    if (space == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view digits = line.substr(space + 1);
    std::size_t bytes = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
    return error == std::errc{} && end == digits.data() + digits.size() &&
                   bytes <= NatsReader::payload_bytes_max
               ? std::optional(bytes)
               : std::nullopt;
}

Read read_message(std::string_view bytes, std::size_t& used, NatsReader::Message& message) {
    using Kind = NatsReader::Message::Kind;
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) {
        return bytes.size() > NatsReader::line_bytes_max ? Read::damaged : Read::need_more;
    }
    if (end == 0 || bytes[end - 1] != '\r') {
        return Read::damaged;
    }
    const std::string_view line = bytes.substr(0, end - 1);
    used = end + 1;
    if (line.starts_with("MSG ")) {
        const auto size = payload_bytes(line);
        if (!size) {
            return Read::damaged;
        }
        if (bytes.size() - used < *size + 2) {
            return Read::need_more;
        }
        if (bytes.substr(used + *size, 2) != "\r\n") {
            return Read::damaged;
        }
        message = {Kind::message, bytes.substr(used, *size)};
        used += *size + 2;
    } else if (line == "PING") {
        message = {Kind::ping, {}};
    } else if (line == "PONG") {
        message = {Kind::pong, {}};
    } else if (line == "+OK") {
        message = {Kind::ok, {}};
    } else if (line.starts_with("INFO ")) {
        message = {Kind::info, line.substr(5)};
    } else if (line.starts_with("-ERR")) {
        message = {Kind::error, line};
    } else {
        return Read::damaged;
    }
    return Read::whole;
}

}  // namespace

Result<NatsReader::Message> NatsReader::next(std::span<char>& input) {
    const std::string_view bytes = tail_.with(input);
    Message message;
    std::size_t used = 0;
    switch (has_failed_ ? Read::damaged : read_message(bytes, used, message)) {
        case Read::whole: tail_.take(input, used); return message;
        case Read::need_more: tail_.keep(input); return Message{};
        case Read::damaged: break;
    }
    has_failed_ = true;
    return failure(ErrorCode::framing, "not a NATS message");
}

NatsConversation::NatsConversation(Person person) : person_(std::move(person)) {}

void NatsConversation::begin(std::string&) {
    // The server speaks first.
    reader_ = NatsReader();
    is_leaving_ = false;
}

Result<Heard> NatsConversation::next(std::span<char>& input, std::string& out) {
    using Kind = NatsReader::Message::Kind;
    for (;;) {
        const auto message = reader_.next(input);
        if (!message) {
            return tl::unexpected(message.error());
        }
        switch (message->kind) {
            case Kind::need_more: return Heard{};
            case Kind::message: return Heard{Heard::Kind::message, message->text, 0};
            case Kind::info:
                out += R"(CONNECT {"verbose":false,"pedantic":false,"lang":"muster","name":")" +
                       person_.user + "\"}\r\n";
                if (person_.queue.empty()) {
                    out += "PING\r\n";
                } else {
                    join(out, person_.queue);
                }
                break;
            case Kind::pong:
                return Heard{
                    std::exchange(is_leaving_, false) ? Heard::Kind::left : Heard::Kind::joined,
                    {},
                    0};
            case Kind::ping: out += "PONG\r\n"; break;
            case Kind::ok: break;
            case Kind::error: return failure(ErrorCode::refused, std::string(message->text));
        }
    }
}

void NatsConversation::join(std::string& out, std::string_view queue) {
    out += "SUB ";
    out += queue;
    out += " 1\r\nPING\r\n";
}

void NatsConversation::leave(std::string& out, std::string_view) {
    is_leaving_ = true;
    out += "UNSUB 1\r\nPING\r\n";
}

void NatsConversation::send(std::string& out, std::string_view queue, std::string_view payload) {
    out += "PUB ";
    out += queue;
    out += ' ';
    out += std::to_string(payload.size());
    out += "\r\n";
    out += payload;
    out += "\r\n";
}

}  // namespace muster::bench
