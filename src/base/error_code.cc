#include "base/error_code.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <functional>
#include <limits>
#include <system_error>

#include "base/check.h"

namespace muster {
namespace {

constexpr std::uint16_t no_http = 0;
constexpr bool retryable = true;
constexpr bool not_retryable = false;

// The texts are shown as they stand here in JSON, in Markdown tables and on terminals: printable
// ASCII without quotation marks, backslashes and pipes (a test proves it).
constexpr auto registry = std::to_array<ErrorInfo>({
    {ErrorCode::protocol, "protocol", no_http, not_retryable,
     "The client said something that the protocol does not allow, so its connection was closed.",
     "The first frame was not hello, hello came twice, a frame was not valid JSON or protobuf, a "
     "field had the wrong type, or hello carried more than 64 cursors.",
     "Look at the detail text: it names the field. With an SDK, update it; a client of your own "
     "should say what docs/reference/protocol.md shows, frame by frame."},
    {ErrorCode::bad_token, "bad_token", 401, not_retryable,
     "The token was refused: it is not one that this server accepts.",
     "A wrong secret or key, another algorithm than the one configured for its kid, an unknown "
     "kid, wrong aud or iss, a missing sub, iat or exp, a lifetime above 24 hours, or the clock of "
     "the machine that signs is ahead.",
     "The detail text says which check failed. Compare the key settings with the backend that "
     "signs; `muster token` makes a token that works, to compare with."},
    {ErrorCode::token_expired, "token_expired", 401, not_retryable,
     "The token was good once, but its time is over.",
     "The client kept a token past its exp, or it did not send `auth` with a new one before the "
     "old one ended (60 s of grace).",
     "Fetch a new token from your backend and connect again. The SDKs do so when you give them a "
     "token function instead of a fixed text. If new tokens end at once, compare the clocks."},
    {ErrorCode::superseded, "superseded", no_http, not_retryable,
     "The same user is connected elsewhere, and that connection stays in place of this one.",
     "The user opened a second tab or device: the newer connection took this one's place or, where "
     "session.logins is oldest, the older one keeps it (`busy` in the reason). If it goes on in "
     "circles, two programs share one user and each of them reconnects by itself.",
     "Do not reconnect by itself: tell the user; after `busy`, try again after 40 s: a connection "
     "that died without a word is noticed only then. For several devices at once set "
     "session.logins to devices, and session.devices_max to as many as may be."},
    {ErrorCode::session_lost, "session_lost", no_http, retryable,
     "The server no longer knows this session: the user has to log in again.",
     "The node that held the session was lost, and it had no backup.",
     "Connect again with a token; the SDKs do it by themselves. Then join again the queues that "
     "the answer to hello does not bring back."},
    {ErrorCode::hello_timeout, "hello_timeout", no_http, retryable,
     "The connection was opened, but no hello came within 5 s, so it was closed.",
     "The client waits for the server to speak first, fetches its token after opening the socket, "
     "or the network is very slow.",
     "Fetch the token first, then open the socket and send hello at once. Operators: "
     "`gateway.hello_time` is how long the server waits."},
    {ErrorCode::silent, "silent", no_http, retryable,
     "Nothing was heard from the client for 35 s, so its connection was closed.",
     "The device slept or lost its network, or a client of your own does not answer ping.",
     "Connect again with the resume token: nothing is lost within 120 s. A client of your own must "
     "answer each ping with a pong."},
    {ErrorCode::drain, "drain", no_http, retryable,
     "This server is about to be stopped and asks its clients to move to another one.",
     "An operator drains or upgrades it. This is normal, not a failure.",
     "Stay connected, and after a random part of spread_ms close and connect again with the resume "
     "token. The SDKs do so unseen."},
    {ErrorCode::slow, "slow", no_http, retryable,
     "The client did not read fast enough: 64 KiB or 256 messages were waiting for it, or one was "
     "older than 10 s.",
     "A slow network, a program that is busy elsewhere, a browser tab in the background, or a "
     "queue with more traffic than this client can take.",
     "Connect again: resume replays what was missed or gives a snapshot. If it comes back, use "
     "state mounts for what is overwritten anyway, or set `slow` to drop for the mount."},
    {ErrorCode::resume_refused, "resume_refused", no_http, not_retryable,
     "The resume token was refused: the earlier connection cannot be continued.",
     "It is older than 48 hours (or twice `queue.left_client_ttl`), belongs to another user or "
     "another cid, was changed, or the "
     "cluster's secret was replaced.",
     "Forget the resume token and the cid, and log in anew. The outcome of operations that were "
     "still open is unknown to the client then (M2011)."},
    {ErrorCode::upstream, "upstream", no_http, retryable,
     "This gateway cannot reach the node that owns the queue, while others may be able to.",
     "The network between this gateway and the node is cut.",
     "Connect to another gateway with the resume token; the SDKs do so. Operators: the log of this "
     "server, and its `/readyz` on the admin port, say what it lacks."},
    {ErrorCode::unsupported, "unsupported", no_http, not_retryable,
     "The server does not know this kind of message or value; the connection stays open.",
     "The client is newer than the server, or the name of an op is misspelt.",
     "Compare the version in the answer to hello with the one that the client was written for, and "
     "update the older side."},
    {ErrorCode::framing, "framing", no_http, not_retryable,
     "The bytes on the socket break the WebSocket rules, so it was closed with 1002.",
     "Unmasked client frames, reserved bits or opcodes, a broken length, or a proxy that changes "
     "what passes through it.",
     "Use a WebSocket library instead of own framing. If one is used already, look for a proxy in "
     "between that does not know WebSocket."},
    {ErrorCode::bad_utf8, "bad_utf8", no_http, not_retryable,
     "A text frame was not valid UTF-8, or a compressed one was damaged, so the connection was "
     "closed with 1007.",
     "Bytes were sent as text: binary data, or text in another encoding. Of a compressed message: "
     "bytes that are no deflate data, or that build on an earlier message.",
     "Encode text as UTF-8. Send bytes as base64 under `b`, or with the protobuf subprotocol."},
    {ErrorCode::abuse, "abuse", no_http, not_retryable,
     "The client was cut off for its behaviour, so the connection was closed with 1008.",
     "A flood of pings, more than 128 unanswered operations of one queue, or a message that only "
     "servers may send.",
     "Look for a loop that sends without waiting. Wait for answers: 32 open operations per queue "
     "are allowed, and M2022 says when to slow down."},
    {ErrorCode::frame_too_big, "frame_too_big", 413, not_retryable,
     "One message was bigger than the server takes: 64 KiB on a client connection (also once it is "
     "inflated), 256 KiB in an HTTP body.",
     "A file or a big document was put into one message.",
     "Keep files elsewhere and send their address. What is overwritten bit by bit belongs into the "
     "keys of a state mount, each of its own. Operators: `gateway.frame_bytes_max` and "
     "`server.admin_body_bytes_max` are the limits."},
    {ErrorCode::bad_request, "bad_request", 400, not_retryable,
     "The HTTP request cannot be understood.",
     "The body is not valid JSON, a field is missing or has the wrong type, a number is out of "
     "range, or a key stands there twice.",
     "The detail text points to the place. `/openapi.json` describes every request."},
    {ErrorCode::overload, "overload", 503, retryable,
     "The server takes no new connection now: more come than it admits.",
     "Many clients connect at once after an outage, or an address or a gateway is at its limit of "
     "connections that have not logged in.",
     "Wait as long as Retry-After or retry_ms says, then try again; the SDKs do. Operators: the "
     "log's overload line says which limit it is. Too many sign in (or come) at once: "
     "`gateway.login_rate` and `gateway.resume_rate`. Too many have not signed in yet: "
     "`gateway.unknown_max` or, for bots or users behind one address, "
     "`gateway.unknown_of_address_max`. Above `gateway.max_connections` clients wait, without a "
     "line, to be accepted: raise it, or run another server for a part of the users."},
    {ErrorCode::not_connected, "not_connected", no_http, retryable,
     "There was no connection in time, so nothing was sent.",
     "The client was offline for longer than the request was allowed to wait.",
     "Send it again once the client's status is online. Given by the client libraries only."},
    {ErrorCode::client_closed, "client_closed", no_http, not_retryable,
     "The application has closed this client.",
     "A request was made after close(), or had no answer yet when it came.",
     "Make a new client. What had been sent already may have taken effect. Given by the client "
     "libraries only."},
    {ErrorCode::bad_name, "bad_name", 400, not_retryable,
     "The name of a queue, user, mount or key is not a valid one.",
     "A queue name without leading slash or with a trailing one, an empty segment, `..` or `-` as "
     "a segment, control characters, text that is not NFC, or more than 256 bytes. A user id takes "
     "1-64 of A-Z a-z 0-9 and `_.:@-`.",
     "Write it like `/room/123`. Encode ids of your own that may hold other characters, in "
     "base64url "
     "for example."},
    {ErrorCode::no_queue, "no_queue", 404, not_retryable, "There is no queue of this name.",
     "It was not created yet, was deleted, went away after its idle time, or the name is misspelt.",
     "Create it with `PUT /v1/queues/...`, or set `create` to anyone in its template so that the "
     "first join creates it. `muster queue ls` lists what is there."},
    {ErrorCode::not_member, "not_member", 403, not_retryable,
     "Only members of the queue may do this, and this user is none.",
     "The client sent before it joined, its membership ended (leave, timeout after 120 s away, "
     "kick), or it only listens.",
     "Join the queue first and wait for `joined`. To keep users in it while they are off line, let "
     "the backend join them."},
    {ErrorCode::forbidden, "forbidden", 403, not_retryable,
     "The rules of the queue do not let this caller do this.",
     "The template says so (`create`, `join`, `listen` or the mount's `write`), the key of an "
     "owner mount is another user's, or it is another user's queue.",
     "Look at the template that matches the queue (`muster queue show`), or let the backend do it "
     "through the admin API."},
    {ErrorCode::limit, "limit", 409, not_retryable,
     "A limit was reached: the next one of these is one too many.",
     "64 queues per connection, 10,000 members per queue, 32 mounts per queue, or a number set in "
     "the template or the settings.",
     "Leave or delete what is no longer needed, spread the load over more queues, or raise the "
     "limit: `gateway.queues_max`, `queue.members_max`, `queue.mounts_max`, or the template's."},
    {ErrorCode::withdrawn, "withdrawn", no_http, not_retryable,
     "The operation was taken back before the queue saw it: it never took effect.",
     "The program gave it up, or another connection of this user superseded the one that sent it.",
     "Nothing to mend. Send it again as a new operation if it is still wanted."},
    {ErrorCode::gone, "gone", 410, not_retryable,
     "The queue that this operation was meant for no longer exists; one of the same name may be "
     "there, with a new history.",
     "It was deleted, gone for being empty, or the server was restarted.",
     "Read the state again (the client gets a reset), join again, then decide whether to repeat: "
     "whether the operation took effect before the end is unknown."},
    {ErrorCode::expired, "expired", no_http, not_retryable,
     "The server no longer remembers what became of this operation: its outcome is unknown.",
     "The client was away for longer than 24 hours, or its resume token was refused (M1010). Or a "
     "client of your own began a history with another number than 1, or was one of more than 4,096 "
     "that the queue forgets.",
     "Read the state and look whether it took effect; repeat it as a new operation if not. A "
     "client "
     "of your own goes on as a new client: no resume and cid, a new nonce, numbers from 1."},
    {ErrorCode::differs, "differs", 409, not_retryable,
     "A queue or mount of this name is there already, with another definition.",
     "Two programs create it with different templates or mounts, or the template changed since.",
     "Read it with `GET /v1/queues/...` and use that definition, or delete it first, with all that "
     "it holds."},
    {ErrorCode::key_reused, "key_reused", 422, not_retryable,
     "This Idempotency-Key was used before, with another body.",
     "The key was made from too little (a counter that starts anew, the user alone), or the body "
     "holds something that changes at each try, such as the time.",
     "Draw a random key for each new request, and repeat key and body together, unchanged."},
    {ErrorCode::hole, "hole", no_http, retryable,
     "An operation came before one with a smaller number; the queue waits for that one.",
     "An earlier one was lost on its way, or a client of your own left out a number.",
     "Send again all that is still open, in order; the SDKs do. Numbers count 1, 2, 3 for each "
     "queue, without a hole."},
    {ErrorCode::retry, "retry", 503, retryable,
     "The queue cannot answer at this moment; nothing is decided yet.",
     "It is being moved to another node (at most 50 ms when planned), its node is starting, or the "
     "operation names an inc that never was.",
     "Send the same again after after_ms, under the same number or Idempotency-Key."},
    {ErrorCode::busy, "busy", 429, retryable, "Too much at once: the operation was not taken.",
     "More than 40 operations per second from one connection (80 in a burst), more than the "
     "mount's rate, 32 open operations of one queue, or a node at its limit.",
     "Wait after_ms, then send the same again. What changes many times a second belongs into a "
     "state mount, sent at a fixed rate. Operators: `gateway.op_rate`, `queue.op_window` and the "
     "mount's `rate` are the limits."},
    {ErrorCode::refused, "refused", 503, retryable,
     "This gateway did not forward the operation; on its first attempt it surely had no effect.",
     "It is full, or it has lost the node that owns the queue.",
     "Send it again, after a pause. The SDKs do so and report it only when that is certain."},
    {ErrorCode::stalled, "stalled", 503, retryable,
     "The queue stands still: what was last seen of it may be old.",
     "Its node or the coordinator cannot be reached for more than 3 s.",
     "Wait: it goes on by itself once they can be reached again. Operators: look whether the "
     "server that holds the queue still runs, and into its log."},
    {ErrorCode::no_mount, "no_mount", 404, not_retryable, "The queue has no mount of this name.",
     "The name is misspelt, or the template that matches this queue is not the one you think of.",
     "`muster queue show` lists the mounts of the queue. Add one to the template, or with "
     "`PUT .../-/mounts/NAME`."},
    {ErrorCode::wrong_kind, "wrong_kind", 409, not_retryable,
     "The mount is of the other kind: this operation does not fit it.",
     "`send` went to a state mount, or `set` to a message mount.",
     "Use `send` for message mounts (events) and `set` for state mounts (keys and values)."},
    {ErrorCode::too_big, "too_big", 413, not_retryable,
     "The message, the value, the key or a member's meta is too big: a key takes 256 bytes, "
     "anything "
     "else 16 KiB.",
     "A whole document in one key, or a template with a smaller max_bytes.",
     "Divide the value over several keys, or keep the big part elsewhere and send its address."},
    {ErrorCode::full, "full", 409, not_retryable,
     "The state is full: 1,024 keys per mount, 1 MiB per queue; or the meta and roles of its "
     "members "
     "are, at 1 MiB per queue.",
     "Keys are written and never deleted, or one queue holds what belongs into many.",
     "Delete keys that are no longer needed (`set` without a value), or spread over more queues. "
     "Operators: the mount's `keys_max` and `queue.state_bytes_max` are the limits."},
    {ErrorCode::conflict, "conflict", 412, not_retryable,
     "The key has changed since you read it, so it was not written.",
     "Two writers; the `if` or If-Match of this one names an older change.",
     "Take the newer value (`current` is its seq), work out your change again, and write with the "
     "new seq."},
    {ErrorCode::no_user, "no_user", 404, not_retryable, "Nothing is known of this user.",
     "The user has no session, no membership and no stored message here, or the id is misspelt.",
     "Muster learns of a user at the first login, join or stored message. Compare the id with the "
     "sub of the user's token."},
    {ErrorCode::user_offline, "user_offline", 409, not_retryable,
     "The user has no connection, and the message was not one to be kept.",
     "The user has left, or its connection broke and is not back yet.",
     "Send it again when the user is back, or keep it in the backend until then: this version "
     "keeps no messages for users who are away, and answers `reliable: true` with M7001."},
    {ErrorCode::callout_denied, "callout_denied", 403, not_retryable,
     "The game server was asked, and it said no (or it could not be asked, which counts as no).",
     "Its own rule; the detail text holds its code and message. Or it failed and `on_error` is "
     "deny.",
     "Look into the game server's log: it knows which rule said no, and whether it was asked at "
     "all."},
    {ErrorCode::no_store, "no_store", 501, not_retryable,
     "There is no store, so nothing durable can be kept; queues go on.",
     "A message to a user said `reliable: true`, which needs the store that this version lacks.",
     "Send it without `reliable`. It then reaches a user who is on line; for one who is not "
     "(M4004), keep it in the backend."},
    {ErrorCode::no_recording, "no_recording", no_http, not_retryable,
     "There is no such recording, or it was not said which one is meant.",
     "The path is wrong, the files cannot be read, recording was off, nothing was recorded before "
     "the end, or the files are of several shards or lives of a server.",
     "Look at the names of the .rec files: life of the server, shard, number of the segment. Name "
     "the files of one shard and one life."},
    {ErrorCode::not_a_recording, "not_a_recording", no_http, not_retryable,
     "The file is something else than a segment of a recording.",
     "Another file was named, or it was compressed or changed on the way.",
     "Name files that end in .rec as the server wrote them; unpack them first."},
    {ErrorCode::newer_recording, "newer_recording", no_http, not_retryable,
     "The recording was written by a newer Muster, in a form that this one cannot read.",
     "The recording comes from another machine, or Muster was set back to an older version.",
     "Replay it with the version that recorded it; the server's first log line names it."},
    {ErrorCode::damaged_recording, "damaged_recording", no_http, not_retryable,
     "The recording is damaged: what the file holds is not what was written.",
     "A fault of the disk or of the copying, a change by another program, or a file that was cut "
     "short though later ones follow it.",
     "The message names the file and the place; all entries before it are good. Copy the file "
     "again, or replay from a later segment."},
    {ErrorCode::segment_missing, "segment_missing", no_http, not_retryable,
     "A file between two others of the recording is missing.",
     "It was removed or not copied. The server itself removes the oldest ones only.",
     "Find the file that the message names, or replay only those that come after it."},
    {ErrorCode::bad_settings, "bad_settings", no_http, not_retryable,
     "A setting is wrong, so the server did not start or did not take the change.",
     "A misspelt key, a value without its unit, a file that is not there, or two settings that do "
     "not go together.",
     "The message names the setting and where it came from. `muster config check` tells all that "
     "is wrong at once; `muster config show --origin` tells where each value comes from."},
    {ErrorCode::cannot_listen, "cannot_listen", no_http, not_retryable,
     "The server cannot open the address that it was told to listen on.",
     "Another program (or another Muster) has the port, the address is not one of this machine, or "
     "the port is below 1024 and the user may not open it.",
     "`ss -ltnp` shows who has the port. Choose another one with `listen.client` or "
     "`listen.admin`, such as `--set listen.client=127.0.0.1:7500`."},
    {ErrorCode::no_access, "no_access", 401, not_retryable,
     "The admin API was called without a key that opens it.",
     "No Authorization header, a wrong or withdrawn key, or a client's token in place of an admin "
     "key.",
     "Send the text of `admin.key` in the server's data folder, or of a key that its settings "
     "name, as "
     "`Authorization: Bearer KEY`; `--key-file` does so. A key whose role is too weak gets M2004."},
});

constexpr bool is_ascending(std::span<const ErrorInfo> entries) {
    return std::ranges::adjacent_find(entries, std::ranges::greater_equal{}, &ErrorInfo::code) ==
           entries.end();
}
static_assert(is_ascending(registry), "each code once, the smallest first");

constexpr std::size_t label_size = 5;  // M and four digits.
using Label = std::array<char, label_size>;

constexpr auto labels = [] {
    std::array<Label, registry.size()> made{};
    for (std::size_t i = 0; i < registry.size(); ++i) {
        auto number = static_cast<unsigned>(registry[i].code);
        made[i][0] = 'M';
        for (std::size_t digit = label_size - 1; digit > 0; --digit) {
            made[i][digit] = static_cast<char>('0' + number % 10);
            number /= 10;
        }
    }
    return made;
}();

// Returns the place of `code` in the registry, or the registry's size.
std::size_t place_of(ErrorCode code) noexcept {
    const auto found = std::ranges::lower_bound(registry, code, {}, &ErrorInfo::code);
    if (found == registry.end() || found->code != code) {
        return registry.size();
    }
    return static_cast<std::size_t>(found - registry.begin());
}

}  // namespace

std::span<const ErrorInfo> error_registry() noexcept { return registry; }

const ErrorInfo& describe(ErrorCode code) noexcept {
    const std::size_t place = place_of(code);
    MUSTER_CHECK(place < registry.size());
    return registry[place];
}

std::string_view label(ErrorCode code) noexcept {
    const std::size_t place = place_of(code);
    MUSTER_CHECK(place < registry.size());
    return {labels[place].data(), label_size};
}

const ErrorInfo* find_error(std::string_view text) noexcept {
    if (text.starts_with('M') || text.starts_with('m')) {
        text.remove_prefix(1);
    }
    std::uint16_t number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (text.size() != label_size - 1 || read.ec != std::errc{} || read.ptr != end) {
        return nullptr;
    }
    const std::size_t place = place_of(static_cast<ErrorCode>(number));
    return place < registry.size() ? &registry[place] : nullptr;
}

std::optional<ErrorCode> error_code_of(std::uint32_t number) noexcept {
    if (number > std::numeric_limits<std::uint16_t>::max()) {
        return std::nullopt;
    }
    const auto code = static_cast<ErrorCode>(number);
    return place_of(code) < registry.size() ? std::optional(code) : std::nullopt;
}

}  // namespace muster
