#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/name.h"
#include "core/queue/messages.h"
#include "shell/admin/keys.h"
#include "shell/admin/problem.h"
#include "shell/admin/request.h"
#include "shell/admin/site.h"

/// One call of the API after routing, and what its handlers have in common.
namespace muster::admin {

/// A routed request: names are checked, the body is JSON (or empty), the caller may do this.
/// Lives for the handler's call only; what must live longer is moved out of it.
struct Call {
    Site& site;
    const Access& access;
    std::string_view query;  ///< as sent
    std::string_view body;   ///< without white space around it
    QueueName queue;
    MountName mount;
    UserId user;
    Key key;
    SharedText idempotency_key;
    std::optional<std::string> if_match;
    std::optional<std::string> if_none_match;
    Respond respond;

    void refuse(const Problem& problem) const { respond(to_response(problem)); }
};

/// Takes a call and sees to it that it is answered, now or when the site answers.
using Handler = void (*)(Call& call);

/// The caller is the backend; in the name of `user`, if that is not empty.
[[nodiscard]] queue::Sender server_sender(UserId user = {});

/// What is to be done with a verdict that is ok.
using Accept = std::function<Response(const queue::Verdict&)>;

/// Asks `to` for something that is answered by an OpReply. A verdict that is not ok becomes a
/// problem; none at the deadline becomes "outcome unknown", which the caller may simply repeat if
/// `is_repeatable`.
void ask_verdict(Call& call, QueueName to, MakeBody make_body, bool is_repeatable, Accept accept);

/// Asks call.queue to carry out `body` in the name of `from`; see ask_verdict.
void ask_op(Call& call, queue::OpBody body, UserId from, bool is_repeatable, Accept accept);

/// Asks for all that call.queue shows, and answers with what `show` makes of it; a problem where
/// there is no such queue.
void read_queue(Call& call, std::function<Response(const queue::Content&)> show);

/// The same for call.mount, which must be there and of this kind.
void read_mount(Call& call, queue::MountKind kind,
                std::function<Response(const queue::Content&, const queue::Mount&)> show);

/// Returns the answer to a change: `{"inc":7,"seq":23}`.
[[nodiscard]] Response changed(const queue::Verdict& verdict, std::uint16_t status = 200);

/// Returns changed() with 201 for what is new and 200 for what was there.
[[nodiscard]] Response created_or_same(const queue::Verdict& verdict);

/// Appends a payload as a JSON value; bytes become `{"b":"…base64…"}`, nothing becomes {}.
void append_payload(std::string& out, const Payload& payload);

/// Returns the value of a query parameter, decoded; nothing where it is absent.
[[nodiscard]] Parsed<std::optional<std::string>> query_text(std::string_view query,
                                                            std::string_view name);

/// Refuses a query with a parameter that is not among `known` (with a space between two): a mistyped
/// one would be as none at all.
[[nodiscard]] Parsed<void> check_parameters(std::string_view query, std::string_view known);

/// Returns an integer of the query. Problems: where it is none, or out of range.
struct Range {
    std::uint64_t min = 0;
    std::uint64_t max = 0;
    std::uint64_t otherwise = 0;
};
[[nodiscard]] Parsed<std::uint64_t> query_integer(std::string_view query, std::string_view name,
                                                  Range range);

// ---- The handlers, one for each verb and path --------------------------------------------------

void put_queue(Call& call);
void get_queue(Call& call);
void delete_queue(Call& call);
void list_queues(Call& call);

void put_mount(Call& call);
void get_mount(Call& call);
void delete_mount(Call& call);

void list_members(Call& call);
void put_member(Call& call);
void delete_member(Call& call);

void post_message(Call& call);
void get_messages(Call& call);

void get_state(Call& call);
void patch_state(Call& call);
void get_key(Call& call);
void put_key(Call& call);
void delete_key(Call& call);

void get_user(Call& call);
void disconnect_user(Call& call);
void tell_user(Call& call);

}  // namespace muster::admin
