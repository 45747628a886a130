#include "shell/admin/json_body.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/wire/base64.h"
#include "core/wire/names.h"

namespace muster::admin {
namespace {

using wire::JsonKind;
using wire::JsonReader;
using wire::JsonValue;

// A pointer through very long names would help nobody.
constexpr std::size_t pointer_bytes_max = 512;

/// Follows a JSON text that is valid up to where it is cut off, and knows the way to each place.
class Walk {
public:
    explicit Walk(std::string_view text) : text_(text) {}

    /// Walks to the end, or to the end of the first object in which a name stands twice; returns
    /// the pointer to that name.
    std::optional<std::string> find_double_name() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"') {
                take_string();
                continue;
            }
            ++at_;
            if (c == '{' || c == '[') {
                levels_.push_back(Level{.is_object = c == '{', .expects_name = c == '{'});
            } else if (c == ',') {
                Level& level = levels_.back();
                level.expects_name = level.is_object;
                ++level.index;
            } else if (c == '}' || c == ']') {
                if (auto name = double_name(levels_.back())) {
                    levels_.pop_back();
                    return pointer_to(pointer(), *name);
                }
                levels_.pop_back();
            }
        }
        return std::nullopt;
    }

    /// Returns the way to where the walk has come.
    [[nodiscard]] std::string pointer() const {
        std::string result;
        for (const Level& level : levels_) {
            if (level.expects_name) {
                break;
            }
            result = pointer_to(result,
                                level.is_object ? level.names.back() : std::to_string(level.index));
        }
        return result;
    }

private:
    struct Level {
        bool is_object = false;
        bool expects_name = false;
        std::size_t index = 0;
        std::vector<std::string> names = {};
    };

    void take_string() {
        const std::size_t begin = at_;
        bool is_plain = true;
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            if (text_[at_] == '\\') {
                is_plain = false;
                ++at_;
            }
        }
        if (at_ >= text_.size()) {
            at_ = text_.size();  // Cut off within the string.
            return;
        }
        ++at_;
        if (!levels_.empty() && levels_.back().expects_name) {
            const JsonValue name{text_.data() + begin, text_.data() + at_, JsonKind::string,
                                 is_plain};
            levels_.back().names.push_back(decode(name));
            levels_.back().expects_name = false;
        }
    }

    static std::optional<std::string> double_name(Level& level) {
        std::sort(level.names.begin(), level.names.end());
        const auto found = std::adjacent_find(level.names.begin(), level.names.end());
        if (found == level.names.end()) {
            return std::nullopt;
        }
        return std::move(*found);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<Level> levels_;
};

Problem bad_json(std::string detail, std::string pointer) {
    Problem problem{.detail = std::move(detail)};
    if (pointer.size() <= pointer_bytes_max) {
        problem.pointer = std::move(pointer);
    }
    return problem;
}

std::string_view name_of(JsonKind kind) {
    switch (kind) {
        case JsonKind::object: return "an object";
        case JsonKind::array: return "an array";
        case JsonKind::string: return "a string";
        case JsonKind::number: return "a number";
        case JsonKind::boolean: return "true or false";
        case JsonKind::null: return "null";
    }
    return "";
}

}  // namespace

Parsed<void> check_json(std::string_view text, std::size_t depth_max) {
    JsonReader reader{text, depth_max};
    JsonValue value;
    reader.read(value);
    if (!reader.finish()) {
        text = text.substr(0, reader.problem_offset());
    }
    Walk walk{text};
    if (auto pointer = walk.find_double_name()) {
        return refuse(bad_json("a name stands twice in one object", *std::move(pointer)));
    }
    if (reader.problem() != wire::JsonProblem::none) {
        return refuse(bad_json("the body is not JSON as we take it: " + reader.problem_text(),
                               walk.pointer()));
    }
    return {};
}

std::string decode(const JsonValue& string) {
    std::string scratch;
    scratch.reserve(static_cast<std::size_t>(string.end - string.begin));
    return std::string{wire::to_text(string, scratch)};
}

std::string pointer_to(std::string_view pointer, std::string_view name) {
    std::string result{pointer};
    result.push_back('/');
    for (const char c : name) {
        if (c == '~') {
            result += "~0";
        } else if (c == '/') {
            result += "~1";
        } else {
            result.push_back(c);
        }
    }
    return result;
}

