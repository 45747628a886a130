#include "core/wire/websocket.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace muster::wire {
namespace {

constexpr std::uint32_t control_payload_bytes_max = 125;
constexpr std::uint32_t first_buffer_bytes = 1024;

bool is_control(WebSocketOpcode opcode) noexcept { return opcode >= WebSocketOpcode::close; }

// Writes `from` to `to` (the same place, or one apart from it), each byte xor-ed with the mask's
// byte of its place, a word at a time.
void copy_masked(char* to, const char* from, std::size_t count, std::uint32_t mask) noexcept {
    const std::uint64_t wide_mask = std::uint64_t{mask} << 32U | mask;
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, from + i, 8);
        word ^= wide_mask;
        std::memcpy(to + i, &word, 8);
    }
    std::array<char, 4> mask_bytes{};
    std::memcpy(mask_bytes.data(), &mask, 4);
    for (; i < count; ++i) {
        to[i] = static_cast<char>(from[i] ^ mask_bytes[i % 4]);
    }
}

// Returns the mask for what follows `count` bytes.
std::uint32_t turned(std::uint32_t mask, std::size_t count) noexcept {
    const int bits = static_cast<int>(count % 4) * 8;
    return std::endian::native == std::endian::little ? std::rotr(mask, bits)
                                                      : std::rotl(mask, bits);
}

std::uint64_t read_big_endian(std::span<const char> bytes) noexcept {
    std::uint64_t number = 0;
    for (const char c : bytes) {
        number = number << 8U | static_cast<unsigned char>(c);
    }
    return number;
}

// Row 22 of the table, and the registry: 1004, 1005, 1006 and 1015 are never sent.
bool is_sendable(std::uint64_t close_code) noexcept {
    return (close_code >= 1000 && close_code <= 1003) ||
           (close_code >= 1007 && close_code <= 1014) || (close_code >= 3000 && close_code <= 4999);
}

// Returns a close frame's payload: the code and as much of the reason as fits.
std::string_view write_close(std::array<char, control_payload_bytes_max>& payload, CloseCode code,
                             std::string_view reason) noexcept {
    if (code == CloseCode::none) {
        return {};
    }
    std::size_t size = std::min(reason.size(), payload.size() - 2);
    // Back to the start of a code point if the cut went through one.
    while (size < reason.size() && size > 0 && (reason[size] & 0xc0) == 0x80) {
        --size;
    }
    const auto number = static_cast<std::uint16_t>(code);
    payload[0] = static_cast<char>(number >> 8U);
    payload[1] = static_cast<char>(number);
    reason.copy(payload.data() + 2, size);
    return {payload.data(), size + 2};
}

}  // namespace

CloseCode close_code_of(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::framing: return CloseCode::protocol_error;
        case ErrorCode::bad_utf8: return CloseCode::bad_text;
        case ErrorCode::abuse: return CloseCode::policy;
        case ErrorCode::frame_too_big: return CloseCode::too_big;
        case ErrorCode::overload: return CloseCode::try_again_later;
        case ErrorCode::drain: return CloseCode::going_away;
        case ErrorCode::bad_token: return CloseCode{4001};
        case ErrorCode::token_expired: return CloseCode{4002};
        case ErrorCode::superseded: return CloseCode{4003};
        case ErrorCode::session_lost: return CloseCode{4004};
        case ErrorCode::slow: return CloseCode{4008};
        case ErrorCode::resume_refused: return CloseCode{4010};
        case ErrorCode::upstream: return CloseCode{4013};
        default: return CloseCode{4000};  // protocol, hello_timeout, silent
    }
}

tl::expected<WebSocketDecoder::Step, WebSocketError> WebSocketDecoder::next(
    std::span<char>& input) {
    if (state_ != State::payload && !is_in_message()) {
        give_back();  // What the last step showed from it has been read.
    }
    for (;;) {
        switch (state_) {
            case State::header: {
                const Header header = take_header(input);
                if (header.violation != Violation::none) {
                    return fail(header.violation);
                }
                if (header.size == 0) {
                    return Step{};
                }
                const bool is_whole_message =
                    is_control(header.opcode) ||
                    (header.is_final && header.opcode != WebSocketOpcode::continuation);
                if (is_whole_message && header.payload_bytes <= input.size()) {
                    const auto payload =
                        input.first(static_cast<std::size_t>(header.payload_bytes));
                    input = input.subspan(payload.size());
                    copy_masked(payload.data(), payload.data(), payload.size(), header.mask);
                    const std::string_view text{payload.data(), payload.size()};
                    if (header.opcode == WebSocketOpcode::text && !header.is_deflated &&
                        !is_valid_utf8(text)) {
                        return fail(Violation::bad_text);
                    }
                    return deliver(header.opcode, text, header.is_deflated);
                }
                begin_frame(header);
                break;
            }
            case State::payload: {
                const Violation violation = take_payload(input);
                if (violation != Violation::none) {
                    return fail(violation);
                }
                if (payload_left_ > 0) {
                    return Step{};
                }
                state_ = State::header;
                if (is_final_) {
                    return end_frame();
                }
                break;
            }
            case State::closed: input = {}; return Step{};
            case State::failed: return fail(violation_);
        }
    }
}

