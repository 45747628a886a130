#include "core/wire/json_reader.h"

#include <charconv>
#include <cstring>
#include <system_error>

#include "base/check.h"
#include "core/wire/json_scan.h"
#include "core/wire/utf8.h"

namespace muster::wire {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Returns the value of a hexadecimal digit, or 16.
std::uint32_t hex_value(char c) noexcept {
    if (is_digit(c)) {
        return static_cast<std::uint32_t>(c - '0');
    }
    const auto lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? static_cast<std::uint32_t>(lower - 'a') + 10 : 16;
}

bool is_high_surrogate(std::uint32_t unit) noexcept { return (unit & 0xfc00U) == 0xd800; }
bool is_low_surrogate(std::uint32_t unit) noexcept { return (unit & 0xfc00U) == 0xdc00; }

/// Tells whether a number of correct grammar is too big for a double. Too small is fine: it is 0.
bool overflows_double(const char* begin, const char* end) noexcept {
    double ignored = 0;
    if (std::from_chars(begin, end, ignored).ec != std::errc::result_out_of_range) {
        return false;
    }
    // from_chars does not say which end of the range was missed: look at the first digit that
    // counts. It is so far out that its place decides.
    std::int64_t place = 0;  // 1 for units, 2 for tens, 0 for tenths, …
    bool in_fraction = false;
    bool is_leading = true;
    const char* at = *begin == '-' ? begin + 1 : begin;
    for (; at != end && (*at | 0x20) != 'e'; ++at) {
        if (*at == '.') {
            in_fraction = true;
            continue;
        }
        is_leading = is_leading && *at == '0';
        if (in_fraction) {
            place -= is_leading ? 1 : 0;
        } else {
            place += is_leading ? 0 : 1;
        }
    }
    if (at == end) {
        return place > 0;
    }
    ++at;
    const bool is_negative = *at == '-';
    at += *at == '-' || *at == '+' ? 1 : 0;
    std::int64_t exponent = 0;
    if (std::from_chars(at, end, exponent).ec != std::errc{}) {
        return !is_negative;  // More than 18 digits: no mantissa makes up for that.
    }
    return is_negative ? place > exponent : exponent > -place;
}

/// Appends one code point in UTF-8.
void append_utf8(std::string& out, std::uint32_t code) {
    const auto low_six = [](std::uint32_t bits) {
        return static_cast<char>(0x80U | (bits & 0x3fU));
    };
    if (code < 0x80) {
        out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
        out.push_back(static_cast<char>(0xc0U | (code >> 6U)));
        out.push_back(low_six(code));
    } else if (code < 0x10000) {
        out.push_back(static_cast<char>(0xe0U | (code >> 12U)));
        out.push_back(low_six(code >> 6U));
        out.push_back(low_six(code));
    } else {
        out.push_back(static_cast<char>(0xf0U | (code >> 18U)));
        out.push_back(low_six(code >> 12U));
        out.push_back(low_six(code >> 6U));
        out.push_back(low_six(code));
    }
}

std::uint32_t code_unit(const char* digits) noexcept {
    return hex_value(digits[0]) << 12U | hex_value(digits[1]) << 8U | hex_value(digits[2]) << 4U |
           hex_value(digits[3]);
}

/// Appends what the escape after a backslash means; returns the byte after it. The reader has
/// checked it.
const char* append_unescaped(std::string& out, const char* at) {
    switch (*at) {
        case 'b': out.push_back('\b'); return at + 1;
        case 'f': out.push_back('\f'); return at + 1;
        case 'n': out.push_back('\n'); return at + 1;
        case 'r': out.push_back('\r'); return at + 1;
        case 't': out.push_back('\t'); return at + 1;
        case 'u': break;
        default: out.push_back(*at); return at + 1;  // Quote, backslash, slash.
    }
    const std::uint32_t unit = code_unit(at + 1);
    if (!is_high_surrogate(unit)) {
        append_utf8(out, unit);
        return at + 5;
    }
    const std::uint32_t low = code_unit(at + 7);  // Past the digits and the next backslash and u.
    append_utf8(out, 0x10000 + ((unit - 0xd800) << 10U) + (low - 0xdc00));
    return at + 11;
}

}  // namespace

std::string_view describe(JsonProblem problem) noexcept {
    switch (problem) {
        case JsonProblem::none: return "no problem";
        case JsonProblem::unexpected_end: return "the text ends too early";
        case JsonProblem::no_value: return "no value";
        case JsonProblem::bad_literal: return "a word that is not true, false or null";
        case JsonProblem::bad_number: return "a malformed number";
        case JsonProblem::number_too_big: return "a number too big for a double";
        case JsonProblem::control_character: return "a control character in a string";
        case JsonProblem::bad_escape: return "a malformed escape";
        case JsonProblem::lone_surrogate: return "a lone surrogate";
        case JsonProblem::bad_utf8: return "a string that is not UTF-8";
        case JsonProblem::no_key: return "no name of a field";
        case JsonProblem::no_colon: return "no colon after a name";
        case JsonProblem::no_comma: return "no comma between two values";
        case JsonProblem::too_deep: return "nesting too deep";
        case JsonProblem::trailing_bytes: return "bytes after the value";
    }
    return "";
}

