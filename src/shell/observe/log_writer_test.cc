#include "shell/observe/log_writer.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

using namespace muster::observe;
using muster::runtime::Descriptor;
using namespace std::chrono_literals;

namespace {

constexpr int patience_ms = 10'000;
const LogIdentity identity{.host = "host", .pid = 42};

/// A socket on a free port of 127.0.0.1 (0: any).
struct Receiver {
    explicit Receiver(int type, std::uint16_t wanted_port = 0)
        : descriptor{::socket(AF_INET, type | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(wanted_port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int on = 1;
        ::setsockopt(descriptor.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        REQUIRE(descriptor.fd() >= 0);
        REQUIRE(::bind(descriptor.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
                0);
        socklen_t bytes = sizeof(address);
        REQUIRE(::getsockname(descriptor.fd(), reinterpret_cast<sockaddr*>(&address), &bytes) == 0);
        port = ntohs(address.sin_port);
        if (type == SOCK_STREAM) {
            REQUIRE(::listen(descriptor.fd(), 5) == 0);
        }
    }
    Descriptor descriptor;
    std::uint16_t port = 0;
};

std::string receive(int descriptor) {
    pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&wanted, 1, patience_ms) == 1);
    std::array<char, 65'536> memory;
    const ssize_t bytes = ::read(descriptor, memory.data(), memory.size());
    REQUIRE(bytes >= 0);
    return {memory.data(), static_cast<std::size_t>(bytes)};
}

Descriptor accept_one(const Receiver& receiver) {
    pollfd wanted{.fd = receiver.descriptor.fd(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&wanted, 1, patience_ms) == 1);
    return Descriptor{::accept4(receiver.descriptor.fd(), nullptr, nullptr, SOCK_CLOEXEC)};
}

LogWriter open(const std::string& target, Severity least = Severity::info) {
    auto writer = LogWriter::open(parse_log_target(target).value(), least, identity);
    REQUIRE(writer);
    return std::move(*writer);
}

/// A new folder that goes away with its contents.
struct TemporaryFolder {
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "muster-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

Descriptor unix_receiver(const std::filesystem::path& path) {
    Descriptor receiver{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path.string();
    REQUIRE(text.size() < sizeof(address.sun_path));
    text.copy(address.sun_path, text.size());
    REQUIRE(::bind(receiver.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    return receiver;
}

/// Lets fd 2 be a pipe for a while.
struct StderrPipe {
    StderrPipe() : earlier{::dup(STDERR_FILENO)} {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        read_end = Descriptor{ends[0]};
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[1]);
    }
    StderrPipe(const StderrPipe&) = delete;
    StderrPipe& operator=(const StderrPipe&) = delete;
    ~StderrPipe() { ::dup2(earlier.fd(), STDERR_FILENO); }
    Descriptor earlier;
    Descriptor read_end;
};

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos;
         at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

}  // namespace

TEST_CASE("a line over UDP is one datagram") {
    const Receiver receiver{SOCK_DGRAM};
    LogWriter writer = open(fmt::format("udp:127.0.0.1:{}", receiver.port));
    writer.write(LogEvent::up, "Muster is up", {{"version", "0.1.0"}});
    const std::string line = receive(receiver.descriptor.fd());
    CHECK(line.starts_with("<29>1 20"));
    CHECK(line.ends_with(" host muster 42 up [muster@32473 version=\"0.1.0\"] Muster is up"));
    CHECK(writer.pending_bytes() == 0);
}

TEST_CASE("a line that is less bad than asked for is not sent") {
    const Receiver receiver{SOCK_DGRAM};
    LogWriter writer = open(fmt::format("udp:127.0.0.1:{}", receiver.port), Severity::warning);
    writer.write(LogEvent::slow_client, "info");
    writer.write(LogEvent::abuse, "warning");
    CHECK(receive(receiver.descriptor.fd()).ends_with(" warning"));
    CHECK(writer.dropped_count() == 0);
}

TEST_CASE("over TCP the size of each line stands before it") {
    const Receiver receiver{SOCK_STREAM};
    LogWriter writer = open(fmt::format("tcp:localhost:{}", receiver.port));
    writer.write(LogEvent::up, "one");
    writer.write(LogEvent::down, "two");
    const Descriptor peer = accept_one(receiver);
    CHECK(writer.finish(10s));
    std::string stream;
    while (count(stream, " muster ") < 2 || !stream.ends_with("two")) {
        stream += receive(peer.fd());
    }
    for (const std::string_view end : {"one", "two"}) {
        const std::size_t digits = stream.find(' ');
        const auto size = static_cast<std::size_t>(std::stoul(stream.substr(0, digits)));
        const std::string line = stream.substr(digits + 1, size);
        CHECK(line.starts_with("<29>1 "));
        CHECK(line.ends_with(end));
        stream.erase(0, digits + 1 + size);
    }
    CHECK(stream.empty());
}

TEST_CASE("lines wait while the TCP receiver is away and arrive when it is back") {
    std::optional<Receiver> receiver{SOCK_STREAM};
    const std::uint16_t port = receiver->port;
    LogWriter writer = open(fmt::format("tcp:127.0.0.1:{}", port));
    {
        const Descriptor peer = accept_one(*receiver);
        writer.write(LogEvent::up, "heard");
        CHECK(receive(peer.fd()).ends_with("heard"));
        receiver.reset();
    }
    writer.write(LogEvent::overload, "kept");
    CHECK(writer.pending_bytes() > 0);
    receiver.emplace(SOCK_STREAM, port);
    CHECK(writer.finish(10s));
    const Descriptor peer = accept_one(*receiver);
    CHECK(receive(peer.fd()).ends_with("kept"));
    CHECK(writer.dropped_count() == 0);
}

TEST_CASE("what waits for a receiver is bounded; the rest is dropped and counted") {
    std::optional<Receiver> receiver{SOCK_STREAM};
    const std::uint16_t port = receiver->port;
    receiver.reset();
    LogWriter writer = open(fmt::format("tcp:127.0.0.1:{}", port));
    const std::string text(1'000, 'x');
    for (std::size_t i = 0; i < LogWriter::lines_burst; ++i) {
        writer.write(LogEvent::abuse, text);
        writer.write(LogEvent::overload, text);
    }
    CHECK(writer.pending_bytes() <= LogWriter::pending_bytes_max);
    CHECK(writer.pending_bytes() > LogWriter::pending_bytes_max - 2'000);
    CHECK(writer.dropped_count() > 0);
    CHECK_FALSE(writer.finish(0ms));
}

TEST_CASE("a flood of one kind of line is thinned out, and a line says so") {
    const Receiver receiver{SOCK_DGRAM};
    LogWriter writer = open(fmt::format("udp:127.0.0.1:{}", receiver.port));
    std::string all;
    for (int i = 0; i < 2'000; ++i) {
        writer.write(LogEvent::abuse, "flood");
        while (::recv(receiver.descriptor.fd(), nullptr, 0, MSG_PEEK | MSG_DONTWAIT) >= 0) {
            all += receive(receiver.descriptor.fd()) + "\n";
        }
    }
    CHECK(count(all, "flood") >= LogWriter::lines_burst);
    CHECK(count(all, "flood") + writer.dropped_count() == 2'000);
    CHECK(count(all, " log_dropped [muster@32473 count=") >= 1);
}

TEST_CASE("what was dropped is told before the line that tells the end") {
    const Receiver receiver{SOCK_DGRAM};
    LogWriter writer = open(fmt::format("udp:127.0.0.1:{}", receiver.port));
    std::vector<std::string> lines;
    const auto read = [&] {
        while (::recv(receiver.descriptor.fd(), nullptr, 0, MSG_PEEK | MSG_DONTWAIT) >= 0) {
            lines.push_back(receive(receiver.descriptor.fd()));
        }
    };
    // The first loss is told at once; what is lost after it has to wait for the next second.
    for (std::size_t i = 0; i < LogWriter::lines_burst + 50; ++i) {
        writer.write(LogEvent::abuse, "flood");
        read();
    }
    REQUIRE(writer.dropped_count() > 1);
    writer.write(LogEvent::down, "the end");
    CHECK(writer.finish(10s));
    read();
    REQUIRE(lines.size() > 2);
    CHECK(lines.back().ends_with("the end"));
    CHECK(count(lines[lines.size() - 2], fmt::format("total=\"{}\"", writer.dropped_count())) == 1);
}

TEST_CASE("a line to a unix socket is one datagram, also after its receiver began anew") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder.path / "log";
    Descriptor receiver = unix_receiver(path);
    LogWriter writer = open("unix:" + path.string());
    writer.write(LogEvent::up, "first");
    CHECK(receive(receiver.fd()).ends_with(" up - first"));

    receiver.close();
    std::filesystem::remove(path);
    writer.write(LogEvent::overload, "meanwhile");
    receiver = unix_receiver(path);
    CHECK(writer.finish(10s));
    CHECK(receive(receiver.fd()).ends_with("meanwhile"));
}

TEST_CASE("a writer whose receiver does not read neither waits nor grows") {
    const TemporaryFolder folder;
    const Descriptor receiver = unix_receiver(folder.path / "log");
    LogWriter writer = open("unix:" + (folder.path / "log").string());
    for (const LogEvent event : {LogEvent::abuse, LogEvent::overload, LogEvent::slow_client}) {
        for (std::size_t i = 0; i < LogWriter::lines_burst; ++i) {
            writer.write(event, std::string(1'000, 'x'));
        }
    }
    CHECK(writer.pending_bytes() > 0);
    CHECK(writer.pending_bytes() <= LogWriter::pending_bytes_max);
    CHECK(receive(receiver.fd()).ends_with("xxx"));
}

TEST_CASE("a line on stderr has the form for people") {
    const StderrPipe pipe;
    LogWriter writer = open("stderr");
    writer.write(LogEvent::up, "Muster is up", {{"shards", 2}});
    CHECK(receive(pipe.read_end.fd()).ends_with("Z notice up: Muster is up shards=2\n"));
}

TEST_CASE("a full pipe at stderr neither stops the writer nor changes the pipe for others") {
    const StderrPipe pipe;
    LogWriter writer = open("stderr");
    for (int i = 0; i < 150; ++i) {
        writer.write(LogEvent::abuse, std::string(1'000, 'x'));
    }
    CHECK(writer.pending_bytes() > 0);
    CHECK((::fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0);
    std::string all;
    while (writer.pending_bytes() > 0) {
        all += receive(pipe.read_end.fd());
        writer.flush();
    }
    all += receive(pipe.read_end.fd());
    CHECK(count(all, " warning abuse: x") == 150);
    CHECK(count(all, "x\n") == 150);
}

TEST_CASE("a log target whose host nobody knows is an error") {
    const auto writer =
        LogWriter::open(parse_log_target("udp:no-such-host.invalid:514").value(), Severity::info);
    REQUIRE_FALSE(writer);
    CHECK(writer.error().code == muster::ErrorCode::bad_settings);
}
