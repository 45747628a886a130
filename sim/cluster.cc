#include "sim/cluster.h"

#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/check.h"
#include "sim/state_hash.h"

namespace muster::sim {
namespace {

constexpr HashKey cluster_key{7, 8};
constexpr std::uint32_t bucket_count = 8;
constexpr Duration resume_time = std::chrono::seconds{30};

/// In which anyone may do anything: `chat` closes for slow listeners, `shout` drops; `scores` and
/// `positions` hold state.
queue::Template rooms() {
    queue::Template rules;
    rules.match = "/room/*";
    rules.create = queue::WhoMay::anyone;
    rules.join = queue::WhoMay::anyone;
    rules.listen = queue::WhoListens::anyone;
    queue::MountRules mount;
    rules.mounts.emplace(MountName("chat"), mount);
    mount.slow = queue::SlowPolicy::drop;
    mount.history_count_max = 10;
    rules.mounts.emplace(MountName("shout"), mount);
    mount.kind = queue::MountKind::state;
    rules.mounts.emplace(MountName("scores"), mount);
    return rules;
}

std::shared_ptr<const queue::QueueSettings> queue_settings() {
    return std::make_shared<const queue::QueueSettings>(
        queue::QueueSettings{queue::TemplateTable({rooms()}), queue::Limits{}});
}

// Sessions end within a run.
std::shared_ptr<const user::UserSettings> user_settings(const Variety& variety) {
    user::UserSettings settings;
    settings.resume_time = resume_time;
    settings.logins = variety.logins;
    settings.devices_max = variety.devices_max;
    return std::make_shared<const user::UserSettings>(settings);
}

gateway::TokenKeys token_keys() {
    gateway::TokenKeys keys;
    MUSTER_CHECK(keys.add_hs256("sim", "a secret of thirty-two bytes ...").has_value());
    return keys;
}

std::shared_ptr<const gateway::Settings> gateway_settings(const Variety& variety,
                                                          const gateway::TokenKeys& keys) {
    gateway::Settings settings;
    settings.is_dev = true;  // Users sign in by name, where they have no tokens.
    settings.secret.bytes.fill(7);
    settings.token_keys = keys;
    if (variety.has_tokens) {
        settings.limits.token_grace = std::chrono::seconds{3};
    }
    if (variety.is_strict) {
        settings.limits.logins_per_second = 1;
        settings.limits.logins_burst = 2;
        settings.limits.resumes_per_second = 2;
        settings.limits.resumes_burst = 2;
    }
    return std::make_shared<const gateway::Settings>(std::move(settings));
}

// Rates differ by up to 1 %.
DriftingClock clock_from(Rng& rng, Instant origin) {
    constexpr std::uint64_t ppm_max = 5'000;
    const auto ppm =
        static_cast<std::int64_t>(rng.below(2 * ppm_max + 1)) - static_cast<std::int64_t>(ppm_max);
    return DriftingClock(origin, ppm);
}

}  // namespace

Cluster::Cluster(World& world, const Shape& shape)
    : world_(world),
      variety_(shape.variety),
      rng_(world.chance(3)),
      keys_(token_keys()),
      placement_(cluster_key, bucket_count, static_cast<std::uint16_t>(shape.owners)),
      actors_(queue_settings(), user_settings(variety_)),
      watched_(world, actors_),
      network_(world),
      post_(world, shape.gateways + shape.owners + 1) {
    world_.history.resume_time = resume_time;
    world_.history.connections_max =
        variety_.logins == user::Logins::devices ? variety_.devices_max : std::size_t{1};
    for (std::size_t i = 0; i < shape.rooms; ++i) {
        rooms_.push_back(fmt::format("/room/{}", i));
    }
    for (std::size_t i = 0; i < shape.users; ++i) {
        users_.push_back(fmt::format("user{}", i));
    }
    // Shards of one process read one clock, but a gateway may be a process of its own.
    const auto settings = gateway_settings(variety_, keys_);
    for (std::size_t i = 0; i < shape.gateways; ++i) {
        gateways_.push_back(std::make_unique<GatewayHost>(
            world, network_, ShardId{static_cast<std::uint16_t>(i)}, settings,
            clock_from(rng_, Schedule::start),
            [this, i](actor::Message message) { route(i, std::move(message)); }));
        gateways_.back()->start(rng_.next());
        if (variety_.refuses) {
            gateways_.back()->refuse_ops(world.chance(5000 + i));
        }
    }
    const DriftingClock owners_clock = clock_from(rng_, Schedule::start);
    const actor::BucketSetSettings buckets{.bucket_count = bucket_count,
                                           .epoch = Epoch{1},
                                           .seed = rng_.next(),
                                           .table_key = HashKey{rng_.next(), rng_.next()}};
    for (std::size_t i = 0; i < shape.owners; ++i) {
        const Post::Endpoint endpoint = shape.gateways + i;
        owners_.push_back(std::make_unique<OwnerHost>(
            world, ShardId{static_cast<std::uint16_t>(i)}, placement_, buckets, watched_,
            owners_clock,
            [this, endpoint](actor::Message message) { route(endpoint, std::move(message)); }));
    }
    Rng speech_rng = world.chance(9);
    for (std::size_t i = 0; i < shape.players; ++i) {
        const auto speech =
            variety_.speaks_all ? static_cast<Speech>(speech_rng.below(3)) : Speech::proto_tcp;
        const Instant origin{std::chrono::seconds{1 + rng_.below(1'000'000)}};
        players_.push_back(
            std::make_unique<Player>(world, network_,
                                     Player::Place{.index = i,
                                                   .user = users_[i % users_.size()],
                                                   .gateway_count = shape.gateways,
                                                   .speech = speech,
                                                   .keys = variety_.has_tokens ? &keys_ : nullptr},
                                     clock_from(rng_, origin)));
    }
    wire_up();
}

void Cluster::wire_up() {
    network_.ends = Network::Ends{
        .accepts = [this](std::size_t g) { return gateways_[g]->accepts(); },
        .gateway_opened = [this](std::size_t g, auto line) { gateways_[g]->opened(line); },
        .gateway_bytes = [this](std::size_t g, auto line,
                                std::string& bytes) { gateways_[g]->received(line, bytes); },
        .gateway_closed = [this](std::size_t g, auto line) { gateways_[g]->closed(line); },
        .gateway_drains = [this](std::size_t g, auto line) { gateways_[g]->drains(line); },
        .client_opened = [this](std::size_t p, auto socket) { players_[p]->opened(socket); },
        .client_bytes = [this](std::size_t p, auto socket,
                               std::string& bytes) { players_[p]->received(socket, bytes); },
        .client_closed = [this](std::size_t p, auto socket) { players_[p]->closed(socket); },
    };
    for (std::size_t i = 0; i < gateways_.size(); ++i) {
        post_.take_at(
            i, [this, i](actor::Message message) { gateways_[i]->take(std::move(message)); });
    }
    for (std::size_t i = 0; i < owners_.size(); ++i) {
        post_.take_at(owner_endpoint(i),
                      [this, i](actor::Message message) { owners_[i]->take(std::move(message)); });
    }
    post_.take_at(backend_endpoint(), [this](const actor::Message& m) { take_as_backend(m); });
}

void Cluster::route(Post::Endpoint from, actor::Message message) {
    Post::Endpoint to = backend_endpoint();
    if (const auto* actor = std::get_if<actor::ActorAddress>(&message.to)) {
        to = owner_endpoint(placement_.shard_of(placement_.bucket_of(actor->name.text())).value);
    } else if (const auto* gateway = std::get_if<actor::GatewayAddress>(&message.to)) {
        to = gateway->shard.value;
    }
    post_.send(from, to, std::move(message));
}

void Cluster::kill_gateway(std::size_t index, bool is_silent, Duration down_time) {
    if (!gateways_[index]->is_alive()) {
        return;
    }
    gateways_[index]->kill();
    post_.kill(gateway_endpoint(index));
    network_.kill_gateway(index, is_silent);
    world_.schedule.in(down_time, [this, index, seed = rng_.next()] {
        post_.kill(gateway_endpoint(index));  // What was sent to the dead one is lost.
        gateways_[index]->start(seed);
    });
}

// ---- The backend -----------------------------------------------------------------------------

void Cluster::ask(std::string_view name, actor::Body body) {
    route(backend_endpoint(),
          actor::Message{actor::ServiceAddress{}, actor::ActorAddress{QueueName(name)},
                         std::move(body)});
}

void Cluster::ask_op(std::string_view queue, queue::OpBody body) {
    queue::Op op;
    op.sender.is_server = true;
    op.reply_to.who = RequestId{1};
    op.body = std::move(body);
    ask(queue, std::move(op));
}

void Cluster::post_everywhere() {
    for (const std::string& room : rooms_) {
        ask_op(room, queue::SendOp{MountName("chat"), Payload("0")});
    }
}

void Cluster::ask_membership(std::string_view user, std::string_view queue, bool joins) {
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
    ask(fmt::format("/user/{}", user), std::move(pass));
}

void Cluster::note_ending() {
    Ending& ending = world_.history.ending;
    for (std::size_t room = 0; room < rooms_.size(); ++room) {
        ending.queues.push_back({world_.history.queue(rooms_[room]), Cursor{}});
        ask(rooms_[room], queue::Read{RequestId{room + 1}});
    }
    for (std::size_t user = 0; user < users_.size(); ++user) {
        const std::string name = fmt::format("/user/{}", users_[user]);
        Ending::User ends;
        ends.user = world_.history.user(name);
        ending.users.push_back(std::move(ends));
        ask(name, user::ReadUser{RequestId{user + 1}});
    }
    world_.schedule.run_until(world_.schedule.now() + std::chrono::seconds{1});
    for (const auto& gateway : gateways_) {
        ending.connections_welcome += gateway->counters().users_online;
    }
    for (const auto& player : players_) {
        player->note_ending(rooms_, ending);
    }
}

void Cluster::take_as_backend(const actor::Message& message) {
    History& history = world_.history;
    if (const auto* report = std::get_if<user::UserReport>(&message.body)) {
        Ending::User& user = history.ending.users.at(report->request.value - 1);
        user.session = report->session;
        user.connection_count = report->connections;
        for (const auto& joined : report->joined) {
            user.joined.push_back({history.queue(joined.queue.text()), joined.inc});
        }
        return;
    }
    const auto* read = std::get_if<queue::ReadReply>(&message.body);
    if (read == nullptr || read->content == nullptr) {
        return;
    }
    Ending::Queue& queue = history.ending.queues.at(read->request.value - 1);
    queue.at = read->content->at;
    for (const auto& [user, member] : read->content->members) {
        queue.members.push_back({history.user(fmt::format("/user/{}", user.text())),
                                 member.is_online, member.by_server, member.session});
    }
    history.snapshots.push_back(
        {queue.queue, queue.at, StateHash(*read->content).value(), Snapshot::By::end});
}

}  // namespace muster::sim
