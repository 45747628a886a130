#include "app/explain.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include <fmt/format.h>

#include "core/wire/websocket.h"

namespace muster::app {
namespace {

constexpr std::size_t terminal_columns = 100;

// The close code of a connection that ends because of `code`, or 0 where it ends none.
std::uint16_t close_code_for(ErrorCode code) {
    const bool is_of_connections = static_cast<unsigned>(code) / 1000 == 1;
    const bool closes = code != ErrorCode::unsupported && code != ErrorCode::bad_request &&
                        code != ErrorCode::not_connected && code != ErrorCode::client_closed;
    if (!is_of_connections || !closes) {
        return 0;
    }
    return static_cast<std::uint16_t>(wire::close_code_of(code));
}

// Appends `text` behind a title, broken between words.
void append_paragraph(std::string& out, std::string_view title, std::string_view text) {
    constexpr std::size_t indent = 9;
    std::string line = fmt::format("  {:<{}}", title, indent - 2);
    bool is_first = true;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (!is_first && line.size() + 1 + word.size() > terminal_columns) {
            out += line;
            out += '\n';
            line.assign(indent, ' ');
            is_first = true;
        }
        if (!is_first) {
            line += ' ';
        }
        line += word;
        is_first = false;
    }
    out += line;
    out += '\n';
}

std::string ways_out(const ErrorInfo& info) {
    std::string text;
    if (info.http_status != 0) {
        text += fmt::format("HTTP {}", info.http_status);
    }
    if (const std::uint16_t close_code = close_code_for(info.code); close_code != 0) {
        text += fmt::format("{}close {}", text.empty() ? "" : ", ", close_code);
    }
    return text;
}

struct Family {
    unsigned thousand;
    std::string_view title;
};
constexpr auto families = std::to_array<Family>({
    {1, "Connections"},
    {2, "Queues and operations"},
    {3, "Mounts"},
    {4, "Users"},
    {5, "Call-outs"},
    {6, "Cluster"},
    {7, "Store"},
    {8, "Actors and replay"},
    {9, "Running the server"},
});

constexpr std::string_view reference_head =
    R"(# Error codes

<!-- Made from src/base/error_code.cc by `muster explain --markdown`: change it there. -->

Every refusal of Muster carries one of these codes: on a client connection, over HTTP, in the SDKs,
in log lines and on the console. `muster explain M2003` shows one of them on the terminal. A number
once given is never used for anything else.

- **Try again** says whether the same request, unchanged, may succeed later. Where it does not,
  something has to change first.
- Over HTTP an error is `application/problem+json` with `code` and `retryable`; the status stands
  beside the code here.
- A WebSocket is closed with the number that stands beside the code here. What a browser shows as
  4003, for instance, is M1003; 4000 stands for several, and the reason text of the close begins
  with the code. Over TCP the last frame, `bye`, says it.
)";

}  // namespace

std::vector<const ErrorInfo*> errors_meant_by(std::string_view text) {
    std::vector<const ErrorInfo*> found;
    if (const ErrorInfo* info = find_error(text)) {
        found.push_back(info);
    }
    std::uint16_t number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    const bool is_number = read.ec == std::errc{} && read.ptr == end && number != 0;
    for (const ErrorInfo& info : error_registry()) {
        if (info.name == text || (is_number && close_code_for(info.code) == number)) {
            found.push_back(&info);
        }
    }
    return found;
}

std::string explain(const ErrorInfo& info) {
    const std::string ways = ways_out(info);
    std::string text = fmt::format("{} {}{}\n", label(info.code), info.name,
                                   ways.empty() ? "" : fmt::format(" ({})", ways));
    append_paragraph(text, "", info.meaning);
    append_paragraph(text, "Cause:", info.cause);
    append_paragraph(text, "Fix:", info.fix);
    append_paragraph(text, "Again:",
                     info.retryable ? "Yes: the same request may succeed later."
                                    : "No: the same request fails again until something changes.");
    return text;
}

std::string explain_as_json(const ErrorInfo& info) {
    // The registry's texts need no escaping (error_code_test.cc).
    const auto number_or_null = [](std::uint16_t number) {
        return number == 0 ? std::string{"null"} : std::to_string(number);
    };
    return fmt::format(
        R"({{"code":"{}","name":"{}","http_status":{},"close_code":{},"retryable":{},)"
        R"("meaning":"{}","cause":"{}","fix":"{}"}})",
        label(info.code), info.name, number_or_null(info.http_status),
        number_or_null(close_code_for(info.code)), info.retryable, info.meaning, info.cause,
        info.fix);
}

std::string list_errors() {
    std::string text;
    for (const ErrorInfo& info : error_registry()) {
        text += fmt::format("{}  {:<14}  {}\n", label(info.code), info.name, info.meaning);
    }
    return text;
}

std::string error_reference_markdown() {
    std::string page{reference_head};
    for (const Family& family : families) {
        std::string entries;
        for (const ErrorInfo& info : error_registry()) {
            if (static_cast<unsigned>(info.code) / 1000 != family.thousand) {
                continue;
            }
            const std::string ways = ways_out(info);
            entries += fmt::format("\n### {} {}\n\n", label(info.code), info.name);
            entries += fmt::format("{}\n\n", info.meaning);
            if (!ways.empty()) {
                entries += fmt::format("- Seen as: {}\n", ways);
            }
            entries += fmt::format("- Try again: {}\n", info.retryable ? "yes" : "no");
            entries += fmt::format("- Cause: {}\n- Fix: {}\n", info.cause, info.fix);
        }
        if (!entries.empty()) {
            page += fmt::format("\n## M{}: {}\n{}", family.thousand, family.title, entries);
        }
    }
    return page;
}

}  // namespace muster::app
