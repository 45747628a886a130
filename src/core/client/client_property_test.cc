#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/client/client.h"
#include "core/client/test_server.h"

// A client and a server with a network between them that may lose anything at any moment.
namespace muster::client {
namespace {

using namespace std::chrono_literals;

/// Everything that can happen, chosen by numbers from outside.
class World {
public:
    World() { step(Start{HashKey{1, 2}}); }

    void act(std::uint16_t choice) {
        const std::uint16_t detail = choice / 64;
        switch (choice % 64) {
            case 0: submit(Join{}); break;
            case 1: submit(detail % 8 == 0 ? Request{Leave{}} : Request{Join{}}); break;
            case 2: step(GiveUp{OpId{detail % (last_id_ + 1)}}); break;
            case 3: cut(0); break;
            case 4: cut_late(); break;
            case 5: cut(detail % 8 == 0 ? 4004 : 0); break;
            case 6: cut(detail % 16 == 0 ? 4010 : 0); break;
            case 7: cut(detail % 16 == 0 ? 4003 : 0); break;
            case 8: step(Start{HashKey{1, 2}}); break;
            case 9: server_.mood = FakeServer::Mood::hole; break;
            case 10: server_.mood = FakeServer::Mood::retry; break;
            case 11: server_.mood = FakeServer::Mood::busy; break;
            case 12: server_.mood = FakeServer::Mood::refuse; break;
            case 13: server_.mood = FakeServer::Mood::silent; break;
            case 14:
                if (detail % 4 == 0) {
                    server_.lose_history(to_client_);
                }
                break;
            case 15:
                if (client_.waiting_count() == 0) {
                    server_.forget_clients();
                }
                break;
            case 16:
            case 17: wake(); break;
            case 18:
            case 19:
            case 20:
            case 21:
            case 22:
            case 23:
            case 24: submit_send(); break;
            case 25: server_.mood = FakeServer::Mood::reject; break;
            default: carry(); break;
        }
    }

    /// From now on nothing fails. Returns whether everything comes to rest.
    [[nodiscard]] bool heal() {
        server_.mood = FakeServer::Mood::fair;
        for (int i = 0; i < 20'000; ++i) {
            if (client_.waiting_count() == 0) {
                return true;
            }
            if (!carry()) {
                wake();
            }
        }
        return false;
    }

    void check() const {
        RC_ASSERT(server_.broken_frames == 0);
        for (std::uint64_t id = 1; id <= last_id_; ++id) {
            const auto found = verdicts_.find(id);
            RC_ASSERT(found != verdicts_.end());
            RC_ASSERT(found->second.size() == 1U);
            const auto sent = bodies_.find(id);
            if (sent == bodies_.end()) {
                continue;
            }
            const int applied = server_.applied_count(sent->second);
            RC_ASSERT(applied <= 1);
            switch (found->second.front()) {
                case Outcome::ok: RC_ASSERT(applied == 1); break;
                case Outcome::rejected:
                case Outcome::not_sent: RC_ASSERT(applied == 0); break;
                case Outcome::unknown: break;
            }
        }
        // Nothing was shown to the application twice.
        for (const auto& [body, count] : shown_) {
            RC_ASSERT(count == 1);
        }
    }

private:
    void step(const Event& event) {
        Outbox outbox;
        Context ctx{now_, WallTime{}, rng_, outbox};
        client_.step(event, ctx);
        for (const Action& action : outbox) {
            if (const auto* open = std::get_if<OpenSocket>(&action)) {
                drop_all();
                socket_ = open->socket;
                is_opening_ = true;
            } else if (std::holds_alternative<CloseSocket>(action)) {
                drop_all();
            } else if (const auto* send = std::get_if<SendFrame>(&action)) {
                wire::append_client_frame(to_server_.emplace_back(), send->frame);
            } else if (const auto* verdict = std::get_if<Verdict>(&action)) {
                verdicts_[verdict->id.value].push_back(verdict->outcome);
            } else if (const auto* deliver = std::get_if<Deliver>(&action)) {
                if (const auto* message = std::get_if<wire::MsgFrame>(deliver->frame)) {
                    ++shown_[std::string{message->data.bytes}];
                }
            }
        }
    }

    /// Moves one thing on: the socket opens, or a frame arrives on either side.
    bool carry() {
        if (is_opening_) {
            is_opening_ = false;
            step(SocketOpened{socket_});
            return true;
        }
        if (turn_ = !turn_; turn_ && !to_server_.empty()) {
            const std::string text = std::move(to_server_.front());
            to_server_.pop_front();
            server_.receive(text, to_client_);
            return true;
        }
        if (!to_client_.empty()) {
            const std::string text = std::move(to_client_.front());
            to_client_.erase(to_client_.begin());
            std::string scratch;
            const auto frame = wire::parse_server_frame(text, scratch);
            RC_ASSERT(frame.has_value());
            now_ += 1ms;
            step(FrameReceived{socket_, &*frame});
            return true;
        }
        return !to_server_.empty();
    }

    void wake() {
        now_ = std::max(now_ + 1ms, client_.wake_at().value_or(now_));
        step(TimePassed{});
    }

    void cut(std::uint16_t close_code) {
        drop_all();
        step(SocketClosed{.socket = socket_, .close_code = close_code});
    }

    /// What was under way still arrives, but nobody hears the answers.
    void cut_late() {
        std::vector<std::string> unheard;
        for (const std::string& text : std::exchange(to_server_, {})) {
            server_.receive(text, unheard);
        }
        cut(0);
    }

    void drop_all() {
        is_opening_ = false;
        to_server_.clear();
        to_client_.clear();
        server_.cut();
    }

    void submit(Request request) {
        step(Submit{OpId{++last_id_}, QueueName{FakeServer::queue_name}, std::move(request)});
    }
    void submit_send() {
        const std::string body = std::to_string(last_id_ + 1);
        bodies_[last_id_ + 1] = body;
        submit(Send{MountName{"chat"}, Payload{body}});
    }

    Client client_{{.server_count = 1, .user = "alice"}};
    FakeServer server_;
    Instant now_{1h};
    Rng rng_{7};
    SocketId socket_;
    bool is_opening_ = false;
    bool turn_ = false;
    std::deque<std::string> to_server_;
    std::vector<std::string> to_client_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, std::string> bodies_;
    std::map<std::uint64_t, std::vector<Outcome>> verdicts_;
    std::map<std::string, int> shown_;
};

TEST_CASE(
    "whatever is cut, lost, repeated or refused, each request gets exactly one true verdict") {
    CHECK(rc::check([] {
        const auto choices = *rc::gen::container<std::vector<std::uint16_t>>(
            rc::gen::inRange<std::uint16_t>(0, 0xffff));
        World world;
        for (const std::uint16_t choice : choices) {
            world.act(choice);
        }
        RC_ASSERT(world.heal());

        world.check();
    }));
}

}  // namespace
}  // namespace muster::client
