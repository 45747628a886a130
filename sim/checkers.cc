#include "sim/checkers.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace muster::sim {
namespace {

using Place = std::pair<QueueIndex, Cursor>;
using Stream = std::pair<LifeIndex, QueueIndex>;

std::string text(const History& history, QueueIndex queue, Cursor at) {
    return fmt::format("{} ({},{})", history.queue_names.at(queue), at.inc.value, at.seq);
}

// Returns the reads of each reader of each queue, in order.
std::map<Stream, std::vector<const Read*>> streams_of(const History& history) {
    std::map<Stream, std::vector<const Read*>> streams;
    for (const Read& read : history.reads) {
        streams[{read.life, read.queue}].push_back(&read);
    }
    return streams;
}

// Where each request took effect.
std::map<RequestRef, std::vector<const Applied*>> effects_of(const History& history) {
    std::map<RequestRef, std::vector<const Applied*>> effects;
    for (const Applied& applied : history.applied) {
        if (applied.ref != 0) {
            effects[applied.ref].push_back(&applied);
        }
    }
    return effects;
}

bool is_told_by_effects(const Asked& asked) { return asked.kind != Asked::Kind::other; }

}  // namespace

void check_one_history(const History& history, Breaches& out) {
    std::map<Place, std::uint64_t> content;
    for (const Shown& shown : history.shown) {
        const auto [known, is_new] = content.emplace(Place{shown.queue, shown.at}, shown.hash);
        if (!is_new && known->second != shown.hash) {
            out.push_back(
                fmt::format("I1 {} has two contents", text(history, shown.queue, shown.at)));
        }
    }
}

void check_no_gap(const History& history, Breaches& out) {
    for (const auto& [stream, reads] : streams_of(history)) {
        Cursor cursor;
        const auto complain = [&](const Read& read, std::string_view what) {
            out.push_back(fmt::format("I2 {} at {} {} ({},{}) after {}",
                                      history.life_name(stream.first),
                                      text(history, read.queue, cursor), what, read.at.inc.value,
                                      read.at.seq, read.prev));
        };
        for (const Read* read : reads) {
            switch (read->kind) {
                case Read::Kind::joined:
                case Read::Kind::reset:
                    if (read->at < cursor && !read->is_unknown && read->at.inc.value != 0) {
                        complain(*read, "is stepped back to");
                    }
                    cursor = read->at;
                    break;
                case Read::Kind::event:
                    if (read->at.seq <= cursor.seq) {
                        complain(*read, "gets an old event");
                    } else if (read->prev > cursor.seq) {
                        complain(*read, "gets an event that follows another place");
                    }
                    cursor.seq = read->at.seq;
                    break;
                case Read::Kind::gap:
                case Read::Kind::parted: break;
            }
        }
    }
}

void check_once(const History& history, Breaches& out) {
    for (const auto& [ref, effects] : effects_of(history)) {
        if (effects.size() > 1) {
            out.push_back(fmt::format("I3 request {} took effect {} times, at {} and {}", ref,
                                      effects.size(),
                                      text(history, effects[0]->queue, effects[0]->at),
                                      text(history, effects[1]->queue, effects[1]->at)));
        }
    }
}

void check_acked_is_kept(const History& history, Breaches& out) {
    // An OK names a place; the histories that are alive at the end must have come that far, and the
    // effect must stand there.
    std::map<QueueIndex, Cursor> ends;
    for (const auto& queue : history.ending.queues) {
        ends[queue.queue] = queue.at;
    }
    const auto effects = effects_of(history);
    for (const Asked& asked : history.asked) {
        if (asked.verdict_count == 0 || asked.outcome != client::Outcome::ok ||
            asked.told.inc.value == 0 || asked.told.seq == 0) {
            continue;
        }
        const auto end = ends.find(asked.queue);
        if (end != ends.end() && end->second.inc == asked.told.inc &&
            end->second.seq < asked.told.seq) {
            out.push_back(fmt::format("I4 request {} was OK at {}, but the queue ends before",
                                      asked.ref, text(history, asked.queue, asked.told)));
        }
        const auto found = effects.find(asked.ref);
        if (is_told_by_effects(asked) && found != effects.end() &&
            found->second.front()->at != asked.told) {
            out.push_back(fmt::format("I4 request {} was OK at {}, but took effect at {}",
                                      asked.ref, text(history, asked.queue, asked.told),
                                      text(history, asked.queue, found->second.front()->at)));
        }
    }
}

