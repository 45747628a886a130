// Who is where, and who is on line: what queues, user queues, gateways and clients make of it.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "sim/checkers.h"

namespace muster::sim {
namespace {

/// One user's time on line, as its user queue decided.
struct Session {
    SessionId id;
    std::uint64_t began = 0;           // Places in the order of what owners do.
    std::uint64_t ended = UINT64_MAX;  // Not yet.
};
using Sessions = std::map<UserIndex, std::vector<Session>>;

Sessions check_sessions(const History& history, Breaches& out) {
    // By the owner's clock the end is exact; what it slept is the schedule's rounding.
    constexpr Duration late_max = std::chrono::seconds{1};
    Sessions sessions;
    for (const SessionChange& change : history.sessions) {
        auto& of_user = sessions[change.user];
        const auto complain = [&](std::string_view what) {
            out.push_back(fmt::format("PRESENCE session {} of {} {}", change.session.value,
                                      history.user_names.at(change.user), what));
        };
        const bool is_open = !of_user.empty() && of_user.back().ended == UINT64_MAX;
        if (change.begins) {
            if (is_open) {
                complain("begins before the last one has ended");
            }
            if (!of_user.empty() && change.session <= of_user.back().id) {
                complain("is not younger than the last one");
            }
            of_user.push_back({change.session, change.order});
            continue;
        }
        if (!is_open || of_user.back().id != change.session) {
            complain("ends, but was not there");
            continue;
        }
        of_user.back().ended = change.order;
        if (change.is_by_backend) {
            continue;
        }
        if (change.away_for < history.resume_time) {
            complain("ends before its grace time is over");
        } else if (change.away_for > history.resume_time + late_max) {
            complain("ends late");
        }
    }
    return sessions;
}

/// Holds what one queue decides of one user against the user's sessions.
class Standing {
public:
    Standing(const History& history, const std::vector<Session>& sessions, Breaches& out)
        : history_(history), sessions_(sessions), out_(out) {}

    void take(const MemberChange& change) {
        if (!change.is_member) {
            leave(change);
        } else if (!is_member_) {
            join(change);
        } else {
            go_on(change);
        }
        is_member_ = change.is_member;
        is_online_ = change.is_member && change.is_online;
    }

private:
    void complain(const MemberChange& change, std::string_view what) {
        out_.push_back(fmt::format("PRESENCE {} of {} at ({},{}): {}, session {}",
                                   history_.user_names.at(change.user),
                                   history_.queue_names.at(change.queue), change.at.inc.value,
                                   change.at.seq, what, change.session.value));
    }

    void join(const MemberChange& change) {
        joined_ = change.order;
        session_ = SessionId{};
        if (change.is_online) {
            begin(change);
        }
    }

    void go_on(const MemberChange& change) {
        if (is_online_ && change.is_online && session_ != change.session) {
            complain(change, "on line again, and never went off line");
        } else if (!is_online_ && change.is_online) {
            if (change.session <= session_) {
                complain(change, "on line again in a session that is not younger");
            }
            begin(change);
        } else if (is_online_ && !change.is_online && session_ != change.session) {
            complain(change, "off line in another session than it was on line");
        } else if (!is_online_ && !change.is_online && session_ != change.session) {
            complain(change, "off line, and never was on line");
        }
    }

    void leave(const MemberChange& change) {
        if (!is_member_) {
            complain(change, "left, and was not in it");
        } else if (!change.is_end) {
            // Who is out with its session was on its way out when the next one began.
            require_all(change,
                        is_online_ ? std::min(change.order, end_of(session_)) : change.order);
        }
    }

    [[nodiscard]] std::uint64_t end_of(SessionId session) const {
        const auto found = std::ranges::find(sessions_, session, &Session::id);
        return found == sessions_.end() ? 0 : found->ended;
    }

    void begin(const MemberChange& change) {
        session_ = change.session;
        const auto found = std::ranges::find(sessions_, change.session, &Session::id);
        if (found == sessions_.end() || found->began > change.order) {
            complain(change, "on line in a session that has not begun");
            return;
        }
        require_all(change, found->began);
        shown_.insert(change.session);
    }

    // What began after it joined, and was over before `end`, must have been shown.
    void require_all(const MemberChange& change, std::uint64_t end) {
        for (const Session& session : sessions_) {
            if (joined_ < session.began && session.ended < end && !shown_.contains(session.id)) {
                complain(change, fmt::format("session {} was never shown", session.id.value));
            }
        }
    }

