// How a client tells its application what the machine found out.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error_code.h"
#include "client/client_core.h"
#include "core/wire/names.h"

namespace muster::detail {

namespace {

Message message_of(std::string_view queue, std::string_view mount, const wire::MsgFrame& frame) {
    return {.queue = queue,
            .mount = mount,
            .from = frame.from,
            .data = frame.data.bytes,
            .is_binary = frame.data.format == Format::bytes,
            .seq = frame.seq,
            .time_ms = frame.time_ms};
}

std::string resume_text(const wire::Resume& resume) {
    switch (resume.kind) {
        case wire::Resume::Kind::fresh: return "fresh";
        case wire::Resume::Kind::snapshot: return "snapshot";
        case wire::Resume::Kind::replayed: return fmt::format("replayed {}", resume.count);
        case wire::Resume::Kind::gap: return fmt::format("gap {}..{}", resume.from, resume.to);
    }
    return {};
}

Position position_of(Cursor cursor) { return {.inc = cursor.inc.value, .seq = cursor.seq}; }

Outcome outcome_of(const client::Verdict& verdict) {
    Outcome outcome;
    outcome.seq = verdict.at.seq;
    outcome.current = verdict.current;
    switch (verdict.outcome) {
        case client::Outcome::ok: return outcome;
        case client::Outcome::rejected: outcome.kind = Outcome::Kind::rejected; break;
        case client::Outcome::not_sent: outcome.kind = Outcome::Kind::not_sent; break;
        case client::Outcome::unknown: outcome.kind = Outcome::Kind::unknown; break;
    }
    const ErrorInfo& info = describe(verdict.code);
    outcome.code = label(verdict.code);
    outcome.name = info.name;
    outcome.detail = verdict.detail;
    outcome.is_retryable = info.retryable;
    return outcome;
}

}  // namespace

template <typename Argument, typename... Arguments>
void ClientCore::call(const Handler<Argument>& handler, const Arguments&... arguments) {
    const Handler<Argument> kept = handler;  // It may be replaced while it runs.
    if (kept != nullptr && *kept) {
        ++called_;
        (*kept)(arguments...);
    }
}

// ---- What was noticed ----------------------------------------------------------------------

void ClientCore::tell_noticed() {
    while (!noticed_.empty()) {
        const Notice notice = std::move(noticed_.front());
        noticed_.pop_front();
        std::visit([this](const auto& one) { tell(one); }, notice);
    }
}

void ClientCore::tell(const client::Verdict& verdict) {
    if (auto found = history_callbacks_.extract(verdict.id.value)) {
        ++called_;
        found.mapped()(HistoryPage{.outcome = outcome_of(verdict)});
    }
    if (auto found = callbacks_.extract(verdict.id.value)) {
        ++called_;
        found.mapped()(outcome_of(verdict));
    }
}

void ClientCore::tell(const client::StatusChanged& changed) {
    status_ = Status{};
    switch (changed.status) {
        case client::Status::connecting: status_.state = Status::State::connecting; break;
        case client::Status::online: status_.state = Status::State::online; break;
        case client::Status::resuming: status_.state = Status::State::resuming; break;
        case client::Status::offline: status_.state = Status::State::offline; break;
        case client::Status::closed: status_.state = Status::State::closed; break;
    }
    if (changed.reason) {
        status_.code = label(*changed.reason);
        status_.name = describe(*changed.reason).name;
    }
    status_.detail = changed.detail;
    status_.retry_in = std::chrono::ceil<std::chrono::milliseconds>(changed.retry_in);
    const Status told = status_;
    call(on_status, told);
}

void ClientCore::tell(const client::Dropped& dropped) {
    const std::string_view queue = dropped.queue.text();
    call(handlers(queue).left, Left{.queue = queue, .why = describe(dropped.code).name});
}

// ---- What came ------------------------------------------------------------------------------

void ClientCore::deliver(const wire::ServerFrame& frame) {
    std::visit([this](const auto& one) { deliver(one); }, frame);
}

void ClientCore::deliver(const wire::JoinedFrame& frame) {
    Joined joined{.queue = frame.queue,
                  .is_member = frame.member,
                  .at = position_of(frame.at),
                  .member_count = frame.member_count};
    for (const wire::MountFrame& mount : frame.mounts) {
        joined.mounts.push_back({.name = mount.name,
                                 .is_state = mount.is_state,
                                 .resume = mount.resume ? resume_text(*mount.resume) : "fresh"});
    }
    const auto found = handlers_.find(frame.queue);
    const bool is_known = found != handlers_.end() && found->second.joined != nullptr;
    call(is_known ? found->second.joined : on_any_joined, joined);
}

void ClientCore::deliver(const wire::ResetFrame& frame) {
    call(handlers(frame.queue).reset,
         Reset{.queue = frame.queue, .why = frame.why, .at = position_of(frame.at)});
}

void ClientCore::deliver(const wire::MsgFrame& frame) {
    const Message message = message_of(frame.queue, frame.mount, frame);
    if (!wire::user_of_queue_name(frame.queue)) {
        return call(handlers(frame.queue).message, message);
    }
    call(on_mail, message);
    if (frame.mail) {
        step(client::MailTaken{*frame.mail});
    }
}

void ClientCore::deliver(const wire::StateFrame& frame) {
    StateChange change{.queue = frame.queue, .mount = frame.mount, .seq = frame.seq};
    for (const wire::KeyValue& one : frame.changes) {
        KeyChange key{.key = one.key};
        if (one.value) {
            key.value = one.value->bytes;
            key.is_binary = one.value->format == Format::bytes;
        }
        change.changes.push_back(key);
    }
    call(handlers(frame.queue).state, change);
}

void ClientCore::deliver(const wire::MembersFrame& frame) {
    MembersChange change{.queue = frame.queue, .seq = frame.seq, .count = frame.count};
    for (const wire::MemberFrame& member : frame.set) {
        change.came.push_back({.user = member.user, .info = member.info});
    }
    for (const auto& gone : frame.gone) {
        change.gone.push_back({.user = gone.user, .why = gone.why});
    }
    call(handlers(frame.queue).members, change);
}

void ClientCore::deliver(const wire::MountChangeFrame& frame) {
    call(handlers(frame.queue).mount,
         MountChange{.queue = frame.queue, .mount = frame.mount, .type = frame.type});
}

void ClientCore::deliver(const wire::GapFrame& frame) {
    call(handlers(frame.queue).gap,
         Gap{.queue = frame.queue, .mount = frame.mount, .from = frame.from, .to = frame.to});
}

void ClientCore::deliver(const wire::StalledFrame& frame) {
    call(handlers(frame.queue).stalled, frame.on);
}

void ClientCore::deliver(const wire::LeftFrame& frame) {
    call(handlers(frame.queue).left, Left{.queue = frame.queue, .why = frame.why});
}

void ClientCore::deliver_history(const client::DeliverHistory& history) {
    auto found = history_callbacks_.extract(history.id.value);
    if (!found) {
        return;
    }
    HistoryPage page;
    page.has_more = history.frame->more;
    for (const wire::MsgFrame& item : history.frame->items) {
        page.messages.push_back(message_of(history.frame->queue, history.frame->mount, item));
    }
    ++called_;
    found.mapped()(page);
}

}  // namespace muster::detail
