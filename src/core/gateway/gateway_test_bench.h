#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/ids.h"
#include "base/name.h"
#include "base/time.h"
#include "core/actor/actor.h"
#include "core/gateway/gateway.h"
#include "core/gateway/settings.h"
#include "core/gateway/test_peer.h"
#include "core/queue/messages.h"
#include "core/user/messages.h"

/// A gateway shard driven by hand, for the tests of this folder.
namespace muster::gateway {

// For tests that hold of every encoding: TEST_CASE_TEMPLATE("…", Wire, Json, Proto, ProtoTcp).
// What is particular to those with permessage-deflate is in deflate_rows_test.cc.
using Json = std::integral_constant<Encoding, Encoding::json>;
using Proto = std::integral_constant<Encoding, Encoding::proto>;
using ProtoTcp = std::integral_constant<Encoding, Encoding::proto_tcp>;

inline constexpr std::string_view token_secret = "a secret of thirty-two bytes ...";

/// Settings of a site in --dev that knows one key for tokens, `k1`, and deflates for who offers it.
[[nodiscard]] inline Settings settings_for_tests() {
    Settings settings;
    settings.is_dev = true;
    settings.takes_deflate = true;
    REQUIRE(settings.token_keys.add_hs256("k1", token_secret).has_value());
    settings.secret.bytes.fill(7);
    return settings;
}

/// What a single machine of the gateway is told of the world, and where it puts what it asks for.
struct TestWorld {
    Settings settings = settings_for_tests();
    Instant now{std::chrono::hours{1}};
    WallTime wall{1'790'000'000'000};
    std::uint64_t turn = 1;
    Rng rng{1};
    actor::Outbox messages;
    Outputs outputs;
    std::vector<Wish> wishes;
    std::vector<Missed> missed;
    std::vector<Note> notes;
    Counters counters;
    Workspace work;
    Admission admission;

    Context context() {
        return Context{now,     wall,   turn,   ShardId{3}, settings, rng,  messages,
                       outputs, wishes, missed, notes,      counters, work, admission};
    }
};

/// Returns the JSON in one frame of the server.
[[nodiscard]] inline std::string text_in(const SharedText& frame) {
    TestPeer peer(ConnectionId{1});
    peer.http = "HTTP/1.1 101 \r\n\r\n";
    peer.take(Output{peer.id, frame});
    return peer.next();
}

/// One Gateway with a clock, the clients' ends, and all that it says to queues and user queues.
class GatewayBench {
public:
    explicit GatewayBench(Encoding encoding) : GatewayBench(settings_for_tests(), encoding) {}
    explicit GatewayBench(Settings with = settings_for_tests(), Encoding encoding = Encoding::json)
        : settings(std::make_shared<const Settings>(std::move(with))),
          gateway(shard, settings, 42),
          peers([this](const Event& event) {
              turn([&](const Gateway::Step& at) { gateway.step(event, at); });
          }) {
        peers.encoding = encoding;
    }
    GatewayBench(const GatewayBench&) = delete;
    GatewayBench& operator=(const GatewayBench&) = delete;

    static constexpr ShardId shard{3};

    std::shared_ptr<const Settings> settings;
    Instant now{std::chrono::hours{1}};
    WallTime wall{1'790'000'000'000};
    Gateway gateway;
    TestPeers peers;
    actor::Outbox sent;            ///< what no test has looked at yet
    std::size_t last_outputs = 0;  ///< of the last turn

    [[nodiscard]] const Counters& counters() const { return gateway.counters(); }

    // ---- Turns and time ----

    /// All that happens within `act` is one turn of the loop.
    template <typename Act>
    void in_one_turn(Act act) {
        ++turn_;
        is_turn_open_ = true;
        act();
        is_turn_open_ = false;
        end_turn();
    }

    /// An empty turn.
    void turn() {
        in_one_turn([] {});
    }

