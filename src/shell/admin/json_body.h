#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/name.h"
#include "base/payload.h"
#include "core/wire/json_reader.h"
#include "shell/admin/problem.h"

/// JSON from callers: strict, and every refusal says where. Source: GUARANTEES.md section 7,
/// row 59.
namespace muster::admin {

/// Checks that `text` is one JSON value and nothing else, at most `depth_max` deep, in which no
/// object has two fields of one name (after decoding), at any depth. Linear, but for a sort of the
/// names. Problems: bad_request with byte offset and pointer.
[[nodiscard]] Parsed<void> check_json(std::string_view text,
                                      std::size_t depth_max = wire::json_depth_max);

/// Returns the text of a JSON string.
[[nodiscard]] std::string decode(const wire::JsonValue& string);

/// Returns `pointer` with one more step, escaped as RFC 6901 says.
[[nodiscard]] std::string pointer_to(std::string_view pointer, std::string_view name);

/// The fields of one JSON object, handed out by name and type.
///
/// Use:        of(), then the getters in any order, then finish().
/// Invariants: the first wrong field is kept as the problem, and getters go on with an empty value.
///             A field that no getter asked for is a problem too, so that a misspelt one is
///             noticed. Points into the text, which check_json must have passed.
class Fields {
public:
    struct Field {
        std::string name;
        wire::JsonValue value;
        bool is_known = false;
    };

    /// Reads the object `text`, which stands at `pointer` in the body; an empty `text` is as `{}`.
    /// Where it is no object, that is the problem.
    [[nodiscard]] static Fields of(std::string_view text, std::string pointer = {});

    /// Returns the value of a field, of any kind; nullptr where there is none.
    [[nodiscard]] const wire::JsonValue* find(std::string_view name);

    /// Returns the raw object text, or nothing where the field is absent.
    [[nodiscard]] std::optional<std::string_view> object(std::string_view name);
    [[nodiscard]] std::optional<std::string> text(std::string_view name);
    [[nodiscard]] std::optional<std::uint64_t> integer(std::string_view name, std::uint64_t min,
                                                       std::uint64_t max);
    [[nodiscard]] bool boolean(std::string_view name);

    /// Returns a user's id; an empty one where the field is absent.
    [[nodiscard]] UserId user(std::string_view name);

    /// Returns the payload: `data`, any JSON value as it stands there, or `b`, bytes in base64.
    /// Exactly one of them must be there.
    [[nodiscard]] Payload payload();

    /// Notes a problem of the field `name`.
    void refuse_field(std::string_view name, std::string detail, ErrorCode code);

    /// All fields, in their order in the text.
    [[nodiscard]] const std::vector<Field>& all() const noexcept { return fields_; }

    /// Returns the first problem, a field that nobody asked for included.
    [[nodiscard]] Parsed<void> finish() const;

private:
    void note(Problem problem);

    std::string pointer_;
    std::vector<Field> fields_;
    std::optional<Problem> problem_;
};

}  // namespace muster::admin
