#include "bench/peers/muster.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/wire/websocket_handshake.h"

namespace muster::bench {
namespace {

bool skip(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) {
        return false;
    }
    text.remove_prefix(expected.size());
    return true;
}

bool skip_to(std::string_view& text, char wanted) {
    const auto at = text.find(wanted);
    text.remove_prefix(std::min(at, text.size()));
    return at != std::string_view::npos;
}

constexpr std::uint32_t message_bytes_max = 16 * 1024 * 1024;
constexpr std::array<std::string_view, 1> protocols{"muster.v1.json"};

// Returns what stands between `name` and the next `end`; empty where there is none.
std::string_view between(std::string_view text, std::string_view name, char end) {
    const auto at = text.find(name);
    if (at == std::string_view::npos) {
        return {};
    }
    const auto from = at + name.size();
    const auto to = text.find(end, from);
    return to == std::string_view::npos ? std::string_view{} : text.substr(from, to - from);
}

}  // namespace

MusterConversation::MusterConversation(Person person)
    : person_(std::move(person)),
      decoder_(wire::WebSocketDecoder::Side::client, message_bytes_max) {}

void MusterConversation::begin(std::string& out) {
    state_ = State::upgrading;
    decoder_ = wire::WebSocketDecoder(wire::WebSocketDecoder::Side::client, message_bytes_max);
    head_.clear();
    wire::UpgradeRequest request;
    request.host = "localhost";
    request.target = "/connect";
    request.key = "bXVzdGVyIGJlbmNoIGtleQ==";
    request.protocols = protocols;
    wire::append_upgrade_request(out, request);
}

Result<Heard> MusterConversation::next(std::span<char>& input, std::string& out) {
    if (state_ == State::upgrading) {
        const auto is_up = take_head(input, out);
        if (!is_up || !*is_up) {
            return is_up ? Result<Heard>(Heard{}) : tl::unexpected(is_up.error());
        }
    }
    for (;;) {
        const auto step = decoder_.next(input);
        if (!step) {
            return failure(ErrorCode::framing, std::string(step.error().why));
        }
        using Kind = wire::WebSocketDecoder::Step::Kind;
        switch (step->kind) {
            case Kind::need_more: return Heard{};
            case Kind::text:
                if (auto heard = take_text(step->payload, out);
                    !heard || heard->kind != Heard::Kind::nothing) {
                    return heard;
                }
                break;
            case Kind::close: return failure(ErrorCode::refused, std::string(step->payload));
            case Kind::ping:
            case Kind::pong:
            case Kind::binary: break;
        }
    }
}

// Returns whether the connection is a WebSocket now.
Result<bool> MusterConversation::take_head(std::span<char>& input, std::string& out) {
    head_.append(input.data(), input.size());
    const auto end = head_.find("\r\n\r\n");
    if (end == std::string::npos) {
        input = {};
        return false;
    }
    if (!head_.starts_with("HTTP/1.1 101")) {
        return failure(ErrorCode::refused, head_.substr(0, head_.find('\r')));
    }
    // What follows the head stands at the end of what has just come.
    input = input.last(head_.size() - end - 4);
    std::string().swap(head_);
    state_ = State::joining;
    say_hello(out);
    return true;
}

void MusterConversation::say_hello(std::string& out) {
    ++attempts_;
    std::string hello = R"({"op":"hello","v":[1],"user":")" + person_.user + '"';
    if (!resume_.empty()) {
        hello += R"(,"resume":")" + resume_ + R"(","cid":")" + cid_ + R"(","cn":)" +
                 std::to_string(attempts_);
    }
    const bool comes_back = !inc_.empty() && !person_.queue.empty();
    if (comes_back) {
        hello +=
            R"(,"since":{")" + person_.queue + R"(":[)" + inc_ + ',' + std::to_string(seq_) + "]}";
    }
    say(out, hello + "}");
    if (!person_.queue.empty() && !comes_back) {
        join(out, person_.queue);
    }
}

// Messages of one room all begin alike, and their fields come in one order: reading them so costs a
// fraction of a search for each field, and the reader must not be what limits a fan-out.
std::optional<Heard> MusterConversation::take_message_like_last(std::string_view text) {
    if (message_head_.empty() || !skip(text, message_head_)) {
        return std::nullopt;
    }
    std::uint64_t seq = 0;
    const auto digits = std::from_chars(text.data(), text.data() + text.size(), seq);
    text.remove_prefix(static_cast<std::size_t>(digits.ptr - text.data()));
    if (!skip(text, R"(,"from":")") || !skip_to(text, '"') || !skip(text, R"(","t":)") ||
        !skip_to(text, ',') || !skip(text, R"(,"d":)")) {
        return std::nullopt;
    }
    seq_ = seq;
    return Heard{Heard::Kind::message, text, seq};
}

