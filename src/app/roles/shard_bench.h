#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "app/roles/actors.h"
#include "app/roles/shard_machine.h"
#include "base/check.h"
#include "core/gateway/test_peer.h"

/// Whole shards driven by hand, for tests of journeys: gateways with real queues and user queues.
namespace muster::roles {

/// What a ShardBench is made of.
struct BenchSite {
    std::uint16_t shard_count = 1;
    bool is_dev = true;  ///< users sign in by name
    gateway::Settings gateway{};
    user::UserSettings users{};
    queue::Limits queues{};
};

/// `/room/*`, in which anyone may do anything: `chat` and `shout` (message; `shout` drops for slow
/// listeners), `scores` (state), `positions` (state, each user its own), `news` (the server's).
[[nodiscard]] inline queue::Template open_rooms() {
    queue::Template rules;
    rules.match = "/room/*";
    rules.create = queue::WhoMay::anyone;
    rules.join = queue::WhoMay::anyone;
    rules.listen = queue::WhoListens::anyone;
    queue::MountRules mount;
    rules.mounts.emplace(MountName("chat"), mount);
    mount.slow = queue::SlowPolicy::drop;
    rules.mounts.emplace(MountName("shout"), mount);
    mount.write = queue::WhoWrites::server;
    rules.mounts.emplace(MountName("news"), mount);
    mount.kind = queue::MountKind::state;
    mount.write = queue::WhoWrites::members;
    rules.mounts.emplace(MountName("scores"), mount);
    mount.write = queue::WhoWrites::owner;
    rules.mounts.emplace(MountName("positions"), mount);
    return rules;
}

/// `/closed/*`, which the server makes and fills.
[[nodiscard]] inline queue::Template closed_rooms() {
    queue::Template rules;
    rules.match = "/closed/*";
    rules.mounts.emplace(MountName("chat"), queue::MountRules{});
    return rules;
}

/// All shards of one server, with a clock, the clients' ends and the backend.
class ShardBench {
public:
    explicit ShardBench(BenchSite with = {}) : site_(site_of(std::move(with))) {
        for (std::uint16_t i = 0; i < site_->placement.shard_count(); ++i) {
            shards_.push_back(std::make_unique<Shard>(*this, ShardId{i}));
        }
    }
    ShardBench(const ShardBench&) = delete;
    ShardBench& operator=(const ShardBench&) = delete;

    Instant now{std::chrono::hours{1}};
    WallTime wall{1'790'000'000'000};
    std::vector<actor::Message> to_service;  ///< what the backend has been answered

    [[nodiscard]] gateway::TestPeers& peers(std::size_t shard = 0) { return shards_[shard]->peers; }
    [[nodiscard]] const gateway::Counters& counters(std::size_t shard = 0) const {
        return shards_[shard]->machine.counters();
    }
    [[nodiscard]] const actor::BucketSet& buckets(std::size_t shard = 0) const {
        return shards_[shard]->machine.buckets();
    }
    [[nodiscard]] ShardMachine& machine(std::size_t shard = 0) { return shards_[shard]->machine; }
    [[nodiscard]] std::shared_ptr<const Site> site() const { return site_; }
    /// Returns how many messages have left this shard for others, and for the backend.
    [[nodiscard]] std::size_t departed(std::size_t shard) const { return shards_[shard]->departed; }
    /// Of all chance on this shard.
    [[nodiscard]] static std::uint64_t seed_of(ShardId shard) { return 42U + shard.value; }
    /// Returns the shard on which the actor `name` lives.
    [[nodiscard]] std::size_t home_of(std::string_view name) const {
        return site_->placement.shard_of(site_->placement.bucket_of(name)).value;
    }

    // ---- Turns and time ----

    /// All that happens to one shard within `act` is one turn of its loop.
    template <typename Act>
    void in_one_turn(Act act, std::size_t shard = 0) {
        shards_[shard]->machine.begin_turn(now, wall);
        is_turn_open_ = true;
        act();
        is_turn_open_ = false;
        end_turn(shard);
    }

    /// Lets time pass, with a turn wherever a shard has asked for one.
    void pass(Duration time) {
        const Instant end = now + time;
        for (;;) {
            std::optional<std::size_t> first;
            for (std::size_t i = 0; i < shards_.size(); ++i) {
                const auto wake = shards_[i]->machine.next_wake();
                if (wake && *wake <= end &&
                    (!first || *wake < *shards_[*first]->machine.next_wake())) {
                    first = i;
                }
            }
            if (!first) {
                break;
            }
            move_to(std::max(now, *shards_[*first]->machine.next_wake()));
            in_one_turn([] {}, *first);
        }
        move_to(end);
    }

    // ---- Clients ----

    /// A client signs in by name, with further fields of its hello. Its frames are still to be
    /// read.
    gateway::TestPeer& sign_in(std::string_view user, std::string_view more = {},
                               std::size_t shard = 0) {
        gateway::TestPeer& peer = peers(shard).connect();
        std::string hello = R"({"op":"hello","v":[1],"user":")";
        hello += user;
        hello += '"';
        hello += more;
        hello += '}';
        peers(shard).say(peer, hello);
        return peer;
    }

