// The one file that knows toml11: it compiles slowly, and throws.
#include "app/settings_file.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <map>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <toml.hpp>

#include "core/wire/utf8.h"

namespace muster::app {
namespace {

constexpr std::size_t depth_max = 32;
constexpr std::size_t key_parts_max = 16;

// With std::map, so that nothing depends on a hash's order.
using TomlNode = toml::basic_value<toml::discard_comments, std::map, std::vector>;

/// Walks over the text before toml11 does: that one calls itself for each bracket and each part of
/// a dotted key, so it would run out of stack. Knows just enough of TOML to skip strings and
/// comments; what is wrong otherwise is left for toml11 to say.
class DepthCheck {
public:
    explicit DepthCheck(std::string_view text) : text_(text) {}

    /// Returns the line where the text is nested too deep, or 0.
    std::uint32_t run() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"' || c == '\'') {
                skip_string(c);
                continue;
            }
            if (c == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
                continue;
            }
            take(c);
            if (depth_ > depth_max || dots_ >= key_parts_max) {
                return line_;
            }
            ++at_;
        }
        return 0;
    }

private:
    void take(char c) {
        switch (c) {
            case '\n':
                ++line_;
                dots_ = 0;
                break;
            case '[':
            case '{':
                ++depth_;
                dots_ = 0;
                break;
            case ']':
            case '}': depth_ -= depth_ > 0 ? 1 : 0; break;
            case '=':
            case ',': dots_ = 0; break;
            case '.': ++dots_; break;
            default: break;
        }
    }

    void skip_string(char quote) {
        const std::string_view rest = text_.substr(at_);
        const std::string triple(3, quote);
        const bool is_long = rest.starts_with(triple);
        at_ += is_long ? 3 : 1;
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\n') {
                ++line_;
                if (!is_long) {
                    return;  // Not closed on its line: no TOML.
                }
            } else if (text_[at_] == '\\' && quote == '"') {
                ++at_;
            } else if (is_long ? text_.substr(at_).starts_with(triple) : text_[at_] == quote) {
                at_ += is_long ? 3 : 1;
                return;
            }
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::uint32_t line_ = 1;
    std::size_t depth_ = 0;
    std::size_t dots_ = 0;
};

/// Returns the line of the first character that no TOML file has, or 0: toml11 reads beyond its
/// memory where it meets bad UTF-8.
std::uint32_t line_of_bad_character(std::string_view text) {
    std::uint32_t number = 0;
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        ++number;
        const bool has_control = std::any_of(line.begin(), line.end(), [](char c) {
            return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\r') || c == 0x7f;
        });
        if (has_control || !wire::is_valid_utf8(line)) {
            return number;
        }
    }
    return 0;
}

TomlValue value_of(const TomlNode& node);

TomlTable table_of(const TomlNode& node) {
    TomlTable table;
    for (const auto& [key, child] : node.as_table()) {
        table.push_back({key, value_of(child)});
    }
    std::sort(table.begin(), table.end(), [](const TomlEntry& a, const TomlEntry& b) {
        return std::tie(a.value.line, a.key) < std::tie(b.value.line, b.key);
    });
    return table;
}

TomlList list_of(const TomlNode& node) {
    TomlList list;
    for (const TomlNode& child : node.as_array()) {
        list.push_back(value_of(child));
    }
    return list;
}

TomlValue value_of(const TomlNode& node) {
    TomlValue value;
    value.line = node.location().line();
    switch (node.type()) {
        case toml::value_t::boolean: value.content = node.as_boolean(); break;
        case toml::value_t::integer: value.content = node.as_integer(); break;
        case toml::value_t::floating: value.content = node.as_floating(); break;
        case toml::value_t::string: value.content = node.as_string().str; break;
        case toml::value_t::array: value.content = list_of(node); break;
        case toml::value_t::table: value.content = table_of(node); break;
        case toml::value_t::empty:
        case toml::value_t::offset_datetime:
        case toml::value_t::local_datetime:
        case toml::value_t::local_date:
        case toml::value_t::local_time: value.content = TomlDate{}; break;
    }
    return value;
}

/// toml11 draws the place over several lines; the first of them says what is wrong.
std::string first_line(std::string_view what) {
    what = what.substr(0, what.find('\n'));
    for (const std::string_view prefix : {"[error] ", "toml::", "parse_toml_file: "}) {
        if (what.starts_with(prefix)) {
            what.remove_prefix(prefix.size());
        }
    }
    if (what.find(": ") < what.find(' ')) {
        what.remove_prefix(what.find(": ") + 2);  // The name of its function.
    }
    return std::string{what};
}

std::string_view line_of(std::string_view text, std::uint32_t number) {
    for (; number > 1 && !text.empty(); --number) {
        text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    }
    return text.substr(0, text.find('\n'));
}

/// The likeliest slip: `ping_interval = 15s`.
std::string_view hint_for(std::string_view line) {
    std::size_t at = line.find('=');
    at = at == std::string_view::npos ? line.size() : line.find_first_not_of("= \t", at);
    const std::size_t end = std::min(line.find_first_not_of("0123456789", at), line.size());
    const bool has_unit = at < end && end < line.size() &&
                          std::string_view{"dhmsuKMGB/"}.find(line[end]) != std::string_view::npos;
    return has_unit ? R"(; a value with a unit stands in quotes: "15s")" : "";
}

}  // namespace

tl::expected<TomlTable, TomlError> parse_toml(std::string_view text) {
    if (text.size() > settings_file_bytes_max) {
        return tl::unexpected{TomlError{1, "the file is longer than 256 KiB"}};
    }
    if (const std::uint32_t line = line_of_bad_character(text); line > 0) {
        return tl::unexpected{TomlError{line, "holds what is no UTF-8 or a control character"}};
    }
    if (const std::uint32_t line = DepthCheck{text}.run(); line > 0) {
        return tl::unexpected{TomlError{line, "nested too deep"}};
    }
    std::istringstream stream{std::string{text}};
    try {
        return table_of(toml::parse<toml::discard_comments, std::map, std::vector>(stream, "file"));
    } catch (const toml::exception& error) {
        const std::uint32_t line = error.location().line();
        return tl::unexpected{
            TomlError{line, first_line(error.what()).append(hint_for(line_of(text, line)))}};
    } catch (const std::exception& error) {  // Numbers that are too great, and bugs of toml11.
        return tl::unexpected{TomlError{1, std::string{"cannot be read: "} + error.what()}};
    }
}

}  // namespace muster::app
