#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace muster::wire {

/// How many arrays and objects may stand inside one another in what comes from outside.
inline constexpr std::size_t json_depth_max = 16;

/// The biggest integer that every JSON implementation keeps exactly.
inline constexpr std::uint64_t json_integer_max = std::uint64_t{1} << 53U;

enum class JsonKind : std::uint8_t { object, array, string, number, boolean, null };

/// Why a text is not JSON as we take it.
enum class JsonProblem : std::uint8_t {
    none,
    unexpected_end,
    no_value,
    bad_literal,
    bad_number,
    number_too_big,     ///< overflows a double: 1e400
    control_character,  ///< raw, in a string
    bad_escape,
    lone_surrogate,
    bad_utf8,
    no_key,
    no_colon,
    no_comma,
    too_deep,
    trailing_bytes,
};

/// Returns the problem in words: "a control character in a string".
[[nodiscard]] std::string_view describe(JsonProblem problem) noexcept;

/// One value as it stands in the text, checked to its end. Points into the text.
struct JsonValue {
    const char* begin;
    const char* end;
    JsonKind kind;
    bool is_plain;  ///< a string without escapes

    /// Returns exactly its bytes; a string with its quotes.
    [[nodiscard]] std::string_view raw() const noexcept { return {begin, end}; }

    /// Returns the text of a string without escapes.
    [[nodiscard]] std::string_view plain_text() const noexcept { return {begin + 1, end - 1}; }
};

/// Walks through one JSON text (RFC 8259, strict) and hands out its values, without a tree.
///
/// The caller says what it expects, and every call returns whether it was there:
///
///     JsonReader reader{text};
///     JsonValue key;
///     JsonValue value;
///     if (reader.enter_object()) {
///         while (reader.next_key(key) && reader.read(value)) { … }
///     }
///     if (!reader.finish()) { … reader.problem() … }
///
/// Invariants: the first problem stays, and nothing is found after it. Nested values are checked
///             also where they are only passed over; only that a name stands twice in an object is
///             left to the caller, who knows the names.
/// Cost:       one pass, 16 bytes a step within strings; allocates nothing. Recursion ends at
///             `depth_max`.
class JsonReader {
public:
    explicit JsonReader(std::string_view text, std::size_t depth_max = json_depth_max) noexcept
        : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), depth_max_(depth_max) {}

    /// Reads the next value, whatever it is, to its end.
    bool read(JsonValue& value) noexcept;

    /// Steps into an object or array. False where the next value is none (a problem).
    bool enter_object() noexcept;
    bool enter_array() noexcept;

    /// Reads the next name of the object and its colon. False at the object's end (then it is
    /// left) and after a problem.
    bool next_key(JsonValue& key) noexcept;

    /// Steps to the array's next value. False at the array's end (then it is left) and after a
    /// problem.
    bool next_item() noexcept;

    /// Returns whether all went well and only white space is left.
    bool finish() noexcept;

    [[nodiscard]] JsonProblem problem() const noexcept { return problem_; }

    /// Returns where the problem is, in bytes from the start of the text.
    [[nodiscard]] std::size_t problem_offset() const noexcept { return problem_offset_; }

    /// Returns problem and place for people: "a lone surrogate at byte 17".
    [[nodiscard]] std::string problem_text() const;

private:
    bool fail(JsonProblem problem, const char* at) noexcept;
    void skip_space() noexcept;
    bool enter(char bracket) noexcept;
    bool next(char bracket) noexcept;
    bool read_string(JsonValue& value) noexcept;
    bool read_escape() noexcept;
    bool read_code_unit(std::uint32_t& unit) noexcept;
    bool read_number(JsonValue& value) noexcept;
    bool read_literal(std::string_view literal) noexcept;

    const char* begin_;
    const char* at_;
    const char* end_;
    std::size_t depth_ = 0;
    std::size_t depth_max_;
    std::size_t problem_offset_ = 0;
    JsonProblem problem_ = JsonProblem::none;
    bool is_first_ = false;  // Nothing has been read yet of the object or array just entered.
};

/// Returns the value if it is a number written as an integer of 0 … 2^53: no sign, fraction or
/// exponent.
[[nodiscard]] std::optional<std::uint64_t> to_uint(const JsonValue& value) noexcept;

/// Returns the value if it is a number written as an integer of -2^53 … 2^53.
[[nodiscard]] std::optional<std::int64_t> to_int(const JsonValue& value) noexcept;

/// Returns the text of a string. Without escapes it is a view into the JSON text; otherwise it is
/// appended to `scratch`, whose capacity must already suffice (the text is shorter than the JSON),
/// so that earlier views into it stay valid.
[[nodiscard]] std::string_view to_text(const JsonValue& string, std::string& scratch);

/// Checks that `text` is one JSON value and nothing else, at most `depth_max` deep.
/// Errors: bad_request, whose detail names problem and byte offset.
[[nodiscard]] Result<void> validate_json(std::string_view text,
                                         std::size_t depth_max = json_depth_max);

}  // namespace muster::wire
