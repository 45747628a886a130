// Debian's rsyslogd reads our lines over every transport, and tells what it understood.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/core.h>

#include "shell/observe/log_writer.h"
#include "shell/runtime/descriptor.h"

using namespace muster::observe;
using muster::runtime::Descriptor;
using namespace std::chrono_literals;

namespace {

std::uint16_t free_port(int type) {
    const Descriptor socket{::socket(AF_INET, type | SOCK_CLOEXEC, 0)};
    REQUIRE(socket.fd() >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket.fd(), generic, bytes) == 0);
    REQUIRE(::getsockname(socket.fd(), generic, &bytes) == 0);
    return ntohs(address.sin_port);
}

/// A rsyslogd of our own in a temporary folder, with one line of output for each line it gets.
class Rsyslog {
public:
    Rsyslog() {
        std::string name = (std::filesystem::temp_directory_path() / "muster-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder_ = name;
        write_configuration();
        changes_ = Descriptor{::inotify_init1(IN_CLOEXEC)};
        REQUIRE(::inotify_add_watch(changes_.fd(), name.c_str(), IN_MODIFY | IN_CREATE) >= 0);
        const std::string configuration = name + "/rsyslog.conf";
        const std::string pid_file = name + "/pid";
        std::array<const char*, 7> arguments{
            "rsyslogd", "-n", "-f", configuration.c_str(), "-i", pid_file.c_str(), nullptr};
        const int error = ::posix_spawn(&process_, "/usr/sbin/rsyslogd", nullptr, nullptr,
                                        const_cast<char**>(arguments.data()), environ);
        REQUIRE_MESSAGE(error == 0, "no rsyslogd: run scripts/setup");
    }
    Rsyslog(const Rsyslog&) = delete;
    Rsyslog& operator=(const Rsyslog&) = delete;
    ~Rsyslog() {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        std::filesystem::remove_all(folder_);
    }

    /// Writes `write` to `target` until rsyslogd has told of a line with `mark`; returns its words.
    template <typename Write>
    std::string understood(const std::string& target, const std::string& mark, Write write) {
        auto writer = LogWriter::open(parse_log_target(target).value(), Severity::info,
                                      {.host = "the-host", .pid = 42});
        REQUIRE(writer);
        const auto deadline = std::chrono::steady_clock::now() + 30s;
        while (std::chrono::steady_clock::now() < deadline) {
            // Until its sockets are open, what is sent to them is lost or waits.
            if (writer->pending_bytes() == 0) {
                write(*writer);
            }
            writer->flush();
            const std::string found = line_with(mark);
            if (!found.empty()) {
                return found;
            }
            pollfd wanted{.fd = changes_.fd(), .events = POLLIN, .revents = 0};
            if (::poll(&wanted, 1, 50) > 0) {
                std::array<char, 4096> events;
                CHECK(::read(changes_.fd(), events.data(), events.size()) > 0);
            }
        }
        return {};
    }

    [[nodiscard]] std::string udp() const { return fmt::format("udp:127.0.0.1:{}", udp_port_); }
    [[nodiscard]] std::string tcp() const { return fmt::format("tcp:127.0.0.1:{}", tcp_port_); }
    [[nodiscard]] std::string unix_socket() const { return "unix:" + folder_.string() + "/log"; }

private:
    void write_configuration() const {
        std::ofstream file{folder_ / "rsyslog.conf"};
        file << fmt::format(R"(
global(workDirectory="{0}")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" SysSock.Use="off")
module(load="mmpstrucdata")
input(type="imudp" address="127.0.0.1" port="{1}")
input(type="imtcp" address="127.0.0.1" port="{2}")
input(type="imuxsock" Socket="{0}/log" CreatePath="off" UseSpecialParser="off" ParseHostname="on")
template(name="words" type="string" string="%hostname%|%app-name%|%procid%|%msgid%|%syslogseverity-text%|%syslogfacility-text%|%timereported:::date-year%|%$!rfc5424-sd%|%msg%\n")
action(type="mmpstrucdata")
action(type="omfile" file="{0}/out" template="words")
)",
                            folder_.string(), udp_port_, tcp_port_);
    }

    [[nodiscard]] std::string line_with(const std::string& mark) const {
        std::ifstream file{folder_ / "out"};
        for (std::string line; std::getline(file, line);) {
            if (line.find(mark) != std::string::npos) {
                return line;
            }
        }
        return {};
    }

    std::filesystem::path folder_;
    std::uint16_t udp_port_ = free_port(SOCK_DGRAM);
    std::uint16_t tcp_port_ = free_port(SOCK_STREAM);
    Descriptor changes_;
    pid_t process_ = -1;
};

}  // namespace

TEST_CASE("rsyslogd understands our lines over UDP, TCP and a unix socket") {
    Rsyslog rsyslog;
    const auto is_understood = [&rsyslog](const std::string& target, const std::string& way) {
        CAPTURE(way);
        const std::string line = rsyslog.understood(target, way, [&way](LogWriter& writer) {
            writer.write(LogEvent::admin_change, "caf\xc3\xa9 [ok] \"quoted\"",
                         {{"queue", R"(/a"b\c]d)"}, {"count", 7}, {"way", way}});
        });
        CHECK(line.starts_with("the-host|muster|42|admin_change|info|daemon|20"));
        CHECK(line.find(R"("muster@32473": { "queue": "\/a\"b\\c]d", "count": "7", )") !=
              std::string::npos);
        CHECK(line.ends_with("|caf\xc3\xa9 [ok] \"quoted\""));
    };
    is_understood(rsyslog.udp(), "over udp");
    is_understood(rsyslog.tcp(), "over tcp");
    is_understood(rsyslog.unix_socket(), "over unix");
}
