#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "core/queue/messages.h"
#include "core/wire/json_frames.h"

/// What a client makes of the frames that it gets, for tests of whole shards.
namespace muster::roles {

/// What a client has seen of one queue, as the fold of its frames.
///
/// Invariants: (checked, with an exception) while live, each event names the cursor that it
/// follows; a cursor only grows,
///             but for a reset that says `unknown`.
struct SeenQueue {
    bool is_live = false;  ///< `joined` has come, and no end since
    bool is_member = false;
    Cursor at;
    Seq replayed = 0;  ///< the last one replayed before `joined`
    std::map<std::string, std::map<std::string, std::string>> state;  ///< mount, key
    std::map<std::string, std::string> members;
    std::uint64_t member_count = 0;
    std::map<std::string, std::map<Seq, std::string>> messages;  ///< mount, seq
    std::map<std::string, std::vector<std::pair<Seq, Seq>>> lost;
    std::map<std::string, Seq>
        since;  ///< of each message mount: the cursor after which all is seen
};

/// Folds the frames of one connection, or of several one after the other.
class TestReader {
public:
    std::map<std::string, SeenQueue, std::less<>> queues;
    std::string hello;                ///< the last one
    std::vector<std::string> others;  ///< frames that are about no stream: answers, pings

    /// The client asks, with this request, to get no more of the queue.
    void will_end(std::uint64_t request, std::string_view name) { ending_.emplace(request, name); }

    /// A new connection: nothing is live, cursors stay.
    void reconnect() {
        ending_.clear();
        for (auto& [name, seen] : queues) {
            seen.is_live = false;
            seen.is_member = false;
            seen.replayed = seen.at.seq;
        }
    }

    /// Returns the `since` of a hello that goes on with all that has been seen.
    [[nodiscard]] std::string since() const {
        std::string fields;
        for (const auto& [name, seen] : queues) {
            if (seen.at.inc.value != 0) {
                fields += fields.empty() ? R"(,"since":{")" : R"(,")";
                fields += name;
                fields += "\":[" + std::to_string(seen.at.inc.value) + ',' +
                          std::to_string(seen.at.seq) + ']';
            }
        }
        return fields.empty() ? fields : fields + '}';
    }

    void take(std::string_view text) {
        std::string scratch;
        const auto frame = wire::parse_server_frame(text, scratch);
        expect(frame.has_value());
        if (const auto* joined = std::get_if<wire::JoinedFrame>(&*frame)) {
            take(*joined);
        } else if (const auto* reset = std::get_if<wire::ResetFrame>(&*frame)) {
            take(*reset);
        } else if (const auto* msg = std::get_if<wire::MsgFrame>(&*frame);
                   msg != nullptr && msg->mount != "mail") {
            take(*msg);
        } else if (const auto* state = std::get_if<wire::StateFrame>(&*frame)) {
            take(*state);
        } else if (const auto* members = std::get_if<wire::MembersFrame>(&*frame)) {
            take(*members);
        } else if (const auto* mount = std::get_if<wire::MountChangeFrame>(&*frame)) {
            take(*mount);
        } else if (const auto* gap = std::get_if<wire::GapFrame>(&*frame)) {
            queue(gap->queue).lost[std::string(gap->mount)].emplace_back(gap->from, gap->to);
        } else if (const auto* left = std::get_if<wire::LeftFrame>(&*frame)) {
            queue(left->queue).is_live = false;
        } else if (std::holds_alternative<wire::HelloFrame>(*frame)) {
            hello = text;
        } else {
            if (const auto* ok = std::get_if<wire::OkFrame>(&*frame);
                ok != nullptr && ok->request) {
                end(*ok->request);
            }
            others.emplace_back(text);
        }
    }

    /// Returns whether every message of `mount` that came after its `since` has been seen or is
    /// known to be lost.
    [[nodiscard]] static bool covers(const SeenQueue& seen, const std::string& mount, Seq seq) {
        const auto from = seen.since.find(mount);
        if (from == seen.since.end() || seq <= from->second) {
            return true;
        }
        const auto messages = seen.messages.find(mount);
        if (messages != seen.messages.end() && messages->second.contains(seq)) {
            return true;
        }
        const auto lost = seen.lost.find(mount);
        return lost != seen.lost.end() &&
               std::any_of(lost->second.begin(), lost->second.end(), [seq](const auto& range) {
                   return range.first <= seq && seq <= range.second;
               });
    }

    /// Returns whether state and members are those of `content`, at its place.
    [[nodiscard]] static bool shows(const SeenQueue& seen, const queue::Content& content) {
        std::map<std::string, std::map<std::string, std::string>> state;
        std::set<std::string> members;
        for (const auto& [name, mount] : content.mounts) {
            for (const auto& [key, entry] : mount.keys) {
                state[std::string(name.text())].emplace(key.text(), entry.value.bytes());
            }
        }
        std::size_t known = 0;
        for (const auto& [user, member] : content.members) {
            known += seen.members.contains(std::string(user.text())) ? 1U : 0U;
        }
        return seen.is_live && seen.at == content.at && seen.state == state &&
               known == content.members.size() && seen.members.size() == known &&
               seen.member_count == known;
    }

private:
    // Throws, so that a property can be shrunk; in a fuzz target it is a crash.
    static void expect(bool is_right) {
        if (!is_right) {
            throw std::logic_error("a frame that breaks the protocol");
        }
    }