    /// Lets time pass, with a turn whenever the gateway has asked for one.
    void pass(Duration time) {
        const Instant end = now + time;
        while (gateway.next_wake() && *gateway.next_wake() <= end) {
            move_to(std::max(now, *gateway.next_wake()));
            turn();
        }
        move_to(end);
    }

    // ---- Clients ----

    /// A client signs in as `user` (by name, in --dev), with further fields of its hello.
    TestPeer& sign_in(std::string_view user, std::string_view more = {},
                      std::vector<user::Joined> joined = {}) {
        TestPeer& peer = peers.connect();
        say_hello(peer, user, more);
        const auto attaches = take_sent<user::Attach>();
        REQUIRE_FALSE(attaches.empty());
        CHECK(attaches.back().user == user);
        deliver(attached(attaches.back(), std::move(joined)));
        return peer;
    }

    /// The same, to the end: its `hello` has come and is taken.
    TestPeer& user(std::string_view name) {
        TestPeer& peer = sign_in(name);
        REQUIRE(peer.next().starts_with(R"({"op":"hello")"));
        return peer;
    }

    void say_hello(TestPeer& peer, std::string_view user, std::string_view more = {}) {
        peers.say(peer, fmt::format(R"({{"op":"hello","v":[1],"user":"{}"{}}})", user, more));
    }

    /// The user queue's answer, which makes the connection the current one.
    user::Attached attached(const user::Attach& attach, std::vector<user::Joined> joined = {}) {
        return {attach.connection, Cep{Inc{5}, ++last_cep_}, SessionId{82}, std::move(joined)};
    }
    [[nodiscard]] Cep last_cep() const { return {Inc{5}, last_cep_}; }

    [[nodiscard]] std::string token(std::string_view user, Duration lifetime) const {
        const Claims claims{UserId(user),
                            WallTime{wall.ms + lifetime / std::chrono::milliseconds{1}}, wall};
        return settings->token_keys.sign("k1", claims).value();
    }

    /// The server is about to stop.
    void stop() {
        turn([&](const Gateway::Step& at) { gateway.step(Event{Stopping{}}, at); });
    }

    // ---- Queues and user queues ----

    void deliver(actor::Body body, actor::Address from = actor::ServiceAddress{}) {
        turn([&](const Gateway::Step& at) {
            gateway.step(
                actor::Message{std::move(from), actor::GatewayAddress{shard}, std::move(body)}, at);
        });
    }

    /// Takes all messages of one kind out of `sent`; only those to `queue`, if it is named.
    template <typename Body>
    std::vector<Body> take_sent(std::string_view queue = {}) {
        std::vector<Body> taken;
        std::erase_if(sent, [&](const actor::Message& message) {
            const auto* body = std::get_if<Body>(&message.body);
            const auto& to = std::get<actor::ActorAddress>(message.to).name;
            if (body == nullptr || (!queue.empty() && to != queue)) {
                return false;
            }
            taken.push_back(*body);
            return true;
        });
        return taken;
    }

    /// Takes the only message of its kind.
    template <typename Body>
    Body take_one(std::string_view queue = {}) {
        auto taken = take_sent<Body>(queue);
        REQUIRE(taken.size() == 1);
        return std::move(taken.front());
    }

    // ---- What the end must be like ----

    /// The connection has been closed with this code, and nothing is left of it; `bystander`, which
    /// is signed in, has not noticed.
    void check_closed(TestPeer& peer, int code, std::string_view label,
                      TestPeer* bystander = nullptr) {
        CHECK(peer.close_code == code);
        CHECK(peer.close_reason.substr(0, 5) == label);
        check_end(peer, bystander);
    }

    /// The HTTP request has been refused, and the connection with it.
    void check_refused(TestPeer& peer, int status, TestPeer* bystander = nullptr) {
        CHECK(peer.status() == status);
        check_end(peer, bystander);
    }

