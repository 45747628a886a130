#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/check.h"
#include "core/wire/json_writer.h"
#include "shell/admin/call.h"
#include "shell/admin/json_body.h"

// Messages of a message mount.
namespace muster::admin {
namespace {

constexpr std::uint64_t page_count_default = 100;
constexpr std::uint64_t page_count_max = 1'000;

void append_message(std::string& out, const queue::Event& event) {
    const auto* posted = std::get_if<queue::MessagePosted>(&event.body);
    MUSTER_CHECK(posted != nullptr);
    out += fmt::format("{{\"seq\":{},\"time_ms\":{}", event.seq, event.time.ms);
    if (!event.from.empty()) {
        out += ",\"from\":";
        wire::append_quoted(out, event.from.text());
    }
    if (posted->data.format() == Format::bytes) {
        out += ",\"b\":";
        wire::append_quoted_base64(out, posted->data.bytes());
    } else {
        out += ",\"data\":";
        append_payload(out, posted->data);
    }
    out += "}";
}

Response show_messages(const queue::Content& content, const queue::Mount& mount, Seq after,
                       std::uint64_t count_max) {
    Response response;
    std::string& out = response.body;
    out = fmt::format("{{\"inc\":{},\"seq\":{},\"items\":[", content.at.inc.value, content.at.seq);
    std::uint64_t count = 0;
    bool has_more = false;
    for (const queue::Remembered& remembered : mount.history) {
        if (remembered.event->seq <= after) {
            continue;
        }
        if (count == count_max) {
            has_more = true;
            break;
        }
        out += count == 0 ? "" : ",";
        append_message(out, *remembered.event);
        ++count;
    }
    out += fmt::format("],\"more\":{}", has_more);
    if (after != 0 && mount.forgotten_through > after) {
        // A gap is an event, never silence.
        out +=
            fmt::format(",\"gap\":{{\"from\":{},\"to\":{}}}", after + 1, mount.forgotten_through);
    }
    out += "}\n";
    return response;
}

}  // namespace

void post_message(Call& call) {
    Fields fields = Fields::of(call.body);
    queue::SendOp send{call.mount, fields.payload()};
    UserId from = fields.user("from");
    if (const auto good = fields.finish(); !good) {
        call.refuse(good.error());
        return;
    }
    const bool is_repeatable = !call.idempotency_key.empty();
    ask_op(call, std::move(send), std::move(from), is_repeatable,
           [](const queue::Verdict& verdict) { return changed(verdict, 201); });
}

void get_messages(Call& call) {
    const auto after = query_integer(
        call.query, "after", {.max = std::numeric_limits<std::int64_t>::max(), .otherwise = 0});
    const auto limit = query_integer(
        call.query, "limit", {.min = 1, .max = page_count_max, .otherwise = page_count_default});
    if (!after || !limit) {
        call.refuse(!after ? after.error() : limit.error());
        return;
    }
    read_mount(
        call, queue::MountKind::message,
        [after = *after, limit = *limit](const queue::Content& content, const queue::Mount& mount) {
            return show_messages(content, mount, after, limit);
        });
}

}  // namespace muster::admin
