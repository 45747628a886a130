#include "core/client/mirror.h"

#include <string_view>

namespace muster::client {

const Mirror::Entry* Mirror::find(std::string_view mount, std::string_view key) const {
    const auto found = mounts_.find(mount);
    if (found == mounts_.end()) {
        return nullptr;
    }
    const auto entry = found->second.keys.find(key);
    return entry == found->second.keys.end() ? nullptr : &entry->second;
}

bool Mirror::replace(const wire::JoinedFrame& frame) {
    return replace(frame.at, frame.mounts, frame.member_count, frame.who);
}

bool Mirror::replace(const wire::ResetFrame& frame) {
    return replace(frame.at, frame.mounts, frame.member_count, frame.who);
}

// Old state is never patched, only replaced (rule R30).
bool Mirror::replace(Cursor at, const std::vector<wire::MountFrame>& mounts,
                     std::uint64_t member_count, const std::vector<wire::MemberFrame>& who) {
    at_ = at;
    mounts_.clear();
    members_.clear();
    bytes_ = 0;
    member_count_ = member_count;
    for (const wire::MountFrame& frame : mounts) {
        Mount& mount = mount_called(frame.name);
        mount.is_state = frame.is_state;
        for (const wire::KeyValue& value : frame.values) {
            put(mount, value, std::nullopt);
        }
    }
    for (const wire::MemberFrame& member : who) {
        put_member(member);
    }
    return fits();
}

bool Mirror::apply(const wire::StateFrame& frame) {
    Mount& mount = mount_called(frame.mount);
    mount.is_state = true;
    for (const wire::KeyValue& change : frame.changes) {
        put(mount, change, frame.seq);
    }
    return fits();
}

bool Mirror::apply(const wire::MembersFrame& frame) {
    for (const wire::MemberFrame& member : frame.set) {
        put_member(member);
    }
    for (const auto& gone : frame.gone) {
        const auto found = members_.find(gone.user);
        if (found != members_.end()) {
            bytes_ -= found->first.text().size() + found->second.size();
            members_.erase(found);
        }
    }
    member_count_ = frame.count;
    return fits();
}

bool Mirror::apply(const wire::MountChangeFrame& frame) {
    const auto found = mounts_.find(frame.mount);
    if (found != mounts_.end()) {
        for (const auto& [key, entry] : found->second.keys) {
            bytes_ -= key.text().size() + entry.value.size();
        }
        bytes_ -= found->first.text().size();
        mounts_.erase(found);
    }
    if (!frame.type.empty()) {
        mount_called(frame.mount).is_state = frame.type == "state";
    }
    return fits();
}

Mirror::Mount& Mirror::mount_called(std::string_view name) {
    auto found = mounts_.find(name);
    if (found == mounts_.end()) {
        found = mounts_.emplace(MountName{name}, Mount{}).first;
        bytes_ += name.size();
    }
    return found->second;
}

void Mirror::put(Mount& mount, const wire::KeyValue& change, std::optional<Seq> seq) {
    const auto found = mount.keys.find(change.key);
    if (found != mount.keys.end()) {
        bytes_ -= change.key.size() + found->second.value.size();
    }
    if (!change.value) {
        if (found != mount.keys.end()) {
            mount.keys.erase(found);
        }
        return;
    }
    bytes_ += change.key.size() + change.value->bytes.size();
    Entry entry{Payload{change.value->bytes, change.value->format}, seq};
    if (found != mount.keys.end()) {
        found->second = std::move(entry);
    } else {
        mount.keys.emplace(Key{change.key}, std::move(entry));
    }
}

void Mirror::put_member(const wire::MemberFrame& member) {
    const auto found = members_.find(member.user);
    bytes_ += member.info.size();
    if (found != members_.end()) {
        bytes_ -= found->second.size();
        found->second = Payload{member.info};
    } else {
        bytes_ += member.user.size();
        members_.emplace(UserId{member.user}, Payload{member.info});
    }
}

}  // namespace muster::client
