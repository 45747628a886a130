// How a queue is written into a snapshot and read again.
#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/error_code.h"
#include "core/actor/saved_time.h"
#include "core/queue/queue.h"
#include "muster/log.pb.h"

namespace muster::queue {
namespace {

using actor::from_saved;
using actor::to_saved;
using State = proto::QueueState;

// Beyond it a number is damage: no queue lives so long, and JSON cannot say it.
constexpr std::uint64_t count_max = std::uint64_t{1} << 53U;

// ---- Pieces ----------------------------------------------------------------------------------

std::string text_of(std::string_view text) { return std::string(text); }

// The enumerator that was written, or nothing where there is none up to `last` by that value.
template <typename Enum>
std::optional<Enum> enumerator(std::uint32_t value, Enum last) {
    if (value > static_cast<std::uint32_t>(last)) {
        return std::nullopt;
    }
    return static_cast<Enum>(value);
}

template <typename Enum>
std::uint32_t number_of(Enum value) {
    return static_cast<std::uint32_t>(value);
}

std::optional<Payload> payload_of(const std::string& bytes, std::uint32_t format) {
    const auto known = enumerator(format, Format::bytes);
    return known ? std::optional(Payload(bytes, *known)) : std::nullopt;
}

// A length of time in rules: not negative.
std::optional<Duration> duration_of(std::int64_t us) {
    if (us < 0 || us > actor::saved_distance_max.count()) {
        return std::nullopt;
    }
    return Duration{us};
}

// Appends to a table that was written in the order of its keys. False where it was not.
template <typename Table>
bool append(Table& table, typename Table::key_type key, typename Table::mapped_type value) {
    if (!table.empty() && !(std::prev(table.end())->first < key)) {
        return false;
    }
    table.emplace_hint(table.end(), std::move(key), std::move(value));
    return true;
}

// ---- Rules -----------------------------------------------------------------------------------

void write(const MountRules& rules, State::MountRules& out) {
    out.set_kind(number_of(rules.kind));
    out.set_write(number_of(rules.write));
    out.set_payload_bytes_max(rules.payload_bytes_max);
    out.set_history_count_max(rules.history_count_max);
    out.set_history_ttl_us(rules.history_ttl.count());
    out.set_rate_per_second(rules.rate.per_second);
    out.set_rate_burst(rules.rate.burst);
    out.set_slow(number_of(rules.slow));
    out.set_rolls_dice(rules.rolls_dice);
    out.set_keys_max(rules.keys_max);
}

std::optional<MountRules> read(const State::MountRules& saved) {
    const auto kind = enumerator(saved.kind(), MountKind::state);
    const auto write = enumerator(saved.write(), WhoWrites::anyone);
    const auto slow = enumerator(saved.slow(), SlowPolicy::drop);
    const auto history_ttl = duration_of(saved.history_ttl_us());
    if (!kind || !write || !slow || !history_ttl) {
        return std::nullopt;
    }
    MountRules rules;
    rules.kind = *kind;
    rules.write = *write;
    rules.payload_bytes_max = saved.payload_bytes_max();
    rules.history_count_max = saved.history_count_max();
    rules.history_ttl = *history_ttl;
    rules.rate = {saved.rate_per_second(), saved.rate_burst()};
    rules.slow = *slow;
    rules.rolls_dice = saved.rolls_dice();
    rules.keys_max = saved.keys_max();
    return rules;
}

using RulesByName = std::map<MountName, MountRules, NameOrder>;

template <typename Saved>
void write_rules(const RulesByName& mounts, Saved& out) {
    for (const auto& [name, rules] : mounts) {
        auto& saved = *out.add_mounts();
        saved.set_name(text_of(name.text()));
        write(rules, *saved.mutable_rules());
    }
}

template <typename Saved>
bool read_rules(const Saved& saved, RulesByName& mounts) {
    for (const auto& named : saved.mounts()) {
        const auto rules = read(named.rules());
        if (!rules || !append(mounts, MountName(named.name()), *rules)) {
            return false;
        }
    }
    return true;
}

void write(const Template& rules, State::Template& out) {
    out.set_match(rules.match);
    out.set_create(number_of(rules.create));
    out.set_join(number_of(rules.join));
    out.set_listen(number_of(rules.listen));
    out.set_idle_ttl_us(rules.idle_ttl.count());
    write_rules(rules.mounts, out);
}

std::optional<Template> read(const State::Template& saved) {
    const auto create = enumerator(saved.create(), WhoMay::anyone);
    const auto join = enumerator(saved.join(), WhoMay::anyone);
    const auto listen = enumerator(saved.listen(), WhoListens::anyone);
    const auto idle_ttl = duration_of(saved.idle_ttl_us());
    Template rules;
    if (!create || !join || !listen || !idle_ttl || !read_rules(saved, rules.mounts)) {
        return std::nullopt;
    }
    rules.match = saved.match();
    rules.create = *create;
    rules.join = *join;
    rules.listen = *listen;
    rules.idle_ttl = *idle_ttl;
    return rules;
}

void write(const CreateOp& definition, State::Definition& out) {
    out.set_template_pattern(definition.template_pattern);
    write_rules(definition.mounts, out);
    if (definition.idle_ttl) {
        out.set_idle_ttl_us(definition.idle_ttl->count());
    }
}

std::optional<CreateOp> read(const State::Definition& saved) {
    CreateOp definition;
    definition.template_pattern = saved.template_pattern();
    if (!read_rules(saved, definition.mounts)) {
        return std::nullopt;
    }
    if (saved.has_idle_ttl_us()) {
        definition.idle_ttl = duration_of(saved.idle_ttl_us());
        if (!definition.idle_ttl) {
            return std::nullopt;
        }
    }
    return definition;
}

// ---- Content ---------------------------------------------------------------------------------

void write(const MountName& name, const Mount& mount, Instant now, State::Mount& out) {
    out.set_name(text_of(name.text()));
    write(mount.rules, *out.mutable_rules());
    out.set_added_at(mount.added_at);
    for (const auto& [key, entry] : mount.keys) {
        auto& saved = *out.add_entries();
        saved.set_key(text_of(key.text()));
        saved.set_value(text_of(entry.value.bytes()));
        saved.set_format(number_of(entry.value.format()));
        saved.set_changed_at(entry.changed_at);
    }
    for (const auto& remembered : mount.history) {
        const auto& posted = std::get<MessagePosted>(remembered.event->body);
        auto& saved = *out.add_history();
        saved.set_seq(remembered.event->seq);
        saved.set_time_ms(remembered.event->time.ms);
        saved.set_from(text_of(remembered.event->from.text()));
        saved.set_data(text_of(posted.data.bytes()));
        saved.set_format(number_of(posted.data.format()));
        saved.set_at_us(to_saved(remembered.at, now));
    }
    out.set_forgotten_through(mount.forgotten_through);
}

bool read_entries(const State::Mount& saved, Seq last, Mount& mount) {
    for (const auto& entry : saved.entries()) {
        auto value = payload_of(entry.value(), entry.format());
        if (!value || value->empty() || entry.changed_at() > last) {
            return false;
        }
        const Key key(entry.key());
        mount.key_bytes += entry_bytes(key, *value);
        if (!append(mount.keys, key, Entry{*std::move(value), entry.changed_at()})) {
            return false;
        }
    }
    return true;
}

bool read_history(const State::Mount& saved, const MountName& name, Instant now, Mount& mount) {
    Seq before = saved.forgotten_through();
    for (const auto& posted : saved.history()) {
        auto data = payload_of(posted.data(), posted.format());
        const auto at = from_saved(posted.at_us(), now);
        if (!data || !at || posted.seq() <= before) {
            return false;
        }
        before = posted.seq();
        Event event;
        event.seq = posted.seq();
        event.time = WallTime{posted.time_ms()};
        event.from = UserId(posted.from());
        event.body = MessagePosted{name, *std::move(data)};
        mount.history_bytes += message_bytes(event);
        mount.history.push(Remembered{std::make_shared<const Event>(std::move(event)), *at});
    }
    return true;
}

bool read_mount(const State::Mount& saved, Instant now, Content& content) {
    const auto rules = read(saved.rules());
    const Seq last = content.at.seq;
    if (!rules || saved.added_at() > last || saved.forgotten_through() > last) {
        return false;
    }
    const bool is_state = rules->kind == MountKind::state;
    if ((is_state ? saved.history_size() : saved.entries_size()) != 0) {
        return false;
    }
    MountName name(saved.name());
    Mount mount;
    mount.rules = *rules;
    mount.added_at = saved.added_at();
    mount.forgotten_through = saved.forgotten_through();
    return read_entries(saved, last, mount) && read_history(saved, name, now, mount) &&
           (mount.history.empty() || mount.history.back().event->seq <= last) &&
           append(content.mounts, std::move(name), std::move(mount));
}

void write(const UserId& user, const Member& member, State::Member& out) {
    out.set_user(text_of(user.text()));
    out.set_info(text_of(member.info.bytes()));
    out.set_info_format(number_of(member.info.format()));
    out.set_role(text_of(member.role.view()));
    out.set_session(member.session.value);
    out.set_is_online(member.is_online);
    out.set_by_server(member.by_server);
}

bool read_member(const State::Member& saved, Content& content) {
    auto info = payload_of(saved.info(), saved.info_format());
    if (!info) {
        return false;
    }
    Member member;
    member.info = *std::move(info);
    member.role = SharedText(saved.role());
    member.session = SessionId{saved.session()};
    member.is_online = saved.is_online();
    member.by_server = saved.by_server();
    return append(content.members, UserId(saved.user()), std::move(member));
}

// ---- Op records ------------------------------------------------------------------------------

void write(const KeptVerdict& verdict, State::Verdict& out) {
    out.set_kind(number_of(verdict.kind));
    out.set_code(number_of(verdict.code));
    out.set_seq(verdict.seq);
}

std::optional<KeptVerdict> read(const State::Verdict& saved) {
    const auto kind = enumerator(saved.kind(), KeptVerdict::Kind::conflict);
    const auto codes = error_registry();
    const auto known = std::ranges::find(codes, saved.code(), [](const ErrorInfo& info) {
        return static_cast<std::uint32_t>(info.code);
    });
    if (!kind || known == codes.end()) {
        return std::nullopt;
    }
    return KeptVerdict{saved.seq(), known->code, *kind};
}

void write(const ClientRecords& clients, State& out) {
    std::map<ClientKey, std::uint32_t> places;
    for (const auto& client : clients.left()) {
        places.emplace(client, static_cast<std::uint32_t>(places.size() + 1));
    }
    for (const auto& [client, record] : clients.all()) {
        auto& saved = *out.add_clients();
        saved.set_user(text_of(client.user.text()));
        saved.set_cid_high(client.cid.high);
        saved.set_cid_low(client.cid.low);
        saved.set_highest(record->highest());
        for (auto age = record->kept_count(); age-- > 0;) {
            write(*record->find(record->highest() - age), *saved.add_verdicts());
        }
        const auto place = places.find(client);
        saved.set_left_as(place == places.end() ? 0 : place->second);
    }
}

std::optional<ClientRecord> read(const State::Client& saved, std::size_t window) {
    const auto kept_count = static_cast<std::uint64_t>(saved.verdicts_size());
    if (saved.highest() > count_max || kept_count > saved.highest()) {
        return std::nullopt;
    }
    ClientRecord record(saved.highest() - kept_count);
    for (const auto& each : saved.verdicts()) {
        const auto verdict = read(each);
        if (!verdict) {
            return std::nullopt;
        }
        record.add(*verdict, window);
    }
    return record;
}

bool read_clients(const State& saved, std::size_t window, ClientRecords& clients) {
    std::map<std::uint32_t, ClientKey> left;
    const ClientKey* before = nullptr;
    ClientKey last;
    for (const auto& each : saved.clients()) {
        ClientKey client{UserId(each.user()), Cid{each.cid_high(), each.cid_low()}};
        auto record = read(each, window);
        if (!record || (before != nullptr && !(*before < client))) {
            return false;
        }
        if (each.left_as() != 0 && !left.emplace(each.left_as(), client).second) {
            return false;
        }
        clients.restore(client, *std::move(record));
        last = std::move(client);
        before = &last;
    }
    for (const auto& [place, client] : left) {
        clients.restore_left(client);
    }
    return true;
}

void write(const IdempotencyTable& table, Instant now, State& out) {
    for (const auto& key : table.keys()) {
        const auto& kept = *table.find(key);
        auto& saved = *out.add_idempotent_ops();
        saved.set_user(text_of(key.user.text()));
        saved.set_key(text_of(key.text.view()));
        saved.set_body_hash(kept.body_hash);
        saved.set_until_us(to_saved(kept.until, now));
        write(kept.verdict, *saved.mutable_verdict());
    }
}

bool read_idempotent(const State& saved, Instant now, IdempotencyTable& table) {
    for (const auto& op : saved.idempotent_ops()) {
        const auto until = from_saved(op.until_us(), now);
        const auto verdict = read(op.verdict());
        if (!until || !verdict ||
            !table.restore(IdempotencyKey{UserId(op.user()), SharedText(op.key())},
                           IdempotencyTable::Kept{op.body_hash(), *until, *verdict})) {
            return false;
        }
    }
    return true;
}

}  // namespace

// ---- The whole -------------------------------------------------------------------------------

void Queue::save(Instant now, std::string& out) const {
    State saved;
    saved.set_inc(content_->at.inc.value);
    saved.set_seq(content_->at.seq);
    write(*content_->rules, *saved.mutable_rules());
    write(definition_, *saved.mutable_definition());
    for (const auto& [name, mount] : content_->mounts) {
        write(name, mount, now, *saved.add_mounts());
    }
    for (const auto& [user, member] : content_->members) {
        write(user, member, *saved.add_members());
    }
    write(clients_, saved);
    for (const auto& [user, cep] : fences_) {
        auto& fence = *saved.add_fences();
        fence.set_user(text_of(user.text()));
        fence.set_cep_inc(cep.inc.value);
        fence.set_cep_counter(cep.counter);
    }
    for (const auto& [key, meter] : rates_) {
        auto& rate = *saved.add_rates();
        rate.set_user(text_of(key.first.text()));
        rate.set_mount(text_of(key.second.text()));
        rate.set_full_at_us(to_saved(meter.full_at(), now));
    }
    write(idempotent_, now, saved);
    for (const auto& [gateway, sub] : subscribers_) {
        auto& subscriber = *saved.add_subscribers();
        subscriber.set_gateway(gateway.value);
        subscriber.set_sub(sub.value);
    }
    if (idle_since_) {
        saved.set_idle_since_us(to_saved(*idle_since_, now));
    }
    saved.AppendToString(&out);
}

std::unique_ptr<Queue> Queue::restore(std::shared_ptr<const QueueSettings> settings, Instant now,
                                      std::string_view state) {
    State saved;
    if (state.size() > std::size_t{std::numeric_limits<int>::max()} ||
        !saved.ParseFromArray(state.data(), static_cast<int>(state.size()))) {
        return nullptr;
    }
    auto queue = std::make_unique<Queue>(std::move(settings));
    return queue->read_saved(saved, now) ? std::move(queue) : nullptr;
}

bool Queue::read_saved(const State& saved, Instant now) {
    if (saved.inc() == 0 || saved.seq() > count_max) {
        return false;
    }
    auto rules = read(saved.rules());
    auto definition = read(saved.definition());
    if (!rules || !definition) {
        return false;
    }
    // All queues of one template share its rules, where they are still what they were.
    auto shared = settings_->templates.by_pattern(rules->match);
    if (shared == nullptr || *shared != *rules) {
        shared = std::make_shared<const Template>(*std::move(rules));
    }
    definition_ = *std::move(definition);
    content_.emplace();
    content_->at = Cursor{Inc{saved.inc()}, saved.seq()};
    content_->rules = std::move(shared);
    for (const auto& mount : saved.mounts()) {
        if (!read_mount(mount, now, *content_)) {
            return false;
        }
    }
    for (const auto& member : saved.members()) {
        if (!read_member(member, *content_)) {
            return false;
        }
    }
    for (const auto& fence : saved.fences()) {
        const auto member = content_->members.find(std::string_view(fence.user()));
        if (member == content_->members.end() ||
            !append(fences_, member->first, Cep{Inc{fence.cep_inc()}, fence.cep_counter()})) {
            return false;
        }
    }
    for (const auto& rate : saved.rates()) {
        const auto full_at = from_saved(rate.full_at_us(), now);
        if (!full_at || !append(rates_, RateKey{UserId(rate.user()), MountName(rate.mount())},
                                RateMeter(*full_at))) {
            return false;
        }
    }
    for (const auto& subscriber : saved.subscribers()) {
        if (subscriber.gateway() > std::numeric_limits<std::uint16_t>::max()) {
            return false;
        }
        subscribers_.push_back(
            Subscriber{ShardId{static_cast<std::uint16_t>(subscriber.gateway())},
                       SubId{subscriber.sub()}});
    }
    if (saved.has_idle_since_us()) {
        idle_since_ = from_saved(saved.idle_since_us(), now);
        if (!idle_since_ || !content_->members.empty() || !subscribers_.empty() ||
            idle_ttl() <= Duration::zero()) {
            return false;
        }
    }
    return read_clients(saved, settings_->limits.op_window, clients_) &&
           read_idempotent(saved, now, idempotent_);
}

}  // namespace muster::queue