void check_verdicts(const History& history, Breaches& out) {
    const auto effects = effects_of(history);
    for (const Asked& asked : history.asked) {
        if (asked.verdict_count > 1) {
            out.push_back(
                fmt::format("I5 request {} got {} verdicts", asked.ref, asked.verdict_count));
        }
        if (asked.verdict_count == 0 && !history.is_life_over.at(asked.life)) {
            out.push_back(fmt::format("I5 request {} of {} got no verdict", asked.ref,
                                      history.life_name(asked.life)));
        }
        if (asked.verdict_count == 0 || !is_told_by_effects(asked)) {
            continue;
        }
        const bool has_effect = effects.contains(asked.ref);
        const bool is_ok = asked.outcome == client::Outcome::ok;
        const bool is_no = asked.outcome == client::Outcome::rejected ||
                           asked.outcome == client::Outcome::not_sent;
        if (is_ok && !has_effect) {
            out.push_back(fmt::format("I5 request {} was OK, but had no effect", asked.ref));
        } else if (is_no && has_effect) {
            out.push_back(fmt::format(
                "I5 request {} was refused ({}), but took effect at {}", asked.ref,
                label(asked.code), text(history, asked.queue, effects.at(asked.ref).front()->at)));
        } else if (asked.outcome == client::Outcome::unknown && asked.code != ErrorCode::gone) {
            out.push_back(
                fmt::format("I5 request {} ended {} within T_dedup", asked.ref, label(asked.code)));
        }
    }
}

void check_fold(const History& history, Breaches& out) {
    std::map<Place, std::uint64_t> states;
    for (const Snapshot& snapshot : history.snapshots) {
        const auto [known, is_new] =
            states.emplace(Place{snapshot.queue, snapshot.at}, snapshot.hash);
        if (!is_new && known->second != snapshot.hash) {
            out.push_back(fmt::format("I6 {} has two states (the last by {})",
                                      text(history, snapshot.queue, snapshot.at),
                                      static_cast<int>(snapshot.by)));
        }
    }
}

void check_dead_is_dead(const History& history, Breaches& out) {
    std::map<QueueIndex, Inc> youngest;
    for (const Emitted& emitted : history.emitted) {
        Inc& inc = youngest[emitted.queue];
        if (emitted.inc < inc) {
            out.push_back(fmt::format("I7 {} of inc {} still speaks after {}",
                                      history.queue_names.at(emitted.queue), emitted.inc.value,
                                      inc.value));
        }
        inc = std::max(inc, emitted.inc);
    }
}

