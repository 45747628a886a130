#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "core/wire/frames.h"
#include "core/wire/json_frames.h"

/// For tests only.
namespace muster::client {

/// One queue of one server with its gateway, as simple as GUARANTEES.md 5.1 can be put: it decides
/// the ops of one user's clients and remembers what it decided. Frames go in and out as JSON.
class FakeServer {
public:
    /// What the server does with the next op instead of deciding it.
    enum class Mood { fair, hole, retry, busy, refuse, silent, reject };
    Mood mood = Mood::fair;

    /// Returns how often the op with this body was applied, in all histories together.
    [[nodiscard]] int applied_count(std::string_view body) const {
        const auto found = applied_.find(body);
        return found == applied_.end() ? 0 : found->second;
    }

    /// Takes one frame; answers go to `out`. A frame of a connection that is gone has no answers.
    void receive(std::string_view text, std::vector<std::string>& out) {
        wire::ClientFrame frame;
        std::string scratch;
        if (!wire::parse_client_frame(text, scratch, frame)) {
            ++broken_frames;
            return;
        }
        using enum wire::ClientOp;
        switch (frame.op) {
            case hello: welcome(frame, out); break;
            case join:
            case leave:
            case send:
            case set:
            case withdraw: take_op(frame, out); break;
            case ping: say(wire::PongFrame{}, out); break;
            default: break;
        }
    }

    /// The connection is gone.
    void cut() { is_followed_ = false; }

    /// The queue's history ends and a new one begins; a listener is told.
    void lose_history(std::vector<std::string>& out) {
        at_ = Cursor{Inc{at_.inc.value + 1}, 0};
        records_.clear();
        is_member_ = false;
        if (is_followed_) {
            wire::ResetFrame reset;
            reset.queue = queue_name;
            reset.at = at_;
            reset.why = "gone";
            say(reset, out);
        }
    }

    /// The dedup records get too old.
    void forget_clients() { records_.clear(); }

    static constexpr std::string_view queue_name = "/room/1";
    int broken_frames = 0;

private:
    struct Record {
        OpNumber highest = 0;
        std::map<OpNumber, std::string> results;  // The answer without its `i`.
    };
    struct Decision {
        wire::ServerFrame frame;
        bool is_final = true;
    };

    static void say(const wire::ServerFrame& frame, std::vector<std::string>& out) {
        wire::append_server_frame(out.emplace_back(), frame);
    }

    void welcome(const wire::ClientFrame& frame, std::vector<std::string>& out) {
        // The same nonce makes the same cid, as the keyed hash of the real one does.
        cid_ = frame.resume.empty() ? "cid-of-" + std::string{frame.nonce} : std::string{frame.cid};
        is_resolving_ = frame.resolve;
        wire::HelloFrame hello;
        hello.user = "alice";
        hello.session = SessionId{1};
        hello.cid = cid_;
        hello.resume = frame.resolve ? "" : "resume";
        say(hello, out);
        is_followed_ = false;
        if (frame.resolve) {
            return;
        }
        for (const wire::Since& since : frame.since) {
            if (since.queue == queue_name) {
                follow(std::nullopt, since.cursor, out);
            }
        }
        if (is_member_ && !is_followed_) {
            follow(std::nullopt, std::nullopt, out);
        }
    }

    void follow(std::optional<std::uint64_t> request, std::optional<Cursor> since,
                std::vector<std::string>& out) {
        is_followed_ = true;
        if (since && (since->inc != at_.inc || since->seq > at_.seq)) {
            wire::ResetFrame reset;
            reset.queue = queue_name;
            reset.at = at_;
            reset.why = "gone";
            say(reset, out);
        }
        wire::JoinedFrame joined;
        joined.request = request;
        joined.queue = queue_name;
        joined.member = is_member_;
        joined.at = at_;
        say(joined, out);
    }