    void end(std::uint64_t request) {
        if (const auto found = ending_.find(request); found != ending_.end()) {
            queue(found->second).is_live = false;
            queue(found->second).replayed = 0;
            ending_.erase(found);
        }
    }

    SeenQueue& queue(std::string_view name) { return queues[std::string(name)]; }

    static std::string data_of(const wire::Data& data) { return std::string(data.bytes); }

    void replace(SeenQueue& seen, Cursor at, const std::vector<wire::MountFrame>& mounts,
                 std::uint64_t count, const std::vector<wire::MemberFrame>& who) {
        seen.at = at;
        seen.state.clear();
        for (const auto& mount : mounts) {
            for (const auto& [key, value] : mount.values) {
                seen.state[std::string(mount.name)].emplace(key, data_of(*value));
            }
        }
        seen.member_count = count;
        seen.members.clear();
        for (const auto& [user, info] : who) {
            seen.members.emplace(user, info);
        }
    }

    void take(const wire::JoinedFrame& frame) {
        SeenQueue& seen = queue(frame.queue);
        expect(frame.at >= seen.at);
        expect(seen.replayed <= frame.at.seq);
        replace(seen, frame.at, frame.mounts, frame.member_count, frame.who);
        for (const auto& mount : frame.mounts) {
            const std::string name(mount.name);
            expect(mount.resume.has_value());
            if (mount.resume->kind == wire::Resume::Kind::gap) {
                seen.lost[name].emplace_back(mount.resume->from, mount.resume->to);
            } else if (mount.resume->kind != wire::Resume::Kind::replayed && !seen.is_live) {
                seen.since[name] = frame.at.seq;
            }
            seen.since.try_emplace(name, frame.at.seq);
        }
        seen.is_live = true;
        seen.is_member = frame.member;
        seen.replayed = 0;
    }

    void take(const wire::ResetFrame& frame) {
        SeenQueue& seen = queue(frame.queue);
        expect(frame.why == "gone" || frame.why == "deleted" || frame.why == "unknown");
        expect(frame.why == "unknown" || frame.at.inc.value == 0 || frame.at >= seen.at);
        seen = SeenQueue{};
        replace(seen, frame.at, frame.mounts, frame.member_count, frame.who);
    }

    // Returns whether the event counts: while live it follows the cursor.
    bool moves(SeenQueue& seen, Seq seq, std::optional<Seq> prev) {
        expect(seq > 0);
        if (!seen.is_live) {  // A replay, whose place `joined` settles.
            expect(seq > seen.replayed || seq <= seen.at.seq);
            seen.replayed = std::max(seen.replayed, seq);
            return false;
        }
        expect(prev.value_or(seq - 1) == seen.at.seq);
        expect(seq > seen.at.seq);
        seen.at.seq = seq;
        return true;
    }

    void take(const wire::MsgFrame& frame) {
        SeenQueue& seen = queue(frame.queue);
        moves(seen, frame.seq, frame.prev);
        seen.messages[std::string(frame.mount)].emplace(frame.seq, data_of(frame.data));
    }

    void take(const wire::StateFrame& frame) {
        SeenQueue& seen = queue(frame.queue);
        expect(moves(seen, frame.seq, frame.prev));
        const std::string mount(frame.mount);
        for (const auto& [key, value] : frame.changes) {
            if (value) {
                seen.state[mount].insert_or_assign(std::string(key), data_of(*value));
            } else {
                seen.state[mount].erase(std::string(key));
            }
        }
        if (seen.state[mount].empty()) {
            seen.state.erase(mount);
        }
    }

    void take(const wire::MembersFrame& frame) {
        SeenQueue& seen = queue(frame.queue);
        expect(moves(seen, frame.seq, frame.prev));
        for (const auto& [user, info] : frame.set) {
            seen.members.insert_or_assign(std::string(user), std::string(info));
        }
        for (const auto& [user, why] : frame.gone) {
            seen.members.erase(std::string(user));
        }
        seen.member_count = frame.count;
    }

    void take(const wire::MountChangeFrame& frame) {
        SeenQueue& seen = queue(frame.queue);
        expect(moves(seen, frame.seq, frame.prev));
        const std::string mount(frame.mount);
        seen.state.erase(mount);
        seen.since.erase(mount);
        if (frame.type == "message") {
            seen.since[mount] = frame.seq;
        }
    }

    std::map<std::uint64_t, std::string> ending_;
};

}  // namespace muster::roles