// Says all that the first bytes of a frame allow to say: a violation as soon as it shows, whatever
// is still to come. So a length is refused before the bytes that it announces.
WebSocketDecoder::Header WebSocketDecoder::read_header(std::span<const char> bytes) const noexcept {
    Header header;
    const auto refused = [&header](Violation violation) {
        header.violation = violation;
        return header;
    };
    if (bytes.empty()) {
        return header;
    }
    const unsigned first = static_cast<unsigned char>(bytes[0]);
    const unsigned opcode = first & 0x0fU;
    header.is_final = (first & 0x80U) != 0;
    header.opcode = static_cast<WebSocketOpcode>(opcode);
    if (const unsigned reserved = first & 0x70U; reserved != 0) {
        header.is_deflated = reserved == 0x40U && (opcode == 1 || opcode == 2);
        if (!header.is_deflated || !takes_deflated_) {
            return refused(Violation::reserved_bits);
        }
    }
    if ((opcode > 2 && opcode < 8) || opcode > 10) {
        return refused(Violation::reserved_opcode);
    }
    const bool is_of_message = !is_control(header.opcode);
    if (!is_of_message && !header.is_final) {
        return refused(Violation::fragmented_control);
    }
    const bool is_continuation = header.opcode == WebSocketOpcode::continuation;
    if (is_of_message && is_continuation != is_in_message()) {
        return refused(is_continuation ? Violation::nothing_to_continue
                                       : Violation::message_not_finished);
    }

    if (bytes.size() < 2) {
        return header;
    }
    const unsigned second = static_cast<unsigned char>(bytes[1]);
    const bool is_masked = (second & 0x80U) != 0;
    if (is_masked != (side_ == Side::server)) {
        return refused(is_masked ? Violation::masked : Violation::unmasked);
    }
    header.payload_bytes = second & 0x7fU;
    std::size_t size = 2;
    if (header.payload_bytes > control_payload_bytes_max) {
        if (!is_of_message) {
            return refused(Violation::long_control);
        }
        const std::size_t length_bytes = header.payload_bytes == 126 ? 2 : 8;
        size += length_bytes;
        if (bytes.size() < size) {
            return header;
        }
        header.payload_bytes = read_big_endian(bytes.subspan(2, length_bytes));
        if (header.payload_bytes >> 63U != 0) {
            return refused(Violation::length_too_long);
        }
        if (header.payload_bytes <= (length_bytes == 2 ? control_payload_bytes_max : 0xffffU)) {
            return refused(Violation::length_not_minimal);
        }
    }
    if (is_of_message && header.payload_bytes > message_bytes_max_ - message_cost_) {
        return refused(Violation::too_big);
    }
    // An empty fragment costs one byte of the limit, or a message of them would never end.
    if (!header.is_final && header.payload_bytes == 0 && message_cost_ == message_bytes_max_) {
        return refused(Violation::too_big);
    }

    const std::size_t mask_bytes = is_masked ? 4 : 0;
    if (bytes.size() < size + mask_bytes) {
        return header;
    }
    if (is_masked) {
        std::memcpy(&header.mask, bytes.data() + size, 4);
    }
    header.size = static_cast<std::uint8_t>(size + mask_bytes);
    return header;
}

// Takes a header off the input; one that is not whole is kept in header_.
WebSocketDecoder::Header WebSocketDecoder::take_header(std::span<char>& input) noexcept {
    if (header_bytes_ == 0) {
        const Header header = read_header(input);
        if (header.size == 0 && header.violation == Violation::none) {
            std::copy(input.begin(), input.end(), header_.begin());
            header_bytes_ = static_cast<std::uint8_t>(input.size());
            input = {};
            return header;
        }
        input = input.subspan(header.size);
        return header;
    }
    while (!input.empty()) {
        header_[header_bytes_] = input.front();
        ++header_bytes_;
        input = input.subspan(1);
        const Header header = read_header(std::span{header_}.first(header_bytes_));
        if (header.size != 0 || header.violation != Violation::none) {
            header_bytes_ = 0;
            return header;
        }
    }
    return {};
}