void check_one_winner(const History& history, Breaches& out) {
    std::map<std::pair<UserIndex, Cep>, ConnectionRef> owners;
    std::map<std::pair<UserIndex, std::uint8_t>, Cep> newest;  // In each slot.
    std::map<std::tuple<UserIndex, SessionId, Cid>, std::uint64_t> attempts;
    for (const Attached& attached : history.attached) {
        const auto [known, is_new] =
            owners.emplace(std::pair{attached.user, attached.cep}, attached.connection);
        if (!is_new && known->second != attached.connection) {
            out.push_back(fmt::format("I8 one cep of {} was given to two connections",
                                      history.user_names.at(attached.user)));
        }
        Cep& cep = newest[{attached.user, attached.cep.slot()}];
        if (attached.cep < cep) {
            out.push_back(
                fmt::format("I8 a cep of {} stepped back", history.user_names.at(attached.user)));
        }
        cep = std::max(cep, attached.cep);
        if (is_new && attached.attempt != 0) {
            std::uint64_t& last = attempts[{attached.user, attached.session, attached.cid}];
            if (attached.attempt <= last) {
                out.push_back(fmt::format("I8 a late attempt of a client of {} has won",
                                          history.user_names.at(attached.user)));
            }
            last = std::max(last, attached.attempt);
        }
    }
    std::map<UserIndex, std::size_t> winners;
    std::set<UserIndex> wanting;
    std::uint64_t online = 0;
    for (const auto& client : history.ending.clients) {
        const bool is_winner = client.is_online && !client.is_superseded;
        winners[client.user] += is_winner ? 1 : 0;
        online += is_winner ? 1U : 0U;
        wanting.insert(client.user);
    }
    for (const UserIndex user : wanting) {
        if (winners[user] < 1 || winners[user] > history.connections_max) {
            out.push_back(fmt::format("I8 {} ends with {} connections", history.user_names.at(user),
                                      winners[user]));
        }
    }
    if (history.ending.connections_welcome != online) {
        out.push_back(fmt::format("I8 gateways hold {} welcome connections of {} clients",
                                  history.ending.connections_welcome, online));
    }
}

void check_fenced(const History& history, Breaches& out) {
    std::map<std::tuple<UserIndex, std::uint8_t, QueueIndex, Inc>, Cep> fences;
    auto next = history.welcomed.begin();
    for (const Applied& applied : history.applied) {
        for (; next != history.welcomed.end() && next->order < applied.order; ++next) {
            for (const auto& joined : next->joined) {
                Cep& fence = fences[{next->user, next->cep.slot(), joined.queue, joined.inc}];
                fence = std::max(fence, next->cep);
            }
        }
        const auto fence =
            fences.find({applied.user, applied.cep.slot(), applied.queue, applied.at.inc});
        if (!applied.is_server && fence != fences.end() && applied.cep < fence->second) {
            out.push_back(fmt::format("I9 {} took an op of {} with cep {} after the welcome of {}",
                                      text(history, applied.queue, applied.at),
                                      history.user_names.at(applied.user), applied.cep.counter,
                                      fence->second.counter));
        }
    }
}

void check_real_time(const History& history, Breaches& out) {
    struct Op {
        Seq seq = 0;
        const Asked* asked = nullptr;
    };
    std::map<std::pair<QueueIndex, Inc>, std::vector<Op>> queues;
    for (const Applied& applied : history.applied) {
        if (applied.ref == 0) {
            continue;
        }
        queues[{applied.queue, applied.at.inc}].push_back(
            Op{applied.at.seq, &history.asked.at(applied.ref - 1)});
    }
    for (auto& [queue, ops] : queues) {
        std::sort(ops.begin(), ops.end(), [](const Op& a, const Op& b) { return a.seq < b.seq; });
        const Asked* last_asked = nullptr;
        for (const Op& op : ops) {
            const bool is_answered =
                op.asked->verdict_count > 0 && op.asked->outcome == client::Outcome::ok;
            if (is_answered && last_asked != nullptr && op.asked->told_at < last_asked->at) {
                out.push_back(fmt::format(
                    "I10 {}: request {} was answered before {} was asked, "
                    "but comes after it",
                    history.queue_names.at(queue.first), op.asked->ref, last_asked->ref));
            }
            if (last_asked == nullptr || last_asked->at < op.asked->at) {
                last_asked = op.asked;
            }
        }
    }
}

void check_visible(const History& history, Breaches& out) {
    for (const Emitted& emitted : history.emitted) {
        const Cursor at{emitted.inc, emitted.seq};
        if (emitted.committed.inc.value != 0 && at > emitted.committed) {
            out.push_back(fmt::format("I12 {} was shown when the queue had come to {}",
                                      text(history, emitted.queue, at), emitted.committed.seq));
        }
    }
}

