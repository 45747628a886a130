#include "core/queue/content_saved.h"

#include <memory>
#include <string>
#include <utility>

#include "core/actor/saved_time.h"

namespace muster::queue {
namespace {

using actor::from_saved;
using actor::to_saved;
using State = proto::QueueState;

// A length of time in rules: not negative.
std::optional<Duration> duration_of(std::int64_t us) {
    if (us < 0 || us > actor::saved_distance_max.count()) {
        return std::nullopt;
    }
    return Duration{us};
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

void write(const MountName& name, const Mount& mount, Instant since, State::Mount& out) {
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
        saved.set_at_us(to_saved(remembered.at, since));
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

bool read_history(const State::Mount& saved, const MountName& name, Instant since, Mount& mount) {
    Seq before = saved.forgotten_through();
    for (const auto& posted : saved.history()) {
        auto data = payload_of(posted.data(), posted.format());
        const auto at = from_saved(posted.at_us(), since);
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

bool read_mount(const State::Mount& saved, Instant since, Content& content) {
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
    return read_entries(saved, last, mount) && read_history(saved, name, since, mount) &&
           (mount.history.empty() || mount.history.back().event->seq <= last) &&
           append(content.mounts, std::move(name), std::move(mount));
}

}  // namespace

std::optional<Payload> payload_of(const std::string& bytes, std::uint32_t format) {
    const auto known = enumerator(format, Format::bytes);
    return known ? std::optional(Payload(bytes, *known)) : std::nullopt;
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

void write(const Member& member, State::Member& out) {
    // Into the strings that are there: a recorder uses one `out` again and again.
    out.mutable_info()->assign(member.info.bytes());
    out.set_info_format(number_of(member.info.format()));
    out.mutable_role()->assign(member.role.view());
    out.set_session(member.session.value);
    out.set_is_online(member.is_online);
    out.set_by_server(member.by_server);
}

std::optional<Member> read(const State::Member& saved) {
    auto info = payload_of(saved.info(), saved.info_format());
    if (!info) {
        return std::nullopt;
    }
    Member member;
    member.info = *std::move(info);
    member.role = SharedText(saved.role());
    member.session = SessionId{saved.session()};
    member.is_online = saved.is_online();
    member.by_server = saved.by_server();
    return member;
}

void write(const Content& content, Instant since, State& out) {
    out.set_inc(content.at.inc.value);
    out.set_seq(content.at.seq);
    write(*content.rules, *out.mutable_rules());
    for (const auto& [name, mount] : content.mounts) {
        write(name, mount, since, *out.add_mounts());
    }
    for (const auto& [user, member] : content.members) {
        auto& saved = *out.add_members();
        saved.set_user(text_of(user.text()));
        write(member, saved);
    }
}

bool read(const State& saved, Instant since, Content& content) {
    auto rules = read(saved.rules());
    if (saved.inc() == 0 || saved.seq() > saved_seq_max || !rules) {
        return false;
    }
    content.at = Cursor{Inc{saved.inc()}, saved.seq()};
    content.rules = std::make_shared<const Template>(*std::move(rules));
    for (const auto& mount : saved.mounts()) {
        if (!read_mount(mount, since, content)) {
            return false;
        }
    }
    for (const auto& each : saved.members()) {
        auto member = read(each);
        if (!member) {
            return false;
        }
        content.info_bytes += info_bytes(*member);
        if (!append(content.members, UserId(each.user()), *std::move(member))) {
            return false;
        }
    }
    return true;
}

}  // namespace muster::queue
