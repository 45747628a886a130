// How a queue decides ops: GUARANTEES.md 5.1, line by line.
#include <algorithm>
#include <utility>

#include "base/poison.h"
#include "base/rules.h"
#include "base/sip_hash.h"
#include "core/queue/dice.h"
#include "core/queue/queue.h"
#include "core/queue/verdict.h"

namespace muster::queue {
namespace {

// How long a client waits before it repeats an op that names a history we do not know yet.
constexpr Duration unknown_inc_wait = std::chrono::seconds{1};

// Tells bodies of one Idempotency-Key apart. The key of the hash is no secret: who finds two bodies
// with one hash has fooled but himself.
std::uint64_t hash_of(const SendOp& send, const UserId& from) {
    std::string text(from.text());
    text.push_back('\0');
    text.append(send.mount.text());
    text.push_back('\0');
    text.push_back(static_cast<char>(send.data.format()));
    text.append(send.data.bytes());
    return sip_hash_13(HashKey{}, text);
}

Verdict rejected_for(const Error& error) { return rejected(error.code, error.detail); }

}  // namespace

void Queue::take(const Op& op, const actor::Address& from, actor::Context& ctx) {
    OpReply reply = reply_to(op, ctx.self());
    reply.verdict = decide(op, ctx);
    if (reply.what != OpReply::What::other || std::holds_alternative<WithdrawOp>(op.body)) {
        reply.standing = standing_of(reply.user);
    }
    ctx.send(from, std::move(reply));
}

Verdict Queue::decide(const Op& op, actor::Context& ctx) {
    if (op.inc.value != 0 && rules_in_force.ops_name_inc) {
        const Inc youngest = content_ ? content_->at.inc : ctx.latest_inc();
        if (op.inc > youngest) {
            return busy(ErrorCode::retry, unknown_inc_wait);
        }
        if (!content_ || op.inc < youngest) {
            return refused(Verdict::Kind::gone, ErrorCode::gone);
        }
    }
    return content_ ? decide_present(op, ctx) : decide_absent(op, ctx);
}

Verdict Queue::decide_absent(const Op& op, actor::Context& ctx) {
    if (op.reject_with) {
        return rejected(*op.reject_with);
    }
    if (const auto* create_op = std::get_if<CreateOp>(&op.body)) {
        return op.sender.is_server ? create(*create_op, ctx) : rejected(ErrorCode::forbidden);
    }
    if (std::holds_alternative<JoinOp>(op.body)) {
        const auto rules = settings_->templates.find(ctx.self().text());
        const bool may_join = op.sender.is_server || rules->join == WhoMay::anyone;
        if (rules->create == WhoMay::anyone && may_join) {
            begin(CreateOp{rules->match, {}, std::nullopt}, rules, ctx);
            Verdict verdict = decide_present(op, ctx);
            if (content_->members.empty()) {
                vanish();
            }
            return verdict;
        }
    }
    return rejected(ErrorCode::no_queue);
}

Verdict Queue::decide_present(const Op& op, actor::Context& ctx) {
    const ClientKey client{op.sender.user, op.sender.cid};
    const bool is_numbered = op.number != 0;
    OpNumber highest = 0;
    std::uint8_t slot = op.sender.cep.slot();
    if (is_numbered) {
        const ClientRecord* record = clients_.find(client);
        if (record == nullptr && op.number != 1) {
            return refused(Verdict::Kind::expired, ErrorCode::expired);
        }
        highest = record == nullptr ? 0 : record->highest();
        if (record != nullptr && op.sender.cep.inc.value == 0) {
            slot = record->slot();  // A withdrawal over a connection that has no slot.
        }
        if (op.number <= highest) {
            const auto kept = record->find(op.number);
            return kept ? recall(*kept, content_->at.inc)
                        : refused(Verdict::Kind::protocol_error, ErrorCode::protocol,
                                  "the op's number is far behind its client's newest");
        }
    }
    if (!op.sender.is_server && !std::holds_alternative<WithdrawOp>(op.body) &&
        rules_in_force.queues_check_cep) {
        if (is_fenced(op.sender.user, op.sender.cep)) {
            return refused(Verdict::Kind::fenced, ErrorCode::superseded);
        }
    }
    if (is_numbered && op.number != highest + 1) {
        return refused(Verdict::Kind::hole, ErrorCode::hole);
    }
    Verdict verdict = decide_idempotent(op, ctx);
    const bool counts =
        verdict.kind != Verdict::Kind::busy &&
        (verdict.kind != Verdict::Kind::rejected || rules_in_force.rejections_count);
    if (is_numbered && content_ && counts) {
        // An op without a cep came over a resolve-only connection: its client has lost to a newer
        // one, and does not take that one's place.
        const bool has_connection = op.sender.cep.inc.value != 0;
        clients_.decide(client, keep(verdict),
                        has_connection && is_member(client.user) ? ClientRecords::Whose::member
                                                                 : ClientRecords::Whose::stranger,
                        slot, ctx.now);
        age_clients(ctx);
    }
    return verdict;
}

Verdict Queue::decide_idempotent(const Op& op, actor::Context& ctx) {
    const auto* send_op = std::get_if<SendOp>(&op.body);
    if (send_op == nullptr || op.idempotency_key.empty()) {
        return apply(op, ctx);
    }
    const IdempotencyKey key{op.sender.is_server ? UserId{} : op.sender.user, op.idempotency_key};
    const std::uint64_t body_hash = hash_of(*send_op, op.sender.user);
    idempotent_.forget_old(ctx.now);
    if (const auto* kept = idempotent_.find(key)) {
        return kept->body_hash == body_hash ? recall(kept->verdict, content_->at.inc)
                                            : rejected(ErrorCode::key_reused);
    }
    Verdict verdict = apply(op, ctx);
    if (verdict.kind != Verdict::Kind::busy) {
        idempotent_.keep(key, body_hash, keep(verdict), ctx.now);
        ctx.wake_at(ctx.now + tidy_interval);
    }
    return verdict;
}

// Returns OK, REJECTED or, for a rate, BUSY.
Verdict Queue::apply(const Op& op, actor::Context& ctx) {
    if (op.reject_with) {
        return rejected(*op.reject_with);
    }
    if (const auto* send_op = std::get_if<SendOp>(&op.body)) {
        return send(op, *send_op, ctx);
    }
    if (const auto* set_op = std::get_if<SetOp>(&op.body)) {
        return set(op, *set_op, ctx);
    }
    if (const auto* join_op = std::get_if<JoinOp>(&op.body)) {
        return join(op, *join_op, ctx);
    }
    if (const auto* leave_op = std::get_if<LeaveOp>(&op.body)) {
        return leave(op, *leave_op, ctx);
    }
    if (std::holds_alternative<WithdrawOp>(op.body)) {
        return rejected(ErrorCode::withdrawn);
    }
    if (!op.sender.is_server) {
        return rejected(ErrorCode::forbidden);
    }
    if (const auto* create_op = std::get_if<CreateOp>(&op.body)) {
        return create_again(*create_op, ctx);
    }
    if (const auto* put = std::get_if<PutMountOp>(&op.body)) {
        return put_mount(*put, ctx);
    }
    if (const auto* remove = std::get_if<DeleteMountOp>(&op.body)) {
        return delete_mount(*remove, ctx);
    }
    return delete_queue(ctx);
}

// ---- Members ---------------------------------------------------------------------------------

Verdict Queue::join(const Op& op, const JoinOp& join, actor::Context& ctx) {
    const auto found = content_->members.find(join.user);
    const bool is_new = found == content_->members.end();
    if (!op.sender.is_server) {
        // A member, also one that the server has joined, may always say so again.
        if (join.user != op.sender.user || (is_new && content_->rules->join != WhoMay::anyone)) {
            return rejected(ErrorCode::forbidden);
        }
    }
    if (is_new && content_->members.size() >= settings_->limits.members_max) {
        return rejected(ErrorCode::limit, "the queue has as many members as it may");
    }
    Member member = is_new ? Member{} : found->second;
    member.is_online = op.sender.session.value != 0;
    if (member.is_online) {
        member.session = op.sender.session;
    }
    if (op.sender.is_server) {
        const std::size_t others = content_->info_bytes - info_bytes(member);
        member.by_server = true;
        member.role = join.role;
        member.info = join.info;
        const std::size_t bytes = others + info_bytes(member);
        if (bytes > content_->info_bytes && bytes > settings_->limits.state_bytes_max) {
            return rejected(ErrorCode::full, "the members' meta has as many bytes as it may");
        }
    }
    raise_fence(join.user, op.sender.cep);
    for (const Cep& cep : join.fences) {
        raise_fence(join.user, cep);
    }
    idle_since_.reset();
    if (is_new || member != found->second) {
        Event event;
        event.from = join.user;
        event.body = MemberChanged{join.user, std::move(member), LeaveReason::left,
                                   content_->members.size() + (is_new ? 1U : 0U)};
        publish(std::move(event), ctx);
    }
    return accepted(content_->at, is_new);
}

Verdict Queue::leave(const Op& op, const LeaveOp& leave, actor::Context& ctx) {
    const bool is_own = leave.user == op.sender.user && leave.reason == LeaveReason::left;
    if (!op.sender.is_server && !is_own) {
        return rejected(ErrorCode::forbidden);
    }
    const auto member = content_->members.find(leave.user);
    if (member == content_->members.end()) {
        return rejected(ErrorCode::not_member);
    }
    if (leave.reason == LeaveReason::timeout && member->second.by_server) {
        return rejected(ErrorCode::forbidden, "members that the server joined stay while away");
    }
    remove_member(leave.user, leave.reason, ctx);
    return accepted(content_->at);
}

// ---- Writing ---------------------------------------------------------------------------------

Result<const Queue::NamedMount*> Queue::writable(const Op& op, const MountName& name,
                                                 MountKind kind) const {
    const bool is_server = op.sender.is_server;
    const bool is_inside = is_server || is_member(op.sender.user);
    const auto mount = content_->mounts.find(name);
    if (mount == content_->mounts.end()) {
        return failure(is_inside ? ErrorCode::no_mount : ErrorCode::not_member);
    }
    const MountRules& rules = mount->second.rules;
    if (!is_inside && rules.write != WhoWrites::anyone) {
        return failure(ErrorCode::not_member);
    }
    if (rules.kind != kind) {
        return failure(ErrorCode::wrong_kind, rules.kind == MountKind::state
                                                  ? "this mount holds state: use set"
                                                  : "this mount takes messages: use send");
    }
    if (!is_server && rules.write == WhoWrites::server) {
        return failure(ErrorCode::forbidden);
    }
    const auto* set = std::get_if<SetOp>(&op.body);
    if (!is_server && rules.write == WhoWrites::owner && set != nullptr) {
        for (const auto& change : set->changes) {
            if (change.key.text() != op.sender.user.text()) {
                return failure(ErrorCode::forbidden,
                               "you may set only the key that is your user id");
            }
        }
    }
    return &*mount;
}

std::optional<Duration> Queue::over_rate(const Op& op, const NamedMount& mount,
                                         actor::Context& ctx) {
    const auto& [name, held] = mount;
    const RateLimit& rate = held.rules.rate;
    if (rate.per_second == 0 || op.sender.is_server) {
        return std::nullopt;
    }
    ctx.wake_at(ctx.now + tidy_interval);
    RateMeter& meter = rates_[RateKey{op.sender.user, name}];
    return meter.take(ctx.now, rate.per_second, std::max(1U, rate.burst));
}

Verdict Queue::send(const Op& op, const SendOp& send, actor::Context& ctx) {
    const auto mount = writable(op, send.mount, MountKind::message);
    if (!mount) {
        return rejected_for(mount.error());
    }
    const auto& [name, held] = **mount;
    die_if_poisoned(send.data.bytes(), "poison for the queue");
    if (const auto wait = over_rate(op, **mount, ctx)) {
        return busy(ErrorCode::busy, *wait);
    }
    const Limits& limits = settings_->limits;
    if (send.data.size() > std::min(held.rules.payload_bytes_max, limits.payload_bytes_max) ||
        is_decided_otherwise(send.data.bytes())) {
        return rejected(ErrorCode::too_big);
    }
    Payload data = send.data;
    if (held.rules.rolls_dice) {
        auto rolled = roll_dice(data, ctx.rng);
        if (!rolled) {
            return rejected_for(rolled.error());
        }
        data = *std::move(rolled);
    }
    Event event;
    event.from = op.sender.user;
    event.body = MessagePosted{name, std::move(data)};
    if (held.rules.history_ttl > Duration::zero()) {
        ctx.wake_at(ctx.now + tidy_interval);
    }
    publish(std::move(event), ctx);
    return accepted(content_->at);
}

Verdict Queue::set(const Op& op, const SetOp& set, actor::Context& ctx) {
    const auto mount = writable(op, set.mount, MountKind::state);
    if (!mount) {
        return rejected_for(mount.error());
    }
    const auto& [name, held] = **mount;
    if (auto refusal = refuse_change(set, held)) {
        return *std::move(refusal);
    }
    StateChanged changed{name, {}};
    for (const auto& change : set.changes) {
        // What deletes nothing is no change.
        if (!change.value.empty() || held.keys.contains(change.key)) {
            changed.changes.push_back(change);
        }
    }
    if (changed.changes.empty()) {
        return accepted(content_->at, false);
    }
    Event event;
    event.from = op.sender.user;
    event.body = std::move(changed);
    publish(std::move(event), ctx);
    return accepted(content_->at);
}

std::optional<Verdict> Queue::refuse_change(const SetOp& set, const Mount& mount) const {
    const Limits& limits = settings_->limits;
    const std::size_t bytes_max = std::min(mount.rules.payload_bytes_max, limits.payload_bytes_max);
    std::size_t keys = mount.keys.size();
    const std::size_t bytes_before = content_->state_bytes();
    std::size_t bytes = bytes_before;
    for (const auto& change : set.changes) {
        if (change.key.empty() || change.key.text().size() > limits.key_bytes_max) {
            return rejected(ErrorCode::too_big, "a key has 1 to 256 bytes");
        }
        if (change.value.size() > bytes_max) {
            return rejected(ErrorCode::too_big);
        }
        const auto found = mount.keys.find(change.key);
        const bool is_there = found != mount.keys.end();
        if (set.if_seq) {
            const Seq current = is_there ? found->second.changed_at : 0;
            if (current != *set.if_seq) {
                Verdict verdict = rejected(ErrorCode::conflict);
                verdict.current = current;
                return verdict;
            }
        }
        if (is_there) {
            bytes -= entry_bytes(found->first, found->second.value);
            --keys;
        }
        if (!change.value.empty()) {
            bytes += entry_bytes(change.key, change.value);
            ++keys;
        }
    }
    // Where a limit was lowered meanwhile, what makes it less full is still welcome.
    if (keys > mount.keys.size() && keys > mount.rules.keys_max) {
        return rejected(ErrorCode::full, "the mount has as many keys as it may");
    }
    if (bytes > bytes_before && bytes > limits.state_bytes_max) {
        return rejected(ErrorCode::full, "the queue's state has as many bytes as it may");
    }
    return std::nullopt;
}

// ---- What only the server asks for -----------------------------------------------------------

Verdict Queue::create(const CreateOp& create, actor::Context& ctx) {
    auto rules = create.template_pattern.empty()
                     ? settings_->templates.find(ctx.self().text())
                     : settings_->templates.by_pattern(create.template_pattern);
    if (rules == nullptr) {
        return rejected(ErrorCode::bad_request, "there is no such template");
    }
    std::size_t mount_count = rules->mounts.size();
    for (const auto& [name, mount] : create.mounts) {
        mount_count += rules->mounts.contains(name) ? 0U : 1U;
    }
    if (mount_count > settings_->limits.mounts_max) {
        return rejected(ErrorCode::limit, "too many mounts");
    }
    CreateOp definition = create;
    definition.template_pattern = rules->match;
    begin(std::move(definition), std::move(rules), ctx);
    note_whether_empty(ctx);
    return accepted(content_->at);
}

Verdict Queue::create_again(const CreateOp& create, actor::Context& ctx) const {
    const std::string& pattern = create.template_pattern.empty()
                                     ? settings_->templates.find(ctx.self().text())->match
                                     : create.template_pattern;
    const bool is_same = pattern == definition_.template_pattern &&
                         create.mounts == definition_.mounts &&
                         create.idle_ttl == definition_.idle_ttl;
    return is_same ? accepted(content_->at, false)
                   : rejected(ErrorCode::differs,
                              std::string(ctx.self().text()) + " has another definition");
}

Verdict Queue::put_mount(const PutMountOp& put, actor::Context& ctx) {
    const auto found = content_->mounts.find(put.mount);
    if (found != content_->mounts.end()) {
        return found->second.rules == put.rules
                   ? accepted(content_->at, false)
                   : rejected(ErrorCode::differs, "the mount is there with other rules");
    }
    if (content_->mounts.size() >= settings_->limits.mounts_max) {
        return rejected(ErrorCode::limit, "the queue has as many mounts as it may");
    }
    Event event;
    event.body = MountChanged{put.mount, put.rules};
    publish(std::move(event), ctx);
    return accepted(content_->at);
}

Verdict Queue::delete_mount(const DeleteMountOp& remove, actor::Context& ctx) {
    if (!content_->mounts.contains(remove.mount)) {
        return rejected(ErrorCode::no_mount);
    }
    std::erase_if(rates_, [&](const auto& rate) { return rate.first.second == remove.mount; });
    Event event;
    event.body = MountChanged{remove.mount, std::nullopt};
    publish(std::move(event), ctx);
    return accepted(content_->at);
}

Verdict Queue::delete_queue(actor::Context& ctx) {
    const Cursor at = content_->at;
    end_history(ctx);
    return accepted(at);
}

}  // namespace muster::queue