void WebSocketDecoder::begin_frame(const Header& header) noexcept {
    state_ = State::payload;
    opcode_ = header.opcode;
    is_final_ = header.is_final;
    payload_left_ = static_cast<std::uint32_t>(header.payload_bytes);
    mask_ = header.mask;
    if (is_control(opcode_)) {
        return;
    }
    if (opcode_ != WebSocketOpcode::continuation) {
        message_opcode_ = opcode_;
        is_deflated_ = header.is_deflated;
        utf8_ = {};
    }
    message_cost_ += payload_left_;
    if (payload_left_ == 0 && !is_final_) {
        ++message_cost_;
    }
}

// Moves what there is of the present frame's payload into buffer_.
WebSocketDecoder::Violation WebSocketDecoder::take_payload(std::span<char>& input) {
    const auto count =
        static_cast<std::uint32_t>(std::min<std::size_t>(payload_left_, input.size()));
    if (count == 0) {
        return Violation::none;
    }
    make_room(count);
    char* const to = buffer_.get() + message_bytes_ + control_bytes_;
    copy_masked(to, input.data(), count, mask_);
    input = input.subspan(count);
    mask_ = turned(mask_, count);
    payload_left_ -= count;
    if (is_control(opcode_)) {
        control_bytes_ = static_cast<std::uint8_t>(control_bytes_ + count);
        return Violation::none;
    }
    message_bytes_ += count;
    if (message_opcode_ == WebSocketOpcode::text && !is_deflated_ && !utf8_.take({to, count})) {
        return Violation::bad_text;
    }
    return Violation::none;
}

// Grows with what came, never with what was declared: twofold, but not above what can still come.
void WebSocketDecoder::make_room(std::uint32_t bytes) {
    const std::uint32_t used = message_bytes_ + control_bytes_;
    if (bytes <= capacity_ - used) {
        return;
    }
    const bool is_last_frame = is_final_ && !(is_control(opcode_) && is_in_message());
    const std::uint64_t most = is_last_frame
                                   ? std::uint64_t{used} + payload_left_
                                   : std::uint64_t{message_bytes_max_} + control_payload_bytes_max;
    const std::uint64_t wanted =
        std::min(std::max(std::uint64_t{capacity_} * 2, std::uint64_t{first_buffer_bytes}), most);
    const std::uint64_t capacity = std::max(wanted, std::uint64_t{used} + bytes);

    auto grown = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(capacity));
    std::copy_n(buffer_.get(), used, grown.get());
    buffer_ = std::move(grown);
    capacity_ = static_cast<std::uint32_t>(capacity);
}

// The present frame is there, and with it a control frame or the whole message.
tl::expected<WebSocketDecoder::Step, WebSocketError> WebSocketDecoder::end_frame() noexcept {
    if (is_control(opcode_)) {
        const std::string_view payload{buffer_.get() + message_bytes_, control_bytes_};
        control_bytes_ = 0;
        return deliver(opcode_, payload);
    }
    const std::string_view payload{buffer_.get(), message_bytes_};
    const WebSocketOpcode opcode = message_opcode_;
    message_opcode_ = WebSocketOpcode::continuation;
    message_bytes_ = 0;
    message_cost_ = 0;
    if (opcode == WebSocketOpcode::text && !utf8_.is_complete()) {
        return fail(Violation::bad_text);
    }
    return deliver(opcode, payload, is_deflated_);
}

tl::expected<WebSocketDecoder::Step, WebSocketError> WebSocketDecoder::deliver(
    WebSocketOpcode opcode, std::string_view payload, bool is_deflated) noexcept {
    const auto step = [&](Step::Kind kind) {
        return Step{kind, is_deflated, CloseCode::none, payload};
    };
    switch (opcode) {
        case WebSocketOpcode::text: return step(Step::Kind::text);
        case WebSocketOpcode::binary: return step(Step::Kind::binary);
        case WebSocketOpcode::ping: return step(Step::Kind::ping);
        case WebSocketOpcode::pong: return step(Step::Kind::pong);
        case WebSocketOpcode::close:
        case WebSocketOpcode::continuation: break;
    }
    if (const Violation violation = check_close(payload); violation != Violation::none) {
        return fail(violation);
    }
    state_ = State::closed;
    message_opcode_ = WebSocketOpcode::continuation;  // Its rest will not be read.
    if (payload.empty()) {
        return step(Step::Kind::close);
    }
    Step close = step(Step::Kind::close);
    close.close_code = static_cast<CloseCode>(read_big_endian(payload.substr(0, 2)));
    close.payload = payload.substr(2);
    return close;
}

