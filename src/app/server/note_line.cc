#include "app/server/note_line.h"

#include <string_view>

namespace muster::server {
namespace {

struct NoteLine {
    observe::LogEvent event;
    std::string_view text;
};

NoteLine line_of(gateway::Note::Kind kind) {
    using Kind = gateway::Note::Kind;
    using observe::LogEvent;
    switch (kind) {
        case Kind::login_refused: return {LogEvent::login_refused, "A sign-in was refused"};
        case Kind::put_off: return {LogEvent::overload, "A client was asked to come back later"};
        case Kind::abuse: return {LogEvent::abuse, "A client was closed for abuse"};
        case Kind::slow: return {LogEvent::slow_client, "A client was closed as too slow"};
        case Kind::origin_refused:
            return {LogEvent::origin_refused, "A web page of a foreign origin was refused"};
        case Kind::second_address:
            return {LogEvent::resume_conflict, "A client came from a second address"};
    }
    return {LogEvent::abuse, "A client did something that has no name"};
}

}  // namespace

void write_note(observe::LogWriter& log, const ShardNote& noted) {
    const NoteLine line = line_of(noted.note.kind);
    if (noted.note.user.text().empty()) {
        log.write(line.event, line.text, {{"peer", noted.peer}, {"detail", noted.note.detail}});
    } else {
        log.write(line.event, line.text,
                  {{"user", noted.note.user.text()},
                   {"peer", noted.peer},
                   {"detail", noted.note.detail}});
    }
}

}  // namespace muster::server
