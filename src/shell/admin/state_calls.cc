#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/wire/http_head.h"
#include "core/wire/json_writer.h"
#include "core/wire/names.h"
#include "shell/admin/call.h"
#include "shell/admin/json_body.h"

// Keys and values of a state mount.
namespace muster::admin {
namespace {

Header etag(Seq seq) { return {"ETag", fmt::format("\"{}\"", seq)}; }

/// Returns the seq that a precondition names: `If-Match: "41"` is 41, `If-None-Match: *` is 0.
Parsed<std::optional<Seq>> precondition(const Call& call) {
    if (call.if_match && call.if_none_match) {
        return refuse(Problem{.detail = "If-Match and If-None-Match exclude each other"});
    }
    if (call.if_none_match) {
        if (*call.if_none_match != "*") {
            return refuse(
                Problem{.detail = "only `If-None-Match: *` is known here: the key is absent"});
        }
        return Seq{0};
    }
    if (!call.if_match) {
        return std::nullopt;
    }
    std::string_view tag = *call.if_match;
    std::optional<std::uint64_t> seq;
    if (tag.size() > 2 && tag.starts_with('"') && tag.ends_with('"')) {
        seq = wire::parse_decimal(tag.substr(1, tag.size() - 2));
    }
    if (!seq || *seq == 0) {
        return refuse(Problem{.detail =
                                  "If-Match takes the seq at which the key last changed, as in "
                                  "the ETag of the key: `If-Match: \"41\"`"});
    }
    return seq;
}

void set_key(Call& call, Payload value) {
    const auto if_seq = precondition(call);
    if (!if_seq) {
        call.refuse(if_seq.error());
        return;
    }
    // With a precondition a repetition cannot act twice, but it could be told `conflict`.
    queue::SetOp set{call.mount, {queue::KeyChange{call.key, std::move(value)}}, *if_seq};
    const bool has_value = !set.changes.front().value.empty();
    ask_op(call, std::move(set), {}, true, [has_value](const queue::Verdict& verdict) {
        Response response = changed(verdict);
        if (has_value) {
            response.headers.push_back(etag(verdict.at.seq));
        }
        return response;
    });
}

Response show_state(const queue::Content& content, const queue::Mount& mount) {
    Response response;
    response.headers.push_back(etag(content.at.seq));
    std::string& out = response.body;
    out = "{";
    for (const auto& [key, entry] : mount.keys) {
        out += out.size() == 1 ? "" : ",";
        wire::append_quoted(out, key.text());
        out += ":";
        append_payload(out, entry.value);
    }
    out += "}\n";
    return response;
}

Response show_key(const queue::Mount& mount, const Key& key) {
    const auto entry = mount.keys.find(key);
    if (entry == mount.keys.end()) {
        return to_response(Problem{
            .detail = "the mount is there, but it has no such key", .status = 404, .current = 0});
    }
    Response response;
    response.headers.push_back(etag(entry->second.changed_at));
    const Payload& value = entry->second.value;
    response.body = value.bytes();
    if (value.format() == Format::bytes) {
        response.content_type = "application/octet-stream";
    }
    return response;
}

}  // namespace

void get_state(Call& call) { read_mount(call, queue::MountKind::state, show_state); }

void patch_state(Call& call) {
    std::vector<queue::KeyChange> changes;
    Fields fields = Fields::of(call.body);
    for (const Fields::Field& field : fields.all()) {
        if (const auto good = wire::check_key(field.name); !good) {
            Problem problem = problem_of(good.error());
            problem.pointer = pointer_to("", field.name);
            call.refuse(problem);
            return;
        }
        const bool is_deleted = field.value.kind == wire::JsonKind::null;
        changes.push_back(
            queue::KeyChange{Key{field.name}, is_deleted ? Payload{} : Payload{field.value.raw()}});
    }
    if (changes.empty()) {
        call.refuse(
            Problem{.detail = "a merge patch is an object with at least one key", .pointer = ""});
        return;
    }
    if (call.if_match || call.if_none_match) {
        call.refuse(
            Problem{.detail = "preconditions hold for one key: use PUT or DELETE of the key"});
        return;
    }
    ask_op(call, queue::SetOp{call.mount, std::move(changes), {}}, {}, true,
           [](const queue::Verdict& verdict) { return changed(verdict); });
}

void get_key(Call& call) {
    read_mount(call, queue::MountKind::state,
               [key = call.key](const queue::Content& /*content*/, const queue::Mount& mount) {
                   return show_key(mount, key);
               });
}

void put_key(Call& call) {
    if (call.body.empty()) {
        call.refuse(Problem{.detail = "the body is the value: any JSON", .pointer = ""});
        return;
    }
    set_key(call, Payload{call.body});
}

void delete_key(Call& call) { set_key(call, Payload{}); }

}  // namespace muster::admin
