#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/wire/frames.h"
#include "core/wire/json_reader.h"

/// The named fields of a frame in JSON. For the frame parsers only.
namespace muster::wire {

/// Every field name of the protocol, of both directions, spelt as on the wire but for two that C++
/// has taken.
enum class Field : std::uint8_t {
    op,
    i,
    q,
    m,
    k,
    d,
    b,
    n,
    inc,
    attempt,  ///< `try`
    if_seq,   ///< `if`
    since,
    before,
    seq,
    prev,
    from,
    t,
    to,
    at,
    v,
    token,
    user,
    nonce,
    resume,
    cid,
    cn,
    resolve,
    session,
    ping,
    member,
    members,
    who,
    mounts,
    type,
    value,
    valueb,
    set,
    setb,
    del,
    count,
    code,
    outcome,
    message,
    current,
    after_ms,
    on,
    why,
    spread_ms,
    retry_ms,
    items,
    more,
};

inline constexpr std::size_t field_count = static_cast<std::size_t>(Field::more) + 1;

/// Returns the name as it stands on the wire.
[[nodiscard]] std::string_view name_of(Field field) noexcept;

/// Returns the field with this name. One hash, mostly one comparison.
[[nodiscard]] std::optional<Field> find_field(std::string_view name) noexcept;

/// Reads `[inc, seq]`; nothing where something else stands.
[[nodiscard]] std::optional<Cursor> read_cursor(JsonReader& reader) noexcept;

/// Where the text of decoded strings is kept. It is reserved once, for as much as a whole frame can
/// hold, so that no view into it ever moves.
class Scratch {
public:
    /// Owns nothing; empties `memory`. What is decoded may come from `text` only, each part once.
    Scratch(std::string& memory, std::string_view text) : memory_(memory), bytes_max_(text.size()) {
        memory_.clear();
    }

    /// Returns the text of a string value.
    [[nodiscard]] std::string_view text(const JsonValue& string) {
        return string.is_plain ? string.plain_text() : decoded(string);
    }

    /// Returns the bytes of a string value in base64; nothing where it is not base64.
    [[nodiscard]] std::optional<std::string_view> base64(const JsonValue& string);

private:
    void reserve();
    std::string_view decoded(const JsonValue& string);

    std::string& memory_;
    std::size_t bytes_max_;
};

/// Reads one JSON object into a table of its known fields, then hands them out by type.
///
/// Use:        read() once; then the getters, each at most once; then error(). So the order of the
///             fields in the text does not matter.
/// Invariants: the first wrong field is kept as the error, and getters go on with an empty value,
///             so that a parser needs to look only once, at its end. An absent field is no error.
/// Limits:     at most unknown_fields_max fields that we do not know (they are ignored).
class FieldReader {
public:
    static constexpr std::size_t unknown_fields_max = 32;

    FieldReader(Scratch& scratch, std::string_view text, std::size_t depth_max)
        : scratch_(scratch), text_(text), depth_max_(depth_max) {}

    /// Reads the object that must be all of the text. False where it is none, is no JSON, or has a
    /// field twice; then error() says so.
    bool read();

    [[nodiscard]] bool has(Field field) const noexcept {
        return (seen_ >> static_cast<unsigned>(field) & 1U) != 0;
    }

    /// Returns the value of a present field.
    [[nodiscard]] const JsonValue& operator[](Field field) const noexcept {
        return values_[static_cast<std::size_t>(field)];
    }

    /// Returns the value if it is there and of this kind; nullptr if it is absent or (an error) of
    /// another kind.
    [[nodiscard]] const JsonValue* find(Field field, JsonKind kind);

    [[nodiscard]] std::string_view text(Field field) {
        return has(field) ? present_text(field) : std::string_view{};
    }
    [[nodiscard]] std::optional<std::uint64_t> integer(Field field, std::uint64_t min = 0,
                                                       std::uint64_t max = json_integer_max) {
        return has(field) ? present_integer(field, min, max) : std::nullopt;
    }
    [[nodiscard]] bool boolean(Field field);
    [[nodiscard]] std::int64_t signed_integer(Field field);
    [[nodiscard]] std::optional<Cursor> cursor(Field field);

    /// Returns the payload: what stands under `d` or `b`.
    [[nodiscard]] std::optional<Data> data();

    /// Notes an error at `field`; the first one stays.
    void refuse(Field field, std::string_view problem);

    /// Returns the first error or nullptr: protocol (or bad_utf8), with a detail that names the
    /// field.
    [[nodiscard]] const Error* error() const noexcept { return error_ ? &*error_ : nullptr; }

    [[nodiscard]] Scratch& scratch() const noexcept { return scratch_; }
    [[nodiscard]] std::size_t depth_max() const noexcept { return depth_max_; }

private:
    std::string_view present_text(Field field);
    std::optional<std::uint64_t> present_integer(Field field, std::uint64_t min, std::uint64_t max);
    bool keep(const JsonValue& name, const JsonValue& value);
    bool refuse_frame(ErrorCode code, std::string problem);

    Scratch& scratch_;
    std::string_view text_;
    std::size_t depth_max_;
    std::uint64_t seen_ = 0;                 // One bit a field: which of values_ are set.
    std::vector<std::string_view> unknown_;  // Their names, to find one that stands twice.
    std::optional<Error> error_;
    std::array<JsonValue, field_count> values_;  // Left unset: most frames have eight fields.
    static_assert(field_count <= 64);
};

}  // namespace muster::wire
