#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/wire/frames.h"

/// The JSON form of the client protocol (subprotocol `muster.v1.json`): one object a text frame.
///
/// SURFACES.md section 1 shows each frame. What it leaves open is settled here, both ways:
/// - What is absent or empty is left out: `from` of the server's own messages, `token`, `set`,
///   `del`, `message` and so on. `joined` and `reset` always carry `mounts`, `members` and `who`,
///   `joined` its `resume` too, so that a script may reach into them without a test.
/// - A payload that is JSON stands under `d` as the bytes that came in. Other bytes stand in base64
///   (RFC 4648 section 4, padded) under `b` in its place. In the maps of state mounts such keys
///   stand in a map of their own beside the first: `setb` beside `set`, `valueb` beside `value`. So
///   a state or a change holds first its JSON values, then its bytes, then what was deleted; values
///   that are written in another order are read back in this one.
/// - `resume` in `joined` says per mount `fresh`, `replayed 2`, `snapshot` or `gap 23..31`.
/// - `outcome` in `err` is `unknown` for gone and expired, `rejected` for every other code. A code
///   that this version has not registered is read as its frame's default (`err` with the outcome
///   `unknown`: expired).
/// - Integers reach from 0 (`n` and `try`: from 1) to 2^53, times also below 0.
/// - Fields that we do not know are ignored (at most 32 a frame); one that stands twice is refused.
namespace muster::wire {

/// Reads a frame from a client into `out`, which is cleared first. The views in it point into
/// `text` and, where text was escaped or base64, into `scratch`, which is overwritten.
///
/// An op that only servers, nodes or admins send gives server_only, one that nobody knows unknown;
/// then `request` is all that is filled in. Whether a frame has the fields that its op needs is for
/// the caller to see. After an error `out` holds what was read so far.
/// Cost:   about 300 ns for a send of 150 bytes; no allocation without escapes.
/// Errors: protocol (rows 37, 39, 41, 42), whose detail names field or byte offset; bad_utf8.
[[nodiscard]] Result<void> parse_client_frame(std::string_view text, std::string& scratch,
                                              ClientFrame& out);

/// Appends what a client sends. `frame.op` must be neither server_only nor unknown.
void append_client_frame(std::string& out, const ClientFrame& frame);

/// Reads a frame from a server. Views as above; `info` of members is the object as it stands.
/// Errors: protocol, bad_utf8 as above; unsupported for an op that this version does not know.
[[nodiscard]] Result<ServerFrame> parse_server_frame(std::string_view text, std::string& scratch);

/// Appends what a server sends. All codes in it must be registered.
void append_server_frame(std::string& out, const ServerFrame& frame);

/// The same for one kind of frame.
void append_frame(std::string& out, const HelloFrame& frame);
void append_frame(std::string& out, const JoinedFrame& frame);
void append_frame(std::string& out, const ResetFrame& frame);
void append_frame(std::string& out, const MsgFrame& frame);
void append_frame(std::string& out, const StateFrame& frame);
void append_frame(std::string& out, const MembersFrame& frame);
void append_frame(std::string& out, const MountChangeFrame& frame);
void append_frame(std::string& out, const OkFrame& frame);
void append_frame(std::string& out, const ErrFrame& frame);
void append_frame(std::string& out, const RetryFrame& frame);
void append_frame(std::string& out, const RefusedFrame& frame);
void append_frame(std::string& out, const GapFrame& frame);
void append_frame(std::string& out, const StalledFrame& frame);
void append_frame(std::string& out, const LeftFrame& frame);
void append_frame(std::string& out, const ByeFrame& frame);
void append_frame(std::string& out, const HistoryFrame& frame);
void append_frame(std::string& out, const PingFrame& frame);
void append_frame(std::string& out, const PongFrame& frame);

}  // namespace muster::wire
