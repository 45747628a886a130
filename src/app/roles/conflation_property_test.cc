// Whatever happens in a room, and however its listeners read: what each of them makes of its frames
// ends as what the room holds, or the listener was closed as too slow.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

#include "app/roles/shard_bench.h"
#include "app/roles/test_reader.h"

namespace muster::roles {
namespace {

using namespace std::chrono_literals;
using gateway::TestPeer;

constexpr std::string_view room = "/room/1";

// One of the listeners, who reads or does not, goes away and comes back.
struct Listener {
    std::string name;
    TestPeer* peer = nullptr;
    TestReader reader;
    std::uint64_t last_request = 0;
    bool is_away = true;
};

class Crowd {
public:
    Crowd() : bench_(site()) {
        writer_ = &bench_.sign_in("writer");
        writer_->texts.clear();
        say(*writer_, fmt::format(R"({{"op":"join","q":"{}"}})", room));
        for (int i = 0; i < 3; ++i) {
            listeners_.push_back(Listener{.name = fmt::format("listener{}", i), .reader = {}});
        }
    }

    void run(std::size_t steps) {
        while (steps > 0) {
            const std::size_t in_this_turn = std::min<std::size_t>(steps, 1 + below(6));
            steps -= in_this_turn;
            bench_.in_one_turn([&] {
                for (std::size_t i = 0; i < in_this_turn; ++i) {
                    step();
                }
            });
            read();
        }
        settle();
    }

    // All read again, and what the turns held back comes.
    void settle() {
        for (Listener& listener : listeners_) {
            if (is_connected(listener) && listener.peer->is_blocked) {
                bench_.peers().drain(*listener.peer);
            }
        }
        bench_.pass(1us);
        read();
    }

