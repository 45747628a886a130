// One real shard thread; the test is the other shards and the service thread.
#include "app/server/shard_thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "app/roles/shard_bench.h"
#include "shell/runtime/descriptor.h"

namespace muster::server {
namespace {

constexpr ShardId own{0};
constexpr ShardId deaf{1};   // Follows the queue, and takes nothing.
constexpr ShardId eager{2};  // Sends operations, and takes its answers.
constexpr std::uint16_t shard_count = 3;
constexpr std::size_t page_bytes = 512 * 1024;

std::shared_ptr<const roles::Site> make_site() {
    auto gateway = std::make_shared<gateway::Settings>();
    gateway->is_dev = true;
    gateway::Page page;
    page.path = "/";
    page.content_type = "text/plain";
    page.etag = "\"1\"";
    page.plain = SharedText(std::string(page_bytes, 'x'));
    gateway->pages.push_back(std::move(page));
    auto queues = std::make_shared<queue::QueueSettings>(
        queue::QueueSettings{queue::TemplateTable({roles::open_rooms()}), {}});
    return std::make_shared<roles::Site>(
        roles::Site{ring::Placement(HashKey{1, 2}, 16, shard_count),
                    std::make_shared<roles::SiteActors>(std::move(queues),
                                                        std::make_shared<user::UserSettings>()),
                    std::move(gateway), actor::BucketSetSettings{16, Epoch{1}, 5, HashKey{3, 4}}});
}

net::Listener listen() {
    auto listener = net::listen_on("127.0.0.1:0", {});
    REQUIRE(listener);
    return *std::move(listener);
}

ShardSettings shard_settings() {
    ShardSettings settings;
    settings.shard = own;
    settings.seed = 1;
    settings.sockets.kernel_send_bytes = 16 * 1024;
    return settings;
}

struct Bench {
    Switchboard switchboard{shard_count};
    std::shared_ptr<const roles::Site> site = make_site();
    net::Listener listener = listen();
    std::uint16_t port = listener.port;
    ShardThread shard{shard_settings(), site, std::move(listener), switchboard};
    QueueName room = room_of_own();

    Bench() { shard.start(); }
    ~Bench() {
        send(shard_count, StopShard{});
        shard.join();
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    [[nodiscard]] QueueName room_of_own() const {
        for (int i = 0;; ++i) {
            const QueueName name(fmt::format("/room/{}", i));
            if (site->placement.shard_of(site->placement.bucket_of(name.text())) == own) {
                return name;
            }
        }
    }

    /// Sends as shard (or service thread) number `from`. A shard takes whatever comes.
    void send(std::size_t from, ToShard item) {
        while (!switchboard.to_shard(from, own).push(item)) {
            std::this_thread::yield();
        }
        switchboard.bell_of(own).ring();
    }
    void subscribe_deaf() {
        send(deaf.value, actor::Message{actor::GatewayAddress{deaf}, actor::ActorAddress{room},
                                        queue::Subscribe{SubId{1}, deaf, {}}});
        const auto snapshot = take(deaf);
        REQUIRE(std::holds_alternative<queue::Subscribed>(snapshot.body));
    }
    /// An operation as a shard's client sends it; returns what became of it.
    queue::Verdict post(ShardId from) {
        queue::Op op;
        op.sender.is_server = true;
        op.reply_to.who = ConnectionRef{from, ConnectionId{1}};
        op.body = queue::SendOp{MountName("chat"), {}};
        return decide(from, std::move(op));
    }
    queue::Verdict decide(ShardId from, queue::Op op) {
        send(from.value,
             actor::Message{actor::GatewayAddress{from}, actor::ActorAddress{room}, std::move(op)});
        return std::get<queue::OpReply>(take(from).body).verdict;
    }
    void create() {
        queue::Op op;
        op.sender.is_server = true;
        op.reply_to.who = ConnectionRef{eager, ConnectionId{1}};
        op.body = queue::CreateOp{};
        REQUIRE(decide(eager, std::move(op)).kind == queue::Verdict::Kind::ok);
    }
    actor::Message take(ShardId to) {
        for (;;) {
            if (auto item = switchboard.to_shard(own.value, to).pop()) {
                return std::get<actor::Message>(*std::move(item));
            }
            std::this_thread::yield();
        }
    }
    /// Makes operations until the first one is answered BUSY; returns how many were taken.
    std::size_t fill() {
        std::size_t taken = 0;
        while (post(eager).kind == queue::Verdict::Kind::ok) {
            ++taken;
            REQUIRE(taken < 50'000);
        }
        return taken;
    }
};

TEST_CASE("the shards' shares of the connections make up the configured maximum") {
    for (const std::uint32_t connections_max : {4U, 7U, 100'000U, 100'003U}) {
        std::uint32_t sum = 0;
        for (std::uint16_t i = 0; i < 4; ++i) {
            sum += connections_share(connections_max, 4, ShardId{i});
        }
        CHECK(sum == connections_max);
    }
    CHECK(connections_share(1, 4, ShardId{3}) == 1);  // Nobody's part of the port is dead.
}

TEST_CASE("where a shard takes nothing, operations of others are soon answered BUSY") {
    Bench bench;
    bench.create();
    bench.subscribe_deaf();
    const std::size_t taken = bench.fill();
    const auto busy = bench.post(eager);
    CHECK(busy.kind == queue::Verdict::Kind::busy);
    CHECK(busy.code == ErrorCode::busy);
    CHECK(busy.retry_ms > 0);

    // All that was taken arrives, in order; then operations are taken again.
    std::optional<Seq> last;
    for (std::size_t i = 0; i < taken; ++i) {
        const auto message = bench.take(deaf);
        const Seq seq = std::get<queue::Published>(message.body).event->seq;
        REQUIRE(seq == last.value_or(seq - 1) + 1);
        last = seq;
    }
    CHECK(bench.post(eager).kind == queue::Verdict::Kind::ok);
}

TEST_CASE("while another shard's channel is full, clients get what is on its way to them") {
    Bench bench;
    bench.create();
    bench.subscribe_deaf();
    const runtime::Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(bench.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(client.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    const std::string_view request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    REQUIRE(::send(client.fd(), request.data(), request.size(), 0) ==
            static_cast<ssize_t>(request.size()));
    char first = 0;
    REQUIRE(::recv(client.fd(), &first, 1, MSG_PEEK) == 1);  // The answer is under way.
    bench.fill();
    std::size_t got = 0;
    std::array<char, 65'536> buffer{};
    while (got < page_bytes) {
        const auto taken = ::recv(client.fd(), buffer.data(), buffer.size(), 0);
        REQUIRE(taken > 0);
        got += static_cast<std::size_t>(taken);
    }
    CHECK(bench.post(eager).kind == queue::Verdict::Kind::busy);  // Still.
}

}  // namespace
}  // namespace muster::server