    void check_end(TestPeer& peer, TestPeer* bystander = nullptr) {
        CHECK(peer.is_ended);
        // Late bytes, time and the socket's end find nobody; TestPeer checks that nothing comes.
        peers.say(peer, R"({"op":"ping"})");
        pass(std::chrono::seconds{1});
        peers.hang_up(peer);
        peers.check_gone(peer);
        if (bystander != nullptr) {
            bystander->texts.clear();
            peers.say(*bystander, R"({"op":"ping"})");
            CHECK(bystander->next() == R"({"op":"pong"})");
            CHECK_FALSE(bystander->is_ended);
        }
    }

private:
    template <typename Act>
    void turn(Act act) {
        if (!is_turn_open_) {
            ++turn_;
        }
        act(at());
        if (!is_turn_open_) {
            end_turn();
        }
    }

    void end_turn() {
        gateway.step(at());
        last_outputs = outputs_.size();
        peers.take(outputs_);
    }

    Gateway::Step at() { return {now, wall, turn_, sent, outputs_}; }

    void move_to(Instant at) {
        wall.ms += (at - now) / std::chrono::milliseconds{1};
        now = at;
    }

    std::uint64_t turn_ = 0;
    bool is_turn_open_ = false;
    Outputs outputs_;
    std::uint64_t last_cep_ = 0;
};

[[nodiscard]] inline queue::MountRules state_rules() {
    queue::MountRules made;
    made.kind = queue::MountKind::state;
    return made;
}

[[nodiscard]] inline queue::Member online_member() {
    queue::Member made;
    made.is_online = true;
    return made;
}

/// A queue as a gateway sees it: answers subscriptions with its content, and publishes changes.
class FakeQueue {
public:
    /// It has the mounts `chat` (message) and `scores` (state), and everybody may listen.
    FakeQueue(GatewayBench& bench, std::string_view queue, Inc inc = Inc{7})
        : name(queue), bench_(bench) {
        begin(inc);
    }

    const QueueName name;
    queue::Content content;
    queue::Template rules;

    /// A new history begins; subscriptions to the last one are forgotten.
    void begin(Inc inc) {
        rules.listen = queue::WhoListens::anyone;
        content = {};
        content.at.inc = inc;
        sub_.reset();
        publish(queue::MountChanged{MountName("chat"), queue::MountRules{}});
        publish(queue::MountChanged{MountName("scores"), state_rules()});
    }

    /// Answers the Subscribe that the gateway has sent.
    void answer() {
        sub_ = bench_.take_one<queue::Subscribe>(name.text()).sub;
        content.rules = std::make_shared<queue::Template>(rules);
        bench_.deliver(queue::Subscribed{name, *sub_, std::make_shared<queue::Content>(content)});
    }
    void refuse(ErrorCode code) {
        const auto subscribe = bench_.take_one<queue::Subscribe>(name.text());
        bench_.deliver(queue::SubscribeRefused{name, subscribe.sub, code});
    }
    void end() { bench_.deliver(queue::Ended{name, sub_.value(), content.at.inc}); }

    void post(std::string_view json, std::string_view mount = "chat") {
        publish(queue::MessagePosted{MountName(mount), Payload(json)}, "bob");
    }
    /// Sets the keys of `scores`; an empty value deletes.
    void set(const std::map<std::string, std::string>& values) {
        queue::StateChanged changed{MountName("scores"), {}};
        for (const auto& [key, value] : values) {
            changed.changes.push_back({Key(key), Payload(value)});
        }
        publish(std::move(changed), "bob");
    }
    void add_member(std::string_view user, queue::Member member = online_member()) {
        const auto count = content.members.size() + (content.members.contains(user) ? 0U : 1U);
        publish(queue::MemberChanged{UserId(user), std::move(member), {}, count});
    }
    void remove_member(std::string_view user, queue::LeaveReason reason) {
        publish(queue::MemberChanged{UserId(user), {}, reason, content.members.size() - 1});
    }

