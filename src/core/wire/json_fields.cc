#include "core/wire/json_fields.h"

#include <algorithm>
#include <utility>

#include "core/wire/base64.h"

namespace muster::wire {

namespace {

constexpr std::array<std::string_view, field_count> names = {
    "op",       "i",       "q",       "m",       "k",        "d",      "b",       "n",
    "inc",      "try",     "if",      "since",   "before",   "seq",    "prev",    "from",
    "t",        "to",      "at",      "v",       "token",    "user",   "nonce",   "resume",
    "cid",      "cn",      "resolve", "session", "ping",     "member", "members", "who",
    "mounts",   "type",    "value",   "valueb",  "set",      "setb",   "del",     "count",
    "code",     "outcome", "message", "current", "after_ms", "on",     "why",     "spread_ms",
    "retry_ms", "items",   "more"};
static_assert(!names.back().empty(), "a name for each field");

// An open hash table, made when compiled. The multipliers were tried out: every name stands in its
// own place. Where a later one does not, it costs a second comparison.
constexpr std::size_t place_count = 256;
constexpr std::uint8_t no_field = 0xff;

constexpr std::size_t place_of(std::string_view name) noexcept {
    const auto first = static_cast<unsigned char>(name.front());
    const auto last = static_cast<unsigned char>(name.back());
    return (first + last * 3U + name.size() * 65U) % place_count;
}

constexpr auto places = [] {
    std::array<std::uint8_t, place_count> table{};
    table.fill(no_field);
    for (std::size_t i = 0; i < names.size(); ++i) {
        std::size_t place = place_of(names[i]);
        while (table[place] != no_field) {
            place = (place + 1) % place_count;
        }
        table[place] = static_cast<std::uint8_t>(i);
    }
    return table;
}();

/// Compares two short texts; faster than the call of memcmp that `==` makes.
bool is_same(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

std::string_view demand(JsonKind kind) noexcept {
    switch (kind) {
        case JsonKind::object: return "must be an object";
        case JsonKind::array: return "must be an array";
        case JsonKind::string: return "must be a string";
        case JsonKind::number: return "must be a number";
        case JsonKind::boolean: return "must be true or false";
        case JsonKind::null: return "must be null";
    }
    return "";
}

std::string limit_text(std::uint64_t limit) {
    return limit == json_integer_max ? "2^53" : std::to_string(limit);
}

}  // namespace

std::string_view name_of(Field field) noexcept { return names[static_cast<std::size_t>(field)]; }

std::optional<Field> find_field(std::string_view name) noexcept {
    if (name.empty()) {
        return std::nullopt;
    }
    for (std::size_t place = place_of(name);; place = (place + 1) % place_count) {
        const std::uint8_t index = places[place];
        if (index == no_field) {
            return std::nullopt;
        }
        if (is_same(names[index], name)) {
            return static_cast<Field>(index);
        }
    }
}

std::optional<Cursor> read_cursor(JsonReader& reader) noexcept {
    std::array<std::uint64_t, 2> numbers{};
    JsonValue value;
    if (!reader.enter_array()) {
        return std::nullopt;
    }
    for (std::uint64_t& number : numbers) {
        if (!reader.next_item() || !reader.read(value)) {
            return std::nullopt;
        }
        const auto read = to_uint(value);
        if (!read) {
            return std::nullopt;
        }
        number = *read;
    }
    if (reader.next_item() || reader.problem() != JsonProblem::none) {
        return std::nullopt;
    }
    return Cursor{.inc = Inc{numbers[0]}, .seq = numbers[1]};
}

void Scratch::reserve() {
    if (memory_.empty()) {
        // Text never grows by decoding; bytes in base64 may stand in an escaped string, whose own
        // text then lies before them.
        memory_.reserve(2 * bytes_max_);
    }
}

std::string_view Scratch::decoded(const JsonValue& string) {
    reserve();
    return to_text(string, memory_);
}

std::optional<std::string_view> Scratch::base64(const JsonValue& string) {
    reserve();
    const std::string_view encoded = text(string);
    const std::size_t start = memory_.size();
    if (!append_base64_decoded(memory_, encoded, Base64::standard)) {
        return std::nullopt;
    }
    return std::string_view{memory_}.substr(start);
}

bool FieldReader::read() {
    JsonReader reader{text_, depth_max_};
    JsonValue name;
    JsonValue value;
    if (reader.enter_object()) {
        while (reader.next_key(name) && reader.read(value)) {
            if (!keep(name, value)) {
                return false;
            }
        }
    }
    if (reader.finish()) {
        return true;
    }
    if (reader.problem() == JsonProblem::no_value && reader.problem_offset() == 0) {
        return refuse_frame(ErrorCode::protocol, "must be a JSON object");
    }
    const bool is_utf8 = reader.problem() != JsonProblem::bad_utf8;
    return refuse_frame(is_utf8 ? ErrorCode::protocol : ErrorCode::bad_utf8,
                        "JSON: " + reader.problem_text());
}

bool FieldReader::keep(const JsonValue& name, const JsonValue& value) {
    const std::string_view text = scratch_.text(name);
    if (const auto field = find_field(text)) {
        if (has(*field)) {
            return refuse_frame(ErrorCode::protocol, std::string{text} + ": stands twice");
        }
        seen_ |= std::uint64_t{1} << static_cast<unsigned>(*field);
        values_[static_cast<std::size_t>(*field)] = value;
        return true;
    }
    if (std::ranges::find(unknown_, text) != unknown_.end()) {
        return refuse_frame(ErrorCode::protocol, "an unknown field stands twice");
    }
    if (unknown_.size() == unknown_fields_max) {
        return refuse_frame(ErrorCode::protocol, "too many unknown fields");
    }
    unknown_.push_back(text);
    return true;
}

bool FieldReader::refuse_frame(ErrorCode code, std::string problem) {
    error_ = Error{code, std::move(problem)};
    return false;
}

const JsonValue* FieldReader::find(Field field, JsonKind kind) {
    if (!has(field)) {
        return nullptr;
    }
    const JsonValue& value = (*this)[field];
    if (value.kind != kind) {
        refuse(field, demand(kind));
        return nullptr;
    }
    return &value;
}

std::string_view FieldReader::present_text(Field field) {
    const JsonValue* value = find(field, JsonKind::string);
    return value == nullptr ? std::string_view{} : scratch_.text(*value);
}

bool FieldReader::boolean(Field field) {
    const JsonValue* value = find(field, JsonKind::boolean);
    return value != nullptr && value->raw() == "true";
}

std::optional<std::uint64_t> FieldReader::present_integer(Field field, std::uint64_t min,
                                                          std::uint64_t max) {
    const auto number = to_uint((*this)[field]);
    if (!number || *number < min || *number > max) {
        refuse(field, "must be an integer from " + limit_text(min) + " to " + limit_text(max));
        return std::nullopt;
    }
    return number;
}

std::int64_t FieldReader::signed_integer(Field field) {
    if (!has(field)) {
        return 0;
    }
    const auto number = to_int((*this)[field]);
    if (!number) {
        refuse(field, "must be an integer from -2^53 to 2^53");
    }
    return number.value_or(0);
}

std::optional<Cursor> FieldReader::cursor(Field field) {
    if (!has(field)) {
        return std::nullopt;
    }
    JsonReader reader{(*this)[field].raw()};
    const auto cursor = read_cursor(reader);
    if (!cursor) {
        refuse(field, "must be [inc, seq]");
    }
    return cursor;
}

std::optional<Data> FieldReader::data() {
    if (has(Field::d)) {
        if (has(Field::b)) {
            refuse(Field::b, "must not stand beside d");
        }
        return Data{.bytes = (*this)[Field::d].raw(), .format = Format::json};
    }
    const JsonValue* string = find(Field::b, JsonKind::string);
    if (string == nullptr) {
        return std::nullopt;
    }
    const auto bytes = scratch_.base64(*string);
    if (!bytes) {
        refuse(Field::b, "must be base64 with padding");
        return std::nullopt;
    }
    return Data{.bytes = *bytes, .format = Format::bytes};
}

void FieldReader::refuse(Field field, std::string_view problem) {
    if (!error_) {
        error_ = Error{ErrorCode::protocol, std::string{name_of(field)} + ": "};
        error_->detail += problem;
    }
}

}  // namespace muster::wire
