#include "core/queue/content.h"

#include <algorithm>

#include "base/check.h"

namespace muster::queue {
namespace {

void forget_oldest(Mount& mount) {
    const EventPtr oldest = mount.history.pop().event;
    mount.history_bytes -= message_bytes(*oldest);
    mount.forgotten_through = oldest->seq;
}

void forget_older_than_ttl(Mount& mount, Instant now) {
    if (mount.rules.history_ttl <= Duration::zero()) {
        return;
    }
    while (!mount.history.empty() && mount.history.front().at + mount.rules.history_ttl <= now) {
        forget_oldest(mount);
    }
}

void remember(Mount& mount, const EventPtr& event, Instant now, const Limits& limits) {
    mount.history.push(Remembered{event, now});
    mount.history_bytes += message_bytes(*event);
    while (!mount.history.empty() && (mount.history.size() > mount.rules.history_count_max ||
                                      mount.history_bytes > limits.history_bytes_max)) {
        forget_oldest(mount);
    }
    forget_older_than_ttl(mount, now);
}

void set_keys(Mount& mount, const StateChanged& changed, Seq seq) {
    for (const auto& change : changed.changes) {
        const auto found = mount.keys.find(change.key);
        if (found != mount.keys.end()) {
            mount.key_bytes -= entry_bytes(found->first, found->second.value);
        }
        if (change.value.empty()) {
            if (found != mount.keys.end()) {
                mount.keys.erase(found);
            }
            continue;
        }
        mount.key_bytes += entry_bytes(change.key, change.value);
        if (found != mount.keys.end()) {
            found->second = Entry{change.value, seq};
        } else {
            mount.keys.emplace(change.key, Entry{change.value, seq});
        }
    }
}

bool same_mount(const Mount& a, const Mount& b) {
    const auto same_entry = [](const auto& x, const auto& y) {
        return x.first == y.first && x.second.value == y.second.value &&
               x.second.changed_at == y.second.changed_at;
    };
    const auto same_message = [](const Remembered& x, const Remembered& y) {
        const auto& a_body = std::get<MessagePosted>(x.event->body);
        const auto& b_body = std::get<MessagePosted>(y.event->body);
        return x.event->seq == y.event->seq && x.event->from == y.event->from &&
               a_body.data == b_body.data;
    };
    return a.rules == b.rules && a.forgotten_through == b.forgotten_through &&
           std::equal(a.keys.begin(), a.keys.end(), b.keys.begin(), b.keys.end(), same_entry) &&
           std::equal(a.history.begin(), a.history.end(), b.history.begin(), b.history.end(),
                      same_message);
}

void set_member(Content& content, const MemberChanged& changed) {
    const auto found = content.members.find(changed.user);
    if (found != content.members.end()) {
        content.info_bytes -= info_bytes(found->second);
    }
    if (changed.member) {
        content.info_bytes += info_bytes(*changed.member);
        content.members.insert_or_assign(changed.user, *changed.member);
    } else if (found != content.members.end()) {
        content.members.erase(found);
    }
}

}  // namespace

void Content::apply(const EventPtr& event, Instant now, const Limits& limits) {
    MUSTER_CHECK(event->seq == at.seq + 1);
    at.seq = event->seq;
    if (const auto* posted = std::get_if<MessagePosted>(&event->body)) {
        const auto mount = mounts.find(posted->mount);
        MUSTER_CHECK(mount != mounts.end());
        remember(mount->second, event, now, limits);
    } else if (const auto* changed = std::get_if<StateChanged>(&event->body)) {
        const auto mount = mounts.find(changed->mount);
        MUSTER_CHECK(mount != mounts.end());
        set_keys(mount->second, *changed, event->seq);
    } else if (const auto* member = std::get_if<MemberChanged>(&event->body)) {
        set_member(*this, *member);
    } else if (const auto* mount = std::get_if<MountChanged>(&event->body)) {
        if (!mount->rules) {
            mounts.erase(mount->mount);
            return;
        }
        auto& slot = mounts[mount->mount];
        slot = Mount{};
        slot.rules = *mount->rules;
        slot.added_at = event->seq;
        slot.forgotten_through = event->seq;
    }
}

bool Content::forget_old(Instant now) {
    bool is_some_left = false;
    for (auto& [name, mount] : mounts) {
        forget_older_than_ttl(mount, now);
        is_some_left =
            is_some_left || (!mount.history.empty() && mount.rules.history_ttl > Duration::zero());
    }
    return is_some_left;
}

std::size_t Content::state_bytes() const noexcept {
    std::size_t sum = 0;
    for (const auto& [name, mount] : mounts) {
        sum += mount.key_bytes;
    }
    return sum;
}

std::size_t entry_bytes(const Key& key, const Payload& value) noexcept {
    return key.text().size() + value.size();
}

std::size_t info_bytes(const Member& member) noexcept {
    return member.info.size() + member.role.view().size();
}

std::size_t message_bytes(const Event& event) noexcept {
    return std::get<MessagePosted>(event.body).data.size() + event.from.text().size();
}

bool shows_same(const Content& a, const Content& b) {
    return a.at == b.at && a.members == b.members &&
           std::equal(a.mounts.begin(), a.mounts.end(), b.mounts.begin(), b.mounts.end(),
                      [](const auto& x, const auto& y) {
                          return x.first == y.first && same_mount(x.second, y.second);
                      });
}

}  // namespace muster::queue
