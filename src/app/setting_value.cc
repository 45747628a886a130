#include "app/setting_value.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "core/wire/json_writer.h"
#include "core/wire/utf8.h"

namespace muster::app {
namespace {

constexpr std::size_t text_bytes_max = 1'024;

const std::string* text_in(const TomlValue& value) {
    return std::get_if<std::string>(&value.content);
}

/// Returns what stands there, for "not ...": short, on one line.
std::string seen(const TomlValue& value) {
    struct Visitor {
        std::string operator()(bool yes) const { return yes ? "true" : "false"; }
        std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
        std::string operator()(double number) const { return fmt::format("{}", number); }
        std::string operator()(const std::string& text) const {
            return text.size() <= 80 ? quoted_text(text) : "a long text";
        }
        std::string operator()(TomlDate) const { return "a date"; }
        std::string operator()(const TomlList&) const { return "a list"; }
        std::string operator()(const TomlTable&) const { return "a table"; }
    };
    return std::visit(Visitor{}, value.content);
}

tl::unexpected<std::string> wants(std::string_view what, const TomlValue& value) {
    return tl::unexpected{fmt::format("wants {}, not {}", what, seen(value))};
}

constexpr std::size_t name_bytes_max = 64;  ///< What is longer is no slip of the finger.

/// Levenshtein's distance of two names, one row of the table at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::array<std::size_t, name_bytes_max + 1> row{};
    for (std::size_t i = 0; i <= a.size(); ++i) {
        row[i] = i;
    }
    for (std::size_t j = 0; j < b.size(); ++j) {
        std::size_t diagonal = row[0];
        row[0] = j + 1;
        for (std::size_t i = 0; i < a.size(); ++i) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[i + 1];
            row[i + 1] = std::min({replaced, row[i] + 1, row[i + 1] + 1});
        }
    }
    return row[a.size()];
}

/// "max_connections" and "connections_max" have the same.
std::string sorted_words(std::string_view name) {
    std::vector<std::string_view> words;
    for (std::string_view rest = name; !rest.empty();) {
        words.push_back(rest.substr(0, rest.find('_')));
        rest.remove_prefix(std::min(words.back().size() + 1, rest.size()));
    }
    std::sort(words.begin(), words.end());
    return fmt::format("{}", fmt::join(words, "_"));
}

Parsed<std::string> checked_text(std::string_view text, const TomlValue& value) {
    const bool has_control = std::any_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (text.empty() || text.size() > text_bytes_max || has_control || !wire::is_valid_utf8(text)) {
        return wants("a text of 1 to 1024 bytes without control characters", value);
    }
    return std::string{text};
}

}  // namespace

Parsed<bool> as_bool(const TomlValue& value) {
    if (const bool* yes = std::get_if<bool>(&value.content)) {
        return *yes;
    }
    const std::string* text = text_in(value);
    if (value.is_untyped && text != nullptr && (*text == "true" || *text == "false")) {
        return *text == "true";
    }
    return wants("true or false", value);
}

Parsed<std::uint32_t> as_count(const TomlValue& value, std::uint32_t min, std::uint32_t max) {
    std::optional<std::int64_t> number;
    if (const auto* found = std::get_if<std::int64_t>(&value.content)) {
        number = *found;
    } else if (const std::string* text = text_in(value); text != nullptr && value.is_untyped) {
        std::int64_t parsed = 0;
        const auto [end, error] =
            std::from_chars(text->data(), text->data() + text->size(), parsed);
        if (error == std::errc{} && end == text->data() + text->size()) {
            number = parsed;
        }
    }
    if (!number || *number < min || *number > max) {
        return wants(fmt::format("a number from {} to {}", min, max), value);
    }
    return static_cast<std::uint32_t>(*number);
}

Parsed<Duration> as_duration(const TomlValue& value, Duration min, Duration max) {
    const std::string* text = text_in(value);
    const auto duration = text != nullptr ? parse_duration(*text) : std::nullopt;
    if (!duration) {
        return wants(R"(a duration with its unit, such as "250ms", "15s", "10m", "1h" or "7d")",
                     value);
    }
    if (*duration < min || *duration > max) {
        return wants(fmt::format("from {} to {}", duration_text(min), duration_text(max)), value);
    }
    return *duration;
}

Parsed<std::uint32_t> as_size(const TomlValue& value, std::uint32_t min, std::uint32_t max) {
    return as_disk_size(value, min, max).map([](std::uint64_t bytes) {
        return static_cast<std::uint32_t>(bytes);
    });
}