bool JsonReader::fail(JsonProblem problem, const char* at) noexcept {
    if (problem_ == JsonProblem::none) {
        problem_ = problem;
        problem_offset_ = static_cast<std::size_t>(at - begin_);
    }
    at_ = end_;  // So that whatever is asked for next is not there.
    return false;
}

inline void JsonReader::skip_space() noexcept {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) {
        ++at_;
    }
}

bool JsonReader::read(JsonValue& value) noexcept {
    skip_space();
    if (at_ == end_) {
        return fail(JsonProblem::unexpected_end, at_);
    }
    value.begin = at_;
    value.is_plain = false;
    JsonValue inner;
    switch (*at_) {
        case '"': return read_string(value);
        case '{':
            value.kind = JsonKind::object;
            enter_object();
            while (next_key(inner) && read(inner)) {
            }
            break;
        case '[':
            value.kind = JsonKind::array;
            enter_array();
            while (next_item() && read(inner)) {
            }
            break;
        case 't':
            value.kind = JsonKind::boolean;
            read_literal("true");
            break;
        case 'f':
            value.kind = JsonKind::boolean;
            read_literal("false");
            break;
        case 'n':
            value.kind = JsonKind::null;
            read_literal("null");
            break;
        default: return read_number(value);
    }
    value.end = at_;
    return problem_ == JsonProblem::none;
}

bool JsonReader::enter_object() noexcept { return enter('{'); }
bool JsonReader::enter_array() noexcept { return enter('['); }

bool JsonReader::enter(char bracket) noexcept {
    skip_space();
    if (at_ == end_) {
        return fail(JsonProblem::unexpected_end, at_);
    }
    if (*at_ != bracket) {
        return fail(JsonProblem::no_value, at_);
    }
    if (depth_ == depth_max_) {
        return fail(JsonProblem::too_deep, at_);
    }
    ++at_;
    ++depth_;
    is_first_ = true;
    return true;
}

bool JsonReader::next_key(JsonValue& key) noexcept {
    if (!next('}')) {
        return false;
    }
    if (at_ == end_) {
        return fail(JsonProblem::unexpected_end, at_);
    }
    if (*at_ != '"') {
        return fail(JsonProblem::no_key, at_);
    }
    key.begin = at_;
    if (!read_string(key)) {
        return false;
    }
    skip_space();
    if (at_ == end_ || *at_ != ':') {
        return fail(at_ == end_ ? JsonProblem::unexpected_end : JsonProblem::no_colon, at_);
    }
    ++at_;
    return true;
}

bool JsonReader::next_item() noexcept { return next(']'); }

inline bool JsonReader::next(char bracket) noexcept {
    skip_space();
    if (at_ == end_) {
        return fail(JsonProblem::unexpected_end, at_);
    }
    const bool is_first = is_first_;
    is_first_ = false;
    if (*at_ == bracket) {
        ++at_;
        --depth_;
        return false;
    }
    if (is_first) {
        return true;
    }
    if (*at_ != ',') {
        return fail(JsonProblem::no_comma, at_);
    }
    ++at_;
    skip_space();
    return true;
}

bool JsonReader::read_string(JsonValue& value) noexcept {
    value.kind = JsonKind::string;
    value.is_plain = true;
    bool may_be_non_ascii = false;
    ++at_;
    for (;;) {
        const StringRun run = find_special(at_, end_);
        may_be_non_ascii = may_be_non_ascii || run.may_be_non_ascii;
        at_ = run.end;
        if (at_ == end_) {
            return fail(JsonProblem::unexpected_end, at_);
        }
        if (*at_ == '"') {
            break;
        }
        if (*at_ != '\\') {
            return fail(JsonProblem::control_character, at_);
        }
        value.is_plain = false;
        if (!read_escape()) {
            return false;
        }
    }
    ++at_;
    value.end = at_;
    if (may_be_non_ascii && !is_valid_utf8(value.raw())) {
        return fail(JsonProblem::bad_utf8, value.begin);
    }
    return true;
}

bool JsonReader::read_escape() noexcept {
    const char* const backslash = at_;
    ++at_;
    if (at_ == end_) {
        return fail(JsonProblem::unexpected_end, at_);
    }
    const char letter = *at_;
    ++at_;
    if (letter != 'u') {
        const bool is_known = std::strchr("\"\\/bfnrt", letter) != nullptr && letter != '\0';
        return is_known || fail(JsonProblem::bad_escape, backslash);
    }
    std::uint32_t unit = 0;
    if (!read_code_unit(unit)) {
        return fail(JsonProblem::bad_escape, backslash);
    }
    if (is_low_surrogate(unit)) {
        return fail(JsonProblem::lone_surrogate, backslash);
    }
    if (!is_high_surrogate(unit)) {
        return true;
    }
    if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') {
        return fail(JsonProblem::lone_surrogate, backslash);
    }
    at_ += 2;
    if (!read_code_unit(unit)) {
        return fail(JsonProblem::bad_escape, at_ - 2);
    }
    return is_low_surrogate(unit) || fail(JsonProblem::lone_surrogate, backslash);
}