    // ---- The backend ----

    /// Sends a message to the actor `name`, as the admin service does.
    void ask(std::string_view name, actor::Body body) {
        const std::size_t shard = home_of(name);
        turn(shard, [&](ShardMachine& machine) {
            machine.step(actor::Message{actor::ServiceAddress{},
                                        actor::ActorAddress{QueueName(name)}, std::move(body)});
        });
    }

    /// Asks the queue for an op, and returns its verdict.
    queue::Verdict op(std::string_view queue, queue::OpBody body, std::string_view from = {}) {
        queue::Op op;
        op.sender.user = UserId(from);
        op.sender.is_server = true;
        op.reply_to.who = RequestId{1};
        op.body = std::move(body);
        ask(queue, std::move(op));
        return last<queue::OpReply>().verdict;
    }

    /// Lets the user join or leave, as the backend.
    queue::Verdict membership(std::string_view user, std::string_view queue, bool joins) {
        user::Pass pass;
        pass.queue = QueueName(queue);
        pass.op.sender.user = UserId(user);
        pass.op.sender.is_server = true;
        pass.op.reply_to.who = RequestId{1};
        if (joins) {
            pass.op.body = queue::JoinOp{UserId(user), {}, {}};
        } else {
            pass.op.body = queue::LeaveOp{UserId(user), queue::LeaveReason::kicked};
        }
        ask(std::string("/user/") + std::string(user), std::move(pass));
        return last<queue::OpReply>().verdict;
    }

    /// Returns what the queue holds; nullptr where there is none.
    std::shared_ptr<const queue::Content> content(std::string_view queue) {
        ask(queue, queue::Read{RequestId{1}});
        return last<queue::ReadReply>().content;
    }

    /// Returns what the user queue says of its user.
    user::UserReport user_report(std::string_view user) {
        ask(std::string("/user/") + std::string(user), user::ReadUser{RequestId{1}});
        return last<user::UserReport>();
    }

private:
    struct Shard {
        Shard(ShardBench& bench, ShardId id)
            : machine(id, bench.site_, seed_of(id)),
              peers([&bench, id](const gateway::Event& event) {
                  bench.turn(id.value, [&](ShardMachine& m) { m.step(event); });
              }) {}
        ShardMachine machine;
        gateway::TestPeers peers;
        std::size_t departed = 0;
    };

    static std::shared_ptr<const Site> site_of(BenchSite with) {
        with.gateway.is_dev = with.is_dev;
        with.gateway.secret.bytes.fill(7);
        with.gateway.queue_limits = with.queues;
        const auto actors = std::make_shared<SiteActors>(
            std::make_shared<queue::QueueSettings>(queue::QueueSettings{
                queue::TemplateTable({open_rooms(), closed_rooms()}), with.queues}),
            std::make_shared<user::UserSettings>(with.users));
        return std::make_shared<Site>(
            Site{ring::Placement(HashKey{1, 2}, bucket_count, with.shard_count), actors,
                 std::make_shared<gateway::Settings>(std::move(with.gateway)),
                 actor::BucketSetSettings{bucket_count, Epoch{1}, 5, HashKey{3, 4}}});
    }

    template <typename Act>
    void turn(std::size_t shard, Act act) {
        if (is_turn_open_) {
            act(shards_[shard]->machine);
            carry_off(shard);
            return;
        }
        shards_[shard]->machine.begin_turn(now, wall);
        act(shards_[shard]->machine);
        end_turn(shard);
    }

    // What the turn put out goes to the clients, and its messages to the other shards, until all is
    // quiet.
    void end_turn(std::size_t shard) {
        shards_[shard]->machine.step();
        carry_off(shard);
        while (!on_its_way_.empty()) {
            const Departure departure = std::move(on_its_way_.front());
            on_its_way_.pop_front();
            const std::size_t to = departure.to->value;
            shards_[to]->machine.begin_turn(now, wall);
            shards_[to]->machine.step(departure.message);
            shards_[to]->machine.step();
            carry_off(to);
        }
    }

    void carry_off(std::size_t shard) {
        ShardMachine& machine = shards_[shard]->machine;
        shards_[shard]->peers.take(machine.outputs);
        shards_[shard]->departed += machine.departures.size();
        for (auto& departure : machine.departures) {
            if (departure.to) {
                on_its_way_.push_back(std::move(departure));
            } else {
                to_service.push_back(std::move(departure.message));
            }
        }
        machine.departures.clear();
    }

    // The last answer to the backend, which is of this kind.
    template <typename Body>
    Body last() {
        MUSTER_CHECK(!to_service.empty());
        Body body = std::get<Body>(std::move(to_service.back().body));
        to_service.clear();
        return body;
    }

    void move_to(Instant at) {
        wall.ms += (at - now) / std::chrono::milliseconds{1};
        now = at;
    }

    static constexpr std::uint32_t bucket_count = 16;

    std::shared_ptr<const Site> site_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::deque<Departure> on_its_way_;
    bool is_turn_open_ = false;
};

}  // namespace muster::roles
