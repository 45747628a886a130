#include "core/wire/utf8.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace muster::wire {
namespace {

// What may follow. The four `after_` states narrow the range of the second byte: that is where
// overlong forms (E0, F0), surrogates (ED) and too large code points (F4) show.
enum State : std::uint8_t {
    between,
    one_more,
    two_more,
    three_more,
    after_e0,
    after_ed,
    after_f0,
    after_f4,
    rejected,
    state_count
};

constexpr State first_byte(unsigned byte) {
    if (byte < 0x80) {
        return between;
    }
    if (byte < 0xc2 || byte > 0xf4) {
        return rejected;
    }
    switch (byte) {
        case 0xe0: return after_e0;
        case 0xed: return after_ed;
        case 0xf0: return after_f0;
        case 0xf4: return after_f4;
        default: return byte < 0xe0 ? one_more : (byte < 0xf0 ? two_more : three_more);
    }
}

constexpr State next_state(State state, unsigned byte) {
    const auto only = [byte](unsigned low, unsigned high, State next) {
        return byte >= low && byte <= high ? next : rejected;
    };
    switch (state) {
        case between: return first_byte(byte);
        case one_more: return only(0x80, 0xbf, between);
        case two_more: return only(0x80, 0xbf, one_more);
        case three_more: return only(0x80, 0xbf, two_more);
        case after_e0: return only(0xa0, 0xbf, one_more);
        case after_ed: return only(0x80, 0x9f, one_more);
        case after_f0: return only(0x90, 0xbf, two_more);
        case after_f4: return only(0x80, 0x8f, two_more);
        case rejected:
        case state_count: break;
    }
    return rejected;
}

using Row = std::array<std::uint8_t, 256>;

constexpr std::array<Row, state_count> make_table() {
    std::array<Row, state_count> table{};
    for (unsigned state = 0; state < state_count; ++state) {
        for (unsigned byte = 0; byte < 256; ++byte) {
            table[state][byte] = next_state(static_cast<State>(state), byte);
        }
    }
    return table;
}

constexpr std::array<Row, state_count> table = make_table();  // 2.3 KiB, of which text uses little.

// Returns how many bytes at the start of [at, end) are surely ASCII, in steps of 16 and 8.
std::size_t ascii_run(const char* at, const char* end) noexcept {
    constexpr std::uint64_t high_bits = 0x8080808080808080ULL;
    const char* const start = at;
    while (end - at >= 16) {
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        std::memcpy(&low, at, 8);
        std::memcpy(&high, at + 8, 8);
        if (((low | high) & high_bits) != 0) {
            break;
        }
        at += 16;
    }
    if (end - at >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        if ((word & high_bits) == 0) {
            at += 8;
        }
    }
    return static_cast<std::size_t>(at - start);
}

std::uint8_t run(std::uint8_t state, std::string_view text) noexcept {
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        if (state == between) {
            at += ascii_run(at, end);
        }
        // At most 16 bytes until the fast path is tried again, so mixed text pays for it rarely.
        const char* const stop = end - at > 16 ? at + 16 : end;
        while (at != stop) {
            state = table[state][static_cast<unsigned char>(*at)];
            ++at;
        }
        if (state == rejected) {
            return rejected;
        }
    }
    return state;
}

}  // namespace

bool is_valid_utf8(std::string_view text) noexcept { return run(between, text) == between; }

bool is_ascii(std::string_view text) noexcept {
    std::size_t i = ascii_run(text.data(), text.data() + text.size());
    while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) {
        ++i;
    }
    return i == text.size();
}

bool Utf8Validator::take(std::string_view piece) noexcept {
    state_ = run(state_, piece);
    return state_ != rejected;
}

}  // namespace muster::wire
