#include "core/wire/base64.h"

#include <array>
#include <cstddef>

namespace muster::wire {
namespace {

constexpr std::string_view standard_letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t no_letter = 0xff;
using Values = std::array<std::uint8_t, 256>;

constexpr Values make_values(std::string_view letters) {
    Values values{};
    values.fill(no_letter);
    for (std::size_t i = 0; i < letters.size(); ++i) {
        values[static_cast<unsigned char>(letters[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}

constexpr Values standard_values = make_values(standard_letters);
constexpr Values url_values = make_values(url_letters);

}  // namespace

void append_base64(std::string& out, std::string_view bytes, Base64 form) {
    const std::string_view letters = form == Base64::standard ? standard_letters : url_letters;
    const std::size_t old_size = out.size();
    const std::size_t rest = bytes.size() % 3;
    const std::size_t tail = rest == 0 ? 0 : (form == Base64::standard ? 4 : rest + 1);
    out.resize(old_size + bytes.size() / 3 * 4 + tail, '=');

    char* to = out.data() + old_size;
    const auto byte_at = [bytes](std::size_t i) -> std::uint32_t {
        return static_cast<unsigned char>(bytes[i]);
    };
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t group = byte_at(i) << 16U | byte_at(i + 1) << 8U | byte_at(i + 2);
        *to++ = letters[group >> 18U];
        *to++ = letters[(group >> 12U) & 63U];
        *to++ = letters[(group >> 6U) & 63U];
        *to++ = letters[group & 63U];
    }
    if (rest != 0) {
        const std::uint32_t second = rest == 2 ? byte_at(i + 1) : 0;
        const std::uint32_t group = byte_at(i) << 16U | second << 8U;
        *to++ = letters[group >> 18U];
        *to++ = letters[(group >> 12U) & 63U];
        if (rest == 2) {
            *to = letters[(group >> 6U) & 63U];
        }
    }
}

bool append_base64_decoded(std::string& out, std::string_view text, Base64 form) {
    const Values& values = form == Base64::standard ? standard_values : url_values;
    if (form == Base64::standard) {
        if (text.size() % 4 != 0) {
            return false;
        }
        // A third `=` is left in the text, where it is no letter.
        for (int i = 0; i < 2 && text.ends_with('='); ++i) {
            text.remove_suffix(1);
        }
    }
    const std::size_t rest = text.size() % 4;
    if (rest == 1) {
        return false;
    }
    const std::size_t old_size = out.size();
    out.resize(old_size + text.size() / 4 * 3 + (rest == 0 ? 0 : rest - 1));

    char* to = out.data() + old_size;
    std::uint32_t group = 0;
    std::uint8_t seen = 0;  // All values or-ed: a foreign character leaves its mark above bit 5.
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::uint8_t value = values[static_cast<unsigned char>(text[i])];
        seen |= value;
        group = group << 6U | (value & 63U);
        if (i % 4 == 3) {
            *to++ = static_cast<char>(group >> 16U);
            *to++ = static_cast<char>(group >> 8U);
            *to++ = static_cast<char>(group);
            group = 0;
        }
    }
    // What is left holds 12 or 18 bits; the lowest 4 or 2 of them belong to no byte.
    std::uint32_t unused_bits = 0;
    if (rest == 2) {
        *to = static_cast<char>(group >> 4U);
        unused_bits = group & 15U;
    } else if (rest == 3) {
        *to++ = static_cast<char>(group >> 10U);
        *to = static_cast<char>(group >> 2U);
        unused_bits = group & 3U;
    }
    if (seen > 63 || unused_bits != 0) {
        out.resize(old_size);
        return false;
    }
    return true;
}

}  // namespace muster::wire
