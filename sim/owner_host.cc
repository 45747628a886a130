#include "sim/owner_host.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace muster::sim {

OwnerHost::OwnerHost(World& world, ShardId shard, const ring::Placement& placement,
                     const actor::BucketSetSettings& settings, const actor::ActorFactory& factory,
                     DriftingClock clock, Send send)
    : world_(world),
      shard_(shard),
      placement_(placement),
      buckets_(settings, factory),
      clock_(clock),
      send_(std::move(send)),
      name_(fmt::format("owner{}", shard.value)) {}

void OwnerHost::take(actor::Message message) {
    for_itself_.push_back(std::move(message));
    // What its actors send to each other arrives at once, in order, as on a shard.
    for (std::size_t i = 0; i < for_itself_.size(); ++i) {
        const actor::Message next = std::move(for_itself_[i]);
        deliver(next);
    }
    for_itself_.clear();
    plan_wake();
}

void OwnerHost::deliver(const actor::Message& message) {
    const QueueName name = std::get<actor::ActorAddress>(message.to).name;
    buckets_.deliver(placement_.bucket_of(name.text()), name, message,
                     clock_.local(world_.schedule.now()), world_.wall(), outbox_);
    carry_off(&message);
}

void OwnerHost::carry_off(const actor::Message* input) {
    for (auto& output : std::exchange(outbox_, {})) {
        note(input, output);
        const auto* to = std::get_if<actor::ActorAddress>(&output.to);
        if (to != nullptr && placement_.shard_of(placement_.bucket_of(to->name.text())) == shard_) {
            for_itself_.push_back(std::move(output));
        } else {
            send_(std::move(output));
        }
    }
}

void OwnerHost::plan_wake() {
    const auto wake = buckets_.next_wake();
    if (!wake) {
        return;
    }
    const Instant real = clock_.real(*wake);
    if (wake_planned_ && *wake_planned_ <= real) {
        return;
    }
    wake_planned_ = real;
    world_.schedule.at(real, [this, real] {
        if (wake_planned_ != real) {
            return;
        }
        wake_planned_.reset();
        buckets_.wake_due(clock_.local(world_.schedule.now()), world_.wall(), outbox_);
        carry_off(nullptr);
        for (std::size_t i = 0; i < for_itself_.size(); ++i) {
            const actor::Message next = std::move(for_itself_[i]);
            deliver(next);
        }
        for_itself_.clear();
        plan_wake();
    });
}

// ---- For the checkers ------------------------------------------------------------------------

void OwnerHost::note(const actor::Message* input, const actor::Message& output) {
    if (const auto* reply = std::get_if<queue::OpReply>(&output.body)) {
        note_reply(input, *reply);
    } else if (const auto* published = std::get_if<queue::Published>(&output.body)) {
        note_published(*published);
    } else if (const auto* subscribed = std::get_if<queue::Subscribed>(&output.body)) {
        note_subscribed(*subscribed);
    } else if (const auto* attached = std::get_if<user::Attached>(&output.body)) {
        History& history = world_.history;
        const auto& from = std::get<actor::ActorAddress>(output.from).name;
        world_.trace.line(name_, "{} attaches {} of gateway {} with cep {}", from.text(),
                          attached->connection.connection.value, attached->connection.gateway.value,
                          attached->cep.counter);
        Attached note{history.user(from.text()), attached->cep, attached->connection,
                      attached->session};
        if (const auto* asked =
                input == nullptr ? nullptr : std::get_if<user::Attach>(&input->body)) {
            note.cid = asked->cid;
            note.attempt = asked->attempt_number;
        }
        history.attached.push_back(note);
    }
}

void OwnerHost::note_emitted(QueueIndex queue, Cursor at) {
    History& history = world_.history;
    history.emitted.push_back({queue, at.inc, at.seq, history.committed[queue]});
}

void OwnerHost::note_reply(const actor::Message* input, const queue::OpReply& reply) {
    const auto* op = input == nullptr ? nullptr : std::get_if<queue::Op>(&input->body);
    if (op == nullptr) {
        return;  // A user queue hands it on.
    }
    const queue::Verdict& verdict = reply.verdict;
    History& history = world_.history;
    const auto* send = std::get_if<queue::SendOp>(&op->body);
    const auto* set = std::get_if<queue::SetOp>(&op->body);
    const RequestRef ref = send != nullptr  ? ref_in(send->data.bytes())
                           : set != nullptr ? ref_in(set->changes.front().value.bytes())
                                            : 0;
    world_.trace.line(name_, "{} of {} n {} inc {} cep {} body {} request {}: verdict {} {} at {}",
                      reply.queue.text(), op->sender.user.text(), op->number, op->inc.value,
                      op->sender.cep.counter, op->body.index(), ref, static_cast<int>(verdict.kind),
                      verdict.kind == queue::Verdict::Kind::ok ? "" : label(verdict.code),
                      verdict.at.seq);
    if (verdict.kind != queue::Verdict::Kind::ok || verdict.at.inc.value == 0) {
        return;
    }
    const QueueIndex queue = history.queue(reply.queue.text());
    note_emitted(queue, verdict.at);
    const bool is_counted = send != nullptr || set != nullptr ||
                            std::holds_alternative<queue::JoinOp>(op->body) ||
                            std::holds_alternative<queue::LeaveOp>(op->body);
    if (!verdict.is_new || !is_counted) {
        return;
    }
    Applied applied;
    applied.queue = queue;
    applied.at = verdict.at;
    applied.ref = ref;
    applied.user = history.user(fmt::format("/user/{}", op->sender.user.text()));
    applied.cep = op->sender.cep;
    applied.is_server = op->sender.is_server;
    applied.is_message = send != nullptr;
    applied.mount = send != nullptr ? history.mount(send->mount.text()) : 0;
    applied.order = history.next_order();
    history.applied.push_back(applied);
}

void OwnerHost::note_published(const queue::Published& published) {
    History& history = world_.history;
    const QueueIndex queue = history.queue(published.queue.text());
    const Cursor at{published.inc, published.event->seq};
    note_emitted(queue, at);
    Fold& fold = folds_[queue];
    if (fold.at.inc == at.inc && fold.at.seq + 1 == at.seq) {
        fold.state.apply(*published.event);
        fold.at = at;
        history.snapshots.push_back({queue, at, fold.state.value(), Snapshot::By::fold});
    }
    if (const auto* posted = std::get_if<queue::MessagePosted>(&published.event->body)) {
        history.shown.push_back(
            {queue, at,
             message_hash(posted->mount.text(), published.event->from.text(), posted->data.bytes()),
             Shown::By::owner});
    } else if (const auto* change = std::get_if<queue::MemberChanged>(&published.event->body)) {
        history.members_shown.push_back(
            {queue, at, history.user(fmt::format("/user/{}", change->user.text())),
             change->member.has_value(), change->member && change->member->is_online});
    }
}

void OwnerHost::note_subscribed(const queue::Subscribed& subscribed) {
    History& history = world_.history;
    const QueueIndex queue = history.queue(subscribed.queue.text());
    const Cursor at = subscribed.content->at;
    note_emitted(queue, at);
    Fold& fold = folds_[queue];
    StateHash state(*subscribed.content);
    history.snapshots.push_back({queue, at, state.value(), Snapshot::By::owner});
    if (fold.at != at) {
        fold = Fold{at, std::move(state)};  // What happened between was shown to nobody.
    }
}

}  // namespace muster::sim
