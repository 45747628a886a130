#include "shell/net/client_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "shell/runtime/clock.h"

namespace muster::net {
namespace {

using runtime::Descriptor;

/// Client sockets with a real poller, whose events are written down.
struct Bench {
    runtime::Poller poller{64};
    std::vector<std::string> events;  ///< "opened", "received hello", "blocked" …
    std::vector<ConnectionId> opened;
    gateway::Opened last_opened;
    gateway::Outputs outputs;
    Instant now = runtime::monotonic_now();
    std::uint16_t port = 0;
    std::optional<ClientSockets> sockets;
    std::optional<gateway::Output> on_closed;  ///< what a machine puts out when a socket is lost

    explicit Bench(const ClientSocketsSettings& settings = {}) {
        auto listener = listen_on("127.0.0.1:0", {});
        REQUIRE(listener.has_value());
        port = listener->port;
        sockets.emplace(poller, *std::move(listener), settings,
                        [this](const gateway::Event& event) { note(event); });
    }

    void note(const gateway::Event& event) {
        if (const auto* open = std::get_if<gateway::Opened>(&event)) {
            opened.push_back(open->connection);
            last_opened = *open;
            events.push_back("opened " + open->peer);
        } else if (const auto* received = std::get_if<gateway::Received>(&event)) {
            events.push_back("received " +
                             std::string(received->bytes.data(), received->bytes.size()));
        } else if (std::holds_alternative<gateway::SocketClosed>(event)) {
            events.emplace_back("closed");
            if (on_closed) {
                outputs.push_back(*std::exchange(on_closed, std::nullopt));
            }
        } else if (std::holds_alternative<gateway::Blocked>(event)) {
            events.emplace_back("blocked");
        } else if (std::holds_alternative<gateway::Drained>(event)) {
            events.emplace_back("drained");
        }
    }

    /// Takes turns until `done`; gives up after many, so that a failing test ends.
    template <typename Done>
    void turn_until(Done done) {
        for (int i = 0; i < 2'000 && !done(); ++i) {
            for (const auto& event : poller.wait(std::chrono::milliseconds{5})) {
                sockets->ready(event.data.u64, event.events, now);
            }
            sockets->time_passed(now);
            sockets->flush(outputs, now);
        }
        REQUIRE(done());
    }

    [[nodiscard]] Descriptor connect() const {
        Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(client.fd(), reinterpret_cast<const sockaddr*>(&address),
                          sizeof address) == 0);
        return client;
    }

    Descriptor connect_and_accept() {
        Descriptor client = connect();
        const auto before = opened.size();
        turn_until([&] { return opened.size() == before + 1; });
        return client;
    }

    [[nodiscard]] bool has(std::string_view event) const {
        return std::find(events.begin(), events.end(), event) != events.end();
    }

