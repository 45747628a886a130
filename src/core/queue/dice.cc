#include "core/queue/dice.h"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "core/wire/json_reader.h"
#include "core/wire/json_writer.h"

namespace muster::queue {
namespace {

struct Roll {
    std::uint32_t dice = 0;
    std::uint32_t sides = 0;
};

std::optional<std::uint32_t> number_in(std::string_view text, std::uint32_t least,
                                       std::uint32_t most) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
        return std::nullopt;
    }
    return number;
}

// "2d6", "d20"
std::optional<Roll> parse_roll(std::string_view text) {
    const auto d = text.find('d');
    if (d == std::string_view::npos) {
        return std::nullopt;
    }
    const auto dice = d == 0 ? std::optional<std::uint32_t>{1} : number_in(text.substr(0, d), 1, dice_max);
    const auto sides = number_in(text.substr(d + 1), 2, die_sides_max);
    if (!dice || !sides) {
        return std::nullopt;
    }
    return Roll{*dice, *sides};
}

// Returns what the object's one "roll" asks for; nothing where it is not one, or has a "got".
std::optional<Roll> find_roll(std::string_view json) {
    wire::JsonReader reader{json};
    if (!reader.enter_object()) {
        return std::nullopt;
    }
    std::string scratch;
    scratch.reserve(json.size());
    std::optional<Roll> roll;
    wire::JsonValue key{};
    wire::JsonValue value{};
    while (reader.next_key(key) && reader.read(value)) {
        const std::string_view name = wire::to_text(key, scratch);
        if (name == "got" || (name == "roll" && (roll || value.kind != wire::JsonKind::string))) {
            return std::nullopt;
        }
        if (name == "roll") {
            roll = parse_roll(wire::to_text(value, scratch));
            if (!roll) {
                return std::nullopt;
            }
        }
    }
    return reader.finish() ? roll : std::nullopt;
}

}  // namespace

Result<Payload> roll_dice(const Payload& request, Rng& rng) {
    const auto roll = request.format() == Format::json ? find_roll(request.bytes()) : std::nullopt;
    if (!roll) {
        return failure(ErrorCode::bad_request, R"(this mount takes {"roll":"2d6"}, without "got")");
    }
    std::string out(request.bytes().substr(0, request.bytes().rfind('}')));
    out += R"(,"got":[)";
    for (std::uint32_t i = 0; i < roll->dice; ++i) {
        if (i > 0) {
            out += ',';
        }
        wire::append_number(out, rng.below(roll->sides) + 1);
    }
    out += "]}";
    return Payload{out};
}

}  // namespace muster::queue
