#include "app/server/note_line.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace muster::server {
namespace {

using observe::LogEvent;
using observe::LogField;
using Kind = gateway::Note::Kind;

constexpr std::string_view put_off_text = "Clients were asked to come back later";

struct NoteLine {
    LogEvent event;
    std::string_view text;
};

NoteLine line_of(Kind kind) {
    switch (kind) {
        case Kind::login_refused: return {LogEvent::login_refused, "A sign-in was refused"};
        case Kind::put_off:
        case Kind::upgrade_put_off:
        case Kind::crowded_out: return {LogEvent::overload, put_off_text};
        case Kind::abuse: return {LogEvent::abuse, "A client was closed for abuse"};
        case Kind::slow: return {LogEvent::slow_client, "A client was closed as too slow"};
        case Kind::origin_refused:
            return {LogEvent::origin_refused, "A web page of a foreign origin was refused"};
        case Kind::second_address:
            return {LogEvent::resume_conflict, "A client came from a second address"};
    }
    return {LogEvent::abuse, "A client did something that has no name"};
}

// Returns where what is counted of this kind stands, or nothing where each has a line of its own.
std::optional<std::size_t> place_of(Kind kind) {
    switch (kind) {
        case Kind::put_off: return 0;
        case Kind::upgrade_put_off: return 1;
        case Kind::crowded_out: return 2;
        case Kind::login_refused:
        case Kind::abuse:
        case Kind::slow:
        case Kind::origin_refused:
        case Kind::second_address: break;
    }
    return std::nullopt;
}

}  // namespace

void NoteLines::take(const ShardNote& noted, Instant now) {
    const gateway::Note& note = noted.note;
    if (const auto place = place_of(note.kind)) {
        Counted& counted = counted_[*place];
        counted.count += note.count;
        counted.peer = noted.peer;
        counted.detail = note.detail;
        tell(counted, now);
        return;
    }
    std::vector<LogField> fields;
    if (!note.user.text().empty()) {
        fields.emplace_back("user", note.user.text());
    }
    fields.emplace_back("peer", noted.peer);
    if (!note.queue.text().empty()) {
        fields.emplace_back("queue", note.queue.text());
    }
    if (!note.mount.text().empty()) {
        fields.emplace_back("mount", note.mount.text());
    }
    fields.emplace_back("detail", note.detail);
    const NoteLine line = line_of(note.kind);
    write_(line.event, line.text, fields);
}

void NoteLines::take(const ShardTrouble& trouble) const {
    const LogField shard{"shard", trouble.shard.value};
    switch (trouble.kind) {
        case ShardTrouble::Kind::accept_paused:
            write_(LogEvent::accept_paused, "New connections wait",
                   std::array{shard, LogField{"reason", trouble.why}});
            break;
        case ShardTrouble::Kind::accept_resumed:
            write_(LogEvent::accept_resumed, "New connections are accepted again",
                   std::array{shard});
            break;
        case ShardTrouble::Kind::channel_full:
            write_(LogEvent::channel_full, "Another shard does not keep up",
                   std::array{shard, LogField{"count", trouble.count}});
            break;
        case ShardTrouble::Kind::late:
            write_(LogEvent::shard_late, "A shard came late",
                   std::array{shard,
                              LogField{"late_ms", trouble.late_by / std::chrono::milliseconds{1}}});
            break;
    }
}

void NoteLines::time_passed(Instant now) {
    for (Counted& counted : counted_) {
        tell(counted, now);
    }
}

void NoteLines::tell(Counted& counted, Instant now) {
    if (counted.count == 0 || now < counted.not_before) {
        return;
    }
    const std::array fields{LogField{"count", counted.count}, LogField{"peer", counted.peer},
                            LogField{"detail", counted.detail}};
    write_(LogEvent::overload, put_off_text, fields);
    counted.count = 0;
    counted.not_before = now < Instant::max() - interval ? now + interval : now;
}

}  // namespace muster::server
