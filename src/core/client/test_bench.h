#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "core/client/client.h"
#include "core/client/messages.h"
#include "core/wire/frames.h"

/// For tests only.
namespace muster::client {

/// One Client driven by hand: set the clock, feed events, read the outbox of the last step.
class Bench {
public:
    explicit Bench(Settings settings = {.server_count = 1, .user = "alice"}, std::uint64_t seed = 1)
        : client(std::move(settings)), rng(seed) {}

    Client client;
    Instant now{std::chrono::seconds{100}};
    WallTime wall{1'790'000'000'000};
    Rng rng;
    Outbox outbox;

    void step(const Event& event) {
        outbox.clear();
        Context ctx{now, wall, rng, outbox};
        client.step(event, ctx);
        if (const auto opened = all<OpenSocket>(); !opened.empty()) {
            socket_ = opened.back()->socket;
            picked_server_ = opened.back()->server_index;
        }
    }

    /// Feeds a frame. It stays alive, as the outbox may point into it.
    void receive(wire::ServerFrame frame) {
        frames_.push_back(std::move(frame));
        step(FrameReceived{socket_, &frames_.back()});
    }

    void pass(Duration duration) {
        now += duration;
        step(TimePassed{});
    }

    /// Lets time pass until the machine opens a socket, or gives up after an hour.
    void wait_for_socket() {
        const Instant end = now + std::chrono::hours{1};
        while (client.state() != Client::State::connecting && now < end) {
            const auto wake = client.wake_at();
            now = wake ? std::max(now, *wake) : end;
            step(TimePassed{});
        }
    }

    /// Opens the awaited socket and signs in. `last_hello()` is what the client said.
    void sign_in(wire::HelloFrame hello) {
        step(SocketOpened{socket_});
        if (const auto* said = sent(wire::ClientOp::hello)) {
            last_hello_ = Said{*said};
        }
        receive(hello);
    }
    void sign_in() { sign_in(hello()); }

    void go_online() {
        step(Start{HashKey{1, 2}});
        sign_in();
    }

    void cut(std::uint16_t close_code = 0) {
        step(SocketClosed{.socket = socket_, .close_code = close_code});
    }

    /// After a cut: everything up to and including the next `hello`.
    void come_back() {
        wait_for_socket();
        sign_in();
    }

    [[nodiscard]] static wire::HelloFrame hello() {
        wire::HelloFrame frame;
        frame.user = "alice";
        frame.session = SessionId{82};
        frame.resume = "resume-token";
        frame.cid = "cid-1";
        return frame;
    }

    /// What a hello said, kept: the frame itself lives for one step.
    struct Said {
        Said() = default;
        explicit Said(const wire::ClientFrame& frame)
            : token(frame.token),
              user(frame.user),
              nonce(frame.nonce),
              resume(frame.resume),
              cid(frame.cid),
              attempt_number(frame.attempt_number),
              resolve(frame.resolve) {
            for (const wire::Since& one : frame.since) {
                since.emplace_back(one.queue, one.cursor);
            }
        }
        std::string token;
        std::string user;
        std::string nonce;
        std::string resume;
        std::string cid;
        std::uint64_t attempt_number = 0;
        bool resolve = false;
        std::vector<std::pair<std::string, Cursor>> since;
    };
    [[nodiscard]] const Said& last_hello() const { return last_hello_; }

    OpId submit(std::string_view queue, Request request, std::optional<Duration> ttl = {}) {
        const OpId id{++last_id_};
        step(Submit{id, QueueName{queue}, std::move(request), ttl});
        return id;
    }

    /// Joins `queue` at `at` and lets the server say yes.
    void join(std::string_view queue, Cursor at) {
        submit(queue, Join{});
        receive(joined(queue, at, sent(wire::ClientOp::join)->request));
    }

    [[nodiscard]] static wire::JoinedFrame joined(std::string_view queue, Cursor at,
                                                  std::optional<std::uint64_t> request = {}) {
        wire::JoinedFrame frame;
        frame.request = request;
        frame.queue = queue;
        frame.member = true;
        frame.at = at;
        return frame;
    }

    [[nodiscard]] static wire::MsgFrame message(std::string_view queue, Seq seq) {
        wire::MsgFrame frame;
        frame.queue = queue;
        frame.mount = "chat";
        frame.seq = seq;
        frame.from = "bob";
        frame.data = {.bytes = R"({"text":"hi"})"};
        return frame;
    }

    [[nodiscard]] static wire::ErrFrame err(std::optional<std::uint64_t> request, ErrorCode code) {
        wire::ErrFrame frame;
        frame.request = request;
        frame.code = code;
        return frame;
    }

    // ---- The outbox of the last step ----

    template <typename T>
    [[nodiscard]] std::vector<const T*> all() const {
        std::vector<const T*> found;
        for (const Action& action : outbox) {
            if (const auto* one = std::get_if<T>(&action)) {
                found.push_back(one);
            }
        }
        return found;
    }

    template <typename T>
    [[nodiscard]] const T* only() const {
        const auto found = all<T>();
        return found.size() == 1 ? found.front() : nullptr;
    }

    /// Returns the frames of one kind that were sent, in order.
    [[nodiscard]] std::vector<const wire::ClientFrame*> all_sent(wire::ClientOp op) const {
        std::vector<const wire::ClientFrame*> found;
        for (const auto* action : all<SendFrame>()) {
            if (action->frame.op == op) {
                found.push_back(&action->frame);
            }
        }
        return found;
    }
    [[nodiscard]] const wire::ClientFrame* sent(wire::ClientOp op) const {
        const auto found = all_sent(op);
        return found.size() == 1 ? found.front() : nullptr;
    }

    [[nodiscard]] const Verdict* verdict() const { return only<Verdict>(); }

    template <typename Frame>
    [[nodiscard]] const Frame* delivered() const {
        const auto* action = only<Deliver>();
        return action == nullptr ? nullptr : std::get_if<Frame>(action->frame);
    }

    [[nodiscard]] SocketId socket() const { return socket_; }
    /// Of the last attempt.
    [[nodiscard]] std::size_t picked_server() const { return picked_server_; }

private:
    std::deque<wire::ServerFrame> frames_;
    SocketId socket_;
    std::size_t picked_server_ = 0;
    Said last_hello_;
    std::uint64_t last_id_ = 0;
};

inline Request say(std::string_view text = R"({"text":"hi"})") {
    return Send{MountName{"chat"}, Payload{text}};
}

inline Request put(std::string_view key, std::string_view value,
                   std::optional<Seq> if_seq = std::nullopt) {
    return Set{MountName{"scores"}, Key{key}, Payload{value}, if_seq};
}

}  // namespace muster::client
