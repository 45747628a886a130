#include "bench/peers/resp.h"

#include <charconv>
#include <optional>

namespace muster::bench {
namespace {

// Where a reply is being read; `at` moves over what is whole.
struct Cursor {
    std::string_view bytes;
    std::size_t at = 0;
};

enum class Read : std::uint8_t { whole, need_more, damaged };

Read read_line(Cursor& from, std::string_view& line) {
    const auto end = from.bytes.find('\n', from.at);
    if (end == std::string_view::npos) {
        return Read::need_more;
    }
    if (end == from.at || from.bytes[end - 1] != '\r') {
        return Read::damaged;
    }
    line = from.bytes.substr(from.at, end - 1 - from.at);
    from.at = end + 1;
    return Read::whole;
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

// A simple string, an error, an integer or a bulk string.
Read read_scalar(Cursor& from, char& type, std::string_view& text) {
    if (from.at == from.bytes.size()) {
        return Read::need_more;
    }
    type = from.bytes[from.at];
    if (type != '+' && type != '-' && type != ':' && type != '$') {
        return Read::damaged;
    }
    std::string_view line;
    if (const Read read = read_line(from, line); read != Read::whole) {
        return read;
    }
    text = line.substr(1);
    if (type == ':') {
        return number(text) ? Read::whole : Read::damaged;
    }
    if (type != '$') {
        return Read::whole;
    }
    const auto size = number(text);
    if (!size || *size < -1 || *size > static_cast<std::int64_t>(RespReader::reply_bytes_max)) {
        return Read::damaged;
    }
    if (*size == -1) {
        text = {};
        return Read::whole;
    }
    const auto bytes = static_cast<std::size_t>(*size);
    if (from.bytes.size() - from.at < bytes + 2) {
        return Read::need_more;
    }
    text = from.bytes.substr(from.at, bytes);
    if (from.bytes.substr(from.at + bytes, 2) != "\r\n") {
        return Read::damaged;
    }
    from.at += bytes + 2;
    return Read::whole;
}

Read read_reply(Cursor& from, RespReader::Reply& reply) {
    using Kind = RespReader::Reply::Kind;
    if (from.bytes.empty()) {
        return Read::need_more;
    }
    char type = from.bytes.front();
    if (type != '*') {
        const Read read = read_scalar(from, type, reply.text);
        reply.kind = type == '+'   ? Kind::simple
                     : type == '-' ? Kind::error
                     : type == ':' ? Kind::integer
                                   : Kind::bulk;
        return read;
    }
    std::string_view line;
    if (const Read read = read_line(from, line); read != Read::whole) {
        return read;
    }
    const auto count = number(line.substr(1));
    if (!count || *count < 0 || *count > static_cast<std::int64_t>(RespReader::parts_max)) {
        return Read::damaged;
    }
    reply.kind = Kind::array;
    reply.part_count = static_cast<std::size_t>(*count);
    for (std::size_t i = 0; i < reply.part_count; ++i) {
        if (const Read read = read_scalar(from, type, reply.parts[i]); read != Read::whole) {
            return read;
        }
    }
    return Read::whole;
}

}  // namespace

Result<RespReader::Reply> RespReader::next(std::span<char>& input) {
    Cursor from{tail_.with(input)};
    Reply reply;
    const Read read = has_failed_ ? Read::damaged : read_reply(from, reply);
    if (read == Read::whole) {
        tail_.take(input, from.at);
        return reply;
    }
    if (read == Read::damaged || from.bytes.size() > reply_bytes_max) {
        has_failed_ = true;
        return failure(ErrorCode::framing, "not a Redis reply");
    }
    tail_.keep(input);
    return Reply{};
}

void append_command(std::string& out, std::initializer_list<std::string_view> words) {
    out += '*';
    out += std::to_string(words.size());
    out += "\r\n";
    for (const std::string_view word : words) {
        out += '$';
        out += std::to_string(word.size());
        out += "\r\n";
        out += word;
        out += "\r\n";
    }
}

}  // namespace muster::bench
