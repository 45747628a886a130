// The part of a connection's life that is HTTP: the upgrade to WebSocket, and the built-in pages.
// What begins like no HTTP at all is plain TCP.

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/gateway/connection.h"
#include "core/gateway/settings.h"
#include "core/wire/accept_encoding.h"
#include "core/wire/http_head.h"
#include "core/wire/http_response.h"
#include "core/wire/http_target.h"
#include "core/wire/websocket_handshake.h"

namespace muster::gateway {
namespace {

constexpr std::string_view proto_protocol = "muster.v1.proto";
constexpr std::array<std::string_view, 2> protocols{"muster.v1.json", proto_protocol};

/// A length's first byte. No HTTP begins with it.
constexpr char plain_tcp_mark = '\0';

/// Pages may load what this server serves, and speak with it; nothing else.
constexpr std::string_view content_security_policy =
    "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'";

}  // namespace

void Connection::receive_request(std::span<char> bytes, Context& ctx) {
    std::string kept;
    const bool is_begun = signing_in().has_begun;
    signing_in().has_begun = is_begun || !bytes.empty();
    if (!is_begun && !bytes.empty() && bytes.front() == plain_tcp_mark) {
        // There is no handshake to wait for, so the hello has its time from the accept on.
        outgoing_.speak(Encoding::proto_tcp);
        decoder_.emplace<wire::LengthDecoder>(ctx.settings.limits.frame_bytes_max);
        become(State::awaiting_hello);
        receive_frames(bytes, ctx);
        return;
    }
    if (is_begun && !signing_in_->head.empty()) {
        kept = std::move(signing_in_->head);
        kept.append(bytes.data(), bytes.size());
        bytes = kept;
    }
    while (state_ == State::awaiting_request && !bytes.empty()) {
        const auto taken = wire::parse_request_head(std::string_view(bytes.data(), bytes.size()),
                                                    signing_in().scan, ctx.work.head);
        if (!taken) {
            refuse_request(taken.error(), ctx);
            return;
        }
        if (*taken == 0) {
            signing_in().head.assign(bytes.data(), bytes.size());
            return;
        }
        signing_in().scan = {};
        bytes = bytes.subspan(*taken);
        if (!answer_request(ctx)) {
            return;
        }
    }
    if (state_ == State::awaiting_hello && !bytes.empty()) {
        receive_frames(bytes, ctx);
    }
}

// Returns whether the connection goes on.
bool Connection::answer_request(Context& ctx) {
    const wire::RequestHead& head = ctx.work.head;
    ++ctx.counters.http_requests;
    const auto query = wire::decode_target(head.target, ctx.work.path);
    if (!query) {
        refuse_request(query.error(), ctx);
        return false;
    }
    if (ctx.work.path == "/connect") {
        upgrade(*query, ctx);
        return state_ == State::awaiting_hello;
    }
    if (head.method != "GET" && head.method != "HEAD") {
        refuse_request({405, "this port serves WebSocket at /connect"}, ctx);
        return false;
    }
    if (head.body != wire::BodyFraming::none) {
        refuse_request({400, "GET has no body"}, ctx);
        return false;
    }
    serve_page(ctx.work.path, ctx);
    return state_ == State::awaiting_request;
}

void Connection::upgrade(std::string_view query, Context& ctx) {
    const wire::UpgradePolicy policy{ctx.settings.allowed_origins, ctx.settings.is_dev, protocols,
                                     ctx.settings.takes_deflate};
    const auto upgrade = wire::check_upgrade(ctx.work.head, policy);
    if (!upgrade) {
        refuse_request(upgrade.error(), ctx);
        return;
    }
    if (const auto wait = ctx.admission.refuses_all(ctx.now, ctx.settings.limits, ctx.rng)) {
        ++ctx.counters.resumes_put_off;
        ctx.note(Note::Kind::upgrade_put_off, id(), {}, "too many clients come at once");
        wire::HttpRefusal refusal{503, "too many clients come at once", ErrorCode::overload};
        refusal.retry_after_s =
            static_cast<std::uint16_t>(std::chrono::ceil<std::chrono::seconds>(*wait).count());
        refuse_request(refusal, ctx);
        return;
    }
    if (const auto token = wire::query_value(query, "token")) {
        if (!ctx.settings.allows_token_in_query) {
            refuse_request({401, "a token in the query string is not accepted here"}, ctx);
            return;
        }
        signing_in().query_token = *token;
    }
    std::string response;
    wire::append_upgrade_response(response, *upgrade);
    become(State::awaiting_hello);
    since_ = ctx.now;
    put(SharedText(response), Weight::normal, ctx);
    const bool is_deflated = !upgrade->deflate.empty();
    if (is_deflated) {
        std::get<wire::WebSocketDecoder>(decoder_).take_deflated();
    }
    if (upgrade->protocol == proto_protocol) {
        outgoing_.speak(is_deflated ? Encoding::proto_deflated : Encoding::proto);
    } else {
        outgoing_.speak(is_deflated ? Encoding::json_deflated : Encoding::json);
    }
}

void Connection::serve_page(std::string_view path, Context& ctx) {
    const wire::RequestHead& head = ctx.work.head;
    const auto& pages = ctx.settings.pages;
    const auto page =
        std::find_if(pages.begin(), pages.end(), [&](const Page& p) { return p.path == path; });
    if (page == pages.end()) {
        refuse_request({404, "there is nothing at this path"}, ctx);
        return;
    }
    std::string response;
    const std::string_view cache =
        page->is_immutable ? "public, max-age=31536000, immutable" : "no-cache";
    if (head.headers.find("if-none-match") == page->etag) {
        wire::append_response_head(
            response, 304,
            {{"ETag", page->etag}, {"Cache-Control", cache}, {"Vary", "Accept-Encoding"}},
            std::nullopt);
    } else {
        const bool is_zipped =
            wire::accepts_gzip(head.headers.find("accept-encoding").value_or(""));
        const SharedText& body = is_zipped ? page->gzip : page->plain;
        const std::array<wire::HeaderField, 8> headers{{
            {"Content-Type", page->content_type},
            {"ETag", page->etag},
            {"Cache-Control", cache},
            {"Vary", "Accept-Encoding"},
            {"Content-Security-Policy", content_security_policy},
            {"X-Content-Type-Options", "nosniff"},
            {"Referrer-Policy", "no-referrer"},
            {"Content-Encoding", "gzip"},  // The last one, left out where it is not true.
        }};
        wire::append_response_head(response, 200,
                                   std::span(headers).first(headers.size() - (is_zipped ? 0 : 1)),
                                   body.size());
        if (head.method == "GET") {
            response += body.view();
        }
    }
    since_ = ctx.now;
    if (head.keep_alive) {
        put(SharedText(response), Weight::snapshot, ctx);
    } else {
        end(SharedText(response), ctx);
    }
}

void Connection::refuse_request(const wire::HttpRefusal& refusal, Context& ctx) {
    ++ctx.counters.http_refused;
    if (refusal.status == 403) {
        ctx.note(Note::Kind::origin_refused, id(), {},
                 ctx.work.head.headers.find("origin").value_or(""));
    }
    std::string response;
    wire::append_refusal(response, refusal);
    end(SharedText(response), ctx);
}

}  // namespace muster::gateway