    template <typename Body>
    void publish(Body body, std::string_view from = {}) {
        queue::Event event;
        event.seq = content.at.seq + 1;
        event.time = WallTime{1'790'000'000'123};
        event.from = UserId(from);
        event.body = std::move(body);
        last = std::make_shared<const queue::Event>(std::move(event));
        content.apply(last, bench_.now, queue::Limits{});
        if (sub_ && is_heard) {
            bench_.deliver(queue::Published{name, *sub_, content.at.inc, last});
        }
    }

    queue::EventPtr last;
    bool is_heard = true;  ///< off: what is published gets lost on its way

private:
    GatewayBench& bench_;
    std::optional<SubId> sub_;
};

inline const QueueName room_name("/room/1");

[[nodiscard]] inline ConnectionRef ref_of(const TestPeer& peer) {
    return {GatewayBench::shard, peer.id};
}

/// The joined queues answer what they have been asked while fencing.
inline void answer_fence(GatewayBench& bench,
                         queue::FenceReply::Kind kind = queue::FenceReply::Kind::fenced_in) {
    const auto fences = bench.take_sent<queue::Fence>();
    for (const auto& fence : fences) {
        bench.deliver(queue::FenceReply{fence.connection, room_name, fence.inc, kind});
    }
}

/// A connection in each of its states.
struct States {
    GatewayBench bench;

    TestPeer& attaching() {
        TestPeer& peer = bench.peers.connect();
        bench.say_hello(peer, "alice");
        return peer;
    }
    TestPeer& fencing() { return bench.sign_in("alice", {}, {{room_name, Inc{7}}}); }
    TestPeer& up() { return bench.user("alice"); }
    TestPeer& resolving() {
        TestPeer& peer = bench.peers.connect();
        bench.say_hello(peer, "alice", R"(,"resolve":true)");
        CHECK(peer.next().starts_with(R"({"op":"hello")"));
        return peer;
    }
    std::vector<TestPeer*> all() {
        return {&bench.peers.open(), &bench.peers.connect(), &attaching(), &fencing(), &up(),
                &resolving()};
    }
};

/// A room that any number of users follow.
struct ListenedRoom {
    explicit ListenedRoom(Encoding encoding = Encoding::json) : bench(encoding) {}

    GatewayBench bench;
    FakeQueue queue{bench, "/room/1"};

    TestPeer& listener(std::string_view user) {
        TestPeer& peer = bench.user(user);
        listen(peer, 1);
        return peer;
    }
    void listen(const TestPeer& peer, int request, std::string_view more = {}) {
        bench.peers.say(peer,
                        fmt::format(R"({{"op":"listen","i":{},"q":"/room/1"{}}})", request, more));
    }
    void unlisten(const TestPeer& peer) {
        bench.peers.say(peer, R"({"op":"unlisten","i":2,"q":"/room/1"})");
    }
    // The user joins, and the queue says yes.
    void join(const TestPeer& peer, int request, std::string_view more = {}) {
        bench.peers.say(peer,
                        fmt::format(R"({{"op":"join","i":{},"q":"/room/1"{}}})", request, more));
        queue::OpReply reply;
        reply.reply_to = bench.take_one<user::Pass>().op.reply_to;
        reply.queue = queue.name;
        reply.what = queue::OpReply::What::join;
        reply.verdict.at = queue.content.at;
        reply.standing = queue::Standing{queue.content.at.inc};
        bench.deliver(reply);
    }
    void leave(const TestPeer& peer, int request) {
        bench.peers.say(peer, fmt::format(R"({{"op":"leave","i":{},"q":"/room/1"}})", request));
        queue::OpReply reply;
        reply.reply_to = bench.take_one<user::Pass>().op.reply_to;
        reply.queue = queue.name;
        reply.what = queue::OpReply::What::leave;
        reply.verdict.at = queue.content.at;
        bench.deliver(reply);
    }
};

}  // namespace muster::gateway
