#include "core/wire/http_body.h"

#include <algorithm>

namespace muster::wire {
namespace {

tl::unexpected<HttpRefusal> refuse(std::string_view why) noexcept {
    return tl::unexpected<HttpRefusal>(HttpRefusal{400, why});
}

bool is_text(char c) noexcept {
    return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t';
}

constexpr std::string_view bad_size = "a chunk size is 1 to 8 hexadecimal digits";
constexpr std::string_view bad_chunk = "a chunk is not written as it should be";

tl::unexpected<HttpRefusal> too_big() noexcept {
    return tl::unexpected<HttpRefusal>(
        HttpRefusal{413, "the body is too big", ErrorCode::frame_too_big});
}

}  // namespace

HttpResult<std::uint32_t> parse_chunk_size(std::string_view digits) noexcept {
    if (digits.empty() || digits.size() > 8) {
        return refuse(bad_size);
    }
    std::uint32_t size = 0;
    for (const char c : digits) {
        const int value = hex_value(c);
        if (value < 0) {
            return refuse(bad_size);
        }
        size = size << 4U | static_cast<std::uint32_t>(value);
    }
    return size;
}

HttpResult<BodyDecoder> BodyDecoder::of(const RequestHead& head, std::uint32_t bytes_max) noexcept {
    switch (head.body) {
        case BodyFraming::none: return BodyDecoder{State::done, 0, 0};
        case BodyFraming::chunked: return BodyDecoder{State::size, 0, bytes_max};
        case BodyFraming::length: break;
    }
    if (head.content_length > bytes_max) {
        return too_big();
    }
    return BodyDecoder{State::plain, static_cast<std::uint32_t>(head.content_length), 0};
}

HttpResult<BodyDecoder::Step> BodyDecoder::next(std::string_view& input) noexcept {
    while (state_ != State::done && !input.empty()) {
        if (state_ == State::data || state_ == State::plain) {
            const std::string_view part = input.substr(0, left_);
            input.remove_prefix(part.size());
            left_ -= static_cast<std::uint32_t>(part.size());
            if (left_ == 0) {
                state_ = state_ == State::data ? State::data_return : State::done;
            }
            return Step{Step::Kind::part, part};
        }
        const auto state = take(input.front());
        if (!state) {
            return tl::unexpected<HttpRefusal>(state.error());
        }
        state_ = *state;
        input.remove_prefix(1);
    }
    return Step{state_ == State::done ? Step::Kind::done : Step::Kind::need_more, {}};
}

// Takes one byte that is not body.
HttpResult<BodyDecoder::State> BodyDecoder::take(char c) noexcept {
    const bool is_return = c == '\r';
    const bool is_newline = c == '\n';
    switch (state_) {
        case State::size:
            if (is_return && digit_count_ > 0) {
                return State::size_newline;
            }
            if (c == ';' && digit_count_ > 0) {
                return State::extension;
            }
            if (digit_count_ == digits_.size() || hex_value(c) < 0) {
                return refuse(bad_size);
            }
            digits_[digit_count_] = c;
            ++digit_count_;
            return State::size;
        case State::size_newline:
            if (is_newline) {
                return begin_chunk();
            }
            break;
        case State::data_return:
            if (is_return) {
                return State::data_newline;
            }
            break;
        case State::data_newline:
            if (is_newline) {
                return State::size;
            }
            break;
        case State::trailer_start:
            if (is_return) {
                return State::end_newline;
            }
            [[fallthrough]];
        case State::extension:
        case State::trailer:
            if (is_return) {
                return state_ == State::extension ? State::size_newline : State::trailer_newline;
            }
            if (++overhead_bytes_ > overhead_bytes_max) {
                return refuse("more than 4 KiB of chunk extensions and trailers");
            }
            if (is_text(c)) {
                return state_ == State::extension ? State::extension : State::trailer;
            }
            break;
        case State::trailer_newline:
            if (is_newline) {
                return State::trailer_start;
            }
            break;
        case State::end_newline:
            if (is_newline) {
                return State::done;
            }
            break;
        case State::data:
        case State::plain:
        case State::done: break;  // next() does not ask.
    }
    return refuse(bad_chunk);
}

HttpResult<BodyDecoder::State> BodyDecoder::begin_chunk() noexcept {
    const auto size = parse_chunk_size({digits_.data(), digit_count_});
    digit_count_ = 0;
    if (!size) {
        return tl::unexpected<HttpRefusal>(size.error());
    }
    if (*size > bytes_left_) {
        return too_big();
    }
    bytes_left_ -= *size;
    left_ = *size;
    return *size == 0 ? State::trailer_start : State::data;
}

}  // namespace muster::wire