Parsed<std::uint64_t> as_disk_size(const TomlValue& value, std::uint64_t min, std::uint64_t max) {
    const std::string* text = text_in(value);
    const auto bytes = text != nullptr ? parse_size(*text) : std::nullopt;
    if (!bytes) {
        return wants(R"(a size with its unit, such as "512B", "64KiB" or "1MiB")", value);
    }
    if (*bytes < min || *bytes > max) {
        return wants(fmt::format("from {} to {}", size_text(min), size_text(max)), value);
    }
    return *bytes;
}

Parsed<queue::RateLimit> as_rate(const TomlValue& value) {
    const std::string* text = text_in(value);
    const auto rate = text != nullptr ? parse_rate(*text) : std::nullopt;
    if (!rate) {
        return wants(fmt::format(R"(a rate such as "5/s" or "5/s burst 20", up to {})", rate_max),
                     value);
    }
    return queue::RateLimit{.per_second = rate->per_second, .burst = rate->burst};
}

Parsed<ListenAddress> as_address(const TomlValue& value) {
    constexpr std::string_view wanted =
        R"(an IP address and a port, such as "127.0.0.1:7400", "0.0.0.0:7400" or "[::1]:7400")";
    const std::string* text = text_in(value);
    const std::size_t colon = text != nullptr ? text->rfind(':') : std::string::npos;
    if (colon == std::string::npos) {
        return wants(wanted, value);
    }
    std::string host = text->substr(0, colon);
    const std::string_view digits = std::string_view{*text}.substr(colon + 1);
    ListenAddress address;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
        return wants(wanted, value);
    }
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    if (host.starts_with('[') && host.ends_with(']')) {
        address.host = host.substr(1, host.size() - 2);
        if (::inet_pton(AF_INET6, address.host.c_str(), bytes.data()) == 1) {
            return address;
        }
    }
    address.host = host == "localhost" ? "127.0.0.1" : host;
    // The C function stops at a NUL, so a text with one must not get there.
    if (host.find('\0') != std::string::npos ||
        ::inet_pton(AF_INET, address.host.c_str(), bytes.data()) != 1) {
        return wants(wanted, value);
    }
    return address;
}

Parsed<std::string> as_text(const TomlValue& value) {
    const std::string* text = text_in(value);
    return text != nullptr ? checked_text(*text, value) : wants("a text in quotes", value);
}

Parsed<std::vector<std::string>> as_texts(const TomlValue& value) {
    std::vector<std::string> texts;
    if (const std::string* text = text_in(value); text != nullptr && value.is_untyped) {
        for (std::string_view rest = *text; !rest.empty();) {
            const std::string_view item = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(item.size() + 1, rest.size()));
            auto checked = checked_text(item, value);
            if (!checked) {
                return tl::unexpected{std::move(checked.error())};
            }
            texts.push_back(std::move(*checked));
        }
        return texts;
    }
    const auto* list = std::get_if<TomlList>(&value.content);
    if (list == nullptr) {
        return wants(R"(a list such as ["a", "b"])", value);
    }
    for (const TomlValue& item : *list) {
        auto text = as_text(item);
        if (!text) {
            return tl::unexpected{"in the list: " + text.error()};
        }
        texts.push_back(std::move(*text));
    }
    return texts;
}

std::string quoted_text(std::string_view text) {
    std::string out;
    wire::append_quoted(out, text);
    return out;
}

std::string quoted_texts(const std::vector<std::string>& texts) {
    std::string out = "[";
    for (const std::string& text : texts) {
        out += out.size() > 1 ? ", " : "";
        out += quoted_text(text);
    }
    return out + "]";
}

std::string rate_text(queue::RateLimit rate) {
    return muster::rate_text(Rate{rate.per_second, rate.burst});
}

std::string wants_one_of(const std::vector<std::string_view>& words, const TomlValue& value) {
    std::string choices;
    for (std::size_t i = 0; i < words.size(); ++i) {
        choices += i == 0 ? "" : i + 1 == words.size() ? " or " : ", ";
        choices += quoted_text(words[i]);
    }
    return wants(choices, value).value();
}

std::string_view closest(std::string_view text, const std::vector<std::string_view>& known) {
    std::string_view best;
    std::size_t best_distance = std::string_view::npos;
    for (const std::string_view candidate : known) {
        if (std::max(text.size(), candidate.size()) > name_bytes_max) {
            continue;
        }
        // Words in another order are one slip more.
        const std::size_t distance =
            std::min(edit_distance(text, candidate),
                     edit_distance(sorted_words(text), sorted_words(candidate)) + 1);
        // A few slips of the finger, or a word that begins alike: "pings" for "ping_interval".
        const bool is_near = distance < text.size() / 3 + 2 ||
                             (text.size() >= 4 && candidate.starts_with(text.substr(0, 4)));
        if (is_near && distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace muster::app
