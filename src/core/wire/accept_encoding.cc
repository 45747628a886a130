#include "core/wire/accept_encoding.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace muster::wire {
namespace {

constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == text.npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool is_same_word(std::string_view word, std::string_view lower) noexcept {
    return std::equal(word.begin(), word.end(), lower.begin(), lower.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

// Takes what stands before `separator` off the front of `rest`.
std::string_view next_part(std::string_view& rest, char separator) noexcept {
    const std::size_t end = std::min(rest.find(separator), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return trimmed(part);
}

// "q=0", "q=0.0", "q=0.000" say: not this one.
bool is_zero_weight(std::string_view parameter) noexcept {
    if (parameter.size() < 3 || !is_same_word(parameter.substr(0, 2), "q=")) {
        return false;
    }
    return parameter.find_first_not_of("0.", 2) == parameter.npos;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) noexcept {
    bool accepts_any = false;
    std::optional<bool> accepts_this;
    while (!accept_encoding.empty()) {
        std::string_view choice = next_part(accept_encoding, ',');
        const std::string_view coding = next_part(choice, ';');
        bool is_accepted = true;
        while (!choice.empty()) {
            is_accepted = is_accepted && !is_zero_weight(next_part(choice, ';'));
        }
        if (is_same_word(coding, "gzip") || is_same_word(coding, "x-gzip")) {
            accepts_this = is_accepted;
        } else if (coding == "*") {
            accepts_any = is_accepted;
        }
    }
    return accepts_this.value_or(accepts_any);
}

}  // namespace muster::wire
