#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/wire/frames.h"

/// The binary form of the client protocol (subprotocol `muster.v1.proto`, and plain TCP): one
/// ClientFrame or ServerFrame of proto/muster/client.proto a message.
///
/// It is read and written by hand, because the structs of frames.h are views and the generated
/// classes copy; tests and a fuzz target hold the two against each other. What the schema leaves
/// open is settled as in JSON:
/// - A field that may stand once and stands twice is refused, a second body among them.
/// - Integers reach from 0 (`n` and `try`: from 1) to 2^53, times also below 0.
/// - A payload in `json` must be one JSON value, as deep as it may be in a JSON frame; `info` of a
///   member an object. `data` with neither `json` nor `bytes` is refused.
/// - Fields that we do not know are ignored, at any number.
namespace muster::wire::proto {

/// Reads a frame from a client into `out`, which is cleared first. The views in it point into
/// `bytes`.
///
/// A body that only servers send gives server_only, none that we know unknown; then `request` is
/// all that is filled in. Whether a frame has the fields that its op needs is for the caller to
/// see. After an error `out` holds what was read so far.
/// Cost:   about 230 ns for a send of 100 bytes, a third of it to check its JSON; no allocation.
/// Errors: protocol (rows 37, 39, 41, 42), whose detail names the field; bad_utf8.
[[nodiscard]] Result<void> parse_client_frame(std::string_view bytes, ClientFrame& out);

/// Appends what a client sends, with those fields that the schema has for its op. `frame.op` must
/// be neither server_only nor unknown.
void append_client_frame(std::string& out, const ClientFrame& frame);

/// Reads a frame from a server. Views as above.
/// Errors: protocol, bad_utf8 as above; unsupported for a body that this version does not know. A
/// code that is not registered here is read as its frame's default, as in JSON.
[[nodiscard]] Result<ServerFrame> parse_server_frame(std::string_view bytes);

/// Appends what a server sends. All text in it must be UTF-8; a detail that is not is left out.
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

}  // namespace muster::wire::proto
