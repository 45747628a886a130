#include "shell/admin/api.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "core/wire/http_head.h"
#include "core/wire/http_target.h"
#include "shell/admin/batch.h"
#include "shell/admin/json_body.h"
#include "shell/admin/openapi.h"

namespace muster::admin {
namespace {

constexpr std::size_t idempotency_key_bytes_max = 255;

// Two of them would leave it open which one counts.
constexpr std::array<std::string_view, 7> single_headers{
    "host",     "authorization", "origin", "content-type", "idempotency-key",
    "if-match", "if-none-match",
};

Parsed<void> check_single_headers(const Request& request) {
    for (const std::string_view name : single_headers) {
        const auto count =
            std::count_if(request.headers.begin(), request.headers.end(),
                          [name](const Header& header) { return header.name == name; });
        if (count > 1) {
            return refuse(Problem{.detail = fmt::format("the header {} stands there twice", name)});
        }
    }
    return {};
}

bool takes_body(std::string_view method) {
    return method == "PUT" || method == "POST" || method == "PATCH";
}

bool is_batch(const Route& route) { return route.pattern == "/v1/batch"; }

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view space = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(space);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

/// Refuses what a form of another web page could send, and what `curl -d` sends if nothing is said.
Parsed<void> check_content_type(const Request& request, const Route& route) {
    const std::string_view sent = request.header("content-type").value_or("");
    const std::string_view type = trimmed(sent.substr(0, sent.find(';')));
    const auto is = [type](std::string_view name) {
        return wire::equals_ignoring_case(type, name);
    };
    if (is_batch(route)) {
        if (is("application/x-ndjson") || is("application/ndjson") || is("application/jsonl")) {
            return {};
        }
        return refuse(
            Problem{.detail = "a batch is one JSON object a line: add the header `content-type: "
                              "application/x-ndjson` (and with curl use --data-binary)",
                    .status = 415});
    }
    if (is("application/json") || (route.method == "PATCH" && is("application/merge-patch+json"))) {
        return {};
    }
    return refuse(Problem{
        .detail = fmt::format("the body must be JSON and say so: add the header `content-type: "
                              "application/json` (it was {})",
                              sent.empty() ? "missing" : fmt::format("`{}`", sent)),
        .status = 415});
}

Parsed<void> check_body(const Request& request, const Route& route) {
    const std::string_view body = trimmed(request.body);
    if (body.empty()) {
        return {};
    }
    if (!takes_body(route.method)) {
        return refuse(Problem{.detail = fmt::format("{} takes no body", route.method)});
    }
    if (auto good = check_content_type(request, route); !good) {
        return good;
    }
    return is_batch(route) ? Parsed<void>{} : check_json(body);
}

/// A key is visible ASCII, so that it can be quoted in logs and tables.
Parsed<SharedText> idempotency_key(const Request& request) {
    const auto key = request.header("idempotency-key");
    if (!key) {
        return SharedText{};
    }
    const bool is_visible =
        std::all_of(key->begin(), key->end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (key->empty() || key->size() > idempotency_key_bytes_max || !is_visible) {
        return refuse(Problem{.detail = "an Idempotency-Key is 1 to 255 visible ASCII characters",
                              .limit = idempotency_key_bytes_max});
    }
    return SharedText{*key};
}

Parsed<void> check_access(const Access& access, const Match& match) {
    const Route& route = *match.route;
    if (access.role < route.role) {
        return refuse(Problem{
            .code = ErrorCode::forbidden,
            .detail = fmt::format("the key `{}` has the role {}; this needs {}", access.name,
                                  role_name(access.role), role_name(route.role))});
    }
    if (access.queue_prefix.empty() || match.queue.text().starts_with(access.queue_prefix)) {
        return {};
    }
    // The list and the lines of a batch look at the prefix themselves.
    if (route.pattern == "/v1/queues" || is_batch(route)) {
        return {};
    }
    return refuse(Problem{.code = ErrorCode::forbidden,
                          .detail = fmt::format("the key `{}` is for queues below {} only",
                                                access.name, access.queue_prefix)});
}

Response text_response(std::string body, std::uint16_t status = 200) {
    return Response{
        .status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
}

/// As it was sent, without the query.
std::string_view path_of(const Request& request) {
    return std::string_view{request.target}.substr(0, request.target.find('?'));
}

/// Answers what needs no key, if the request is for that.
std::optional<Response> answer_anybody(const Request& request, const Site& site) {
    if (request.method != "GET" && request.method != "HEAD") {
        return std::nullopt;
    }
    const std::string_view path = path_of(request);
    if (path == "/healthz") {
        return text_response("ok\n");
    }
    if (path == "/readyz") {
        return site.is_ready() ? text_response("ready\n") : text_response("not ready\n", 503);
    }
    if (path == "/openapi.json") {
        return Response{.body = std::string{openapi_json()}};
    }
    if (path == "/") {  // Where a browser begins: no key would show it more.
        return to_response(
            Problem{.detail = "this is the admin API: /openapi.json describes it, /metrics has the "
                              "figures; the pages are on the client port, in --dev",
                    .status = 404});
    }
    return std::nullopt;
}

std::optional<std::string> header_text(const Request& request, std::string_view name) {
    const auto value = request.header(name);
    return value ? std::optional<std::string>{*value} : std::nullopt;
}

void add_safety_headers(Response& response) {
    response.headers.push_back({"X-Content-Type-Options", "nosniff"});
    const bool says_how_to_cache =
        std::any_of(response.headers.begin(), response.headers.end(),
                    [](const Header& header) { return header.name == "Cache-Control"; });
    if (!says_how_to_cache) {
        response.headers.push_back({"Cache-Control", "no-store"});
    }
}

}  // namespace

/// A request that may be carried out.
struct Api::Arrival {
    Match match;
    std::string_view query;
    std::string_view body;
    SharedText idempotency_key;
};

Api::Api(Site& site, GateSettings gate, TellLog tell_log)
    : site_(site), gate_(std::move(gate)), tell_log_(std::move(tell_log)) {}

void Api::handle(const Request& request, Respond respond) {
    auto answer = [respond = std::move(respond)](Response response) {
        add_safety_headers(response);
        respond(std::move(response));
    };
    if (const auto good = check_single_headers(request); !good) {
        answer(to_response(good.error()));
        return;
    }
    if (const auto good = gate_.check_origin(request); !good) {
        tell_refusal(request, {}, good.error());
        answer(to_response(good.error()));
        return;
    }
    if (auto response = answer_anybody(request, site_)) {
        answer(*std::move(response));
        return;
    }
    const auto access = gate_.admit(request);
    if (!access) {
        tell_refusal(request, {}, access.error());
        answer(to_response(access.error()));
        return;
    }
    carry_out(request, *access, std::move(answer));
}

void Api::carry_out(const Request& request, const Access& access, Respond respond) {
    const auto arrival = arrive(request, access);
    if (!arrival) {
        if (arrival.error().code == ErrorCode::forbidden) {
            tell_refusal(request, access.name, arrival.error());
        }
        respond(to_response(arrival.error()));
        return;
    }
    if (arrival->match.route->is_noted) {
        respond = telling_change(request, access, std::move(respond));
    }
    const bool is_remembered = arrival->match.route->remembers == Remembers::reply_table &&
                               !arrival->idempotency_key.empty();
    if (is_remembered) {
        carry_out_once(request, access, *arrival, std::move(respond));
    } else {
        run(request, access, *arrival, std::move(respond));
    }
}

void Api::tell_refusal(const Request& request, std::string_view key, const Problem& why) const {
    tell_log_(Notice{.kind = Notice::Kind::refused,
                     .key = key,
                     .peer = request.peer,
                     .method = request.method,
                     .path = path_of(request),
                     .detail = why.detail});
}

// What was there already, and the answer of a first time that is given again, change nothing.
Respond Api::telling_change(const Request& request, const Access& access, Respond respond) const {
    return [this, key = access.name, peer = request.peer, method = request.method,
            path = std::string{path_of(request)}, respond = std::move(respond)](Response response) {
        const bool is_there = method == "PUT" && response.status != 201;
        const bool is_again = std::ranges::any_of(response.headers, [](const Header& header) {
            return header.name == "Idempotent-Replay";
        });
        if (response.status < 300 && !is_there && !is_again) {
            tell_log_(Notice{.kind = Notice::Kind::changed,
                             .key = key,
                             .peer = peer,
                             .method = method,
                             .path = path});
        }
        respond(std::move(response));
    };
}

Parsed<Api::Arrival> Api::arrive(const Request& request, const Access& access) {
    std::string path;
    const auto query = wire::decode_target(request.target, path);
    if (!query) {
        return refuse(
            Problem{.detail = std::string{query.error().why}, .status = query.error().status});
    }
    auto matched = match(request.method, path);
    if (!matched) {
        return refuse(std::move(matched.error()));
    }
    if (auto good = check_access(access, *matched); !good) {
        return refuse(std::move(good.error()));
    }
    if (auto good = check_parameters(*query, matched->route->parameters); !good) {
        return refuse(std::move(good.error()));
    }
    if (auto good = check_body(request, *matched->route); !good) {
        return refuse(std::move(good.error()));
    }
    auto key = idempotency_key(request);
    if (!key) {
        return refuse(std::move(key.error()));
    }
    return Arrival{*std::move(matched), *query, trimmed(request.body), *std::move(key)};
}

void Api::carry_out_once(const Request& request, const Access& access, const Arrival& arrival,
                         Respond respond) {
    const std::string whole =
        fmt::format("{} {}\n{}", request.method, request.target, arrival.body);
    const auto begun = replies_.begin(access.name, std::string{arrival.idempotency_key.view()},
                                      digest_of(whole), request.now);
    if (const auto* reply = std::get_if<Response>(&begun)) {
        Response again = *reply;
        again.headers.push_back({"Idempotent-Replay", "true"});
        respond(std::move(again));
        return;
    }
    if (std::holds_alternative<ReplyTable::OtherBody>(begun)) {
        respond(to_response(Problem{.code = ErrorCode::key_reused}));
        return;
    }
    if (std::holds_alternative<ReplyTable::Running>(begun)) {
        respond(
            to_response(Problem{.code = ErrorCode::retry,
                                .detail = "the first request with this Idempotency-Key is still "
                                          "being carried out",
                                .retry_after_ms = 1'000}));
        return;
    }
    const auto ticket = std::get<ReplyTable::Ticket>(begun);
    run(request, access, arrival, [this, ticket, respond = std::move(respond)](Response response) {
        if (response.status < 300) {
            replies_.finish(ticket, response);
        } else {
            replies_.give_up(ticket);
        }
        respond(std::move(response));
    });
}

void Api::run(const Request& request, const Access& access, const Arrival& arrival,
              Respond respond) {
    const Route& route = *arrival.match.route;
    if (is_batch(route)) {
        run_batch(*this, request, access, std::move(respond));
        return;
    }
    if (route.handler == nullptr) {  // Of those, only /metrics asks for a key.
        site_.metrics([respond = std::move(respond)](std::string text) {
            respond(Response{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                             .body = std::move(text)});
        });
        return;
    }
    const bool is_for_queue = route.remembers == Remembers::queue;
    Call call{.site = site_,
              .access = access,
              .query = arrival.query,
              .body = arrival.body,
              .queue = arrival.match.queue,
              .mount = arrival.match.mount,
              .user = arrival.match.user,
              .key = arrival.match.key,
              .idempotency_key = is_for_queue ? arrival.idempotency_key : SharedText{},
              .if_match = header_text(request, "if-match"),
              .if_none_match = header_text(request, "if-none-match"),
              .respond = std::move(respond)};
    route.handler(call);
}

}  // namespace muster::admin