bool JsonReader::read_code_unit(std::uint32_t& unit) noexcept {
    if (end_ - at_ < 4) {
        return false;
    }
    for (int i = 0; i < 4; ++i) {
        if (hex_value(at_[i]) == 16) {
            return false;
        }
    }
    unit = code_unit(at_);
    at_ += 4;
    return true;
}

bool JsonReader::read_number(JsonValue& value) noexcept {
    value.kind = JsonKind::number;
    const auto skip_digits = [this] {
        const char* const first = at_;
        while (at_ != end_ && is_digit(*at_)) {
            ++at_;
        }
        return at_ != first;
    };
    if (*at_ == '-') {
        ++at_;
    } else if (!is_digit(*at_)) {
        return fail(JsonProblem::no_value, at_);
    }
    const char* const digits = at_;
    if (!skip_digits() || (*digits == '0' && at_ - digits > 1)) {
        return fail(JsonProblem::bad_number, value.begin);
    }
    // The biggest double has 309 digits: shorter ones need no second look.
    bool may_be_too_big = at_ - digits >= 309;
    if (at_ != end_ && *at_ == '.') {
        ++at_;
        if (!skip_digits()) {
            return fail(JsonProblem::bad_number, value.begin);
        }
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
        may_be_too_big = true;
        ++at_;
        if (at_ != end_ && (*at_ == '+' || *at_ == '-')) {
            ++at_;
        }
        if (!skip_digits()) {
            return fail(JsonProblem::bad_number, value.begin);
        }
    }
    value.end = at_;
    if (may_be_too_big && overflows_double(value.begin, value.end)) {
        return fail(JsonProblem::number_too_big, value.begin);
    }
    return true;
}

bool JsonReader::read_literal(std::string_view literal) noexcept {
    const auto left = static_cast<std::size_t>(end_ - at_);
    if (std::string_view{at_, left}.substr(0, literal.size()) != literal) {
        return fail(JsonProblem::bad_literal, at_);
    }
    at_ += literal.size();
    return true;
}

bool JsonReader::finish() noexcept {
    if (problem_ != JsonProblem::none) {
        return false;
    }
    skip_space();
    return at_ == end_ || fail(JsonProblem::trailing_bytes, at_);
}

std::string JsonReader::problem_text() const {
    std::string text{describe(problem_)};
    text += " at byte ";
    text += std::to_string(problem_offset_);
    return text;
}

std::optional<std::uint64_t> to_uint(const JsonValue& value) noexcept {
    // 2^53 has 16 digits; the reader has refused leading zeros.
    if (value.kind != JsonKind::number || value.end - value.begin > 16) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    for (const char* at = value.begin; at != value.end; ++at) {
        if (!is_digit(*at)) {
            return std::nullopt;
        }
        number = number * 10 + static_cast<std::uint64_t>(*at - '0');
    }
    if (number > json_integer_max) {
        return std::nullopt;
    }
    return number;
}

std::optional<std::int64_t> to_int(const JsonValue& value) noexcept {
    const bool is_negative = value.kind == JsonKind::number && *value.begin == '-';
    JsonValue magnitude = value;
    magnitude.begin += is_negative ? 1 : 0;
    const auto number = to_uint(magnitude);
    if (!number) {
        return std::nullopt;
    }
    const auto signed_number = static_cast<std::int64_t>(*number);
    return is_negative ? -signed_number : signed_number;
}

std::string_view to_text(const JsonValue& string, std::string& scratch) {
    MUSTER_CHECK(string.kind == JsonKind::string);
    if (string.is_plain) {
        return string.plain_text();
    }
    const char* at = string.begin + 1;
    const char* const end = string.end - 1;
    MUSTER_CHECK(scratch.capacity() - scratch.size() >= static_cast<std::size_t>(end - at));
    const std::size_t start = scratch.size();
    while (at != end) {
        const auto left = static_cast<std::size_t>(end - at);
        const auto* backslash = static_cast<const char*>(std::memchr(at, '\\', left));
        if (backslash == nullptr) {
            scratch.append(at, end);
            break;
        }
        scratch.append(at, backslash);
        at = append_unescaped(scratch, backslash + 1);
    }
    return std::string_view{scratch}.substr(start);
}

Result<void> validate_json(std::string_view text, std::size_t depth_max) {
    JsonReader reader{text, depth_max};
    JsonValue value;
    reader.read(value);
    if (!reader.finish()) {
        return failure(ErrorCode::bad_request, "JSON: " + reader.problem_text());
    }
    return {};
}

}  // namespace muster::wire
