// One real shard thread; the test is the other shards and the service thread.
#include "app/server/shard_thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "app/roles/shard_bench.h"
#include "app/roles/whole_replay.h"
#include "shell/runtime/descriptor.h"
#include "shell/runtime/recording_format.h"
#include "shell/runtime/recording_reader.h"
#include "shell/runtime/recording_test_folder.h"

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

constexpr std::uint64_t seed = 1;

ShardSettings shard_settings() {
    ShardSettings settings;
    settings.shard = own;
    settings.seed = seed;
    settings.sockets.kernel_send_bytes = 16 * 1024;
    return settings;
}

struct Bench {
    Switchboard switchboard{shard_count};
    std::shared_ptr<const roles::Site> site = make_site();
    net::Listener listener = listen();
    std::uint16_t port = listener.port;
    ShardThread shard;
    QueueName room = room_of_own();
    bool is_stopped = false;

    explicit Bench(const ShardSettings& settings = shard_settings(),
                   std::unique_ptr<runtime::RecordingWriter> recording = nullptr)
        : shard(settings, site, std::move(listener), switchboard, std::move(recording)) {
        shard.start();
    }
    ~Bench() {
        if (!is_stopped) {
            stop();
        }
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    void stop() {
        is_stopped = true;
        send(shard_count, StopShard{});
        send(shard_count, EndShard{});
        shard.join();
    }
    /// What the shard has said of its recording so far.
    std::vector<std::string> recording_failures() {
        std::vector<std::string> reasons;
        while (auto item = switchboard.to_service(own).pop()) {
            if (const auto* failed = std::get_if<RecordingFailed>(&*item)) {
                CHECK(failed->shard == own);
                reasons.push_back(failed->reason);
            }
        }
        return reasons;
    }

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

runtime::RecordingSettings recording_settings(const runtime::RecordingFolder& folder,
                                              runtime::Mode mode) {
    runtime::RecordingSettings settings = folder.settings(mode);
    settings.shard = own;
    settings.segment_bytes = 32 * 1024;
    return settings;
}

/// Runs what lies in the folder of `settings` again.
Result<roles::ReplayReport> replay(const runtime::RecordingSettings& settings,
                                   std::shared_ptr<const roles::Site> site) {
    return runtime::RecordingReader::open({settings.folder}).and_then([&](auto reader) {
        roles::WholeReplay replay(own, std::move(site), seed);
        return replay.run([&] { return reader.next(); }, {});
    });
}

TEST_CASE("when the disk is full the shard goes on, says so once, and what it wrote is replayed") {
    for (const auto mode : {runtime::Mode::crash, runtime::Mode::all}) {
        const runtime::RecordingFolder folder;
        runtime::FillingDisk filling;
        runtime::RecordingDisk disk{filling.calls()};
        const auto settings = recording_settings(folder, mode);
        Bench bench(shard_settings(), runtime::open_writer(settings, disk));
        bench.create();
        for (int i = 0; i < 20; ++i) {
            REQUIRE(bench.post(eager).kind == queue::Verdict::Kind::ok);
        }
        disk.flush();  // So that what was said until now is there.
        filling.fill();
        std::vector<std::string> reasons;
        while (reasons.empty()) {
            REQUIRE(bench.post(eager).kind == queue::Verdict::Kind::ok);
            reasons = bench.recording_failures();
        }
        CHECK(reasons.size() == 1);
        CHECK_FALSE(reasons[0].empty());
        for (int i = 0; i < 20; ++i) {
            REQUIRE(bench.post(eager).kind == queue::Verdict::Kind::ok);
        }
        bench.stop();
        CHECK(bench.recording_failures().empty());
        CHECK(bench.shard.has_let_go_of_disk());
        const auto report = replay(settings, bench.site);
        REQUIRE(report);
        CHECK_FALSE(report->difference.has_value());
        CHECK(report->entries > 20);
    }
}

TEST_CASE("a disk that hangs does not keep a shard from its end, which says what is missing") {
    const runtime::RecordingFolder folder;
    runtime::Gate gate;
    runtime::RecordingDisk disk{gate.calls()};
    const auto recorded = recording_settings(folder, runtime::Mode::all);
    ShardSettings settings = shard_settings();
    settings.recording_grace = std::chrono::milliseconds{1};
    {
        Bench bench(settings, runtime::open_writer(recorded, disk));
        bench.create();
        gate.set(false);
        REQUIRE(bench.post(eager).kind == queue::Verdict::Kind::ok);
        gate.wait_for_visitor();
        bench.stop();  // Waits for ever, if the shard does.
        CHECK_FALSE(bench.shard.has_let_go_of_disk());
        CHECK(
            bench.recording_failures() ==
            std::vector<std::string>{"the disk did not take the end of the recording within 1ms"});
        gate.set(true);  // For the end of the bench.
    }
    CHECK(runtime::read_all({recorded.folder}).end == runtime::RecordingReader::End::closed);
}

TEST_CASE("a recording that fails at its very end is told as well") {
    const runtime::RecordingFolder folder;
    auto calls = runtime::RecordingDisk::system_calls();
    calls.write = [](int fd, const void* bytes, std::size_t count) -> ssize_t {
        // The end mark of the end is the only write so small.
        if (count == runtime::end_mark_bytes) {
            errno = EIO;
            return -1;
        }
        return ::write(fd, bytes, count);
    };
    runtime::RecordingDisk disk{calls};
    Bench bench(shard_settings(),
                runtime::open_writer(recording_settings(folder, runtime::Mode::all), disk));
    bench.create();
    bench.stop();
    const auto reasons = bench.recording_failures();
    REQUIRE(reasons.size() == 1);
    CHECK(reasons[0].find("Input/output error") != std::string::npos);
}

}  // namespace
}  // namespace muster::server
