#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "core/wire/json_writer.h"
#include "core/wire/names.h"
#include "shell/admin/call.h"
#include "shell/admin/json_body.h"

// Members of queues. Joins and leaves go through the user's own queue, which keeps the list.
namespace muster::admin {
namespace {

constexpr std::uint64_t page_count_default = 1'000;
constexpr std::uint64_t page_count_max = 10'000;
constexpr std::size_t role_bytes_max = 64;

void append_member(std::string& out, const UserId& user, const queue::Member& member) {
    out += "{\"user\":";
    wire::append_quoted(out, user.text());
    if (!member.role.empty()) {
        out += ",\"role\":";
        wire::append_quoted(out, member.role.view());
    }
    out += ",\"meta\":";
    append_payload(out, member.info);
    out += fmt::format(",\"online\":{},\"by_server\":{}", member.is_online, member.by_server);
    if (member.session.value != 0) {
        out += fmt::format(",\"session\":{}", member.session.value);
    }
    out += "}";
}

Response show_members(const queue::Content& content, const std::string& after,
                      std::uint64_t count_max) {
    Response response;
    std::string& out = response.body;
    out = fmt::format("{{\"inc\":{},\"seq\":{},\"member_count\":{},\"members\":[",
                      content.at.inc.value, content.at.seq, content.members.size());
    auto member = content.members.upper_bound(std::string_view{after});
    std::string_view cursor;
    for (std::uint64_t count = 0; count < count_max && member != content.members.end(); ++count) {
        out += count == 0 ? "" : ",";
        append_member(out, member->first, member->second);
        cursor = member->first.text();
        ++member;
    }
    out += "]";
    if (member != content.members.end()) {
        out += ",\"cursor\":";
        wire::append_quoted(out, cursor);
    }
    out += "}\n";
    return response;
}

Parsed<queue::JoinOp> parse_join(const UserId& user, std::string_view body,
                                 std::uint32_t meta_bytes_max) {
    Fields fields = Fields::of(body);
    queue::JoinOp join;
    join.user = user;
    if (const auto role = fields.text("role")) {
        if (role->size() > role_bytes_max) {
            fields.refuse_field("role", "a role has at most 64 bytes", ErrorCode::bad_request);
        }
        join.role = SharedText{*role};
    }
    if (const auto meta = fields.object("meta")) {
        if (meta->size() > meta_bytes_max) {
            fields.refuse_field("meta",
                                fmt::format("meta has at most {}", size_text(meta_bytes_max)),
                                ErrorCode::too_big);
        }
        join.info = Payload{*meta};
    }
    if (auto good = fields.finish(); !good) {
        return refuse(std::move(good.error()));
    }
    return join;
}

void ask_user_queue(Call& call, queue::OpBody body, Accept accept) {
    auto make_body = [queue = call.queue,
                      op_body = std::move(body)](RequestId request) -> actor::Body {
        queue::Op op;
        op.sender = server_sender();
        op.reply_to.who = request;
        op.body = op_body;
        return user::Pass{queue, std::move(op)};
    };
    ask_verdict(call, wire::user_queue_name(call.user), std::move(make_body), true,
                std::move(accept));
}

}  // namespace

void list_members(Call& call) {
    const auto cursor = query_text(call.query, "cursor");
    const auto limit = query_integer(
        call.query, "limit", {.min = 1, .max = page_count_max, .otherwise = page_count_default});
    if (!cursor || !limit) {
        call.refuse(!cursor ? cursor.error() : limit.error());
        return;
    }
    read_queue(call, [after = cursor->value_or(""), limit = *limit](const queue::Content& content) {
        return show_members(content, after, limit);
    });
}

void put_member(Call& call) {
    auto join = parse_join(call.user, call.body, call.site.payload_bytes_max());
    if (!join) {
        call.refuse(join.error());
        return;
    }
    ask_user_queue(call, *std::move(join), created_or_same);
}

void delete_member(Call& call) {
    ask_user_queue(call, queue::LeaveOp{call.user, queue::LeaveReason::kicked},
                   [](const queue::Verdict& verdict) { return changed(verdict); });
}

}  // namespace muster::admin