    void take_op(const wire::ClientFrame& frame, std::vector<std::string>& out) {
        const Mood now = std::exchange(mood, Mood::fair);
        if (now == Mood::silent) {
            return;
        }
        if (now == Mood::refuse && frame.attempt == 1) {
            wire::RefusedFrame refused;
            refused.request = frame.request;
            say(refused, out);
            return;
        }
        is_rejecting_ = now == Mood::reject;
        if (now == Mood::hole || now == Mood::retry || now == Mood::busy) {
            wire::RetryFrame retry;
            retry.request = frame.request;
            retry.code = now == Mood::hole    ? ErrorCode::hole
                         : now == Mood::retry ? ErrorCode::retry
                                              : ErrorCode::busy;
            say(retry, out);
            return;
        }
        decide(frame, out);
    }

    void decide(const wire::ClientFrame& frame, std::vector<std::string>& out) {
        const bool names_inc = frame.inc->value != 0;
        if (names_inc && *frame.inc != at_.inc) {
            return err(frame, ErrorCode::gone, out);
        }
        Record* record = nullptr;
        if (const auto found = records_.find(cid_); found != records_.end()) {
            record = &found->second;
        }
        if (record == nullptr) {
            if (*frame.number != 1) {
                return err(frame, ErrorCode::expired, out);
            }
            record = &records_[cid_];
        }
        if (*frame.number <= record->highest) {
            return repeat(*record, frame, out);
        }
        if (*frame.number != record->highest + 1) {
            wire::RetryFrame hole;
            hole.request = frame.request;
            hole.code = ErrorCode::hole;
            return say(hole, out);
        }
        ++record->highest;
        record->results[record->highest] = apply(frame, out);
    }

    // Returns what is to be answered when the op comes again: "ok", or an error's label.
    std::string apply(const wire::ClientFrame& frame, std::vector<std::string>& out) {
        using enum wire::ClientOp;
        if (frame.op == withdraw) {
            err(frame, ErrorCode::withdrawn, out);
            return "M2006";
        }
        if (is_rejecting_) {
            err(frame, ErrorCode::forbidden, out);
            return "M2004";
        }
        if (frame.op == join) {
            if (!is_member_) {
                is_member_ = true;
                ++at_.seq;
            }
            follow(frame.request, frame.cursor, out);
            return "ok";
        }
        if (!is_member_) {
            err(frame, ErrorCode::not_member, out);
            return "M2003";
        }
        ++at_.seq;
        if (frame.op == leave) {
            is_member_ = false;
            is_followed_ = false;
        } else {
            const std::string body{frame.data->bytes};
            ++applied_[body];
            if (is_followed_) {
                wire::MsgFrame event;
                event.queue = queue_name;
                event.mount = "chat";
                event.seq = at_.seq;
                event.data = {body};
                say(event, out);
            }
        }
        ok(frame, out);
        return "ok";
    }

    void repeat(const Record& record, const wire::ClientFrame& frame,
                std::vector<std::string>& out) {
        const std::string& result = record.results.at(*frame.number);
        if (result != "ok") {
            return err(frame, find_error(result)->code, out);
        }
        if (frame.op == wire::ClientOp::join) {
            return follow(frame.request, frame.cursor, out);
        }
        ok(frame, out);
    }

    void ok(const wire::ClientFrame& frame, std::vector<std::string>& out) const {
        wire::OkFrame answer;
        answer.request = frame.request;
        answer.seq = at_.seq;
        say(answer, out);
    }

    static void err(const wire::ClientFrame& frame, ErrorCode code, std::vector<std::string>& out) {
        wire::ErrFrame answer;
        answer.request = frame.request;
        answer.code = code;
        say(answer, out);
    }

    Cursor at_{Inc{7}, 0};
    bool is_member_ = false;
    bool is_followed_ = false;  // By the one connection that there is.
    bool is_resolving_ = false;
    bool is_rejecting_ = false;
    std::string cid_;
    std::map<std::string, Record> records_;
    std::map<std::string, int, std::less<>> applied_;
};

}  // namespace muster::client