WebSocketDecoder::Violation WebSocketDecoder::check_close(std::string_view payload) noexcept {
    if (payload.empty()) {
        return Violation::none;
    }
    const bool is_good = payload.size() >= 2 &&
                         is_sendable(read_big_endian(payload.substr(0, 2))) &&
                         is_valid_utf8(payload.substr(2));
    return is_good ? Violation::none : Violation::bad_close;
}

tl::unexpected<WebSocketError> WebSocketDecoder::fail(Violation violation) noexcept {
    state_ = State::failed;
    violation_ = violation;
    message_opcode_ = WebSocketOpcode::continuation;
    give_back();
    return tl::unexpected<WebSocketError>(describe(violation));
}

void WebSocketDecoder::give_back() noexcept {
    buffer_.reset();
    capacity_ = 0;
}

WebSocketError WebSocketDecoder::describe(Violation violation) noexcept {
    const auto broken = [](std::string_view why) {
        return WebSocketError{CloseCode::protocol_error, ErrorCode::framing, why};
    };
    switch (violation) {
        case Violation::unmasked: return broken("a client masks its frames");
        case Violation::masked: return broken("a server does not mask its frames");
        case Violation::reserved_bits: return broken("a reserved bit is set");
        case Violation::reserved_opcode: return broken("the opcode is not known");
        case Violation::long_control: return broken("a control frame is longer than 125 bytes");
        case Violation::fragmented_control: return broken("a control frame is fragmented");
        case Violation::length_not_minimal: return broken("a length is longer than it needs to be");
        case Violation::length_too_long: return broken("a length has its top bit set");
        case Violation::nothing_to_continue: return broken("a continuation without a message");
        case Violation::message_not_finished: return broken("a message inside another one");
        case Violation::bad_close: return broken("a close frame with a bad code or reason");
        case Violation::bad_text:
            return {CloseCode::bad_text, ErrorCode::bad_utf8, "a text message is not UTF-8"};
        case Violation::too_big:
            return {CloseCode::too_big, ErrorCode::frame_too_big, "the message is too big"};
        case Violation::none: break;
    }
    return {};
}

std::size_t write_server_frame_header(char* out, WebSocketOpcode opcode,
                                      std::size_t payload_bytes) noexcept {
    const std::size_t size = server_frame_header_size(payload_bytes);
    out[0] = static_cast<char>(0x80U | static_cast<unsigned>(opcode));
    if (size == 2) {
        out[1] = static_cast<char>(payload_bytes);
        return size;
    }
    out[1] = static_cast<char>(size == 4 ? 126 : 127);
    for (std::size_t i = 2; i < size; ++i) {
        out[i] = static_cast<char>(std::uint64_t{payload_bytes} >> (8 * (size - 1 - i)));
    }
    return size;
}

void append_server_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload) {
    std::array<char, 10> header{};
    out.append(header.data(), write_server_frame_header(header.data(), opcode, payload.size()));
    out.append(payload);
}

void append_client_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload,
                         std::uint32_t mask_key) {
    std::array<char, 14> header{};
    const std::size_t size = write_server_frame_header(header.data(), opcode, payload.size());
    header[1] = static_cast<char>(header[1] | 0x80);
    std::memcpy(header.data() + size, &mask_key, 4);
    out.append(header.data(), size + 4);
    out.append(payload);
    char* const masked = out.data() + out.size() - payload.size();
    copy_masked(masked, masked, payload.size(), mask_key);
}

void append_close(std::string& out, CloseCode code, std::string_view reason) {
    std::array<char, control_payload_bytes_max> payload{};
    append_server_frame(out, WebSocketOpcode::close, write_close(payload, code, reason));
}

void append_client_close(std::string& out, CloseCode code, std::string_view reason,
                         std::uint32_t mask_key) {
    std::array<char, control_payload_bytes_max> payload{};
    append_client_frame(out, WebSocketOpcode::close, write_close(payload, code, reason), mask_key);
}

}  // namespace muster::wire
