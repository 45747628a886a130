#include "shell/admin/call.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/check.h"
#include "core/wire/http_head.h"
#include "core/wire/http_target.h"
#include "core/wire/json_writer.h"

namespace muster::admin {
namespace {

using queue::Verdict;

Problem no_answer() {
    return Problem{.code = ErrorCode::stalled,
                   .detail = "the shard did not answer in time",
                   .is_retryable = true};
}

Problem unknown_outcome(bool is_repeatable) {
    Problem problem = no_answer();
    problem.is_unknown = true;
    problem.is_retryable = is_repeatable;
    problem.detail =
        is_repeatable ? "the shard did not answer in time: the outcome is unknown, and the same "
                        "request may be repeated"
                      : "the shard did not answer in time: the outcome is unknown, and a "
                        "repetition may act twice (an Idempotency-Key prevents that for messages "
                        "of a queue)";
    return problem;
}

Problem problem_of(const Verdict& verdict) {
    Problem problem{.code = verdict.code, .detail = verdict.detail, .current = verdict.current};
    switch (verdict.kind) {
        case Verdict::Kind::ok: MUSTER_CHECK(verdict.kind != Verdict::Kind::ok); break;
        case Verdict::Kind::rejected:
        case Verdict::Kind::gone: break;
        case Verdict::Kind::busy: problem.retry_after_ms = verdict.retry_ms; break;
        case Verdict::Kind::expired:
        case Verdict::Kind::fenced:
        case Verdict::Kind::hole:
        case Verdict::Kind::protocol_error:
            // These answer numbered ops of clients; ours carry no number.
            problem.status = 500;
            break;
    }
    return problem;
}

}  // namespace

queue::Sender server_sender(UserId user) {
    queue::Sender sender;
    sender.user = std::move(user);
    sender.is_server = true;
    return sender;
}

void ask_verdict(Call& call, QueueName to, MakeBody make_body, bool is_repeatable, Accept accept) {
    auto answer = [respond = std::move(call.respond), accept = std::move(accept), is_repeatable,
                   has_key = !call.idempotency_key.empty()](const std::optional<Reply>& reply) {
        if (!reply) {
            respond(to_response(unknown_outcome(is_repeatable)));
            return;
        }
        const auto* op_reply = std::get_if<queue::OpReply>(&*reply);
        MUSTER_CHECK(op_reply != nullptr);
        const Verdict& verdict = op_reply->verdict;
        Response response =
            verdict.kind == Verdict::Kind::ok ? accept(verdict) : to_response(problem_of(verdict));
        if (has_key && !verdict.is_new) {
            response.headers.push_back({"Idempotent-Replay", "true"});
        }
        respond(std::move(response));
    };
    call.site.ask(std::move(to), std::move(make_body), std::move(answer));
}

void ask_op(Call& call, queue::OpBody body, UserId from, bool is_repeatable, Accept accept) {
    auto make_body = [op_body = std::move(body), sender = server_sender(std::move(from)),
                      key = call.idempotency_key](RequestId request) -> actor::Body {
        queue::Op op;
        op.sender = sender;
        op.reply_to.who = request;
        op.idempotency_key = key;
        op.body = op_body;
        return op;
    };
    ask_verdict(call, call.queue, std::move(make_body), is_repeatable, std::move(accept));
}

void read_queue(Call& call, std::function<Response(const queue::Content&)> show) {
    auto answer = [respond = std::move(call.respond),
                   show = std::move(show)](const std::optional<Reply>& reply) {
        if (!reply) {
            respond(to_response(no_answer()));
            return;
        }
        const auto* read_reply = std::get_if<queue::ReadReply>(&*reply);
        MUSTER_CHECK(read_reply != nullptr);
        const std::shared_ptr<const queue::Content>& content = read_reply->content;
        respond(content == nullptr ? to_response(Problem{.code = ErrorCode::no_queue})
                                   : show(*content));
    };
    call.site.ask(
        call.queue, [](RequestId request) -> actor::Body { return queue::Read{request}; },
        std::move(answer));
}

void read_mount(Call& call, queue::MountKind kind,
                std::function<Response(const queue::Content&, const queue::Mount&)> show) {
    auto show_found = [name = call.mount, kind,
                       show = std::move(show)](const queue::Content& content) {
        const auto mount = content.mounts.find(name);
        if (mount == content.mounts.end()) {
            return to_response(Problem{.code = ErrorCode::no_mount});
        }
        if (mount->second.rules.kind != kind) {
            return to_response(Problem{.code = ErrorCode::wrong_kind});
        }
        return show(content, mount->second);
    };
    read_queue(call, std::move(show_found));
}

Response changed(const Verdict& verdict, std::uint16_t status) {
    Response response;
    response.status = status;
    response.body =
        fmt::format("{{\"inc\":{},\"seq\":{}}}\n", verdict.at.inc.value, verdict.at.seq);
    return response;
}

Response created_or_same(const Verdict& verdict) {
    return changed(verdict, verdict.is_new ? 201 : 200);
}

void append_payload(std::string& out, const Payload& payload) {
    if (payload.empty()) {
        out += "{}";
        return;
    }
    switch (payload.format()) {
        case Format::json: out += payload.bytes(); break;
        case Format::bytes:
            out += "{\"b\":";
            wire::append_quoted_base64(out, payload.bytes());
            out += "}";
            break;
    }
}

Parsed<std::optional<std::string>> query_text(std::string_view query, std::string_view name) {
    const auto sent = wire::query_value(query, name);
    if (!sent) {
        return std::nullopt;
    }
    std::string text;
    if (const auto decoded = wire::append_query_decoded(text, *sent); !decoded) {
        return refuse(Problem{.detail = fmt::format("{}: {}", name, decoded.error().why)});
    }
    return text;
}

Parsed<void> check_parameters(std::string_view query, std::string_view known) {
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
        const std::string_view name = pair.substr(0, pair.find('='));
        std::string_view rest = known;
        bool is_known = pair.empty();
        while (!is_known && !rest.empty()) {
            const std::string_view one = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(one.size() + 1, rest.size()));
            is_known = one == name;
        }
        if (!is_known) {
            return refuse(Problem{
                .detail = fmt::format("there is no query parameter `{}` here; there are: {}", name,
                                      known.empty() ? "none" : known)});
        }
    }
    return {};
}

Parsed<std::uint64_t> query_integer(std::string_view query, std::string_view name, Range range) {
    const auto sent = wire::query_value(query, name);
    if (!sent) {
        return range.otherwise;
    }
    const auto number = wire::parse_decimal(*sent);
    if (!number || *number < range.min || *number > range.max) {
        return refuse(Problem{
            .detail = fmt::format("{} is an integer of {} to {}", name, range.min, range.max)});
    }
    return *number;
}

}  // namespace muster::admin
