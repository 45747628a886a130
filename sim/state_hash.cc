#include "sim/state_hash.h"

#include <charconv>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/sip_hash.h"
#include "core/gateway/encode.h"

namespace muster::sim {
namespace {

constexpr HashKey hash_key{1, 2};

std::string mount_part(std::string_view mount) { return fmt::format("mount {}", mount); }
std::string key_part(std::string_view mount, std::string_view key) {
    return fmt::format("key {} {}", mount, key);
}
std::string member_part(std::string_view user) { return fmt::format("member {}", user); }

}  // namespace

std::uint64_t message_hash(std::string_view mount, std::string_view from,
                           std::string_view data) noexcept {
    return sip_hash_13(HashKey{3, sip_hash_13(hash_key, mount)}, data) ^
           sip_hash_13(hash_key, from);
}

RequestRef ref_in(std::string_view payload) noexcept {
    RequestRef ref = 0;
    if (payload.size() > 1 && payload.front() == '[') {
        std::from_chars(payload.data() + 1, payload.data() + payload.size(), ref);
    }
    return ref;
}

std::string payload_of(RequestRef ref, std::size_t padding_bytes) {
    return fmt::format("[{},\"{}\"]", ref, std::string(padding_bytes, 'x'));
}

StateHash::StateHash(const queue::Content& content) {
    for (const auto& [name, mount] : content.mounts) {
        const bool is_state = mount.rules.kind == queue::MountKind::state;
        put(mount_part(name.text()), is_state ? "state" : "message");
        for (const auto& [key, entry] : mount.keys) {
            put(key_part(name.text(), key.text()), entry.value.bytes());
        }
    }
    for (const auto& [user, member] : content.members) {
        put(member_part(user.text()), gateway::member_info(member));
    }
}

StateHash::StateHash(const client::Mirror& mirror) {
    for (const auto& [name, mount] : mirror.mounts()) {
        put(mount_part(name.text()), mount.is_state ? "state" : "message");
        for (const auto& [key, entry] : mount.keys) {
            put(key_part(name.text(), key.text()), entry.value.bytes());
        }
    }
    for (const auto& [user, info] : mirror.members()) {
        put(member_part(user.text()), info.bytes());
    }
}

void StateHash::apply(const queue::Event& event) {
    if (const auto* changed = std::get_if<queue::StateChanged>(&event.body)) {
        for (const auto& change : changed->changes) {
            const std::string part = key_part(changed->mount.text(), change.key.text());
            if (change.value.empty()) {
                remove(part);
            } else {
                put(part, change.value.bytes());
            }
        }
    } else if (const auto* member = std::get_if<queue::MemberChanged>(&event.body)) {
        const std::string part = member_part(member->user.text());
        if (member->member) {
            put(part, gateway::member_info(*member->member));
        } else {
            remove(part);
        }
    } else if (const auto* mount = std::get_if<queue::MountChanged>(&event.body)) {
        const std::string part = mount_part(mount->mount.text());
        if (mount->rules) {
            const bool is_state = mount->rules->kind == queue::MountKind::state;
            put(part, is_state ? "state" : "message");
            return;
        }
        remove(part);
        const std::string keys = key_part(mount->mount.text(), "");
        for (auto i = parts_.lower_bound(keys); i != parts_.end() && i->first.starts_with(keys);) {
            sum_ ^= i->second;
            i = parts_.erase(i);
        }
    }
}

void StateHash::put(const std::string& what, std::string_view value) {
    const std::uint64_t hash = sip_hash_13(HashKey{5, sip_hash_13(hash_key, what)}, value);
    std::uint64_t& part = parts_[what];
    sum_ ^= part ^ hash;
    part = hash;
}

void StateHash::remove(const std::string& what) {
    const auto found = parts_.find(what);
    if (found != parts_.end()) {
        sum_ ^= found->second;
        parts_.erase(found);
    }
}

}  // namespace muster::sim