void check_no_silent_loss(const History& history, Breaches& out) {
    // All messages of each queue.
    std::map<std::pair<QueueIndex, Inc>, std::map<Seq, std::uint32_t>> messages;
    for (const Applied& applied : history.applied) {
        if (applied.is_message) {
            messages[{applied.queue, applied.at.inc}].emplace(applied.at.seq, applied.mount);
        }
    }
    struct Range {
        Inc inc;
        Seq from = 0;
        Seq to = 0;
    };
    for (const auto& [stream, reads] : streams_of(history)) {
        Cursor cursor;
        bool is_reading = false;
        std::vector<Range> jumps;    // What was passed over, …
        std::vector<Range> resumed;  // … and by a replay that no `joined` has ended yet.
        std::vector<std::pair<std::uint32_t, Range>> marks;
        for (const Read* read : reads) {
            switch (read->kind) {
                case Read::Kind::joined:
                    if (is_reading && read->at.inc == cursor.inc && read->at.seq > cursor.seq) {
                        resumed.push_back({cursor.inc, cursor.seq + 1, read->at.seq});
                    }
                    jumps.insert(jumps.end(), resumed.begin(), resumed.end());
                    resumed.clear();
                    cursor = read->at;
                    is_reading = true;
                    break;
                case Read::Kind::reset:
                    resumed.clear();  // It covers them.
                    cursor = read->at;
                    is_reading = cursor.inc.value != 0;
                    break;
                case Read::Kind::event:
                    if (is_reading && read->at.seq > cursor.seq + 1) {
                        (read->is_replay ? resumed : jumps)
                            .push_back({cursor.inc, cursor.seq + 1, read->at.seq - 1});
                    }
                    cursor.seq = read->at.seq;
                    break;
                case Read::Kind::gap:
                    marks.push_back({read->mount, {read->at.inc, read->from, read->to}});
                    break;
                case Read::Kind::parted: is_reading = false; break;
            }
        }
        for (const Range& jump : jumps) {
            const auto known = messages.find({stream.second, jump.inc});
            if (known == messages.end()) {
                continue;
            }
            for (auto lost = known->second.lower_bound(jump.from);
                 lost != known->second.end() && lost->first <= jump.to; ++lost) {
                const bool is_marked = std::any_of(marks.begin(), marks.end(), [&](const auto& m) {
                    return m.first == lost->second && m.second.inc == jump.inc &&
                           m.second.from <= lost->first && lost->first <= m.second.to;
                });
                if (!is_marked) {
                    out.push_back(
                        fmt::format("I14 {} was never given {}", history.life_name(stream.first),
                                    text(history, stream.second, {jump.inc, lost->first})));
                }
            }
        }
    }
}

void check_liveness(const History& history, Breaches& out) {
    std::map<QueueIndex, Cursor> ends;
    for (const auto& queue : history.ending.queues) {
        ends[queue.queue] = queue.at;
    }
    for (const auto& reader : history.ending.readers) {
        if (reader.at != ends[reader.queue]) {
            out.push_back(fmt::format(
                "LIVENESS {} ends at {}, the owner at seq {}", history.life_name(reader.life),
                text(history, reader.queue, reader.at), ends[reader.queue].seq));
        }
    }
    for (const auto& client : history.ending.clients) {
        if (client.waiting_count != 0) {
            out.push_back(fmt::format("LIVENESS {} ends with {} open requests",
                                      history.life_name(client.life), client.waiting_count));
        }
    }
}

Breaches check_all(const History& history) {
    Breaches out = history.breaches;
    for (const auto check :
         {check_one_history, check_no_gap, check_once, check_acked_is_kept, check_verdicts,
          check_fold, check_dead_is_dead, check_one_winner, check_fenced, check_real_time,
          check_visible, check_no_silent_loss, check_liveness, check_presence, check_members}) {
        check(history, out);
    }
    return out;
}

}  // namespace muster::sim