    const History& history_;
    const std::vector<Session>& sessions_;
    Breaches& out_;
    bool is_member_ = false;
    bool is_online_ = false;
    SessionId session_;
    std::uint64_t joined_ = 0;
    std::set<SessionId> shown_;
};

}  // namespace

void check_presence(const History& history, Breaches& out) {
    const Sessions sessions = check_sessions(history, out);
    static const std::vector<Session> none;
    std::map<std::pair<QueueIndex, UserIndex>, Standing> standings;
    std::map<std::tuple<QueueIndex, Cursor, UserIndex>, const MemberChange*> decided;
    for (const MemberChange& change : history.member_changes) {
        const auto known = sessions.find(change.user);
        standings
            .try_emplace({change.queue, change.user}, history,
                         known == sessions.end() ? none : known->second, out)
            .first->second.take(change);
        if (!change.is_end) {
            decided.emplace(std::tuple{change.queue, change.at, change.user}, &change);
        }
    }
    for (const MemberShown& shown : history.members_shown) {
        const auto found = decided.find({shown.queue, shown.at, shown.user});
        if (found == decided.end() || found->second->is_member != shown.is_member ||
            found->second->is_online != shown.is_online) {
            out.push_back(fmt::format(
                "PRESENCE {} of {} at ({},{}) is shown {}, which was not decided",
                history.user_names.at(shown.user), history.queue_names.at(shown.queue),
                shown.at.inc.value, shown.at.seq,
                !shown.is_member ? "gone" : (shown.is_online ? "on line" : "off line")));
        }
    }
}

namespace {

void check_users(const History& history, Breaches& out) {
    for (const Ending::User& user : history.ending.users) {
        const std::string& name = history.user_names.at(user.user);
        std::size_t online = 0;
        std::size_t wanting = 0;
        for (const auto& client : history.ending.clients) {
            if (client.user == user.user && !client.is_superseded) {
                online += client.is_online ? 1 : 0;
                ++wanting;
            }
        }
        if (user.connection_count != online) {
            out.push_back(fmt::format("MEMBERS {} has {} connections, of {} clients", name,
                                      user.connection_count, online));
        }
        if (wanting == 0 && user.session.value != 0) {
            out.push_back(fmt::format("MEMBERS {} has a session and no client", name));
        }
        for (const auto& joined : user.joined) {
            const auto queue =
                std::ranges::find(history.ending.queues, joined.queue, &Ending::Queue::queue);
            if (joined.inc.value == 0) {
                out.push_back(fmt::format("MEMBERS {} joins {} for ever", name,
                                          history.queue_names.at(joined.queue)));
            } else if (queue == history.ending.queues.end() || queue->at.inc != joined.inc ||
                       std::ranges::find(queue->members, user.user, &Ending::Member::user) ==
                           queue->members.end()) {
                out.push_back(fmt::format("MEMBERS {} believes that it is in {} ({})", name,
                                          history.queue_names.at(joined.queue), joined.inc.value));
            }
        }
    }
}

void check_member(const History& history, const Ending::Queue& queue, const Ending::Member& member,
                  Breaches& out) {
    const auto complain = [&](std::string_view what) {
        out.push_back(fmt::format("MEMBERS {} is in {} {}", history.user_names.at(member.user),
                                  history.queue_names.at(queue.queue), what));
    };
    const auto user = std::ranges::find(history.ending.users, member.user, &Ending::User::user);
    if (user == history.ending.users.end()) {
        complain("and unknown");
        return;
    }
    if (!member.by_server && user->session.value == 0) {
        complain("without a session");
    }
    if (member.is_online != (user->session.value != 0) ||
        (member.is_online && member.session != user->session)) {
        complain(member.is_online ? "on line, in another session than its own"
                                  : "off line, but has a session");
    }
    const bool is_noted = std::ranges::any_of(user->joined, [&](const auto& joined) {
        return joined.queue == queue.queue && joined.inc == queue.at.inc;
    });
    if (!is_noted) {
        complain("and its user queue does not know");
    }
}

}  // namespace

void check_members(const History& history, Breaches& out) {
    check_users(history, out);
    for (const Ending::Queue& queue : history.ending.queues) {
        for (const Ending::Member& member : queue.members) {
            check_member(history, queue, member, out);
        }
        for (const auto& client : history.ending.clients) {
            if (!client.is_online || client.is_superseded) {
                continue;
            }
            const bool is_member = std::ranges::find(queue.members, client.user,
                                                     &Ending::Member::user) != queue.members.end();
            const bool believes =
                std::ranges::find(client.member_of, queue.queue) != client.member_of.end();
            if (is_member != believes) {
                out.push_back(
                    fmt::format("MEMBERS {} believes that it is {} {}, and is {}",
                                history.life_name(client.life), believes ? "in" : "not in",
                                history.queue_names.at(queue.queue), is_member ? "in it" : "not"));
            }
        }
        std::vector<Ending::Presence> members;
        for (const Ending::Member& member : queue.members) {
            members.push_back({member.user, member.is_online});
        }
        for (const auto& reader : history.ending.readers) {
            if (reader.queue == queue.queue &&
                !std::ranges::is_permutation(reader.members, members)) {
                out.push_back(fmt::format("MEMBERS {} has {} members of {}, the owner {}",
                                          history.life_name(reader.life), reader.members.size(),
                                          history.queue_names.at(queue.queue), members.size()));
            }
        }
    }
}

}  // namespace muster::sim
