#include "shell/admin/problem.h"

#include <fmt/format.h>

#include "core/wire/json_writer.h"

namespace muster::admin {
namespace {

// A code that has no HTTP status of its own can only come from our own mistake.
constexpr std::uint16_t status_of_last_resort = 500;

std::uint16_t status_of(const Problem& problem, const ErrorInfo& info) {
    if (problem.status != 0) {
        return problem.status;
    }
    return info.http_status != 0 ? info.http_status : status_of_last_resort;
}

void append_text(std::string& out, std::string_view name, std::string_view text) {
    out += fmt::format(",\"{}\":", name);
    wire::append_quoted(out, text);
}

void append_number(std::string& out, std::string_view name,
                   const std::optional<std::uint64_t>& number) {
    if (number) {
        out += fmt::format(",\"{}\":{}", name, *number);
    }
}

}  // namespace

Response to_response(const Problem& problem) {
    const ErrorInfo& info = describe(problem.code);
    Response response;
    response.status = status_of(problem, info);
    response.content_type = "application/problem+json";
    response.headers = problem.headers;
    response.is_unknown = problem.is_unknown;

    std::string& out = response.body;
    out = fmt::format("{{\"type\":\"urn:muster:{}\"", label(problem.code));
    append_text(out, "title", info.meaning);
    out += fmt::format(",\"status\":{}", response.status);
    if (!problem.detail.empty()) {
        append_text(out, "detail", problem.detail);
    }
    append_text(out, "code", label(problem.code));
    out += fmt::format(",\"retryable\":{}", problem.is_retryable.value_or(info.retryable));
    if (problem.is_unknown) {
        append_text(out, "outcome", "unknown");
    }
    if (problem.pointer) {
        append_text(out, "pointer", *problem.pointer);
    }
    append_number(out, "current", problem.current);
    append_number(out, "limit", problem.limit);
    if (problem.retry_after_ms) {
        append_number(out, "retry_after_ms", *problem.retry_after_ms);
        const std::uint32_t seconds = (*problem.retry_after_ms + 999) / 1000;  // Rounded up.
        response.headers.push_back({"Retry-After", std::to_string(seconds)});
    }
    out += "}\n";
    return response;
}

}  // namespace muster::admin