Fields Fields::of(std::string_view text, std::string pointer) {
    Fields fields;
    fields.pointer_ = std::move(pointer);
    if (text.empty()) {
        return fields;
    }
    JsonReader reader{text, text.size()};  // check_json has seen to the depth.
    JsonValue key;
    JsonValue value;
    if (!reader.enter_object()) {
        fields.note(bad_json("an object is needed here", fields.pointer_));
        return fields;
    }
    while (reader.next_key(key) && reader.read(value)) {
        fields.fields_.push_back(Field{decode(key), value});
    }
    return fields;
}

const JsonValue* Fields::find(std::string_view name) {
    const auto found = std::find_if(fields_.begin(), fields_.end(),
                                    [name](const Field& field) { return field.name == name; });
    if (found == fields_.end()) {
        return nullptr;
    }
    found->is_known = true;
    return &found->value;
}

std::optional<std::string_view> Fields::object(std::string_view name) {
    const JsonValue* value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (value->kind != JsonKind::object) {
        refuse_field(name, fmt::format("an object is needed, not {}", name_of(value->kind)),
                     ErrorCode::bad_request);
        return std::nullopt;
    }
    return value->raw();
}

std::optional<std::string> Fields::text(std::string_view name) {
    const JsonValue* value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (value->kind != JsonKind::string) {
        refuse_field(name, fmt::format("a string is needed, not {}", name_of(value->kind)),
                     ErrorCode::bad_request);
        return std::nullopt;
    }
    return decode(*value);
}

std::optional<std::uint64_t> Fields::integer(std::string_view name, std::uint64_t min,
                                             std::uint64_t max) {
    const JsonValue* value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    const auto number = wire::to_uint(*value);
    if (!number || *number < min || *number > max) {
        refuse_field(name, fmt::format("an integer of {} to {} is needed", min, max),
                     ErrorCode::bad_request);
        return std::nullopt;
    }
    return number;
}

bool Fields::boolean(std::string_view name) {
    const JsonValue* value = find(name);
    if (value == nullptr) {
        return false;
    }
    if (value->kind != JsonKind::boolean) {
        refuse_field(name, fmt::format("true or false is needed, not {}", name_of(value->kind)),
                     ErrorCode::bad_request);
        return false;
    }
    return value->raw() == "true";
}

UserId Fields::user(std::string_view name) {
    const auto id = text(name);
    if (!id) {
        return UserId{};
    }
    if (auto good = wire::check_user_id(*id); !good) {
        refuse_field(name, std::move(good.error().detail), good.error().code);
    }
    return UserId{*id};
}

Payload Fields::payload() {
    const JsonValue* data = find("data");
    const auto base64 = text("b");
    if ((data != nullptr) == base64.has_value()) {
        note(bad_json("one of `data` (any JSON value) and `b` (bytes in base64) is needed",
                      pointer_));
        return Payload{};
    }
    if (data != nullptr) {
        return Payload{data->raw()};
    }
    std::string bytes;
    if (!wire::append_base64_decoded(bytes, *base64, wire::Base64::standard)) {
        refuse_field("b", "this is not base64 (RFC 4648, with padding)", ErrorCode::bad_request);
    } else if (bytes.empty()) {
        refuse_field("b", "at least one byte is needed", ErrorCode::bad_request);
    }
    return Payload{bytes, Format::bytes};
}

void Fields::refuse_field(std::string_view name, std::string detail, ErrorCode code) {
    Problem problem = bad_json(std::move(detail), pointer_to(pointer_, name));
    problem.code = code;
    note(std::move(problem));
}

void Fields::note(Problem problem) {
    if (!problem_) {
        problem_ = std::move(problem);
    }
}

Parsed<void> Fields::finish() const {
    if (problem_) {
        return refuse(*problem_);
    }
    for (const Field& field : fields_) {
        if (!field.is_known) {
            return refuse(bad_json("there is no such field here; /openapi.json names them",
                                   pointer_to(pointer_, field.name)));
        }
    }
    return {};
}

}  // namespace muster::admin