    void check() {
        RC_LOG() << log_;
        RC_CLASSIFY(bench_.counters().conflated > 0, "values conflated");
        RC_CLASSIFY(bench_.counters().dropped > 0, "messages dropped");
        RC_CLASSIFY(bench_.counters().replayed > 0, "messages replayed");
        RC_CLASSIFY(bench_.counters().closed_slow > 0, "too slow");
        const auto content = bench_.content(room);
        RC_ASSERT(content != nullptr);
        for (const Listener& listener : listeners_) {
            if (listener.peer != nullptr && listener.peer->is_ended) {
                RC_ASSERT(listener.peer->close_code == 4008);
                continue;
            }
            const auto found = listener.reader.queues.find(room);
            if (listener.is_away || found == listener.reader.queues.end() ||
                !found->second.is_live) {
                continue;
            }
            RC_CLASSIFY(true, "a listener compared");
            RC_ASSERT(TestReader::shows(found->second, *content));
            for (const auto& [mount, messages] : posted_) {
                if (content->mounts.contains(mount)) {
                    check_messages(found->second, mount, messages);
                }
            }
        }
    }

private:
    static BenchSite site() {
        BenchSite with;
        with.gateway.limits.ops_per_second = 0;
        with.gateway.limits.out_bytes_max = 2'000;
        with.gateway.limits.out_messages_max = 8;
        with.gateway.limits.out_keys_max = 10;
        return with;
    }
    static std::uint64_t below(std::uint64_t end) {
        return *rc::gen::resize(1'000, rc::gen::inRange<std::uint64_t>(0, end));
    }

    static void check_messages(const SeenQueue& seen, const std::string& mount,
                               const std::map<Seq, std::string>& messages) {
        const auto found = seen.messages.find(mount);
        for (const auto& [seq, text] : messages) {
            RC_ASSERT(TestReader::covers(seen, mount, seq));
            if (found != seen.messages.end() && found->second.contains(seq)) {
                RC_ASSERT(found->second.at(seq) == text);
            }
        }
    }

    void step() {
        switch (below(16)) {
            case 0:
            case 1:
            case 2:
            case 3: set(); break;
            case 4:
            case 5: post("chat"); break;
            case 6:
            case 7: post("shout"); break;
            case 8: come_or_go(); break;
            case 9: change_mount(); break;
            case 10:
            case 11:
            case 12: block_or_drain(); break;
            case 13: listen(); break;
            case 14: unlisten(); break;
            default: leave_or_return(); break;
        }
    }

    void set() {
        queue::SetOp op{MountName("scores"), {}, {}};
        std::set<std::uint64_t> keys;
        for (auto count = 1 + below(3); count > 0; --count) {
            keys.insert(below(5));
        }
        for (const auto key : keys) {
            ++value_;
            op.changes.push_back({Key(fmt::format("k{}", key)),
                                  below(5) == 0 ? Payload() : Payload(std::to_string(value_))});
        }
        send(std::move(op));
    }

    void post(std::string_view mount) {
        ++value_;
        const std::string text = fmt::format("\"{} {}\"", value_, std::string(below(300), 'x'));
        const auto content = bench_content();
        if (content->mounts.contains(mount)) {
            posted_[std::string(mount)].emplace(content->at.seq + 1, text);
        }
        send(queue::SendOp{MountName(mount), Payload(text)});
    }

    void come_or_go() {
        const std::string user = fmt::format("member{}", below(4));
        bench_.membership(user, room, !bench_content()->members.contains(user));
    }

    void change_mount() {
        const MountName mount(below(2) == 0 ? "shout" : "scores");
        const auto content = bench_content();
        const auto found = content->mounts.find(mount);
        if (found != content->mounts.end()) {
            posted_.erase(std::string(mount.text()));
            send(queue::DeleteMountOp{mount});
        } else {
            const auto rules = open_rooms();
            send(queue::PutMountOp{mount, rules.mounts.at(mount)});
        }
    }

    void block_or_drain() {
        Listener& listener = any();
        if (!is_connected(listener)) {
            return;
        }
        if (listener.peer->is_blocked) {
            bench_.peers().drain(*listener.peer);
        } else {
            // The shell says it after a turn's writes: what that turn put out has gone.
            blocked_next_.push_back(&listener);
        }
    }

    void listen() {
        Listener& listener = any();
        if (!is_connected(listener)) {
            return;
        }
        const auto& queues = listener.reader.queues;
        const auto found = queues.find(room);
        const bool has_seen = found != queues.end() && found->second.at.inc.value != 0;
        const std::string since =
            has_seen && below(3) != 0
                ? fmt::format(R"(,"since":[{},{}])", found->second.at.inc.value,
                              found->second.at.seq)
                : "";
        ask(listener, "listen", since);
    }

    void unlisten() {
        Listener& listener = any();
        if (is_connected(listener)) {
            listener.reader.will_end(listener.last_request + 1, room);
            ask(listener, "unlisten", "");
        }
    }

    void leave_or_return() {
        Listener& listener = any();
        if (is_connected(listener)) {
            bench_.peers().hang_up(*listener.peer);
            std::erase(blocked_next_, &listener);
            listener.is_away = true;
        } else if (listener.is_away) {
            listener.reader.reconnect();
            listener.peer = &bench_.sign_in(listener.name, listener.reader.since());
            listener.is_away = false;
        }
    }

    void ask(Listener& listener, std::string_view op, std::string_view more) {
        log_ += fmt::format("{} {} {}\n", listener.name, op, more);
        ++listener.last_request;
        say(*listener.peer, fmt::format(R"({{"op":"{}","i":{},"q":"{}"{}}})", op,
                                        listener.last_request, room, more));
    }
    void say(const TestPeer& peer, std::string_view json) { bench_.peers().say(peer, json); }

    template <typename Body>
    void send(Body body) {
        static_cast<void>(bench_.op(room, std::move(body)));
    }
    std::shared_ptr<const queue::Content> bench_content() { return bench_.content(room); }

    Listener& any() { return listeners_[below(listeners_.size())]; }
    static bool is_connected(const Listener& listener) {
        return !listener.is_away && !listener.peer->is_ended;
    }

    // After each turn: what came is read, then sockets may be full.
    void read() {
        for (Listener& listener : listeners_) {
            while (listener.peer != nullptr && !listener.peer->texts.empty()) {
                const std::string text = listener.peer->next();
                log_ += fmt::format("{} < {}\n", listener.name, text.substr(0, 300));
                listener.reader.take(text);
            }
        }
        for (Listener* listener : std::exchange(blocked_next_, {})) {
            if (is_connected(*listener) && !listener->peer->is_blocked) {
                bench_.peers().block(*listener->peer);
            }
        }
    }

    ShardBench bench_;
    TestPeer* writer_;
    std::vector<Listener> listeners_;
    std::vector<Listener*> blocked_next_;
    std::map<std::string, std::map<Seq, std::string>> posted_;
    std::uint64_t value_ = 0;
    std::string log_;  // For who has to understand a failure.
};

TEST_CASE("what a listener makes of its frames ends as what the room holds, however it reads") {
    CHECK(rc::check("fold of frames == content", [] {
        Crowd crowd;
        for (int round = 0; round < 2; ++round) {
            crowd.run(*rc::gen::resize(1'000, rc::gen::inRange<std::size_t>(0, 150)));
            crowd.check();
        }
    }));
}

}  // namespace
}  // namespace muster::roles
