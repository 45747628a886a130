#include "core/wire/deflate_offer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "core/wire/deflate.h"

namespace muster::wire {
namespace {

constexpr std::string_view answer =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
constexpr std::string_view answer_with_window =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
    "server_max_window_bits=12";
static_assert(deflate_window_bits == 12);

// Takes what stands before the first `separator` outside of quotes, without white space around it.
std::string_view take_part(std::string_view& rest, char separator) noexcept {
    bool is_quoted = false;
    std::size_t end = 0;
    while (end < rest.size() && (is_quoted || rest[end] != separator)) {
        if (rest[end] == '"') {
            is_quoted = !is_quoted;
        } else if (is_quoted && rest[end] == '\\') {
            ++end;
        }
        ++end;
    }
    end = std::min(end, rest.size());
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return take_list_element(part);  // Commas are left only in quotes, where none is good.
}

// A window's bits, 8 to 15, as a token or in quotes.
std::optional<int> window_bits(std::string_view value) noexcept {
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
    }
    constexpr std::array<std::string_view, 8> all{"8", "9", "10", "11", "12", "13", "14", "15"};
    const auto found = std::find(all.begin(), all.end(), value);
    return found == all.end() ? std::nullopt
                              : std::optional(8 + static_cast<int>(found - all.begin()));
}

// Returns the answer to what stands behind `permessage-deflate` in one offer; empty to decline it.
std::string_view answer_to(std::string_view parameters) noexcept {
    constexpr std::array<std::string_view, 4> names{
        "server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits",
        "client_max_window_bits"};
    constexpr std::size_t server_window = 2;
    constexpr std::size_t client_window = 3;
    std::array<bool, names.size()> was_named{};
    while (!parameters.empty()) {
        std::string_view parameter = take_part(parameters, ';');
        const bool has_value = parameter.find('=') != std::string_view::npos;
        const std::string_view name = take_part(parameter, '=');
        const auto index =
            static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
        if (index == names.size() || was_named[index]) {
            return {};
        }
        was_named[index] = true;
        const auto bits = window_bits(parameter);
        const bool is_good = index == server_window   ? bits.value_or(0) >= deflate_window_bits
                             : index == client_window ? bits.has_value() || !has_value
                                                      : !has_value;
        if (!is_good) {
            return {};
        }
    }
    return was_named[server_window] ? answer_with_window : answer;
}

}  // namespace

std::string_view answer_to_deflate_offers(const HeaderList& headers) noexcept {
    for (const HeaderField& field : headers.all()) {
        if (!equals_ignoring_case(field.name, "Sec-WebSocket-Extensions")) {
            continue;
        }
        std::string_view offers = field.value;
        while (!offers.empty()) {
            std::string_view offer = take_part(offers, ',');
            if (offer.ends_with(';') || take_part(offer, ';') != "permessage-deflate") {
                continue;
            }
            if (const std::string_view found = answer_to(offer); !found.empty()) {
                return found;
            }
        }
    }
    return {};
}

}  // namespace muster::wire
