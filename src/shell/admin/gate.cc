#include "shell/admin/gate.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/wire/http_head.h"

namespace muster::admin {
namespace {

Problem no_access(std::string detail) {
    Problem problem{.code = ErrorCode::no_access, .detail = std::move(detail)};
    problem.headers.push_back({"WWW-Authenticate", "Bearer realm=\"muster admin\""});
    return problem;
}

Problem forbidden(std::string detail) {
    return Problem{.code = ErrorCode::forbidden, .detail = std::move(detail)};
}

/// Returns the host without its port: `localhost` of `localhost:7401`, `[::1]` of `[::1]:7401`.
std::string_view without_port(std::string_view host) {
    if (host.starts_with('[')) {
        const std::size_t end = host.find(']');
        return host.substr(0, end == std::string_view::npos ? 0 : end + 1);
    }
    return host.substr(0, host.find(':'));
}

bool is_loopback(std::string_view host) {
    const std::string_view name = without_port(host);
    const bool is_ipv4 =
        name.starts_with("127.") && name.find_first_not_of("0123456789.") == std::string_view::npos;
    return is_ipv4 || name == "[::1]" || wire::equals_ignoring_case(name, "localhost");
}

/// Returns whether the origin `http://localhost:7401` is this very server, called `host`.
bool is_same_origin(std::string_view origin, std::string_view host) {
    const std::size_t scheme_end = origin.find("://");
    return scheme_end != std::string_view::npos &&
           wire::equals_ignoring_case(origin.substr(scheme_end + 3), host);
}

}  // namespace

Parsed<void> Gate::check_origin(const Request& request) const {
    const auto host = request.header("host");
    if (settings_.is_open && !(host && is_loopback(*host))) {
        return refuse(
            forbidden("the admin port is open (--dev), so it answers only to localhost, 127.0.0.1 "
                      "and [::1]"));
    }
    if (request.method == "GET" || request.method == "HEAD") {
        return {};  // No answer allows other origins to read it (CORS).
    }
    const auto origin = request.header("origin");
    const auto site = request.header("sec-fetch-site");
    const bool is_foreign = (origin && !(host && is_same_origin(*origin, *host))) ||
                            (site && *site != "same-origin" && *site != "none");
    if (is_foreign) {
        return refuse(forbidden("a web page of another origin may not change anything here"));
    }
    return {};
}

Parsed<Access> Gate::admit(const Request& request) {
    const auto authorization = request.header("authorization");
    if (!authorization) {
        if (settings_.is_open) {
            return Access{.name = "dev", .role = Role::operate, .queue_prefix = {}};
        }
        return refuse(no_access("the header `Authorization: Bearer KEY` is missing"));
    }
    constexpr std::string_view scheme = "Bearer ";
    if (!wire::equals_ignoring_case(authorization->substr(0, scheme.size()), scheme)) {
        return refuse(no_access("only `Authorization: Bearer KEY` is known here"));
    }
    if (settings_.is_open && settings_.keys.empty()) {
        return Access{.name = "dev", .role = Role::operate, .queue_prefix = {}};
    }
    return check_key(authorization->substr(scheme.size()), request);
}

Parsed<Access> Gate::check_key(std::string_view key, const Request& request) {
    const auto known = guessers_.find(request.peer);
    if (known != guessers_.end() && request.now < known->second.blocked_until) {
        // Right keys wait too: else guessing would go on at full speed.
        const auto wait =
            std::chrono::ceil<std::chrono::milliseconds>(known->second.blocked_until - request.now);
        return refuse(Problem{.code = ErrorCode::busy,
                              .detail = "too many wrong keys from this address",
                              .retry_after_ms = static_cast<std::uint32_t>(wait.count())});
    }
    if (const Access* access = settings_.keys.find(key)) {
        return *access;
    }
    Guesser& wrong = guesser(request.peer);
    if (const auto wait = wrong.meter.take(request.now, wrong_keys_per_second, wrong_keys_burst)) {
        wrong.blocked_until = request.now + *wait;
    }
    return refuse(no_access("no such key"));
}

Gate::Guesser& Gate::guesser(const std::string& peer) {
    const auto found = guessers_.find(peer);
    if (found != guessers_.end()) {
        return found->second;
    }
    if (guessers_.size() >= addresses_max) {
        guessers_.erase(guessers_by_age_.pop());
    }
    guessers_by_age_.push(peer);
    return guessers_[peer];
}

}  // namespace muster::admin