    void put(ConnectionId id, std::string_view bytes, bool then_close = false) {
        outputs.push_back({id, SharedText(bytes), then_close});
    }
};

std::string read_all(int fd, std::size_t bytes) {
    std::string got;
    std::vector<char> buffer(64 * 1024);
    while (got.size() < bytes) {
        const auto taken = recv(fd, buffer.data(), buffer.size(), 0);
        if (taken <= 0) {
            break;
        }
        got.append(buffer.data(), static_cast<std::size_t>(taken));
    }
    return got;
}

TEST_CASE("a client's bytes come in, and what is put out reaches it in order") {
    Bench bench;
    const Descriptor client = bench.connect_and_accept();
    CHECK(bench.events[0] == "opened 127.0.0.1");
    REQUIRE(send(client.fd(), "hello", 5, 0) == 5);
    bench.turn_until([&] { return bench.has("received hello"); });
    for (const std::string_view part : {"one ", "two ", "three"}) {
        bench.put(bench.opened[0], part);
    }
    bench.sockets->flush(bench.outputs, bench.now);
    CHECK(bench.outputs.empty());
    CHECK(read_all(client.fd(), 13) == "one two three");
}

TEST_CASE("outputs of many connections in one turn reach each its own") {
    Bench bench;
    const Descriptor a = bench.connect_and_accept();
    const Descriptor b = bench.connect_and_accept();
    for (int i = 0; i < 3; ++i) {
        bench.put(bench.opened[0], "a");
        bench.put(bench.opened[1], "b");
    }
    bench.sockets->flush(bench.outputs, bench.now);
    CHECK(read_all(a.fd(), 3) == "aaa");
    CHECK(read_all(b.fd(), 3) == "bbb");
}

TEST_CASE("a client that does not read blocks once, and gets all once it reads") {
    ClientSocketsSettings settings;
    settings.kernel_send_bytes = 8 * 1024;
    Bench bench(settings);
    const Descriptor client = bench.connect_and_accept();
    std::string sent;
    while (!bench.has("blocked")) {
        const std::string part(50'000, static_cast<char>('a' + sent.size() / 50'000 % 26));
        bench.put(bench.opened[0], part);
        bench.put(bench.opened[0], "-");
        sent += part + "-";
        bench.sockets->flush(bench.outputs, bench.now);
    }
    std::string got;
    std::vector<char> buffer(64 * 1024);
    bench.turn_until([&] {
        const auto taken = recv(client.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (taken > 0) {
            got.append(buffer.data(), static_cast<std::size_t>(taken));
        }
        return got.size() >= sent.size();
    });
    CHECK(got == sent);
    bench.turn_until([&] { return bench.has("drained"); });
    CHECK(std::count(bench.events.begin(), bench.events.end(), "blocked") == 1);
}

TEST_CASE("the last frame of a blocked client comes after what waits for it") {
    ClientSocketsSettings settings;
    settings.kernel_send_bytes = 8 * 1024;
    Bench bench(settings);
    const Descriptor client = bench.connect_and_accept();
    std::size_t sent = 0;
    while (!bench.has("blocked")) {
        bench.put(bench.opened[0], std::string(50'000, 'x'));
        sent += 50'000;
        bench.sockets->flush(bench.outputs, bench.now);
    }
    bench.put(bench.opened[0], "goodbye", true);
    bench.sockets->flush(bench.outputs, bench.now);
    std::string got;
    std::vector<char> buffer(64 * 1024);
    bench.turn_until([&] {
        const auto taken = recv(client.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (taken > 0) {
            got.append(buffer.data(), static_cast<std::size_t>(taken));
        }
        return got.size() >= sent + 7;
    });
    CHECK(got.ends_with("xgoodbye"));
}

TEST_CASE("last bytes reach a client that still sends, then its socket is closed") {
    Bench bench;
    const Descriptor client = bench.connect_and_accept();
    REQUIRE(send(client.fd(), "unread", 6, 0) == 6);
    bench.put(bench.opened[0], "goodbye", true);
    bench.sockets->flush(bench.outputs, bench.now);
    CHECK(read_all(client.fd(), 100) == "goodbye");  // Then the end of the stream, no reset.
    CHECK(bench.sockets->open_count() == 1);
    bench.now += std::chrono::seconds{3};
    bench.turn_until([&] { return bench.sockets->open_count() == 0; });
    CHECK_FALSE(bench.has("closed"));  // The machine has closed it: it is told nothing.
}

TEST_CASE("a client that goes is told of once") {
    Bench bench;
    {
        const Descriptor client = bench.connect_and_accept();
    }
    bench.turn_until([&] { return bench.has("closed"); });
    CHECK(bench.sockets->open_count() == 0);
    bench.put(bench.opened[0], "too late");
    bench.sockets->flush(bench.outputs, bench.now);
    CHECK(std::count(bench.events.begin(), bench.events.end(), "closed") == 1);
}

TEST_CASE("a place is used again under another id") {
    Bench bench;
    bench.connect_and_accept();
    bench.turn_until([&] { return bench.has("closed"); });
    const Descriptor second = bench.connect_and_accept();
    CHECK(gateway::slot_of(bench.opened[1]) == gateway::slot_of(bench.opened[0]));
    CHECK(bench.opened[1] != bench.opened[0]);
}

TEST_CASE("row 58: without free descriptors accepting pauses, and who is connected lives on") {
    Bench bench;
    const Descriptor client = bench.connect_and_accept();
    rlimit limit{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlimit old = limit;
    // The second client's own socket takes the last descriptor that is allowed.
    Descriptor second(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    limit.rlim_cur = static_cast<rlim_t>(second.fd()) + 1;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    std::vector<Descriptor> holes;  // Free numbers below the limit, taken.
    for (int fd = dup(0); fd >= 0; fd = dup(0)) {
        holes.emplace_back(fd);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(bench.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(second.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    bench.turn_until([&] { return bench.sockets->accept_pauses() == 1; });
    CHECK(bench.sockets->pause_reason().find("descriptors") != std::string_view::npos);
    // It waits in the kernel's queue, and no turn finds anything to do: no spin.
    CHECK(bench.poller.wait(Duration::zero()).empty());
    REQUIRE(send(client.fd(), "still here", 10, 0) == 10);
    bench.turn_until([&] { return bench.has("received still here"); });
    holes.clear();
    REQUIRE(setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(bench.sockets->next_wake().has_value());
    bench.now += std::chrono::seconds{1};
    bench.turn_until([&] { return bench.opened.size() == 2; });
}

TEST_CASE("at the bound of connections accepting pauses until one goes") {
    ClientSocketsSettings settings;
    settings.connections_max = 1;
    Bench bench(settings);
    Descriptor first = bench.connect_and_accept();
    const Descriptor second = bench.connect();
    bench.turn_until([&] { return bench.sockets->accept_pauses() == 1; });
    CHECK(bench.sockets->pause_reason().find("max_connections") != std::string_view::npos);
    CHECK(bench.opened.size() == 1);
    first.close();
    bench.turn_until([&] { return bench.opened.size() == 2; });
}

TEST_CASE("a socket counts in the crowd until its client is known, is sent away or is gone") {
    ClientSocketsSettings settings;
    settings.crowd = std::make_shared<runtime::Crowd>(HashKey{});
    static_cast<void>(settings.crowd->add(runtime::CrowdAddress{}));  // Another shard's.
    std::optional<Bench> bench(settings);
    const auto unknown = [&] { return settings.crowd->count(runtime::CrowdAddress{}).all; };
    std::vector<Descriptor> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(bench->connect_and_accept());
    }
    CHECK(bench->last_opened.unknown == 5);
    CHECK(bench->last_opened.unknown_of_address == 4);

    bench->outputs.push_back({bench->opened[0], SharedText{}, false, true});
    bench->sockets->flush(bench->outputs, bench->now);
    CHECK(unknown() == 4);
    bench->put(bench->opened[1], "goodbye", true);
    bench->sockets->flush(bench->outputs, bench->now);
    CHECK(unknown() == 3);
    clients[2].close();
    bench->turn_until([&] { return bench->has("closed"); });
    CHECK(unknown() == 2);
    clients[0].close();  // Of a known one nothing is taken off again.
    bench->turn_until([&] { return bench->sockets->open_count() == 2; });
    CHECK(unknown() == 2);
    bench.reset();
    CHECK(unknown() == 1);
}

TEST_CASE("what is put out because a write failed reaches its client") {
    Bench bench;
    Descriptor gone = bench.connect_and_accept();
    const Descriptor other = bench.connect_and_accept();
    const linger at_once{1, 0};  // Closing sends a reset.
    REQUIRE(setsockopt(gone.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    gone.close();
    bench.on_closed = gateway::Output{bench.opened[1], SharedText("alice has left"), false};
    // The one that is written first finds the reset; the poller has not been asked yet.
    bench.put(bench.opened[0], "are you there?");
    bench.sockets->flush(bench.outputs, bench.now);
    REQUIRE(bench.has("closed"));
    REQUIRE(bench.outputs.size() == 1);
    bench.sockets->flush(bench.outputs, bench.now);
    CHECK(read_all(other.fd(), 14) == "alice has left");
}

}  // namespace
}  // namespace muster::net
