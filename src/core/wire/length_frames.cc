#include "core/wire/length_frames.h"

#include <algorithm>

namespace muster::wire {

void write_length(char* out, std::size_t message_bytes) noexcept {
    for (std::size_t i = 0; i < length_bytes; ++i) {
        out[i] = static_cast<char>(message_bytes >> (8 * (length_bytes - 1 - i)) & 0xffU);
    }
}

void append_length_frame(std::string& out, std::string_view message) {
    std::array<char, length_bytes> header{};
    write_length(header.data(), message.size());
    out.append(header.data(), header.size());
    out += message;
}

LengthDecoder::Step LengthDecoder::next(std::span<char>& input) {
    using Kind = Step::Kind;
    if (is_delivered_) {
        std::string().swap(message_);
        is_held_ = false;
        is_delivered_ = false;
    }
    while (header_bytes_ < length_bytes) {
        if (input.empty()) {
            return {Kind::need_more, {}};
        }
        header_[header_bytes_++] = static_cast<unsigned char>(input.front());
        input = input.subspan(1);
    }
    std::size_t size = 0;
    for (const unsigned char byte : header_) {
        size = size << 8U | byte;
    }
    if (size > message_bytes_max_) {
        input = {};
        return {Kind::too_big, {}};
    }
    if (message_.empty() && input.size() >= size) {
        const std::string_view whole{input.data(), size};
        input = input.subspan(size);
        header_bytes_ = 0;
        return {Kind::message, whole};
    }
    const std::size_t taken = std::min(size - message_.size(), input.size());
    message_.append(input.data(), taken);
    is_held_ = !message_.empty();
    input = input.subspan(taken);
    if (message_.size() < size) {
        return {Kind::need_more, {}};
    }
    header_bytes_ = 0;
    is_delivered_ = true;
    return {Kind::message, message_};
}

}  // namespace muster::wire
