#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/units.h"
#include "core/wire/json_writer.h"
#include "core/wire/names.h"
#include "shell/admin/call.h"
#include "shell/admin/json_body.h"
#include "shell/admin/rules_json.h"

// Queues and their mounts.
namespace muster::admin {
namespace {

constexpr std::uint64_t page_count_default = 100;
constexpr std::uint64_t page_count_max = 1'000;

// All names below it are user queues, which are shown by `GET /v1/users/alice` only.
constexpr std::string_view user_area = "/user/";
constexpr std::string_view after_user_area = "/user0";  // The next text by bytes: '0' follows '/'.

Parsed<queue::CreateOp> parse_create(std::string_view body, std::uint32_t payload_bytes_max) {
    Fields fields = Fields::of(body);
    queue::CreateOp create;
    create.template_pattern = fields.text("template").value_or("");
    if (fields.find("ttl") != nullptr) {
        create.idle_ttl = parse_duration(fields, "ttl", Duration{});
    }
    if (const auto mounts = fields.object("mounts")) {
        const Fields each = Fields::of(*mounts);
        for (const Fields::Field& field : each.all()) {
            const std::string pointer = pointer_to("/mounts", field.name);
            if (auto good = wire::check_mount_name(field.name); !good) {
                Problem problem = problem_of(good.error());
                problem.pointer = pointer;
                return refuse(std::move(problem));
            }
            auto rules = parse_rules(field.value.raw(), pointer, payload_bytes_max);
            if (!rules) {
                return refuse(std::move(rules.error()));
            }
            create.mounts.emplace(MountName{field.name}, *rules);
        }
    }
    if (auto good = fields.finish(); !good) {
        return refuse(std::move(good.error()));
    }
    return create;
}

void append_mount(std::string& out, const queue::Mount& mount) {
    out += "{";
    append_rules(out, mount.rules);
    switch (mount.rules.kind) {
        case queue::MountKind::message:
            out += fmt::format(",\"message_count\":{},\"message_bytes\":{}", mount.history.size(),
                               mount.history_bytes);
            break;
        case queue::MountKind::state:
            out += fmt::format(",\"key_count\":{},\"state_bytes\":{}", mount.keys.size(),
                               mount.key_bytes);
            break;
    }
    out += "}";
}

Response show_queue(const QueueName& name, const queue::Content& content) {
    Response response;
    std::string& out = response.body;
    out = "{\"name\":";
    wire::append_quoted(out, name.text());
    out += fmt::format(",\"inc\":{},\"seq\":{}", content.at.inc.value, content.at.seq);
    if (content.rules != nullptr) {
        out += ",\"template\":";
        wire::append_quoted(out, content.rules->match);
        out += fmt::format(",\"ttl\":\"{}\"", duration_text(content.rules->idle_ttl));
    }
    const auto online_count =
        std::count_if(content.members.begin(), content.members.end(),
                      [](const auto& entry) { return entry.second.is_online; });
    out += fmt::format(",\"member_count\":{},\"online_count\":{},\"mounts\":{{",
                       content.members.size(), online_count);
    bool is_first = true;
    for (const auto& [mount_name, mount] : content.mounts) {
        out += is_first ? "" : ",";
        is_first = false;
        wire::append_quoted(out, mount_name.text());
        out += ":";
        append_mount(out, mount);
    }
    out += "}}\n";
    return response;
}

Response show_names(const std::vector<QueueName>& names, std::size_t count_max) {
    Response response;
    std::string& out = response.body;
    out = "{\"queues\":[";
    bool is_first = true;
    for (const QueueName& name : names) {
        if (name.text().starts_with(user_area)) {
            continue;
        }
        out += is_first ? "{\"name\":" : ",{\"name\":";
        is_first = false;
        wire::append_quoted(out, name.text());
        out += "}";
    }
    std::string_view cursor;  // Of the last page: none.
    if (names.size() == count_max) {
        cursor = names.back().text();
        if (cursor.starts_with(user_area)) {
            cursor = after_user_area;  // A million of them may follow: the next page skips them.
        }
    }
    out += "]";
    if (!cursor.empty()) {
        out += ",\"cursor\":";
        wire::append_quoted(out, cursor);
    }
    out += "}\n";
    return response;
}

}  // namespace

void put_queue(Call& call) {
    auto create = parse_create(call.body, call.site.payload_bytes_max());
    if (!create) {
        call.refuse(create.error());
        return;
    }
    ask_op(call, *std::move(create), {}, true, created_or_same);
}

void get_queue(Call& call) {
    read_queue(call, [name = call.queue](const queue::Content& content) {
        return show_queue(name, content);
    });
}

void delete_queue(Call& call) {
    ask_op(call, queue::DeleteOp{}, {}, true,
           [](const queue::Verdict& verdict) { return changed(verdict); });
}

void list_queues(Call& call) {
    const auto prefix = query_text(call.query, "prefix");
    const auto cursor = query_text(call.query, "cursor");
    const auto limit = query_integer(
        call.query, "limit", {.min = 1, .max = page_count_max, .otherwise = page_count_default});
    if (!prefix || !cursor || !limit) {
        call.refuse(!prefix ? prefix.error() : !cursor ? cursor.error() : limit.error());
        return;
    }
    ListQuestion question;
    question.prefix = prefix->value_or(call.access.queue_prefix);
    question.after = cursor->value_or("");
    question.count_max = *limit;
    if (!question.prefix.starts_with(call.access.queue_prefix)) {
        call.refuse(
            Problem{.code = ErrorCode::forbidden,
                    .detail = "this key sees only queues below " + call.access.queue_prefix});
        return;
    }
    call.site.list(std::move(question), [respond = std::move(call.respond), count_max = *limit](
                                            const std::optional<std::vector<QueueName>>& names) {
        respond(names ? show_names(*names, count_max)
                      : to_response(Problem{.code = ErrorCode::stalled}));
    });
}

void put_mount(Call& call) {
    const auto rules = parse_rules(call.body, {}, call.site.payload_bytes_max());
    if (!rules) {
        call.refuse(rules.error());
        return;
    }
    ask_op(call, queue::PutMountOp{call.mount, *rules}, {}, true, created_or_same);
}

void get_mount(Call& call) {
    read_queue(call, [name = call.mount](const queue::Content& content) {
        const auto mount = content.mounts.find(name);
        if (mount == content.mounts.end()) {
            return to_response(Problem{.code = ErrorCode::no_mount});
        }
        Response response;
        append_mount(response.body, mount->second);
        response.body += "\n";
        return response;
    });
}

void delete_mount(Call& call) {
    ask_op(call, queue::DeleteMountOp{call.mount}, {}, true,
           [](const queue::Verdict& verdict) { return changed(verdict); });
}

}  // namespace muster::admin
