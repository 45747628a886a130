#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/check.h"
#include "base/units.h"
#include "core/wire/json_writer.h"
#include "core/wire/names.h"
#include "shell/admin/call.h"
#include "shell/admin/json_body.h"

// Users: what their own queues know of them.
namespace muster::admin {
namespace {

Response show_user(const UserId& user, const user::UserReport& report) {
    if (!report.is_known) {
        return to_response(Problem{.code = ErrorCode::no_user});
    }
    Response response;
    std::string& out = response.body;
    out = "{\"user\":";
    wire::append_quoted(out, user.text());
    out += fmt::format(",\"online\":{},\"connections\":{}", report.is_online, report.connections);
    if (report.session.value != 0) {
        out += fmt::format(",\"session\":{}", report.session.value);
    }
    out += ",\"joined\":[";
    bool is_first = true;
    for (const user::Joined& joined : report.joined) {
        out += is_first ? "{\"queue\":" : ",{\"queue\":";
        is_first = false;
        wire::append_quoted(out, joined.queue.text());
        if (joined.inc.value != 0) {
            out += fmt::format(",\"inc\":{}", joined.inc.value);
        }
        out += "}";
    }
    out += "]}\n";
    return response;
}

}  // namespace

void get_user(Call& call) {
    auto answer = [respond = std::move(call.respond),
                   user = call.user](const std::optional<Reply>& reply) {
        if (!reply) {
            respond(to_response(Problem{.code = ErrorCode::stalled}));
            return;
        }
        const auto* report = std::get_if<user::UserReport>(&*reply);
        MUSTER_CHECK(report != nullptr);
        respond(show_user(user, *report));
    };
    call.site.ask(
        wire::user_queue_name(call.user),
        [](RequestId request) -> actor::Body { return user::ReadUser{request}; },
        std::move(answer));
}

void disconnect_user(Call& call) {
    const Fields fields = Fields::of(call.body);
    if (const auto good = fields.finish(); !good) {
        call.refuse(good.error());
        return;
    }
    ask_verdict(
        call, wire::user_queue_name(call.user),
        [](RequestId request) -> actor::Body { return user::Disconnect{{request, {}}}; }, true,
        [](const queue::Verdict& /*verdict*/) { return Response{.body = "{}\n"}; });
}

void tell_user(Call& call) {
    Fields fields = Fields::of(call.body);
    Payload data = fields.payload();
    UserId from = fields.user("from");
    const bool is_reliable = fields.boolean("reliable");
    if (const std::uint32_t bytes_max = call.site.payload_bytes_max(); data.size() > bytes_max) {
        fields.refuse_field(fields.find("data") == nullptr ? "b" : "data",
                            fmt::format("a message has at most {}", size_text(bytes_max)),
                            ErrorCode::too_big);
    }
    if (const auto good = fields.finish(); !good) {
        call.refuse(good.error());
        return;
    }
    if (is_reliable) {
        // Honest, and not worth a repetition: this version keeps nothing for users who are away.
        call.refuse(Problem{.code = ErrorCode::no_store,
                            .detail = "reliable messages need the store, which this version lacks",
                            .pointer = "/reliable"});
        return;
    }
    auto make_body = [data = std::move(data),
                      from = std::move(from)](RequestId request) -> actor::Body {
        return user::Tell{{request, {}}, from, data};
    };
    // The user queue knows no Idempotency-Key: what got no answer in time may have been delivered.
    ask_verdict(call, wire::user_queue_name(call.user), std::move(make_body), false,
                [](const queue::Verdict& verdict) { return changed(verdict, 201); });
}

}  // namespace muster::admin