Result<Heard> MusterConversation::take_text(std::string_view text, std::string& out) {
    if (const auto heard = take_message_like_last(text)) {
        return *heard;
    }
    // {"op":"msg","q":"…","m":"chat","seq":20,"from":"bob","t":1790000000123,"d":{…}}
    // {"op":"state","q":"…","m":"positions","seq":21,"set":{"alice":{…},"bob":{…}}}
    const auto seq_at = text.find(R"("seq":)", 8);
    const std::string_view op = text.substr(7, 4);
    if (op == "msg\"" || op == "stat" || op == "memb") {
        if (seq_at == std::string_view::npos) {
            return failure(ErrorCode::framing, "a frame without seq");
        }
        std::uint64_t seq = 0;
        std::from_chars(text.data() + seq_at + 6, text.data() + text.size(), seq);
        seq_ = seq;
        if (op == "memb") {
            return Heard{};
        }
        if (op == "msg\"") {
            message_head_ = text.substr(0, seq_at + 6);
        }
        const auto data = text.find(op == "msg\"" ? R"("d":)" : R"("set":)", seq_at);
        return Heard{Heard::Kind::message,
                     data == std::string_view::npos ? std::string_view{}
                                                    : text.substr(data + (op == "msg\"" ? 4 : 6)),
                     seq};
    }
    if (op == "ok\",") {
        return Heard{
            text.starts_with(R"({"op":"ok","i":3)") ? Heard::Kind::left : Heard::Kind::nothing,
            {},
            0};
    }
    if (op == "join") {
        note_place(text);
        state_ = State::up;
        return Heard{Heard::Kind::joined, {}, 0};
    }
    if (op == "hell") {
        resume_ = between(text, R"("resume":")", '"');
        cid_ = between(text, R"("cid":")", '"');
        if (person_.queue.empty()) {
            state_ = State::up;
            return Heard{Heard::Kind::joined, {}, 0};
        }
        return Heard{};
    }
    if (op == "ping") {
        say(out, R"({"op":"pong"})");
        return Heard{};
    }
    if (op == "err\"" || op == "retr") {
        if (state_ != State::up) {
            return failure(ErrorCode::refused, std::string(text));
        }
        return Heard{Heard::Kind::refused, text, 0};
    }
    if (op == "rese") {
        return failure(ErrorCode::refused, "the queue's history has ended");
    }
    return Heard{};
}

void MusterConversation::note_place(std::string_view joined) {
    const std::string_view at = between(joined, R"("at":[)", ']');
    const auto comma = at.find(',');
    if (comma != std::string_view::npos) {
        inc_ = at.substr(0, comma);
        std::from_chars(at.data() + comma + 1, at.data() + at.size(), seq_);
    }
}

void MusterConversation::join(std::string& out, std::string_view queue) {
    say(out, R"({"op":"join","i":1,"q":")" + std::string(queue) + R"("})");
}

void MusterConversation::leave(std::string& out, std::string_view queue) {
    say(out, R"({"op":"leave","i":3,"q":")" + std::string(queue) + R"("})");
}

void MusterConversation::send(std::string& out, std::string_view queue, std::string_view payload) {
    std::string json;
    json.reserve(64 + queue.size() + payload.size());
    json += person_.sets_state ? R"({"op":"set","i":2,"q":")" : R"({"op":"send","i":2,"q":")";
    json += queue;
    if (person_.sets_state) {
        json += R"(","m":"positions","k":")";
        json += person_.user;
    } else {
        json += R"(","m":"chat)";
    }
    json += '"';
    if (person_.numbers_ops) {
        json += R"(,"n":)" + std::to_string(++number_) + R"(,"inc":)" + inc_;
    }
    json += R"(,"d":)";
    json += payload;
    json += '}';
    say(out, json);
}

void MusterConversation::say(std::string& out, std::string_view json) {
    mask_ = mask_ * 1664525U + 1013904223U;
    wire::append_client_frame(out, wire::WebSocketOpcode::text, json, mask_);
}

}  // namespace muster::bench
